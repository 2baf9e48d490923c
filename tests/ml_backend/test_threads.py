import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from ml_backend.threads import Threads


def raising(error: BaseException) -> int:
    raise error


def test_a_call_gives_what_it_gives_or_raises() -> None:
    threads = Threads("test", 1)
    assert threads.within(5, lambda: 7) == 7
    with pytest.raises(SystemExit):
        threads.within(5, partial(raising, SystemExit(1)))
    assert threads.busy == 0


def test_a_call_that_is_late_keeps_its_thread_until_it_ends() -> None:
    threads, free = Threads("test", 1), threading.Event()
    with pytest.raises(TimeoutError):
        threads.within(0.05, lambda: free.wait(30))
    assert threads.busy == 1
    with pytest.raises(TimeoutError, match="busy"):
        threads.within(0.05, lambda: True)
    free.set()
    assert threads.within(5, lambda: True)


def test_all_are_given_in_order_whatever_some_of_them_do() -> None:
    free = threading.Event()
    calls: list[Callable[[], int]] = [
        lambda: 0,
        partial(raising, ValueError()),
        lambda: int(free.wait(30)) * 100,
        *[partial(int, number) for number in range(3, 40)],
    ]
    given = Threads("test", 3).all_within(calls, each=0.3, until=time.monotonic() + 10)
    free.set()
    assert [type(one) for one in given[:3]] == [int, ValueError, TimeoutError]
    assert given[3:] == [*range(3, 40)]


def test_where_all_hang_nobody_waits_longer_than_for_the_threads_there_are() -> None:
    free = threading.Event()
    begun = time.monotonic()
    calls: list[Callable[[], bool]] = [lambda: free.wait(30)] * 100
    given = Threads("test", 2).all_within(calls, each=0.1, until=begun + 30)
    took = time.monotonic() - begun
    free.set()
    assert {type(one) for one in given} == {TimeoutError}
    assert took < 5  # 0.1 s for two that hang, 0.1 s in vain for a third


def test_nobody_waits_beyond_the_end() -> None:
    free, begun = threading.Event(), time.monotonic()
    given = Threads("test", 4).all_within([lambda: free.wait(30)], each=30, until=begun + 0.1)
    assert time.monotonic() - begun < 5
    free.set()
    assert isinstance(given[0], TimeoutError)


def test_where_the_process_may_have_no_more_threads_nobody_gets_one_and_none_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    threads = Threads("test", 1)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(TimeoutError):
            threads.within(0.1, lambda: 1)
    assert threads.busy == 0
    assert threads.within(5, lambda: 7) == 7
