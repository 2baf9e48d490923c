"""What a server's refusal means, and what to do about it."""

import json
from typing import Final

from pydantic_ai import exceptions

from goldloop.adapters.llm.models import NamedModel
from goldloop.adapters.llm.pace import BusyError
from goldloop.errors import FatalError, RejectedError, RemoteError, RetryableError

TOO_LONG: Final = "too_long"
DAMAGED: Final = "damaged"
CLIENT: Final = "client"
_LATER: Final = frozenset({408, 409, 425})
_TOO_LARGE: Final = 413
_LONG: Final = ("context_size", "context size", "context length", "context window")
"""How servers of one's own say it, where the library does not know them: llama.cpp, proxies."""
_REASON_LENGTH: Final = 80


def translated(error: exceptions.ModelAPIError, named: NamedModel) -> RemoteError:
    """The same failure as one of goldloop's errors. It repeats status and codes, never a server's sentences."""
    if isinstance(error, exceptions.ModelRateLimitError):
        return BusyError(named.server, f"{named.name}: too many calls: try again later.", retry_after=_after(error))
    if isinstance(error, exceptions.ModelConnectionError):
        return RetryableError(named.server, f"{named.name}: no connection: check the network and that it runs.")
    refused = isinstance(error, exceptions.ModelRequestRejectedError | exceptions.ModelQuotaExceededError)
    if refused or (isinstance(error, exceptions.ModelHTTPError) and not _may_pass(error.status_code)):
        return _refused(error, named)
    # Of answers that are no answers, the library says so in words alone.
    if "JSON response" in error.message:
        return no_api(named)
    if "as JSON" in error.message:
        return RejectedError(named.server, f"{named.name}: a damaged answer: try again.", reason=DAMAGED)
    return _later(error, named)


def no_api(named: NamedModel) -> FatalError:
    where = "GOLDLOOP_JUDGE__BASE_URL" if named.base_url else "its address"
    return FatalError(named.server, f"{named.name}: {where} leads to something that is no API of models: correct it.")


def unsendable(error: Exception, named: NamedModel) -> RejectedError:
    """What the vendor's library makes of a request before it sends it, or of an answer that it cannot read."""
    reason = f"{CLIENT} {type(error).__name__}"
    return RejectedError(
        named.server, f"{named.name}: its client cannot make the call ({reason}): {_advice(reason)}.", reason=reason
    )


def is_hopeless(error: RejectedError) -> bool:
    """Whether the request itself is refused, which may be the fault of how all of them are made."""
    return error.reason not in {TOO_LONG, DAMAGED}


def _refused(error: exceptions.ModelAPIError, named: NamedModel) -> RemoteError:
    server, told = named.server, _told(error)
    if isinstance(error, exceptions.ModelQuotaExceededError):
        return FatalError(server, f"{named.name}: the account has nothing left to spend{told}: top it up.")
    if isinstance(error, exceptions.ModelAuthenticationError):
        return FatalError(server, f"{named.name}: its server refuses the key{told}: check GOLDLOOP_JUDGE__API_KEY.")
    if isinstance(error, exceptions.ModelNotFoundError):
        where = " and GOLDLOOP_JUDGE__BASE_URL" if named.base_url else ""
        return FatalError(
            server, f"{named.name}: its server knows no such model{told}: check GOLDLOOP_JUDGE__MODEL{where}."
        )
    if isinstance(error, exceptions.ModelContextWindowExceededError) or _is_too_long(error):
        return RejectedError(server, f"{named.name}: the trace is too long: shorten it.", reason=TOO_LONG)
    reason = _reason(error)
    return RejectedError(
        server, f"{named.name}: its server refuses the request ({reason}): {_advice(reason)}.", reason=reason
    )


def _may_pass(status: int) -> bool:
    return status in _LATER or status >= 500  # noqa: PLR2004 - HTTP's numbers


def _later(error: exceptions.ModelAPIError, named: NamedModel) -> RetryableError:
    return RetryableError(
        named.server, f"{named.name}: its server fails{_told(error)}: try again later.", retry_after=_after(error)
    )


def _advice(reason: str) -> str:
    if "logprobs" in reason:
        return "set GOLDLOOP_JUDGE__CONFIDENCE to verbalised or votes"
    return "set GOLDLOOP_JUDGE__OUTPUT or GOLDLOOP_JUDGE__CONFIDENCE to what it takes"


def _reason(error: exceptions.ModelAPIError) -> str:
    status = str(error.status_code) if isinstance(error, exceptions.ModelHTTPError) else "refused"
    parts = [status, error.provider_error_code or error.provider_error_type, _parameter(error.body)]
    return " ".join(part for part in parts if part and part.replace("_", "").replace(".", "").isalnum())[
        :_REASON_LENGTH
    ]


def _parameter(body: object) -> str | None:
    """Which part of the request is at fault; where only the sentence says it, of the one that is tried in vain most."""
    if not isinstance(body, dict):
        return None
    inner = body.get("error")
    fields = inner if isinstance(inner, dict) else body
    named = fields.get("param")
    if isinstance(named, str) and named:
        return named
    return "logprobs" if "logprobs" in str(fields.get("message", "")) else None


def _is_too_long(error: exceptions.ModelAPIError) -> bool:
    if isinstance(error, exceptions.ModelHTTPError) and error.status_code == _TOO_LARGE:
        return True
    text = json.dumps(error.body, default=str).lower()
    return any(words in text for words in _LONG)


def _told(error: exceptions.ModelAPIError) -> str:
    return f" ({error.status_code})" if isinstance(error, exceptions.ModelHTTPError) else ""


def _after(error: exceptions.ModelAPIError) -> float | None:
    return error.retry_after if isinstance(error, exceptions.ModelHTTPError) else None
