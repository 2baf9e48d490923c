"""Pages on a real Dask cluster of two worker processes here: through a worker's death, and with errors whole."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import distributed
import pytest

import spread_work
from goldloop.adapters.spread import Runner, as_they_come
from goldloop.adapters.spread.dask import Dask
from goldloop.errors import ConfigError, RetryableError


@pytest.fixture(scope="module")
def dask() -> Iterator[Runner]:
    with Dask(None, 2) as runner:
        yield runner


def test_two_workers_share_the_pages(dask: Runner) -> None:
    done = list(as_they_come(lambda page: dask.do(spread_work.process, page), map(str, range(20)), dask.at_once))
    assert sorted(int(one[0]) for one in done if one) == list(range(20))
    assert len({one[1] for one in done if one}) == 2


def test_what_the_work_raises_comes_through(dask: Runner) -> None:
    with pytest.raises(RetryableError, match="503") as raised:
        dask.do(spread_work.fails, "later")
    assert (raised.value.server, raised.value.retry_after) == ("Langfuse", 7.0)
    with pytest.raises(ConfigError):
        dask.do(spread_work.fails, "never")


def test_a_page_whose_worker_is_killed_goes_to_another(dask: Runner, tmp_path: Path) -> None:
    assert dask.do(spread_work.dies_once, str(tmp_path / "once")) == "done"


def test_a_page_that_kills_two_workers_is_left(dask: Runner, tmp_path: Path) -> None:
    marker = tmp_path / "always"
    assert dask.do(spread_work.dies_always, str(marker)) is None
    assert marker.stat().st_size == 2
    assert dask.do(len, "page") == 4  # there are workers again


def test_a_cluster_without_workers_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goldloop.adapters.spread.dask._CONNECT_SECONDS", 1)
    cluster: Any = distributed.LocalCluster
    here = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL}
    with (
        cluster(n_workers=0, **here) as empty,
        pytest.raises(RetryableError, match="has no worker: start one"),
        Dask(empty.scheduler_address, None),
    ):
        pass
