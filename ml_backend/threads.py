"""Calls with a deadline: an annotator's page waits for them."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import partial
from typing import TypeVar

ResultT = TypeVar("ResultT")


class Threads:
    """Runs each call on a thread of its own, and never more than `limit` at once.

    A thread cannot be stopped from outside: a call that is late runs on unheard, and counts until it ends.
    """

    def __init__(self, name: str, limit: int) -> None:
        self._name, self._limit = name, limit
        self._free = threading.Semaphore(limit)
        self._counting = threading.Lock()
        self._busy = 0

    @property
    def busy(self) -> int:
        """How many calls are under way."""
        return self._busy

    def start(self, call: Callable[[], ResultT], seconds: float) -> Future[ResultT] | None:
        """The call's outcome to be; None where no thread gets free within so many seconds."""
        if not self._free.acquire(timeout=max(0.0, seconds)):
            return None
        outcome: Future[ResultT] = Future()
        with self._counting:
            self._busy += 1

        def run() -> None:
            try:
                settle: Callable[[], None] = partial(outcome.set_result, call())
            except BaseException as error:  # noqa: BLE001 - it is raised again where somebody waits for it
                settle = partial(outcome.set_exception, error)
            with self._counting:
                self._busy -= 1
            self._free.release()
            settle()

        # A daemon: a call that hangs must not keep the server from ending.
        try:
            threading.Thread(target=run, name=self._name, daemon=True).start()
        except RuntimeError:  # the process may have no more threads: this one was never there
            with self._counting:
                self._busy -= 1
            self._free.release()
            return None
        return outcome

    def within(self, seconds: float, call: Callable[[], ResultT]) -> ResultT:
        """What the call gives or raises; TimeoutError where that takes longer."""
        give_up = time.monotonic() + seconds
        outcome = self.start(call, seconds)
        if outcome is None:
            raise TimeoutError(f"all threads are busy: {self._name}")
        return outcome.result(timeout=max(0.0, give_up - time.monotonic()))

    def all_within(
        self, calls: Sequence[Callable[[], ResultT]], *, each: float, until: float, width: int = 8
    ) -> list[ResultT | BaseException]:
        """What each call gives or raises, in order; TimeoutError for one that took longer than `each` seconds.

        Nobody waits beyond `until`, on the monotonic clock. At most `width` of them are waited for at once: one that
        hangs costs the others nothing but its thread.
        """
        outcomes: list[ResultT | BaseException] = [TimeoutError("late") for _ in calls]
        waiting = deque(range(len(calls)))
        running: dict[Future[ResultT], tuple[int, float]] = {}
        while (waiting or running) and (now := time.monotonic()) < until:
            while waiting and len(running) < min(width, self._limit):
                begun = self.start(calls[waiting[0]], 0.0 if running else min(each, until - now))
                if begun is None:
                    break
                running[begun] = (waiting.popleft(), time.monotonic() + each)
            if not running:
                break  # all threads hang
            next_late = min(give_up for _, give_up in running.values())
            done, _ = wait(running, timeout=max(0.0, min(next_late, until) - now), return_when=FIRST_COMPLETED)
            for outcome in done:
                place, _ = running.pop(outcome)
                outcomes[place] = outcome.exception() or outcome.result()
            late = time.monotonic()
            running = {outcome: kept for outcome, kept in running.items() if kept[1] > late}
        return outcomes
