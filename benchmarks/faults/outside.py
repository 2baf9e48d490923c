"""What stands where, read from outside: the servers' own APIs and the eval file; no line of goldloop's readers."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

_TASKS = 500
_SCORES = 100
_ROWS = 100
_FIELDS = "id,data,overlap,annotations,result,completed_by,was_cancelled,updated_at,created_at"


@dataclass(frozen=True)
class Said:
    """An annotation as Label Studio has it."""

    annotation_id: int
    person: str
    skipped: bool
    updated_at: str
    result: list[dict[str, Any]]


@dataclass(frozen=True)
class Stands:
    """A task; `wanted` is how many annotators Label Studio sends to it."""

    task_id: int
    project_id: int
    trace_id: str
    wanted: int
    annotations: tuple[Said, ...]


@dataclass(frozen=True)
class Row:
    """A line of the eval file, or a dataset item."""

    row_id: str
    trace_id: str
    labels: dict[str, Any]


def tasks(client: httpx.Client) -> list[Stands]:
    """Every task of every project, with its annotations in the order of their creation."""
    people = {user["id"]: str(user["email"]) for user in _json(client, "/api/users/")}
    projects = _json(client, "/api/projects/", page_size=100)["results"]
    return [task for project in projects for task in _tasks_of(client, project["id"], people)]


def _tasks_of(client: httpx.Client, project_id: int, people: dict[int, str]) -> Iterator[Stands]:
    after = 0
    while True:
        newer = {"filter": "filter:tasks:id", "operator": "greater", "type": "Number", "value": after}
        query = {"filters": {"conjunction": "and", "items": [newer]}, "ordering": ["tasks:id"]}
        asked = {"project": project_id, "page_size": _TASKS, "fields": "all", "include": _FIELDS}
        rows = _json(client, "/api/tasks/", **asked, query=json.dumps(query))["tasks"]
        for row in rows:
            after = row["id"]
            said = tuple(_said(one, people) for one in sorted(row["annotations"], key=lambda one: one["id"]))
            yield Stands(row["id"], project_id, str(row["data"].get("trace_id")), row.get("overlap", 1), said)
        if len(rows) < _TASKS:
            return


def _said(one: dict[str, Any], people: dict[int, str]) -> Said:
    who = one["completed_by"]
    person = people.get(who["id"] if isinstance(who, dict) else who, "nobody")
    return Said(one["id"], person, one["was_cancelled"], one["updated_at"], one["result"])


def scores(client: httpx.Client) -> list[dict[str, Any]]:
    """Every score of the project, users' signals among them."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = _json(client, "/api/public/v3/scores", limit=_SCORES, fields="details,subject", **cursor)
        found += page["data"]
        if not page["meta"].get("cursor"):
            return found
        cursor = {"cursor": page["meta"]["cursor"]}


def dataset(client: httpx.Client, name: str) -> list[Row]:
    """The active items; none where there is no such dataset."""
    found: list[Row] = []
    page = 1
    while True:
        answer = client.get("/api/public/dataset-items", params={"datasetName": name, "page": page, "limit": _ROWS})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return found
        told = answer.raise_for_status().json()
        found += [
            Row(row["id"], row["sourceTraceId"], row["metadata"]["labels"])
            for row in told["data"]
            if row["status"] == "ACTIVE"
        ]
        if page >= told["meta"]["totalPages"]:
            return found
        page += 1


def eval_lines(file: Path) -> list[Row]:
    """The file's lines; none where there is no file."""
    if not file.exists():
        return []
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [Row(line["row_id"], line["trace_id"], line["labels"]) for line in lines]


def _json(client: httpx.Client, path: str, **params: Any) -> Any:
    return client.get(path, params=params).raise_for_status().json()
