"""The wired goldloop that a command works with."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from goldloop.bootstrap import Goldloop


@contextmanager
def opened() -> Iterator["Goldloop"]:
    """By the settings of the environment; its servers are closed at the end."""
    from stamina.instrumentation import set_on_retry_hooks  # noqa: PLC0415 - --help needs none of these

    from goldloop import settings  # noqa: PLC0415 - see above
    from goldloop.bootstrap import Goldloop  # noqa: PLC0415 - see above

    set_on_retry_hooks(())  # by default each retry is logged to stderr; only what fails after the last one is news
    with Goldloop(settings.load()) as goldloop:
        yield goldloop
