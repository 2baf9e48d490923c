from collections.abc import Iterator
from pathlib import Path

import pytest

from goldloop.adapters.store import open_store
from pipeline.loop import Loop
from pipeline.lost import Lost


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store."""
    file = tmp_path_factory.mktemp("pipeline") / "template.db"
    open_store(f"sqlite:///{file}").close()
    return file


@pytest.fixture
def loop(tmp_path: Path, template: Path) -> Iterator[Loop]:
    with Loop(tmp_path, template) as loop:
        yield loop


@pytest.fixture
def lost(tmp_path: Path, template: Path) -> Lost:
    return Lost(tmp_path, template)
