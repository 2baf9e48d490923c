"""Scripted annotators at work: threads that play their stories on whatever tasks appear, while goldloop runs.

They talk to Label Studio itself, and try again what it did not take: where a server dies in the middle of an act nobody
knows whether it was done, so the audit asks Label Studio and not them.
"""

import heapq
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import httpx
from pydantic import SecretStr

from benchmarks.faults.chance import chance_of
from benchmarks.faults.stories import Act, Doing, story

_POLL_SECONDS = 1.5
_AGAIN_SECONDS = 2.0
_TRIES = 15
_PAGE = 500
_BETWEEN = (1.0, 12.0)
"""Seconds between two acts on one task, so that goldloop sees some of the states between."""
_REST_SECONDS = 0.1
"""After each act: without it three hands take all of a Label Studio, and goldloop's imports wait for minutes."""


@dataclass
class _Task:
    """A task whose story is played: the annotations it has so far, by their place in the story."""

    task_id: int
    project_id: int
    acts: list[Act]
    chance: Any
    made: list[int] = field(default_factory=list)
    tries: int = 0


class Annotators:
    """A context manager: they come in, work until `rest`, and go."""

    def __init__(self, url: str, keys: Mapping[str, SecretStr], seed: int, threads: int = 3) -> None:
        self._url = url
        self._keys = keys
        self._seed = seed
        self._due: list[tuple[float, int, _Task]] = []
        self._number = itertools.count()
        self._guard = threading.Condition()
        self._busy = 0
        self._over = False
        self._seen: dict[int, int] = {}
        self._traces: set[str] = set()
        self._ids: dict[str, int] = {}
        self._hands = [threading.Thread(target=self._work, name=f"annotator {n}") for n in range(threads)]
        self._hands.append(threading.Thread(target=self._look, name="annotators' list"))
        self.acts: Counter[str] = Counter()
        self.given_up: list[str] = []

    def __enter__(self) -> Self:
        for person in self._keys:
            with self._client(person) as client:
                told = client.get("/api/current-user/whoami").raise_for_status().json()
                self._ids[person] = told["id"]
        for hand in self._hands:
            hand.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._guard:
            self._over = True
            self._guard.notify_all()
        for hand in self._hands:
            hand.join()

    def known(self) -> int:
        """How many traces had a task so far."""
        return len(self._traces)

    def left(self) -> int:
        """How many tasks still have acts to come."""
        with self._guard:
            return len(self._due) + self._busy

    def _client(self, person: str) -> httpx.Client:
        headers = {"Authorization": f"Token {self._keys[person].get_secret_value()}", "Connection": "close"}
        return httpx.Client(base_url=self._url, headers=headers, timeout=60, trust_env=False)

    def _look(self) -> None:
        """Find new tasks and begin their stories."""
        with self._client(next(iter(self._keys))) as client:
            while not self._over:
                try:
                    projects = client.get("/api/projects/", params={"page_size": 100}).raise_for_status().json()
                    for project in projects["results"]:
                        self._begin(client, project["id"])
                except (httpx.HTTPError, ValueError):
                    pass  # it is down just now
                time.sleep(_POLL_SECONDS)

    def _begin(self, client: httpx.Client, project_id: int) -> None:
        while True:
            after = self._seen.get(project_id, 0)
            newer = {"filter": "filter:tasks:id", "operator": "greater", "type": "Number", "value": after}
            query = json.dumps({"filters": {"conjunction": "and", "items": [newer]}, "ordering": ["tasks:id"]})
            asked: dict[str, str | int] = {
                "project": project_id,
                "page_size": _PAGE,
                "include": "id,data",
                "query": query,
            }
            rows = client.get("/api/tasks/", params=asked).raise_for_status().json()["tasks"]
            for row in rows:
                self._seen[project_id] = row["id"]
                trace_id = row["data"].get("trace_id", "")
                if trace_id in self._traces:
                    continue
                self._traces.add(trace_id)
                acts = story(self._seed, trace_id)
                if acts:
                    chance = chance_of(f"{self._seed}/pace/{trace_id}")
                    self._put(0.0, _Task(row["id"], project_id, acts, chance))
            if len(rows) < _PAGE:
                return

    def _put(self, in_seconds: float, task: _Task) -> None:
        with self._guard:
            heapq.heappush(self._due, (time.monotonic() + in_seconds, next(self._number), task))
            self._guard.notify()

    def _take(self) -> _Task | None:
        with self._guard:
            while not self._over:
                wait = self._due[0][0] - time.monotonic() if self._due else 1.0
                if self._due and wait <= 0:
                    self._busy += 1
                    return heapq.heappop(self._due)[2]
                self._guard.wait(min(wait, 1.0))
            return None

    def _work(self) -> None:
        clients = {person: self._client(person) for person in self._keys}
        try:
            while task := self._take():
                try:
                    self._play(clients, task)
                finally:
                    with self._guard:
                        self._busy -= 1
                time.sleep(_REST_SECONDS)
        finally:
            for client in clients.values():
                client.close()

    def _play(self, clients: Mapping[str, httpx.Client], task: _Task) -> None:
        act = task.acts[0]
        try:
            _do(clients[act.person], task, act, self._ids)
        except httpx.HTTPError as error:
            task.tries += 1
            if task.tries < _TRIES:
                self._put(_AGAIN_SECONDS, task)
            else:
                self.given_up.append(f"task {task.task_id}: {act.doing}: {error}")
            return
        self.acts[act.doing] += 1
        task.acts, task.tries = task.acts[1:], 0
        if task.acts:
            self._put(task.chance.uniform(*_BETWEEN), task)


def _do(client: httpx.Client, task: _Task, act: Act, ids: Mapping[str, int]) -> None:
    owner = {"completed_by": ids[act.owner]} if act.owner else {}
    match act.doing:
        case Doing.SUBMIT | Doing.SKIP | Doing.IMPORT:
            body = {"result": act.result or [], "was_cancelled": act.doing is Doing.SKIP, "lead_time": 3.0, **owner}
            answer = client.post(f"/api/tasks/{task.task_id}/annotations/", json=body).raise_for_status()
            task.made.append(answer.json()["id"])
        case Doing.OPEN:
            client.get(f"/api/tasks/{task.task_id}/", params={"project": task.project_id}).raise_for_status()
        case Doing.DELETE_TASK:
            _gone(client.delete(f"/api/tasks/{task.task_id}/"))
        case Doing.CLEAR:
            action = f"/api/dm/actions/?id=delete_tasks_annotations&project={task.project_id}"
            body = {"selectedItems": {"all": False, "included": [task.task_id]}}
            client.post(action, json=body).raise_for_status()
        case Doing.DELETE:
            _gone(client.delete(f"/api/annotations/{task.made[act.which]}/"))
        case _:
            change = owner or _change(act)
            client.patch(f"/api/annotations/{task.made[act.which]}/", json=change).raise_for_status()


def _gone(answer: httpx.Response) -> None:
    """Done before, by a try whose answer was lost, is done too."""
    if answer.status_code != httpx.codes.NOT_FOUND:
        answer.raise_for_status()


def _change(act: Act) -> dict[str, Any]:
    match act.doing:
        case Doing.UNSKIP:
            return {"was_cancelled": False, "result": act.result}
        case Doing.SKIP_IT:
            return {"was_cancelled": True}
        case Doing.TOUCH:
            return {"ground_truth": True}
        case _:
            return {"result": act.result}
