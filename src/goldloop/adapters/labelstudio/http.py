"""One HTTP client for Label Studio, shared with its SDK: who we are, when to try again, what a failure means.

Reads are tried again here, and nowhere else: the SDK's own retries are off, for they repeat writes too, and an import
that is repeated makes each task twice.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, TypeVar

import httpx
from pydantic import SecretStr

from goldloop.adapters.labelstudio.auth import KeyAuth
from goldloop.adapters.labelstudio.faults import SERVER, MissingError, failure, unreachable, unreadable
from goldloop.adapters.retries import Retries
from goldloop.errors import ConfigError

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio as Sdk
    from label_studio_sdk.core.request_options import RequestOptions

TIMEOUT: Final = httpx.Timeout(120.0, connect=10.0)
NO_RETRY: Final["RequestOptions"] = {"max_retries": 0}
_PLACEHOLDER: Final = "set-by-the-http-client"

ResultT = TypeVar("ResultT")


class Api:
    """Calls below `{url}/api`.

    Args:
        url: the server's address, such as `https://labels.example.org`, with a path where it has one.
        key: a legacy token or a personal access token.
        transport: takes the network's place in tests.

    Raises:
        ConfigError: the url is no http(s) address.
    """

    def __init__(
        self,
        url: str,
        key: SecretStr,
        *,
        transport: httpx.BaseTransport | None = None,
        retries: Retries | None = None,
    ) -> None:
        self.url = checked(url)
        self._again = retries or Retries()
        self._client = client(self.url, auth=KeyAuth(self.url, key), transport=transport)

    def close(self) -> None:
        self._client.close()

    def read(self, action: str, path: str, params: Mapping[str, str | int] | None = None) -> Any:
        """The JSON of a GET, tried again while that may help. `action` continues "could not" in messages.

        Raises:
            RetryableError, RejectedError (MissingError for a 404), FatalError.
        """
        return self._again(lambda: self.read_once(action, path, params))

    def read_dated(self, action: str, path: str, params: Mapping[str, str | int]) -> tuple[Any, datetime | None]:
        """As `read`, with the server's own time (RFC 9110, section 6.6.1: to the second); None where it tells none."""

        def once() -> tuple[Any, datetime | None]:
            response = self._get(action, path, params)
            return self._parsed(action, response), _date(response.headers.get("date"))

        return self._again(once)

    def read_once(
        self, action: str, path: str, params: Mapping[str, str | int] | None = None, *, public: bool = False
    ) -> Any:
        """One attempt; a `public` one shows no credential."""
        return self._parsed(action, self._get(action, path, params, public=public))

    def post_once(self, action: str, path: str, params: Mapping[str, str | int], content: bytes) -> Any:
        """One attempt to write what is JSON already: the SDK would copy a large body several times.

        `MissingError` for a 404 in whatever form: an import answers it as a page.
        """
        headers = {"Content-Type": "application/json"}
        try:
            response = self._client.post(path, params=params, content=content, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise unreachable(self.url, error) from error
        if response.status_code == httpx.codes.NOT_FOUND:
            raise MissingError(SERVER, f"{SERVER} at {self.url} could not {action}: it is gone.", reason="not found")
        if not response.is_success:
            raise failure(self.url, action, response.status_code, response.headers, response.text)
        return self._parsed(action, response)

    def _get(
        self, action: str, path: str, params: Mapping[str, str | int] | None, *, public: bool = False
    ) -> httpx.Response:
        try:
            response = self._client.get(path, params=params, auth=None if public else httpx.USE_CLIENT_DEFAULT)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise unreachable(self.url, error) from error
        if not response.is_success:
            raise failure(self.url, action, response.status_code, response.headers, response.text)
        return response

    def _parsed(self, action: str, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError as error:
            raise unreadable(self.url, action) from error

    def sdk_read(self, action: str, call: Callable[["Sdk"], ResultT]) -> ResultT:
        """A read through the SDK, tried again while that may help. Raises: as `read`, and ConfigError."""
        return self._again(lambda: self.sdk_once(action, call))

    def sdk_once(self, action: str, call: Callable[["Sdk"], ResultT]) -> ResultT:
        """One attempt through the SDK, as writes are made but for the largest: see `post_once`."""
        sdk = self._sdk
        from label_studio_sdk.core.api_error import ApiError  # noqa: PLC0415 - two seconds, see _sdk
        from label_studio_sdk.core.parse_error import ParsingError  # noqa: PLC0415 - two seconds, see _sdk

        try:
            return call(sdk)
        except ApiError as error:
            # `from None`: the SDK's own message carries the whole answer, with the payload that it quotes.
            raise failure(self.url, action, error.status_code or 0, error.headers or {}, error.body) from None
        except (ParsingError, AttributeError, TypeError, ValueError) as error:
            # The SDK takes an answer for what it should be, and trips over one of another form.
            raise unreadable(self.url, action, error) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise unreachable(self.url, error) from error

    @cached_property
    def _sdk(self) -> "Sdk":
        require_sdk()
        from label_studio_sdk import LabelStudio  # noqa: PLC0415 - importing it takes two seconds

        # The SDK would put its key into each header; the shared client's auth overwrites that with the real one.
        return LabelStudio(base_url=self.url, api_key=_PLACEHOLDER, httpx_client=self._client, max_retries=0)


def client(url: str, *, auth: httpx.Auth | None = None, transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """A client for the server at `url`; paths are relative to it.

    Label Studio's own server holds each answer on a kept-alive connection back for 40 ms. On plain http a new
    connection is cheaper than that; behind TLS it is not, nor is that server what answers.
    """
    headers = {"User-Agent": f"goldloop/{version('goldloop')}", "Accept": "application/json"}
    if url.startswith("http://"):
        headers["Connection"] = "close"
    return httpx.Client(base_url=f"{url}/", auth=auth, timeout=TIMEOUT, headers=headers, transport=transport)


def _date(header: str | None) -> datetime | None:
    try:
        said = parsedate_to_datetime(header or "")
    except ValueError:
        return None
    return said if said.tzinfo else said.replace(tzinfo=UTC)


def checked(url: str) -> str:
    """The address without a slash at its end. Raises: ConfigError."""
    # The address is not repeated in these messages: it may carry a password.
    wrong = "LABEL_STUDIO_URL is no http(s) address: set it to one such as http://127.0.0.1:8080."
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL as error:
        raise ConfigError(wrong) from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ConfigError(wrong)
    if parsed.userinfo or parsed.query or parsed.fragment:
        raise ConfigError("LABEL_STUDIO_URL holds more than an address: remove user, query and fragment.")
    return str(parsed).rstrip("/")


def require_sdk() -> None:
    """Raises: ConfigError where goldloop was installed without its extra."""
    from importlib.util import find_spec  # noqa: PLC0415 - kept beside its only use

    if find_spec("label_studio_sdk") is None:
        raise ConfigError("The Label Studio SDK is not installed: install goldloop[label-studio].")
