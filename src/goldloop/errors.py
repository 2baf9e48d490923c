"""One tree of errors, by what the caller should do about them.

| class | what to do | exit code of the command line |
|---|---|---|
| `ConfigError`, `CodebookError`, `InputError` | fix a setting or a file, then run again | 2 |
| `RetryableError` | nothing: try again later | 3 |
| `RejectedError` | park the one record, go on with the rest | 1 |
| `FatalError` | stop: no record can succeed until a person acts | 4 |
| `LockedError` | nothing: another run is at work | 5 |

A message is one sentence that says what is wrong and what to do. It never holds a secret or a trace's payload.
"""


class GoldloopError(Exception):
    """Root of everything that goldloop raises on purpose."""

    exit_code = 1


class ConfigError(GoldloopError):
    """A setting is missing or wrong."""

    exit_code = 2


class CodebookError(ConfigError):
    """A codebook cannot be used; the message names the file, the line and the field."""


class InputError(ConfigError):
    """A file that a user handed in cannot be read; the message names the file and the line."""


class RemoteError(GoldloopError):
    """A server did not do what it was asked to. `server` names it for people ("Langfuse")."""

    def __init__(self, server: str, message: str) -> None:
        super().__init__(message)
        self.server = server

    def __reduce__(self) -> tuple[object, ...]:
        """From another process it comes back whole: an exception alone would be made again of its message only."""
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[RemoteError], args: tuple[object, ...], fields: dict[str, object]) -> RemoteError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    return error


class RetryableError(RemoteError):
    """The same call may succeed later. `retry_after` is the server's own wish, in seconds."""

    exit_code = 3

    def __init__(self, server: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(server, message)
        self.retry_after = retry_after


class RejectedError(RemoteError):
    """The server refuses this one record, now and later; `reason` is short and fit for a table."""

    def __init__(self, server: str, message: str, *, reason: str = "rejected") -> None:
        super().__init__(server, message)
        self.reason = reason


class FatalError(RemoteError):
    """Nothing can succeed on this server until a person acts: wrong key, unsupported version, no rights."""

    exit_code = 4


class LockedError(GoldloopError):
    """Another run holds the lock on this queue."""

    exit_code = 5
