"""Reading the next page while this one is worked on."""

from collections.abc import Generator, Iterator
from concurrent.futures import Future, wait
from threading import Thread
from typing import Final, TypeVar, cast

PageT = TypeVar("PageT")

_END: Final = object()
_PATIENCE_S: Final = 10.0
"""How long closing waits for a page that is being read; a run that was told to stop must not wait for a dead server."""


def one_ahead(pages: Iterator[PageT]) -> Generator[PageT, None, None]:
    """The pages in their order, each read by a thread while the caller works on the one before it; never two ahead.

    What `pages` raises comes where the page would have come. Close the iterator where it is left before its end
    (`contextlib.closing`): nothing is read after that.
    """
    coming = _started(pages)
    try:
        while (page := coming.result()) is not _END:
            coming = _started(pages)
            yield cast("PageT", page)
    finally:
        wait([coming], timeout=_PATIENCE_S)


def _started(pages: Iterator[PageT]) -> "Future[object]":
    page: Future[object] = Future()
    Thread(target=_read, args=(pages, page), daemon=True).start()
    return page


def _read(pages: Iterator[object], page: "Future[object]") -> None:
    try:
        page.set_result(next(pages, _END))
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where the page was wanted
        page.set_exception(error)
