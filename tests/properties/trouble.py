"""What goes wrong between the loop and the rest: one call in a verb is struck, before or after its effect."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

from goldloop.errors import RetryableError

Kind = Literal["kill", "fault"]


class KilledError(BaseException):
    """The process is gone: nothing of goldloop's may catch it."""


class Trouble:
    """Counts the calls of what it watches, and strikes one of them.

    A `fault` is a server's 5xx or a dropped connection, so it counts servers' calls alone; a `kill` may come between
    any two. Pages of a listing count as calls.
    """

    def __init__(self) -> None:
        self._kind: Kind = "kill"
        self._left = -1
        self._after = False
        self._only = ""

    def strike(self, kind: Kind, calls: int, *, after: bool, only: str = "") -> None:
        """After so many calls, of one method where it is named; `after` says that the call takes effect first."""
        self._kind, self._left, self._after, self._only = kind, calls, after, only

    def spare(self) -> None:
        self._left = -1

    def watch(self, target: object, names: list[str], *, server: bool) -> None:
        for name in names:
            setattr(target, name, self._watched(getattr(target, name), name, server=server))

    def _watched(self, call: Callable[..., Any], name: str, *, server: bool) -> Callable[..., Any]:
        def watched(*args: Any, **named: Any) -> Any:
            struck = self._is_struck(name, server=server)
            if struck and not self._after:
                self._raise()
            made = call(*args, **named)
            if struck:
                self._raise()
            return self._paged(made, name, server=server) if isinstance(made, Iterator) else made

        return watched

    def _paged(self, pages: Iterator[Any], name: str, *, server: bool) -> Iterator[Any]:
        for page in pages:
            if self._is_struck(name, server=server):
                self._raise()
            yield page

    def _is_struck(self, name: str, *, server: bool) -> bool:
        if self._left < 0 or (self._kind == "fault" and not server) or self._only not in {"", name}:
            return False
        self._left -= 1
        return self._left < 0

    def _raise(self) -> None:
        if self._kind == "kill":
            raise KilledError
        raise RetryableError("the server", "it broke off: try again later")
