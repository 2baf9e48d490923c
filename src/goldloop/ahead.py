"""Waiting for a server and working at the same time: the next one is fetched while this one is dealt with."""

from collections.abc import Generator, Iterator
from concurrent.futures import Future, wait
from threading import Thread
from typing import Final, TypeVar

FoundT = TypeVar("FoundT")

_END: Final = object()
_PATIENCE_S: Final = 10.0
"""How long leaving early waits for what is on its way: whoever was told to stop must not wait for a dead server."""


def ahead(found: Iterator[FoundT]) -> Generator[FoundT, None, None]:
    """The same, in order, each made by a thread while the caller has the one before: two are held at once.

    What making one raises is raised in its place. One is made at a time, and none after the iteration was closed.
    """
    one = next(found, _END)
    while one is not _END:
        coming: Future[object] = Future()
        Thread(target=_make, args=(found, coming), name="ahead", daemon=True).start()
        try:
            yield one  # type: ignore[misc]  # all but the end are what `found` gives
        except GeneratorExit:
            wait([coming], timeout=_PATIENCE_S)
            raise
        one = coming.result()


def _make(found: Iterator[object], coming: "Future[object]") -> None:
    try:
        coming.set_result(next(found, _END))
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where the result is wanted
        coming.set_exception(error)
