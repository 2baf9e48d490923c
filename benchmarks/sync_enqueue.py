"""Enqueue beside the raw import: the same tasks with their predictions, in batches as large, by httpx.

goldloop also fetches each trace's payload from Langfuse, makes the task and remembers it: the ceiling does none of it.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import httpx

from benchmarks.judge_table import Row
from benchmarks.sync_servers import Servers, by_turns, silent, timed
from benchmarks.sync_store import NOW, codebook, draw, predict, store_at
from benchmarks.sync_traces import fill
from goldloop.adapters.labelstudio import LabelStudio
from goldloop.codebook.render import render
from goldloop.pipeline.enqueue import enqueue
from goldloop.ports import TaskDraft

Tasks = list[dict[str, Any]]
_PLAIN = 60
_ROUNDS = 3


def measure(servers: Servers, *, fast: bool) -> Iterator[Row]:
    count = 500 if fast else 5_000
    fill(servers.database, NOW, count, count)
    batches: list[Tasks] = []
    _ours(servers, count, 1, batches)  # what it sends is what the ceiling sends
    turns = by_turns(lambda number: _ours(servers, count, number + 2, []), lambda _: _raw(servers, batches), _ROUNDS)
    size = f"batches of {len(batches[0]):,}"
    yield Row.at_least(
        f"{count:,} tasks with predictions: of the raw import", 0.8, turns.ratio, "x", f"{turns.plainly(count)}; {size}"
    )
    rate = _plain(servers, batches[0][:_PLAIN])
    yield Row.at_least(
        "times the plain script, three requests a trace",
        20,
        count / turns.seconds / rate,
        "x",
        f"the script: {rate:.1f} a second, of {_PLAIN} traces",
    )


def _ours(servers: Servers, count: int, version: int, batches: list[Tasks]) -> float:
    """Seconds of one run, from drawn traces to tasks in a new project; the first sees what it imports."""
    asked = codebook(version)
    store = store_at(servers.folder, f"enqueue-{version}")
    draw(store, asked, range(count), NOW)
    predict(store, asked, range(count), NOW)
    with servers.langfuse() as langfuse:
        queue = servers.label_studio()
        if version == 1:
            _listen(queue, batches)
        began = time.perf_counter()
        summary = enqueue(asked, langfuse.source, queue, store, lambda: NOW, silent)
        seconds = time.perf_counter() - began
        queue.close()
    assert (summary.queued, summary.with_prelabel) == (count, count)
    store.close()
    return seconds


def _listen(queue: LabelStudio, batches: list[Tasks]) -> None:
    real = queue.import_tasks

    def import_tasks(project_id: int, drafts: Sequence[TaskDraft]) -> list[int]:
        batches.append([{"data": draft.data, "predictions": [draft.prediction]} for draft in drafts])
        return real(project_id, drafts)

    queue.import_tasks = import_tasks  # type: ignore[method-assign]  # to know what the ceiling has to send


def new_project(client: httpx.Client, title: str) -> int:
    """Its id."""
    made = client.post("projects/", json={"title": title, "label_config": render(codebook())})
    made.raise_for_status()
    project_id: int = made.json()["id"]
    return project_id


def import_tasks(client: httpx.Client, project_id: int, tasks: Tasks) -> list[int]:
    """Their ids."""
    answer = client.post(f"projects/{project_id}/import", params={"return_task_ids": "true"}, json=tasks)
    answer.raise_for_status()
    task_ids: list[int] = answer.json()["task_ids"]
    return task_ids


def _raw(servers: Servers, batches: Sequence[Tasks]) -> float:
    with servers.raw_label_studio() as client:
        project_id = new_project(client, "raw")
        return timed(lambda: [import_tasks(client, project_id, batch) for batch in batches])


def _plain(servers: Servers, tasks: Tasks) -> float:
    """Traces a second of a script that reads one, makes its task, then its prediction."""
    with servers.raw_label_studio() as client, servers.raw_langfuse() as langfuse:
        project_id = new_project(client, "plain")

        def one(task: dict[str, Any]) -> None:
            trace = {"traceId": task["data"]["trace_id"], "fields": "core,basic,io,metadata,model"}
            langfuse.get("v2/observations", params=trace).raise_for_status()
            made = client.post("tasks/", json={"project": project_id, "data": task["data"]})
            made.raise_for_status()
            prediction = {"task": made.json()["id"], **task["predictions"][0]}
            client.post("predictions/", json=prediction).raise_for_status()

        def script() -> None:
            for task in tasks:
                one(task)

        return len(tasks) / timed(script)
