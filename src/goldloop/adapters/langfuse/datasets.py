"""Langfuse, written to: eval rows as the rows of a dataset, so that experiments can run on them.

Langfuse calls such a row a dataset item. Each upsert makes a version of it, so a row is compared before it is written;
and what an upsert leaves out or sends as null stays as it was, so every field is sent, the empty ones as "" or {}.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import quote

from pydantic import ValidationError

from goldloop.adapters.langfuse.http import Api, ConflictError, MissingError, encode, unreadable
from goldloop.adapters.langfuse.listing import Listing
from goldloop.adapters.langfuse.wire import DatasetItem
from goldloop.errors import RejectedError
from goldloop.records import EvalRow, Receipt, Value, labels_in

_ROWS: Final = "dataset-items"
_PAGE: Final = 100
_SIDE_BY_SIDE: Final = 4
"""Requests under way at once: Langfuse takes rows one by one."""
_ACTIVE: Final = "ACTIVE"
_ARCHIVED: Final = "ARCHIVED"
_DESCRIPTION: Final = "Failures confirmed by annotators. Kept by goldloop: it replaces what is changed here."


class LangfuseDatasets:
    """An `EvalSink` over `v2/datasets` and `dataset-items`."""

    name: Final = "langfuse"

    def __init__(self, api: Api) -> None:
        self._api = api

    def put(self, dataset: str, rows: Sequence[EvalRow], new: Collection[str] = ()) -> list[Receipt]:
        """Raises: RetryableError, FatalError. After an error put all again: what is there costs no write."""
        if not rows:
            return []
        self._ensure(dataset)
        with ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="eval row") as threads:
            return list(threads.map(lambda row: self._put(dataset, row, new=row.row_id in new), rows))

    def remove(self, dataset: str, row_ids: Sequence[str]) -> None:
        """Archives them: the versions that experiments ran on stay readable."""
        for row_id in row_ids:
            found = self._find(row_id)
            if found is not None and found.dataset_name == dataset and found.status != _ARCHIVED:
                self._api.post(_ROWS, {"datasetName": dataset, "id": row_id, "status": _ARCHIVED})

    def row_ids(self, dataset: str) -> set[str]:
        return {row.id for row in self._rows(dataset)}

    def shown(self, dataset: str, queue: str) -> dict[str, dict[str, Value]]:
        rows = {row.id: labels_in(row.metadata, queue) for row in self._rows(dataset)}
        return {row_id: labels for row_id, labels in rows.items() if labels is not None}

    def _rows(self, dataset: str) -> Iterator[DatasetItem]:
        """Those that are not archived."""
        page = 1
        while True:
            params = [("datasetName", dataset), ("page", str(page)), ("limit", str(_PAGE))]
            try:
                answer = self._api.get(_ROWS, params)
            except MissingError:
                return
            listing = Listing(answer, DatasetItem, path=_ROWS, page=page)
            yield from (row for row in listing.rows if row.status == _ACTIVE)
            if page >= listing.total_pages:
                return
            page += 1

    def _ensure(self, dataset: str) -> None:
        try:
            self._api.get(f"v2/datasets/{quote(dataset, safe='')}")
        except MissingError:
            # Creating is an upsert by name: it would overwrite the description of a dataset that is there.
            self._api.post("v2/datasets", {"name": dataset, "description": _DESCRIPTION, "metadata": {}})

    def _put(self, dataset: str, row: EvalRow, *, new: bool) -> Receipt:
        body = _body(dataset, row)
        try:
            found = None if new else self._find(row.row_id)
            if found is None or not _same(found, body):
                self._api.post(_ROWS, body)
        except ConflictError:
            return Receipt(key=row.row_id, accepted=False, reason="409: its id stands in another dataset")
        except RejectedError as error:
            return Receipt(key=row.row_id, accepted=False, reason=error.reason)
        return Receipt(key=row.row_id, accepted=True)

    def _find(self, row_id: str) -> DatasetItem | None:
        try:
            return DatasetItem.model_validate(self._api.get(f"{_ROWS}/{quote(row_id, safe='')}"))
        except MissingError:
            return None
        except ValidationError as error:
            raise unreadable("GET", _ROWS) from error


def _body(dataset: str, row: EvalRow) -> dict[str, Any]:
    plain = row.model_dump(mode="json")
    body = {
        "datasetName": dataset,
        "id": row.row_id,
        "input": {"messages": plain["input"], "context": plain["context"]},
        "expectedOutput": row.expected_output or "",
        "metadata": {
            "labels": plain["labels"],
            "severity": row.severity or "",
            "note": row.note or "",
            "output": row.output,
            "provenance": plain["provenance"],
        },
        "sourceTraceId": row.trace_id,
        "status": _ACTIVE,
    }
    # As it will be read back: cleaned, and without what JSON has no form for.
    sent: dict[str, Any] = json.loads(encode(body))
    return sent


def _same(found: DatasetItem, body: dict[str, Any]) -> bool:
    there = {
        "datasetName": found.dataset_name,
        "id": found.id,
        "input": found.input,
        "expectedOutput": found.expected_output or "",
        "metadata": found.metadata,
        "sourceTraceId": found.source_trace_id,
        "status": found.status,
    }
    return there == body
