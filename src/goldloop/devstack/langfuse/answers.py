"""What every answer is made of: JSON as the server writes it, and its ways to refuse."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

Issue = dict[str, Any]

EVENTS_ONLY: Final = (
    "This endpoint is not available on deployments running in Langfuse v4 events_only mode. "
    "Learn more about Langfuse v4 at: https://langfuse.com/docs/v4"
)


class _Missing:
    """A field that is not there, which the server tells from null."""


MISSING: Final = _Missing()


class JsonAnswer(JSONResponse):
    """JSON with the charset in its content type, as the server sends it."""

    media_type = "application/json; charset=utf-8"

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


class AnswerError(Exception):
    """A refusal that is to be sent as it stands."""

    def __init__(self, status: int, body: dict[str, Any] | str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers

    def response(self) -> Response:
        if isinstance(self.body, str):
            return PlainTextResponse(self.body, self.status, self.headers)
        return JsonAnswer(self.body, self.status, self.headers)


def invalid(issues: Sequence[Issue]) -> AnswerError:
    """400 with a list of what is wrong where."""
    return AnswerError(400, {"message": "Invalid request data", "error": list(issues)})


def refused(message: str, *, status: int = 400, name: str = "InvalidRequestError") -> AnswerError:
    """An error of the server's own domain: a sentence and the error's class name."""
    return AnswerError(status, {"message": message, "error": name})


def not_found(message: str) -> AnswerError:
    return refused(message, status=404, name="LangfuseNotFoundError")


def not_simulated(what: str) -> AnswerError:
    """A loud 400 where a real server would answer: a silent wrong answer would mislead a test."""
    return refused(f"The stand-in of Langfuse does not do {what}; test that against a real server.")


def unknown_route() -> Response:
    page = "<!DOCTYPE html><title>404</title><h1>404</h1><p>This page could not be found (stand-in).</p>"
    return HTMLResponse(page, 404)


def _received(value: Any) -> str:
    kinds: list[tuple[type | tuple[type, ...], str]] = [
        (_Missing, "undefined"),
        (type(None), "null"),
        (bool, "boolean"),
        (str, "string"),
        ((int, float), "number"),
        (list, "array"),
    ]
    return next((name for kind, name in kinds if isinstance(value, kind)), "object")


def wrong_type(path: Sequence[str | int], expected: str, value: Any) -> Issue:
    return {
        "expected": expected,
        "code": "invalid_type",
        "path": list(path),
        "message": f"Invalid input: expected {expected}, received {_received(value)}",
    }


def custom(path: Sequence[str | int], message: str) -> Issue:
    return {"code": "custom", "path": list(path), "message": message}


def not_one_of(path: Sequence[str | int], values: Sequence[str]) -> Issue:
    options = "|".join(f'"{value}"' for value in values)
    return {
        "code": "invalid_value",
        "values": list(values),
        "path": list(path),
        "message": f"Invalid option: expected one of {options}",
    }


def union(path: Sequence[str | int], branches: Sequence[Sequence[Issue]]) -> Issue:
    return {
        "code": "invalid_union",
        "errors": [list(branch) for branch in branches],
        "path": list(path),
        "message": "Invalid input",
    }


def too_big(path: Sequence[str | int], maximum: int, *, of: str = "number") -> Issue:
    return {
        "origin": of,
        "code": "too_big",
        "maximum": maximum,
        "inclusive": True,
        "path": list(path),
        "message": f"Too big: expected {of} {_to(of)} <={maximum}{_unit(of)}",
    }


def too_small(path: Sequence[str | int], minimum: int, *, of: str = "number") -> Issue:
    return {
        "origin": of,
        "code": "too_small",
        "minimum": minimum,
        "inclusive": True,
        "path": list(path),
        "message": f"Too small: expected {of} {_to(of)} >={minimum}{_unit(of)}",
    }


def _to(kind: str) -> str:
    return "to be" if kind == "number" else "to have"


def _unit(kind: str) -> str:
    return {"string": " characters", "array": " items"}.get(kind, "")


def plain(number: float) -> float:
    """A number without the ".0" that JavaScript never writes."""
    return int(number) if float(number).is_integer() else number


def loads(text: str) -> Any:
    """JSON from a stranger.

    What JSON can name and an answer cannot hold becomes what JavaScript would write: half of a surrogate pair a
    replacement character, a number beyond the largest null.

    Raises:
        ValueError: no JSON, or a constant such as NaN, or nested too deep.
    """
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("The JSON is nested too deep.") from error
    return _whole(value) if "\\ud" in text.lower() else value


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _whole(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_whole(each) for each in value]
        case dict():
            return {_whole(key): _whole(each) for key, each in value.items()}
        case _:
            return value
