"""The line to one model: an event loop in a thread of its own, and on it one client, one cap and one pace.

A page's calls run at once, and pages may come from several threads (of the ML backend, say): they share the cap, and
the connections live on from page to page. Whoever asks waits in its own thread, and takes each reply as it comes.
"""

import asyncio
import random
import threading
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Final

from goldloop.adapters.llm.asking import Asker, Reply, Told
from goldloop.adapters.llm.costs import Prices
from goldloop.adapters.llm.faults import is_hopeless
from goldloop.adapters.llm.models import NamedModel
from goldloop.adapters.llm.pace import Pace, Waits
from goldloop.adapters.llm.page import Asking
from goldloop.adapters.llm.way import Way
from goldloop.errors import FatalError, RejectedError, RetryableError

_GIVE_UP: Final = 5
"""So many calls in a row that ended without an answer are no accident: the rest of the page waits for another run."""
_HOPELESS: Final = 3
"""So many refused requests, and not one answer on the page, are not the traces' fault."""
_TOGETHER: Final = 50
_TOGETHER_SECONDS: Final = 2.0
"""So many replies, or those of so many seconds, are handed over together: what a killed process forgets, at most."""
_CLOSED: Final = 10.0
_LOOK: Final = 5.0
"""Seconds: so long closing may take, and so often whoever waits looks whether the line still stands."""


@dataclass(frozen=True)
class Came:
    """What came of one asking. `made` is whether a call went out at all; `seconds` is what the last try took."""

    asking: Asking
    what: Reply | RetryableError | RejectedError
    seconds: float = 0.0
    made: bool = True


@dataclass
class _Page:
    left: deque[Asking]
    given: "SimpleQueue[list[Came] | None]" = field(default_factory=SimpleQueue)
    came: "list[Came]" = field(default_factory=list)
    answered: int = 0
    rejected: int = 0
    lost: int = 0
    since: float = 0.0

    def take(self, came: Came, now: float) -> None:
        self.came.append(came)
        if len(self.came) >= _TOGETHER or now - self.since >= _TOGETHER_SECONDS:
            self.give()
            self.since = now

    def give(self) -> None:
        """Hand over what came: waking the asker for each reply by itself would cost more than reading it."""
        self.given.put(self.came)
        self.came = []


@dataclass
class _Loop:
    """What the thread shares with the line; the line may be gone before it."""

    open: Callable[[], tuple[Asker, Callable[[], Awaitable[None]]]]
    concurrency: int
    started: threading.Event = field(default_factory=threading.Event)
    loop: asyncio.AbstractEventLoop | None = None
    asker: Asker | None = None
    gate: asyncio.Semaphore | None = None
    ended: asyncio.Event | None = None
    thread: threading.Thread | None = None
    failed: BaseException | None = None

    async def live(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.ended = asyncio.Event()
        self.gate = asyncio.Semaphore(self.concurrency)
        self.asker, close = self.open()
        self.started.set()
        await self.ended.wait()
        await close()

    def run(self) -> None:
        try:
            asyncio.run(self.live())
        except BaseException as error:  # noqa: BLE001 - told to whoever waits for the start
            self.failed = error
        finally:
            self.started.set()

    def stop(self) -> None:
        if self.thread is None or self.loop is None or self.ended is None or not self.thread.is_alive():
            return
        self.loop.call_soon_threadsafe(self.ended.set)
        # The last who had the line may be a task on it.
        if threading.current_thread() is not self.thread:
            self.thread.join(_CLOSED)


class Line:
    """Opened at the first call; closed by `close`, at the latest when nobody has it any more."""

    def __init__(
        self, named: NamedModel, way: Way, prices: Prices, *, concurrency: int, attempts: int, waits: Waits
    ) -> None:
        def opened() -> tuple[Asker, Callable[[], Awaitable[None]]]:
            vendor, close = named.open()
            return Asker(named, vendor, way, prices), close

        self._named = named
        self._waits = waits
        # Jitter is no secret, and nothing that is judged hangs on it.
        self._pace = Pace(attempts, waits, random.Random())  # noqa: S311 - it spreads calls over time
        self._concurrency = concurrency
        self._thread = _Loop(opened, concurrency)
        self._starting = threading.Lock()
        self._end = weakref.finalize(self, self._thread.stop)

    def close(self) -> None:
        self._end()

    def ask(self, told: Told, askings: Sequence[Asking]) -> Iterator[list[Came]]:
        """Ask all of them; what came of them, some at a time. Leaving the iterator early breaks off the rest.

        Raises:
            FatalError: the server refuses whatever it is asked, or the line is closed; what came before was given out.
        """
        loop = self._opened()
        page = _Page(deque(askings), since=self._waits.now())
        work = self._run(told, page)
        try:
            running = asyncio.run_coroutine_threadsafe(work, loop)
        except RuntimeError:
            work.close()
            raise self._closed() from None
        running.add_done_callback(lambda _: page.given.put(None))
        try:
            while (came := self._next(page)) is not None:
                yield came
            running.result()
        except CancelledError:
            raise self._closed() from None
        finally:
            running.cancel()

    def _opened(self) -> asyncio.AbstractEventLoop:
        own = self._thread
        with self._starting:
            if own.thread is None:
                own.thread = threading.Thread(target=own.run, name=f"line to {self._named.name}", daemon=True)
                own.thread.start()
        own.started.wait()
        if own.failed is not None:
            raise FatalError(
                self._named.server,
                f"{self._named.name}: its client cannot be opened ({type(own.failed).__name__}): check the settings of "
                "GOLDLOOP_JUDGE, and those of the system for proxies and certificates.",
            )
        if own.loop is None or not own.thread.is_alive():
            raise self._closed()
        return own.loop

    def _next(self, page: _Page) -> list[Came] | None:
        while True:
            try:
                return page.given.get(timeout=_LOOK)
            except Empty:
                if self._thread.thread is None or not self._thread.thread.is_alive():
                    raise self._closed() from None

    def _closed(self) -> FatalError:
        return FatalError(self._named.server, f"The line to {self._named.name} is closed: open another.")

    async def _run(self, told: Told, page: _Page) -> None:
        workers = [asyncio.create_task(self._work(told, page)) for _ in range(min(self._concurrency, len(page.left)))]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            page.give()

    async def _work(self, told: Told, page: _Page) -> None:
        gate = self._thread.gate
        assert gate is not None  # it is there since the line was opened
        while page.left:
            asking = page.left.popleft()
            if page.lost >= _GIVE_UP:
                page.take(Came(asking, self._given_up(), made=False), self._waits.now())
                continue
            async with gate:
                page.take(await self._one(told, asking, page), self._waits.now())

    async def _one(self, told: Told, asking: Asking, page: _Page) -> Came:
        asker = self._thread.asker
        assert asker is not None  # likewise
        began = self._waits.now()

        async def once() -> Reply:
            nonlocal began
            began = self._waits.now()
            return await asker.ask(told, asking.shown, asking.fenced, asking.wrong)

        what: Reply | RetryableError | RejectedError
        try:
            what = await self._pace.call(once)
            page.answered += 1
            page.lost = 0
        except RetryableError as error:
            what = error
            page.lost += 1
        except RejectedError as error:
            what = error
            page.rejected += is_hopeless(error)
            if page.rejected >= _HOPELESS and not page.answered:
                raise FatalError(self._named.server, str(error)) from None
        return Came(asking, what, max(0.0, self._waits.now() - began))

    def _given_up(self) -> RetryableError:
        return RetryableError(
            self._named.server, f"{self._named.name}: {_GIVE_UP} calls in a row had no answer: try again later."
        )
