"""What an answer of Label Studio means for the caller.

Its refusals quote the task data that they refuse, so none of its sentences is passed on: a message names the status,
the fields at fault and the places of refused tasks, and nothing else of what the server said.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import httpx

from goldloop.adapters.retries import retry_after
from goldloop.errors import FatalError, RejectedError, RemoteError, RetryableError

SERVER: Final = "Label Studio"
_LATER: Final = frozenset({408, 425, 429})
_SERVER_ERROR: Final = 500
_REFUSED_TASK: Final = re.compile(r"^Error at item (\d+):")
_SHOWN: Final = 5
_KNOWN: Final = {
    "network address": "Label Studio's own protection blocks this address: start it with "
    "USE_DEFAULT_BANNED_SUBNETS=false and USER_ADDITIONAL_BANNED_SUBNETS=169.254.0.0/16",
    "resolve hostname": "it does not know the host of this address: set the one at which Label Studio reaches it",
    "authentication parameters": "it refuses the user name or the password",
    "Successfully connected": "it answers, but its /setup fails: look into its log",
    "health check failed": "it does not answer at /health: check that it runs and can be reached from Label Studio",
}
"""Parts of the server's sentences on an ML backend or a webhook, and what they mean for whoever connects it."""


class MissingError(RejectedError):
    """404: the project or the task is not there (any more)."""


class UnreadableError(RetryableError):
    """An answer in no known form: damaged, or by something that stands in front of the server."""


class RefusedTasksError(RejectedError):
    """An import was refused as a whole, for the tasks at `places` (0 is the first one); nothing was imported."""

    def __init__(self, message: str, places: list[int]) -> None:
        super().__init__(SERVER, message, reason="task data does not fit the label config")
        self.places = places


def failure(url: str, action: str, status: int, headers: Mapping[str, str], body: Any) -> RemoteError:
    """The error for an answer that is no success. `action` continues "could not", `body` is text or parsed JSON."""
    known = _known_refusal(body)
    if known is not None:
        return RejectedError(SERVER, f"{SERVER} at {url} could not {action}: {known}.", reason=known)
    if status in (401, 403):
        return _refused_key(url, action, status, body)
    if status in _LATER or status >= _SERVER_ERROR:
        return RetryableError(
            SERVER,
            f"{SERVER} at {url} could not {action} (HTTP {status}): try again later, and look into its log.",
            retry_after=retry_after(headers),
        )
    if httpx.codes.is_redirect(status):
        return FatalError(
            SERVER, f"{url} redirects to another address: set LABEL_STUDIO_URL to the one that it leads to."
        )
    return unreadable(url, action) if httpx.codes.is_success(status) else _rejected(url, action, status, body)


def unreadable(url: str, action: str, fault: Exception | None = None) -> UnreadableError:
    """Of `fault`, which reading it raised, the kind is told: its text may quote the answer."""
    by = f" ({type(fault).__name__})" if fault else ""
    return UnreadableError(
        SERVER,
        f"The answer of {url} to the request to {action} is damaged, or of no form that goldloop knows{by}: try again "
        "later, and check that LABEL_STUDIO_URL leads to Label Studio itself.",
    )


def unreachable(url: str, error: httpx.HTTPError | httpx.InvalidURL) -> RemoteError:
    """The error for a request that got no answer."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return RetryableError(
            SERVER, f"No connection to {SERVER} at {url}: check LABEL_STUDIO_URL and that the server runs."
        )
    if isinstance(error, httpx.TimeoutException):
        return RetryableError(SERVER, f"{SERVER} at {url} did not answer in time: try again later.")
    if isinstance(error, httpx.TransportError):
        return RetryableError(SERVER, f"The connection to {SERVER} at {url} broke off: try again later.")
    return unreadable(url, "answer")


def _refused_key(url: str, action: str, status: int, body: Any) -> FatalError:
    if status == httpx.codes.FORBIDDEN:
        return FatalError(
            SERVER,
            f"The account behind LABEL_STUDIO_API_KEY has no right to {action} at {url}: use a key of an account that "
            "has it.",
        )
    if "legacy token" in str(_parsed(body).get("detail", "")):
        return FatalError(
            SERVER,
            f"{url} has switched legacy tokens off: put a personal access token (Account & Settings in Label Studio) "
            "into LABEL_STUDIO_API_KEY.",
        )
    return FatalError(
        SERVER,
        f"{url} refuses the key in LABEL_STUDIO_API_KEY: put a personal access token, or a legacy token where these "
        "are switched on, from Account & Settings in Label Studio into it.",
    )


def _rejected(url: str, action: str, status: int, body: Any) -> RemoteError:
    if status == httpx.codes.NOT_FOUND and "detail" not in _parsed(body):
        # A proxy in front of a server that is being changed says so too, and a project that is gone has consequences.
        return unreadable(url, action)
    if status == httpx.codes.NOT_FOUND:
        return MissingError(
            SERVER,
            f"{SERVER} at {url} could not {action}: what was asked for is not there, so check LABEL_STUDIO_URL and "
            "whether the project was deleted.",
            reason="not found",
        )
    errors = _parsed(body).get("validation_errors")
    fields = errors if isinstance(errors, dict) else {}
    places = [
        int(found.group(1))
        for line in _lines(fields.get("non_field_errors"))
        if (found := _REFUSED_TASK.match(line)) is not None
    ]
    if places:
        shown = ", ".join(str(place + 1) for place in places[:_SHOWN]) + (", ..." if len(places) > _SHOWN else "")
        return RefusedTasksError(
            f"{SERVER} at {url} could not {action}: the data of {len(places)} of them (number {shown}) does not fit "
            "the project's label config, so leave them out.",
            places,
        )
    named = ", ".join(sorted(str(field) for field in fields if field != "non_field_errors"))
    about = f"HTTP {status}, {named}" if named else f"HTTP {status}"
    return RejectedError(
        SERVER, f"{SERVER} at {url} could not {action} ({about}): correct what was sent.", reason=about
    )


def _known_refusal(body: Any) -> str | None:
    parsed = _parsed(body)
    errors = parsed.get("validation_errors")
    said = [
        str(parsed.get("detail", "")),
        *_lines(errors.get("non_field_errors") if isinstance(errors, dict) else None),
    ]
    return next((meaning for part, meaning in _KNOWN.items() if any(part in line for line in said)), None)


def _parsed(body: Any) -> dict[str, Any]:
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            return {}
    return body if isinstance(body, dict) else {}


def _lines(errors: Any) -> list[str]:
    return [line for line in errors if isinstance(line, str)] if isinstance(errors, list) else []
