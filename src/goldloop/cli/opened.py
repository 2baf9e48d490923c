"""The wired goldloop that a command works with."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from goldloop.errors import ConfigError

if TYPE_CHECKING:
    from goldloop.bootstrap import Goldloop
    from goldloop.records import Project


@contextmanager
def opened() -> Iterator["Goldloop"]:
    """By the settings of the environment; its servers are closed at the end."""
    from stamina.instrumentation import set_on_retry_hooks  # noqa: PLC0415 - --help needs none of these

    from goldloop import settings  # noqa: PLC0415 - see above
    from goldloop.bootstrap import Goldloop  # noqa: PLC0415 - see above

    set_on_retry_hooks(())  # by default each retry is logged to stderr; only what fails after the last one is news
    with Goldloop(settings.load()) as goldloop:
        yield goldloop


def projects_of(goldloop: "Goldloop", queue: str | None) -> tuple[str, list["Project"]]:
    """The queue's name, and its projects; `ConfigError` where they are on another server than the one that is set."""
    codebook = goldloop.codebook(queue)
    for project, here in goldloop.elsewhere(codebook):
        raise ConfigError(
            f"the tasks of {codebook.name} are at {project.url}, and LABEL_STUDIO_URL leads to {here}: set it back, or "
            "see GOLDLOOP_LABEL_STUDIO_MOVED"
        )
    return codebook.name, goldloop.store.projects(codebook.name)
