"""One HTTP client for Langfuse's public API: who we are, when to try again, and what an answer means.

Every call may be repeated: reads change nothing, and the writes that goldloop makes are upserts by an id of its own.
So one owner retries them all, here; nothing above this module tries again by itself.
"""

import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import httpx
from pydantic import SecretStr
from pydantic_core import to_json

from goldloop.adapters.langfuse.text import clean_json
from goldloop.adapters.retries import Retries, retry_after
from goldloop.errors import ConfigError, FatalError, RejectedError, RemoteError, RetryableError

SERVER: Final = "Langfuse"
_KEYS: Final = "LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY"
_TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
_LATER: Final = frozenset({408, 425, 429})
_REASON_LENGTH: Final = 120

_TO_CLEAN: Final = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\\(?:u00|[bfr])")
"""In JSON, all that `clean_json` would change, and what looks like it: most bodies have none of it."""

ResultT = TypeVar("ResultT")
Params = Sequence[tuple[str, str]]


class MissingError(RejectedError):
    """404 in JSON: the API is there, the thing asked for is not."""


class PageError(RetryableError):
    """A page for people where JSON was asked for: it is another server, or something that stands in front of it."""


class ConflictError(RejectedError):
    """409: the id is taken by another."""


class TooLargeError(RejectedError):
    """413: the body is larger than the server takes."""


class Api:
    """Calls below `{host}/api/public`. Answers are JSON; refusals are errors of goldloop's tree.

    Args:
        host: the server's address, such as `https://cloud.langfuse.com`, with a path where it has one.
        transport: takes the network's place in tests.

    Raises:
        ConfigError: the host is no http(s) address.
    """

    def __init__(
        self,
        host: str,
        public_key: SecretStr,
        secret_key: SecretStr,
        *,
        transport: httpx.BaseTransport | None = None,
        retries: Retries | None = None,
    ) -> None:
        self.host = _checked(host)
        self._again = retries or Retries()
        self._client = httpx.Client(
            auth=httpx.BasicAuth(public_key.get_secret_value(), secret_key.get_secret_value()),
            timeout=_TIMEOUT,
            headers={"User-Agent": f"goldloop/{version('goldloop')}", "Accept": "application/json"},
            transport=transport,
        )

    def close(self) -> None:
        self._client.close()

    def get(
        self, path: str, params: Params = (), *, retry: bool = True, read: Callable[[bytes], Any] | None = None
    ) -> Any:
        """The JSON of the answer, or what `read` makes of its bytes: a ValueError says that they are damaged.

        Raises: RetryableError, RejectedError (MissingError for a JSON 404), FatalError.
        """
        call = partial(self.once, "GET", path, params, read=read)
        return self.repeat(call) if retry else call()

    def post(self, path: str, body: Any) -> Any:
        """Raises: RetryableError, RejectedError (ConflictError, TooLargeError, MissingError), FatalError."""
        return self.repeat(lambda: self.once("POST", path, body=body))

    def delete(self, path: str) -> Any:
        return self.repeat(lambda: self.once("DELETE", path))

    def repeat(self, call: Callable[[], ResultT]) -> ResultT:
        """The result of `call`, which is made again after a RetryableError as long as attempts are left."""
        return self._again(call)

    def once(
        self,
        method: str,
        path: str,
        params: Params = (),
        *,
        body: Any = None,
        content: bytes | None = None,
        read: Callable[[bytes], Any] | None = None,
    ) -> Any:
        """One attempt; `content` is a body that was encoded already."""
        content = encode(body) if body is not None else content
        headers = {"Content-Type": "application/json"} if content is not None else None
        try:
            response = self._client.request(method, self._url(path, params), content=content, headers=headers)
        except httpx.ConnectError as error:
            raise RetryableError(
                SERVER, f"No connection to Langfuse at {self.host}: check LANGFUSE_HOST and that the server runs."
            ) from error
        except httpx.TimeoutException as error:
            raise RetryableError(
                SERVER, f"Langfuse at {self.host} did not answer {method} {_route(path)} in time: try again later."
            ) from error
        except httpx.RequestError as error:
            raise RetryableError(
                SERVER, f"The connection to Langfuse at {self.host} broke off: try again later."
            ) from error
        failed = self._failure(method, path, response)
        if failed is not None:
            raise failed
        try:
            return (read or parsed)(response.content)
        except (ValueError, RecursionError) as error:
            raise unreadable(method, path) from error

    def _url(self, path: str, params: Params) -> str:
        """Made here, with its commas as they are: httpx is slow to quote the many of a long list of ids."""
        query = f"?{urlencode(params, safe=',')}" if params else ""
        return f"{self.host}/api/public/{path}{query}"

    def _failure(self, method: str, path: str, response: httpx.Response) -> RemoteError | None:
        status = response.status_code
        asked = f"{method} {_route(path)}"
        if status in (401, 403):
            return FatalError(
                SERVER, f"Langfuse at {self.host} refuses the key ({status}): check {_KEYS}, and LANGFUSE_HOST."
            )
        if status in _LATER or status >= 500 or (status == 422 and method == "GET"):  # noqa: PLR2004 - HTTP's numbers
            # 422 on a read is the server's own database running out of time.
            return RetryableError(
                SERVER,
                f"Langfuse answered {asked} with {status}: try again later.",
                retry_after=retry_after(response.headers),
            )
        if response.is_redirect:
            return FatalError(
                SERVER, f"{self.host} redirects to another address: set LANGFUSE_HOST to the one that it leads to."
            )
        if _is_html(response):
            return PageError(
                SERVER,
                f"A page answered {asked} in place of the Langfuse API at {self.host}: try again later, and check "
                "LANGFUSE_HOST.",
            )
        if response.is_success:
            return None
        reason = _reason(response)
        kind = {404: MissingError, 409: ConflictError, 413: TooLargeError}.get(status, RejectedError)
        return kind(SERVER, f"Langfuse refuses {asked} ({reason}): correct what was sent.", reason=reason)


