"""What the garbage collector looks through while a verb runs."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_OBJECTS: Final = 50_000
"""Some pages' worth: what memory may hold of garbage that refers to itself is bounded by it."""


@contextmanager
def unwatched() -> Iterator[None]:
    """Whatever is in memory now stays there, unlooked at, until the end; what comes to it is looked through seldom.

    Modules, schemas and compiled statements are some hundred thousand objects. A verb that makes records by the page
    would have all of them looked through every few pages, which takes a tenth of a second each time. And a page's
    records are no garbage yet when Python's own threshold, of 700 objects, has them looked through.
    """
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_OBJECTS, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
