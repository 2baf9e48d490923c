"""Locks: one run at a time, and none stands in the way for long after its death."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from contract.store_samples import NOON
from goldloop.adapters.store import SqlStore, open_store
from goldloop.errors import LockedError

pytest_plugins = ["contract.store_fixtures"]

MINUTE = timedelta(minutes=1)
MOMENT = timedelta(seconds=0.6)
Holder = subprocess.Popen[str]
Hold = Callable[[str, timedelta], Holder]


def is_free(store: SqlStore, owner: str = "me") -> bool:
    try:
        with store.lock("queue", owner, MINUTE):
            return True
    except LockedError:
        return False


@pytest.fixture
def hold(store_url: str) -> Iterator[Hold]:
    """Starts a run in another process that takes the lock."""
    holders: list[Holder] = []

    def start(owner: str, ttl: timedelta) -> Holder:
        script = Path(__file__).with_name("store_lock_holder.py")
        holder = subprocess.Popen(
            [sys.executable, script, store_url, "queue", owner, str(ttl.total_seconds())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        holders.append(holder)
        return holder

    yield start
    for holder in holders:
        holder.kill()
        holder.communicate()


def says(holder: Holder) -> str:
    assert holder.stdout is not None
    return holder.stdout.readline().strip()


def test_another_owner_is_told_since_when_and_until_when(store: SqlStore) -> None:
    with (
        store.lock("queue", "run 1", MINUTE),
        pytest.raises(LockedError, match=r"\(run 1\) has held queue since \d{4}-.* UTC: .* free at \d\d:.* UTC"),
        store.lock("queue", "run 2", MINUTE),
    ):
        pass
    assert is_free(store, "run 2")


def test_locks_of_other_names_are_free(store: SqlStore) -> None:
    with store.lock("queue", "run 1", MINUTE), store.lock("another-queue", "run 2", MINUTE):
        pass


def test_the_lock_is_released_after_an_error(store: SqlStore) -> None:
    with pytest.raises(ZeroDivisionError), store.lock("queue", "run 1", MINUTE):
        raise ZeroDivisionError
    assert is_free(store)


def test_the_same_run_may_enter_again_and_leaves_it_held(store: SqlStore) -> None:
    with store.lock("queue", "run 1", MINUTE):
        with store.lock("queue", "run 1", MINUTE):
            assert not is_free(store)
        assert not is_free(store)
    assert is_free(store)


def test_a_lock_is_renewed_while_it_is_held(store: SqlStore) -> None:
    with store.lock("queue", "run 1", MOMENT):
        time.sleep(MOMENT.total_seconds() * 2)
        assert not is_free(store)
    assert is_free(store)


def test_a_run_that_was_taken_over_neither_renews_nor_releases(store_url: str) -> None:
    with open_store(store_url) as first, open_store(store_url) as second:
        with first.lock("queue", "run", MOMENT), second.lock("queue", "run", MINUTE):
            pass
        with second.lock("queue", "run", MINUTE):
            with first.lock("queue", "run", MOMENT):
                pass
            assert is_free(first)
        with first.lock("queue", "run", MOMENT):
            holder = second.lock("queue", "run", MINUTE)
            holder.__enter__()
            time.sleep(MOMENT.total_seconds())
        assert not is_free(first)
        holder.__exit__(None, None, None)
        assert is_free(first)


def test_writes_go_on_while_a_lock_is_held(store: SqlStore) -> None:
    with store.lock("queue", "run 1", MINUTE):
        store.set_watermark("traces", NOON)
    assert store.watermark("traces") == NOON


def test_threads_may_share_a_store(store: SqlStore) -> None:
    def write(number: int) -> None:
        for _ in range(10):
            store.set_watermark(f"stream {number}", NOON)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.watermark(f"stream {number}") for number in range(4)] == [NOON] * 4


def test_a_lock_holds_between_processes_and_ends_with_its_run(store: SqlStore, hold: Hold) -> None:
    holder = hold("run 1", MINUTE)
    assert says(holder) == "held"
    assert not is_free(store)
    assert says(hold("run 2", MINUTE)) == "locked"
    holder.communicate()
    assert is_free(store)


def test_a_killed_runs_lock_is_free_once_it_expires(store: SqlStore, hold: Hold) -> None:
    holder = hold("run 1", MOMENT)
    assert says(holder) == "held"
    time.sleep(MOMENT.total_seconds())
    assert not is_free(store)
    holder.kill()
    holder.wait()
    time.sleep(MOMENT.total_seconds())
    assert is_free(store)


def test_a_killed_run_that_is_started_again_need_not_wait(store: SqlStore, hold: Hold) -> None:
    holder = hold("run 1", MINUTE)
    assert says(holder) == "held"
    holder.kill()
    holder.wait()
    assert not is_free(store, "run 2")
    assert is_free(store, "run 1")


def test_of_many_runs_at_once_one_gets_the_lock(store_url: str, hold: Hold) -> None:
    holders = [hold(f"run {number}", MINUTE) for number in range(3)]
    assert sorted(says(holder) for holder in holders) == ["held", "locked", "locked"]