def parsed(content: bytes) -> Any:
    """Raises: ValueError, RecursionError."""
    return json.loads(content, parse_constant=_no_constant)


def encode(body: Any) -> bytes:
    """The JSON of a body, cleaned of what a server's database could not take."""
    try:
        encoded = to_json(body, inf_nan_mode="null")
    except ValueError:  # half of a surrogate pair, or a body nested deeper than it goes
        return _cleaned(body)
    return _cleaned(body) if _TO_CLEAN.search(encoded) else encoded


def _cleaned(body: Any) -> bytes:
    return json.dumps(clean_json(body), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def unreadable(method: str, path: str) -> RetryableError:
    return RetryableError(
        SERVER, f"Langfuse's answer to {method} {_route(path)} is damaged or of unknown form: try again later."
    )


def _checked(host: str) -> str:
    # The host is not repeated in these messages: an address may carry a password.
    try:
        url = httpx.URL(host.strip())
    except httpx.InvalidURL as error:
        raise ConfigError("LANGFUSE_HOST is no address: set it to one such as https://cloud.langfuse.com.") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError("LANGFUSE_HOST is no http(s) address: set it to one such as https://cloud.langfuse.com.")
    if url.userinfo or url.query or url.fragment:
        raise ConfigError(
            f"LANGFUSE_HOST holds more than an address: remove user, query and fragment, and set {_KEYS}."
        )
    return str(url).rstrip("/")


def _route(path: str) -> str:
    """The path without ids and names: the first two parts say what was asked."""
    return "/api/public/" + "/".join(path.split("/")[:2] if path.startswith(("v2/", "v3/")) else path.split("/")[:1])


def _is_html(response: httpx.Response) -> bool:
    return str(response.headers.get("content-type", "")).startswith("text/html")


def _reason(response: httpx.Response) -> str:
    """Status, the error's class and the fields at fault: never the server's sentences, which may quote payload."""
    try:
        error = response.json().get("error")
    except (ValueError, AttributeError, RecursionError):
        return str(response.status_code)
    if isinstance(error, str) and error.isidentifier():
        return f"{response.status_code} {error}"[:_REASON_LENGTH]
    if isinstance(error, list):
        faults = [_fault(issue) for issue in error if isinstance(issue, dict)]
        return f"{response.status_code} {', '.join(faults)}".strip()[:_REASON_LENGTH]
    return str(response.status_code)


def _fault(issue: dict[str, Any]) -> str:
    path = issue.get("path")
    where = ".".join(str(part) for part in path) if isinstance(path, list) else ""
    return f"{where or 'body'}: {issue.get('code', 'invalid')}"


def _no_constant(name: str) -> Any:
    raise ValueError(name)
