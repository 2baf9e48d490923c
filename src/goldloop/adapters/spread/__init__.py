"""Where the pages of a large job are worked on: in this process, or spread over a Dask or Ray cluster.

The work is a function that another process can import, and a page is a record of ids: no object of this process, no
setting and no secret goes anywhere. A worker reads the settings from its own environment.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from types import TracebackType
from typing import Protocol, Self, TypeVar

PageT = TypeVar("PageT")
ResultT = TypeVar("ResultT")


class Runner(Protocol):
    """Works on pages, `at_once` of them side by side. A context manager: its workers end with it."""

    @property
    def at_once(self) -> int: ...

    def do(self, work: Callable[[PageT], ResultT], page: PageT) -> ResultT | None:
        """What `work` made of the page; None where its worker died, and the next one too. Threads may call it.

        What `work` raises comes through.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Here:
    """In this process, page after page."""

    at_once = 1

    def do(self, work: Callable[[PageT], ResultT], page: PageT) -> ResultT | None:
        return work(page)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def as_they_come(do: Callable[[PageT], ResultT], pages: Iterable[PageT], at_once: int) -> Iterator[ResultT]:
    """Results in the order in which they are there; a page is asked for when there is room for it.

    The first error ends it: pages under way are not waited for.
    """
    if at_once == 1:
        yield from map(do, pages)
        return
    left = iter(pages)
    threads = ThreadPoolExecutor(at_once, thread_name_prefix="spread")
    under_way: set[Future[ResultT]] = set()
    try:
        while True:
            under_way |= {threads.submit(do, page) for page in islice(left, at_once - len(under_way))}
            if not under_way:
                return
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for one in done:
                yield one.result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
