"""Lists that come in pages: one page with its unreadable rows aside, and all pages of a list with cursors."""

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from goldloop.adapters.langfuse.http import SERVER, Api, Params, unreadable
from goldloop.adapters.langfuse.wire import Wire, reason
from goldloop.codebook.text import clean
from goldloop.errors import RetryableError

RowT = TypeVar("RowT", bound=Wire)


class Listing(Generic[RowT]):
    """One page: the rows that can be read, the others by id and reason, and where the next page is.

    Args:
        answer: the JSON of the page.
        row: the model of a row.
        path: what was asked, for the error.
        key: the field that names a row where it cannot be read.
        page: its number from 1, to name rows that have not even that.

    Raises:
        RetryableError: the answer is no page.
    """

    def __init__(self, answer: Any, row: type[RowT], *, path: str, key: str = "id", page: int = 1) -> None:
        found, meta = _page(answer, path)
        cursor = meta.get("cursor")
        self.cursor = cursor if isinstance(cursor, str) and cursor else None
        total_pages = meta.get("totalPages")
        self.total_pages = total_pages if isinstance(total_pages, int) else 1
        self.rows: list[RowT] = []
        self.rejected: list[tuple[str, str]] = []
        for number, raw in enumerate(found, start=1):
            try:
                self.rows.append(row.model_validate(raw))
            except ValidationError as error:
                self.rejected.append((_name(raw, key) or f"row {number} of page {page}", reason(error)))


def pages(api: Api, path: str, row: type[RowT], params: Params, *, key: str = "id") -> Iterator[Listing[RowT]]:
    """All pages of a list with cursors, each fetched when it is asked for."""
    cursor: str | None = None
    page = 1
    while True:
        turned = [*params, ("cursor", cursor)] if cursor else params
        listing = Listing(api.get(path, turned), row, path=path, key=key, page=page)
        yield listing
        if listing.cursor is None:
            return
        if listing.cursor == cursor:
            raise RetryableError(SERVER, f"Langfuse gives the same page of {path} again and again: try again later.")
        cursor, page = listing.cursor, page + 1


def _page(answer: Any, path: str) -> tuple[list[Any], dict[str, Any]]:
    if isinstance(answer, dict):
        rows, meta = answer.get("data"), answer.get("meta", {})
        if isinstance(rows, list) and isinstance(meta, dict):
            return rows, meta
    raise unreadable("GET", path)


def _name(raw: Any, key: str) -> str | None:
    value = raw.get(key) if isinstance(raw, dict) else None
    return clean(value) if isinstance(value, str) and value else None
