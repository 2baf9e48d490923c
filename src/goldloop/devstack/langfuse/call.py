"""One call as a handler sees it."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.datastructures import QueryParams

from goldloop.devstack.langfuse import answers, times
from goldloop.devstack.langfuse.settings import StandInSettings
from goldloop.devstack.langfuse.storage import Storage

_DEFAULT_LIMIT = 50
_PAGE_MAX = 100
_NUMBER = re.compile(r"[+-]?\d{1,15}")


@dataclass(frozen=True)
class Call:
    """What a handler needs.

    Attributes:
        path: the parameters in the path, decoded.
        body: the JSON of the body, or its raw bytes where the route takes something else.
        headers: the request's headers, in lower case.
        now_ms: the time of the call.
    """

    store: Storage
    settings: StandInSettings
    path: Mapping[str, Any]
    query: QueryParams
    headers: Mapping[str, str]
    body: Any
    now_ms: int

    def integer(self, name: str, default: int) -> int:
        text = self.query.get(name)
        if text is None:
            return default
        if not _NUMBER.fullmatch(text.strip()):
            issue = answers.wrong_type([name], "number", math.nan) | {
                "received": "NaN",
                "message": "Invalid input: expected number, received NaN",
            }
            raise answers.invalid([issue])
        return int(text)

    def limit(self, *, maximum: int) -> int:
        limit = self.integer("limit", _DEFAULT_LIMIT)
        if limit > maximum:
            raise answers.invalid([answers.too_big(["limit"], maximum)])
        if limit < 1:
            raise answers.invalid([answers.too_small(["limit"], 1)])
        return limit

    def page(self) -> tuple[int, int]:
        """The page (from 1) and its size, for lists by pages."""
        page = self.integer("page", 1)
        if page < 1:
            raise answers.invalid([answers.too_small(["page"], 1)])
        return page, self.limit(maximum=_PAGE_MAX)

    def moment(self, name: str) -> datetime | None:
        text = self.query.get(name)
        if text is None:
            return None
        try:
            return times.parse(text)
        except ValueError as error:
            raise answers.invalid([bad_time([name])]) from error

    def words(self, name: str) -> list[str] | None:
        """A comma-separated list."""
        text = self.query.get(name)
        return None if text is None else [word.strip() for word in text.split(",") if word.strip()]

    def fields(self) -> dict[str, Any]:
        """The body, which has to be an object."""
        if not isinstance(self.body, dict):
            raise answers.invalid([answers.wrong_type([], "object", self.body)])
        return self.body


def bad_time(path: list[str | int]) -> answers.Issue:
    return {
        "origin": "string",
        "code": "invalid_format",
        "format": "datetime",
        "path": path,
        "message": "Invalid ISO datetime",
    }


def read_json(body: bytes) -> Any:
    """The body as JSON; nothing at all is an empty object, as the server reads it.

    Raises:
        AnswerError: 400, in plain text.
    """
    if not body.strip():
        return {}
    try:
        return answers.loads(body.decode("utf-8", "replace"))
    except ValueError as error:
        raise answers.AnswerError(400, "Invalid JSON") from error


def paged(data: list[Any], *, page: int, limit: int, total: int) -> dict[str, Any]:
    """A page of a list by pages, with its meta."""
    return {
        "data": data,
        "meta": {"page": page, "limit": limit, "totalItems": total, "totalPages": math.ceil(total / limit)},
    }
