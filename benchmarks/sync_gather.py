"""Gather beside the raw filtered listing, and an idle poll beside one bare request.

The project has four times as many tasks as changed. Annotations come with the import of their tasks, and the tasks are
then made known to the store: posted one by one, 5,000 would take some minutes. Label Studio shows them in the listing
like any other.
"""

import json
import shutil
import statistics
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from benchmarks.judge_table import Row
from benchmarks.sync_enqueue import import_tasks, new_project
from benchmarks.sync_servers import Counted, Servers, by_turns, silent, timed
from benchmarks.sync_store import NOW, a_draw, codebook, draw, store_at
from benchmarks.sync_traces import trace_id
from goldloop.adapters.labelstudio.listing import PAGE_SIZE
from goldloop.adapters.labelstudio.rows import INCLUDE
from goldloop.adapters.store import SqlStore, open_store
from goldloop.codebook.result import to_result
from goldloop.codebook.schema import Codebook
from goldloop.codebook.task import task_data
from goldloop.pipeline.gather import gather
from goldloop.pipeline.parking import task_stream
from goldloop.records import Message, Project, Task, Trace

_ROUNDS = 3
_POLLS = 7
_IMPORT = 1_000
_OVERLAP = timedelta(minutes=2)
"""What gather reads again below its watermark: the watermark is set so far above what counts as known."""
_TEXT = "You can send it back within 30 days: print the label in your account. " * 12


def measure(servers: Servers, *, fast: bool) -> Iterator[Row]:
    changed = 500 if fast else 5_000
    project = annotated_project(servers, "gather", known=3 * changed, changed=changed)
    turns = by_turns(
        lambda number: _ours(servers, project, number, changed), lambda _: _raw(servers, project, changed), _ROUNDS
    )
    yield Row.at_least(
        f"{changed:,} changed annotations: of the raw listing", 0.8, turns.ratio, "x", turns.plainly(changed)
    )
    yield from _idle(servers, project, 4 * changed)


class AnnotatedProject:
    """A project, the store that knows its tasks, and the moment since which tasks changed that the store lacks."""

    def __init__(self, asked: Codebook, project_id: int, template: Path, since: datetime) -> None:
        self.asked, self.project_id, self.template, self.since = asked, project_id, template, since

    def store(self, folder: Path, name: str) -> SqlStore:
        """A copy of the template."""
        shutil.copyfile(self.template, folder / f"{name}.db")
        return open_store(f"sqlite:///{folder / name}.db")


def annotated_project(
    servers: Servers, name: str, *, known: int, changed: int, at: datetime = NOW, budget: int = 1
) -> AnnotatedProject:
    """`known` tasks that nobody touched and that were polled before, then `changed` ones with an annotation each."""
    asked = codebook(budget=budget)
    numbers = range(known + changed)
    with servers.raw_label_studio() as client:
        project_id = new_project(client, name)
        ids = _imported(client, project_id, asked, range(known), annotated=False)
        since = datetime.fromisoformat(_newest(client, project_id)["updated_at"])
        ids += _imported(client, project_id, asked, range(known, known + changed), annotated=True)
    store = store_at(servers.folder, f"{name}-template")
    draw(store, asked, numbers, at)
    store.save_project(
        Project(queue=asked.name, codebook_version=asked.version, project_id=project_id, url="http://127.0.0.1")
    )
    tasks = [
        Task(
            queue=asked.name,
            codebook_version=asked.version,
            trace_id=trace_id(number),
            project_id=project_id,
            task_id=task_id,
        )
        for number, task_id in zip(numbers, ids, strict=True)
    ]
    store.save_tasks(tasks, at)
    store.set_watermark(task_stream(project_id), since + _OVERLAP)
    store.close()
    return AnnotatedProject(asked, project_id, servers.folder / f"{name}-template.db", since)


