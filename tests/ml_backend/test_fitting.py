import logging
import threading
import time
from collections.abc import Callable

import pytest

from builders import NOW
from ml_backend.fitting import Debounce, Fitting


def test_a_fit_is_due_when_it_has_been_quiet_for_long_enough() -> None:
    waiting = Debounce(quiet=20, longest=60)
    assert waiting.wait(0) is None
    waiting.ask(1, 0)
    waiting.ask(1, 15)
    assert waiting.wait(15) == 20
    assert waiting.take(34) == []
    assert waiting.take(35) == [1]
    assert waiting.take(1000) == []


def test_where_it_is_never_quiet_a_fit_is_due_all_the_same() -> None:
    waiting, due = Debounce(quiet=20, longest=60), []
    for now in range(0, 180, 5):
        due += [now for _ in waiting.take(now)]
        waiting.ask(1, now)
    assert due == [60, 120]  # each 60 s after the first event since the one before


def test_projects_wait_apart_and_training_waits_for_nothing() -> None:
    waiting = Debounce(quiet=20, longest=60)
    waiting.ask(1, 0)
    waiting.ask(2, 10)
    waiting.ask(3, 10, at_once=True)
    assert len(waiting) == 3
    assert waiting.take(10) == [3]
    assert waiting.take(20) == [1]
    waiting.ask(2, 21, at_once=True)
    waiting.ask(2, 21)  # which puts off nothing that is due
    assert waiting.take(21) == [2]


def until(done: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 10
    while not done():
        assert time.monotonic() < give_up
        time.sleep(0.01)


QUEUES = {1: "one", 2: "two", 3: "one"}


class Recording:
    """What is fitted, one after the other, each only when it may."""

    def __init__(self) -> None:
        self.fitted: list[str] = []
        self.fails: BaseException | None = None
        self.may = threading.Event()
        self.may.set()
        self.fitting = Fitting(self.fit, QUEUES.get, lambda: NOW, Debounce(quiet=0.05, longest=0.2))

    def fit(self, queue: str) -> None:
        self.may.wait(30)
        if self.fails:
            raise self.fails
        self.fitted.append(queue)


def test_what_is_asked_for_while_a_fit_runs_is_fitted_once_more() -> None:
    at = Recording()
    at.may.clear()
    at.fitting.ask(1, at_once=True)
    until(lambda: at.fitting.last is not None)
    begun = time.monotonic()
    for _ in range(100):
        at.fitting.ask(1)
        at.fitting.ask(3, at_once=True)  # of the same queue
    assert time.monotonic() - begun < 1
    assert at.fitting.waiting == 2
    at.may.set()
    until(lambda: at.fitting.waiting == 0 and len(at.fitted) > 1)
    assert at.fitting.stop(5)
    assert set(at.fitted) == {"one"}
    assert len(at.fitted) <= 3  # the first, what was due when it ended, what was put off


def test_a_project_of_nobody_fits_nothing() -> None:
    at = Recording()
    at.fitting.ask(9, at_once=True)
    at.fitting.ask(2, at_once=True)
    until(lambda: at.fitted == ["two"])
    assert at.fitting.stop(5)


@pytest.mark.parametrize("error", [RuntimeError("a label"), SystemExit(1), MemoryError()])
def test_a_crash_is_told_by_its_class_and_the_next_fit_runs(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    at = Recording()
    at.fails = error
    with caplog.at_level(logging.ERROR):
        at.fitting.ask(1, at_once=True)
        until(lambda: at.fitting.last is not None and at.fitting.last.state == "failed")
    assert at.fitting.last
    assert (at.fitting.last.queue, at.fitting.last.error) == ("one", type(error).__name__)
    assert [one.getMessage() for one in caplog.records] == [f"fitting the judges of one failed: {type(error).__name__}"]
    assert not caplog.records[0].exc_info
    at.fails = None
    at.fitting.ask(1, at_once=True)
    until(lambda: at.fitted == ["one"])
    until(lambda: at.fitting.last is not None and at.fitting.last.state == "done")
    assert at.fitting.stop(5)


def test_a_fit_that_hangs_is_left_behind_at_the_end() -> None:
    at = Recording()
    at.may.clear()
    at.fitting.ask(1, at_once=True)
    until(lambda: at.fitting.last is not None)
    at.fitting.ask(2, at_once=True)
    assert not at.fitting.stop(0.1)
    at.may.set()
    assert at.fitting.stop(5)
    assert at.fitted == ["one"]  # nothing new was begun


def test_nothing_runs_before_it_is_asked_for() -> None:
    at = Recording()
    assert at.fitting.stop(0)
    at.fitting.ask(1, at_once=True)
    assert at.fitting.stop(0)
    assert not at.fitted
