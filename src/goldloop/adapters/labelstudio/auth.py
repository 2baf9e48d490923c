"""Both kinds of key that Label Studio gives out, told apart by their form.

A legacy token is a plain string and goes into `Authorization: Token`. A personal access token is a refresh JWT
(RFC 7519): `POST /api/token/refresh/` turns it into an access token that lives five minutes and goes into `Bearer`.
"""

import base64
import binascii
import json
from collections.abc import Generator
from typing import Final

import httpx
from pydantic import SecretStr

from goldloop.adapters.labelstudio.faults import failure, unreadable

_JWT_PARTS: Final = 3
_REFRESH: Final = "renew the access token"


class KeyAuth(httpx.Auth):
    """Puts the key on each request; an access token that has run out is renewed, and the request sent once more.

    No clock is asked: the server's 401 says that the token has run out, and comes before anything was done.
    """

    requires_response_body = True

    def __init__(self, url: str, key: SecretStr) -> None:
        self._url = url
        self._key = key
        self._renews = is_refresh_token(key.get_secret_value())
        self._access: SecretStr | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Raises: FatalError where the key is refused as a refresh token, RetryableError where renewing failed."""
        if not self._renews:
            request.headers["Authorization"] = f"Token {self._key.get_secret_value()}"
            yield request
            return
        if self._access is not None:
            request.headers["Authorization"] = f"Bearer {self._access.get_secret_value()}"
            response = yield request
            if response.status_code != httpx.codes.UNAUTHORIZED:
                return
        answer = yield httpx.Request(
            "POST",
            f"{self._url}/api/token/refresh/",
            json={"refresh": self._key.get_secret_value()},
            headers={"Connection": request.headers.get("Connection", "keep-alive")},
        )
        self._access = _access_token(self._url, answer)
        request.headers["Authorization"] = f"Bearer {self._access.get_secret_value()}"
        yield request


def is_refresh_token(key: str) -> bool:
    """Whether the key is a JWT that says of itself that it is a refresh token."""
    parts = key.split(".")
    if len(parts) != _JWT_PARTS:
        return False
    padded = parts[1] + "=" * (-len(parts[1]) % 4)
    try:
        claims = json.loads(base64.urlsafe_b64decode(padded))
    except (binascii.Error, ValueError):
        return False
    return isinstance(claims, dict) and claims.get("token_type") == "refresh"


def _access_token(url: str, answer: httpx.Response) -> SecretStr:
    if not answer.is_success:
        raise failure(url, _REFRESH, answer.status_code, answer.headers, answer.text)
    try:
        token = answer.json()["access"]
    except (ValueError, KeyError, TypeError) as error:
        raise unreadable(url, _REFRESH) from error
    if not isinstance(token, str):
        raise unreadable(url, _REFRESH)
    return SecretStr(token)