def _imported(client: httpx.Client, project_id: int, asked: Codebook, numbers: range, *, annotated: bool) -> list[int]:
    first, *others = asked.verdict.label_names
    data = _data(asked)
    ids: list[int] = []
    for start in range(numbers.start, numbers.stop, _IMPORT):
        batch: list[dict[str, Any]] = []
        for number in range(start, min(start + _IMPORT, numbers.stop)):
            task: dict[str, Any] = {"data": data | {"trace_id": trace_id(number)}}
            if annotated:
                answer = others[0] if number % 7 == 0 else first
                task["annotations"] = [{"result": to_result(asked, {asked.verdict.name: answer})}]
            batch.append(task)
        ids += import_tasks(client, project_id, batch)
    return ids


def _data(asked: Codebook) -> dict[str, Any]:
    """What a task shows."""
    said = Message(role="user", content=_TEXT)
    trace = Trace(trace_id=trace_id(0), name="answer", timestamp=NOW, messages=(said,), output=_TEXT)
    shown = task_data(asked, trace, a_draw(asked, 0, 0), [], None, "https://langfuse.example.com/trace")
    return shown.model_dump(mode="json")


def _newest(client: httpx.Client, project_id: int) -> dict[str, Any]:
    query = json.dumps({"ordering": ["-tasks:updated_at"]})
    params: dict[str, str | int] = {"project": project_id, "page_size": 1, "include": "id,updated_at", "query": query}
    answer = client.get("tasks/", params=params)
    answer.raise_for_status()
    newest: dict[str, Any] = answer.json()["tasks"][0]
    return newest


def _ours(servers: Servers, project: AnnotatedProject, number: int, changed: int) -> float:
    store = project.store(servers.folder, f"gather-{number}")
    queue = servers.label_studio()
    began = time.perf_counter()
    summary = gather(project.asked, queue, store, NOW, silent)
    seconds = time.perf_counter() - began
    queue.close()
    store.close()
    assert (summary.tasks_changed, summary.annotations) == (changed, changed), summary
    return seconds


def _raw(servers: Servers, project: AnnotatedProject, changed: int) -> float:
    """Pages by a filter on the time of change; the next begins after the last row: times are apart here."""
    with servers.raw_label_studio() as client:
        return timed(lambda: _listed(client, project, changed))


def _listed(client: httpx.Client, project: AnnotatedProject, changed: int) -> None:
    after = project.since.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    seen: set[int] = set()
    operator = "greater"
    while True:
        newer = {"filter": "filter:tasks:updated_at", "operator": operator, "type": "Datetime", "value": after}
        query = {"filters": {"conjunction": "and", "items": [newer]}, "ordering": ["tasks:updated_at"]}
        params: dict[str, str | int] = {
            "project": project.project_id,
            "fields": "all",
            "page_size": PAGE_SIZE,
            "include": INCLUDE,
            "query": json.dumps(query),
        }
        answer = client.get("tasks/", params=params)
        answer.raise_for_status()
        rows = answer.json()["tasks"]
        seen.update(row["id"] for row in rows)
        if len(rows) < PAGE_SIZE:
            break
        after, operator = rows[-1]["updated_at"], "greater_or_equal"
    assert len(seen) == changed


def _idle(servers: Servers, project: AnnotatedProject, tasks: int) -> Iterator[Row]:
    """A poll of a project where nothing changed, once nothing can come below the watermark any more."""
    store = project.store(servers.folder, "idle")
    network = Counted()
    queue = servers.label_studio(network)
    gather(project.asked, queue, store, NOW, silent)
    with servers.raw_label_studio() as client:
        newest = datetime.fromisoformat(_newest(client, project.project_id)["updated_at"])
        settled = newest + _OVERLAP + timedelta(seconds=2)
        time.sleep(max(0.0, (settled - datetime.now(settled.tzinfo)).total_seconds()))
        gather(project.asked, queue, store, NOW, silent)
        network.requests = 0
        ours = [timed(lambda: gather(project.asked, queue, store, NOW, silent)) for _ in range(_POLLS)]
        requests = network.requests / _POLLS
        raw = [timed(lambda: _newest(client, project.project_id)) for _ in range(_POLLS)]
    queue.close()
    store.close()
    bare = 1000 * statistics.median(raw)
    yield Row.at_most(f"an idle poll, {tasks:,} tasks", 1, requests, "requests")
    yield Row.at_most("the same", 150, 1000 * statistics.median(ours), "ms", f"one bare request: {bare:.0f} ms")
