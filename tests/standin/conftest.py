from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from standin.support import StandIn, stand_in


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """One event loop for all stand-ins in this process."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture
def make(tmp_path: Path, portal: BlockingPortal) -> Iterator[Callable[..., StandIn]]:
    """Starts stand-ins with settings of one's own."""
    made: list[StandIn] = []

    def start(**settings: Any) -> StandIn:
        made.append(stand_in(tmp_path, portal, **settings))
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture
def server(make: Callable[..., StandIn]) -> StandIn:
    """A stand-in without lag."""
    return make()
