"""The task listing, read with cursors: nothing is lost or repeated while tasks change or go between two pages.

Page numbers would lose rows: a task that changes while page 1 is read moves to the end, and the first of page 2 moves
into page 1. So each page is asked for by what the last one ended with.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from goldloop.adapters.labelstudio.faults import unreadable
from goldloop.adapters.labelstudio.http import Api
from goldloop.ports import Peek

PAGE_SIZE: Final = 500
_LIST: Final = "list the project's tasks"
_PATH: Final = "api/tasks/"

Row = dict[str, Any]


@dataclass(frozen=True)
class Filter:
    """A condition of the Data Manager: `column` is a task's field, `kind` the type that the server compares by."""

    column: str
    operator: str
    kind: str
    value: str | int | list[str]

    def as_json(self) -> dict[str, Any]:
        return {
            "filter": f"filter:tasks:{self.column}",
            "operator": self.operator,
            "type": self.kind,
            "value": self.value,
        }


class Listing:
    """`GET /api/tasks/`. `include` names the fields that come, of tasks and of their annotations alike."""

    def __init__(self, api: Api, page_size: int = PAGE_SIZE) -> None:
        self._api = api
        self._size = page_size

    def total(self, project_id: int) -> int:
        return self._get(project_id, (), "id", "id", size=1)[1]

    def peek(self, project_id: int) -> Peek:
        wanted = self._wanted(project_id, (), "-updated_at", "id,updated_at", size=1)
        answer, at = self._api.read_dated(_LIST, _PATH, wanted)
        rows, total = self._rows(answer)
        newest = datetime.fromisoformat(self._changed_at(rows[0])) if rows else None
        return Peek(count=total, newest=newest, at=at)

    def by_id(
        self, project_id: int, include: str, filters: Sequence[Filter] = (), *, annotations: bool = False
    ) -> Iterator[list[Row]]:
        """Pages of the tasks that all the filters let through, by ascending id."""
        after = 0
        while True:
            onwards = (*filters, Filter("id", "greater", "Number", after))
            rows, _ = self._get(project_id, onwards, "id", include, annotations=annotations)
            if rows:
                yield rows
            if len(rows) < self._size:
                return
            after = rows[-1]["id"]

    def by_change(self, project_id: int, since: datetime | None, include: str) -> Iterator[list[Row]]:
        """Pages of the tasks that changed after `since`, oldest change first, with their annotations.

        A full page may end among tasks of one timestamp (a bulk action gives many the same): those wait for the next
        page, which starts with them. Where they alone fill a page, they are read out by their ids.
        """
        lower = [] if since is None else [Filter("updated_at", "greater", "Datetime", _server_time(since))]
        while True:
            rows, _ = self._get(project_id, lower, "updated_at", include, annotations=True)
            if len(rows) < self._size:
                if rows:
                    yield rows
                return
            last = self._changed_at(rows[-1])
            settled = [row for row in rows if self._changed_at(row) != last]
            if settled:
                yield settled
                lower = [Filter("updated_at", "greater_or_equal", "Datetime", last)]
            else:
                these = [Filter("updated_at", "equal", "Datetime", last)]
                yield from self.by_id(project_id, include, these, annotations=True)
                lower = [Filter("updated_at", "greater", "Datetime", last)]

    def _changed_at(self, row: Row) -> str:
        try:
            return _server_time(datetime.fromisoformat(row["updated_at"]))
        except (KeyError, TypeError, ValueError) as error:
            raise unreadable(self._api.url, _LIST) from error

    def _get(
        self,
        project_id: int,
        filters: Sequence[Filter],
        order: str,
        include: str,
        *,
        annotations: bool = False,
        size: int | None = None,
    ) -> tuple[list[Row], int]:
        wanted = self._wanted(project_id, filters, order, include, annotations=annotations, size=size)
        return self._rows(self._api.read(_LIST, _PATH, wanted))

    def _wanted(
        self,
        project_id: int,
        filters: Sequence[Filter],
        order: str,
        include: str,
        *,
        annotations: bool = False,
        size: int | None = None,
    ) -> dict[str, str | int]:
        """`order` is a field, with a minus before it for the greatest first."""
        field = order.removeprefix("-")
        wanted = {
            "filters": {"conjunction": "and", "items": [one.as_json() for one in filters]},
            "ordering": [f"{order.removesuffix(field)}tasks:{field}"],
        }
        params: dict[str, str | int] = {
            "project": project_id,
            "page_size": size or self._size,
            "include": include,
            "query": json.dumps(wanted, separators=(",", ":")),
        }
        if annotations:
            params["fields"] = "all"
        return params

    def _rows(self, answer: Any) -> tuple[list[Row], int]:
        try:
            rows, total = answer["tasks"], answer["total"]
        except (KeyError, TypeError) as error:
            raise unreadable(self._api.url, _LIST) from error
        if not isinstance(total, int) or not isinstance(rows, list) or not all(_is_row(row) for row in rows):
            raise unreadable(self._api.url, _LIST)
        return rows, total


def _is_row(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("id"), int)


def _server_time(moment: datetime) -> str:
    """The one form that the server's filters parse: UTC as `Z`, microseconds always written."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
