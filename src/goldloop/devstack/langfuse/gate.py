"""What stands before every handler: size, method, credentials, rate."""

import base64
import hmac
import math
import threading
from collections.abc import Mapping

from starlette.requests import Request

from goldloop.devstack.langfuse import answers, times
from goldloop.devstack.langfuse.answers import AnswerError
from goldloop.devstack.langfuse.settings import StandInSettings

_INVALID = "Invalid credentials. Confirm that you've configured the correct host."
_WINDOW_MS = 60_000


async def read_body(request: Request, most: int) -> bytes:
    """The body, read no further than `most` bytes.

    Raises:
        AnswerError: 413, in plain text.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise AnswerError(413, f"Body exceeded {most / 1024 / 1024:g}mb limit")
    return bytes(body)


def check_credentials(headers: Mapping[str, str], settings: StandInSettings, *, named: bool) -> None:
    """The secret key alone decides, as on a real server.

    Args:
        headers: those of the request.
        settings: hold the secret key.
        named: whether the refusal carries its class name, as the batch endpoint's does.

    Raises:
        AnswerError: 401.
    """
    secret = settings.secret_key.get_secret_value().encode()
    if hmac.compare_digest(_password(headers.get("authorization", "")), secret):
        return
    body = {"error": "UnauthorizedError"} if named else {}
    raise AnswerError(401, {**body, "message": _INVALID})


def _password(authorization: str) -> bytes:
    scheme, _, encoded = authorization.partition(" ")
    try:
        pair = base64.b64decode(encoded) if scheme.lower() == "basic" else b""
    except ValueError:
        return b""
    return pair.partition(b":")[2]


class RateLimit:
    """At most so many calls in a minute from the first one on."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._until_ms = 0
        self._taken = 0

    def take(self, now_ms: int) -> None:
        """Count one call.

        Raises:
            AnswerError: 429, with what Langfuse Cloud says in its headers and body.
        """
        if self._limit is None:
            return
        with self._lock:
            if now_ms >= self._until_ms:
                self._until_ms, self._taken = now_ms + _WINDOW_MS, 0
            self._taken += 1
            if self._taken <= self._limit:
                return
            raise _too_many(self._limit, now_ms, self._until_ms)


def _too_many(limit: int, now_ms: int, until_ms: int) -> AnswerError:
    wait = math.ceil((until_ms - now_ms) / 1000)
    reset_at = times.iso(until_ms)
    details = {"retryAfterSeconds": wait, "limit": limit, "remaining": 0, "resetAt": reset_at}
    headers = {
        "Retry-After": str(wait),
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": f"{times.parse(reset_at):%a %b %d %Y %H:%M:%S} GMT+0000 (Coordinated Universal Time)",
    }
    body = {"message": "Rate limit exceeded", "code": "rate_limited", "details": details}
    return AnswerError(429, body, headers)


def no_method() -> AnswerError:
    return answers.refused("Method not allowed", status=405, name="MethodNotAllowedError")
