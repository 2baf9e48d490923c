"""Lists that come in pages: one page with its unreadable rows aside, and all pages of a list with cursors."""

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from goldloop.adapters.langfuse.http import SERVER, Api, Params, parsed, unreadable
from goldloop.adapters.langfuse.wire import Wire, reason
from goldloop.ahead import ahead
from goldloop.codebook.text import clean
from goldloop.errors import RetryableError

RowT = TypeVar("RowT", bound=Wire)


class _Whole(BaseModel, Generic[RowT]):
    """A page all of whose rows can be read."""

    model_config = ConfigDict(strict=True, extra="ignore")

    data: list[RowT]
    meta: dict[str, Any] = Field(default_factory=dict)


class Listing(Generic[RowT]):
    """One page: the rows that can be read, the others by id and reason, and where the next page is.

    Args:
        answer: the JSON of the page, or what `reader` made of it.
        row: the model of a row.
        path: what was asked, for the error.
        key: the field that names a row where it cannot be read.
        page: its number from 1, to name rows that have not even that.

    Raises:
        RetryableError: the answer is no page.
    """

    def __init__(self, answer: Any, row: type[RowT], *, path: str, key: str = "id", page: int = 1) -> None:
        found, meta = _page(answer, path)
        self.cursor = _cursor(meta)
        total_pages = meta.get("totalPages")
        self.total_pages = total_pages if isinstance(total_pages, int) else 1
        self.rows: list[RowT] = []
        self.rejected: list[tuple[str, str]] = []
        if isinstance(answer, _Whole):
            self.rows = found
            return
        for number, raw in enumerate(found, start=1):
            try:
                self.rows.append(row.model_validate(raw))
            except ValidationError as error:
                self.rejected.append((_name(raw, key) or f"row {number} of page {page}", reason(error)))


def reader(row: type[RowT]) -> Callable[[bytes], Any]:
    """What reads a page from its bytes in one step; where a row is wrong, it is left to be read row by row."""
    whole = _Whole[row]  # type: ignore[valid-type]  # a type that is known when it runs

    def read(content: bytes) -> Any:
        if b"NaN" not in content and b"Infinity" not in content:  # taken for numbers here, which in JSON they are not
            try:
                return whole.model_validate_json(content)
            except ValidationError:
                pass
        return parsed(content)

    return read


def pages(api: Api, path: str, row: type[RowT], params: Params, *, key: str = "id") -> Iterator[Listing[RowT]]:
    """All pages of a list with cursors; one is fetched while the caller deals with the one before."""
    for page, answer in enumerate(ahead(_answers(api, path, row, params)), start=1):
        yield Listing(answer, row, path=path, key=key, page=page)


def _answers(api: Api, path: str, row: type[Wire], params: Params) -> Iterator[Any]:
    cursor: str | None = None
    read = reader(row)
    while True:
        answer = api.get(path, [*params, ("cursor", cursor)] if cursor else params, read=read)
        yield answer
        last, cursor = cursor, _cursor(_page(answer, path)[1])
        if cursor is None:
            return
        if cursor == last:
            raise RetryableError(SERVER, f"Langfuse gives the same page of {path} again and again: try again later.")


def _cursor(meta: dict[str, Any]) -> str | None:
    cursor = meta.get("cursor")
    return cursor if isinstance(cursor, str) and cursor else None


def _page(answer: Any, path: str) -> tuple[list[Any], dict[str, Any]]:
    if isinstance(answer, _Whole):
        return answer.data, answer.meta
    if isinstance(answer, dict):
        rows, meta = answer.get("data"), answer.get("meta", {})
        if isinstance(rows, list) and isinstance(meta, dict):
            return rows, meta
    raise unreadable("GET", path)


def _name(raw: Any, key: str) -> str | None:
    value = raw.get(key) if isinstance(raw, dict) else None
    return clean(value) if isinstance(value, str) and value else None
