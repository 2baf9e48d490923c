"""What the garbage collector looks through while a verb runs."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unwatched() -> Iterator[None]:
    """Whatever is in memory now stays there, unlooked at, until the end.

    Modules, schemas and compiled statements are some hundred thousand objects. A verb that makes records by the page
    would have all of them looked through every few pages, which takes a tenth of a second each time.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
