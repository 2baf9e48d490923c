"""The Label Studio that the contract is tried on, and the hands of annotators on it and on the fake.

Titles and ids are unique to the run and projects are deleted after it, so a shared server will do.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from uuid import uuid4

import httpx
import pytest
from pydantic import JsonValue, SecretStr

from fakes.task_queue import FakeTaskQueue, Result
from goldloop.adapters.labelstudio import LabelStudio, connect
from goldloop.adapters.labelstudio.accounts import sign_up
from goldloop.ports import ProjectDraft, TaskQueue

URL = "GOLDLOOP_TEST_LABEL_STUDIO_URL"
KEY = "GOLDLOOP_TEST_LABEL_STUDIO_API_KEY"
PEOPLE = ("contract-one@goldloop.local", "contract-two@goldloop.local")
PASSWORD = SecretStr("contract-pass-1")


@dataclass(frozen=True)
class Server:
    url: str
    api_key: SecretStr

    def connect(self, *, page_size: int = 500) -> LabelStudio:
        return connect(self.url, self.api_key, page_size=page_size)


def server_of(request: pytest.FixtureRequest) -> Server:
    """The server that the environment names, else the one that the test run starts."""
    if URL in os.environ:
        return Server(os.environ[URL], SecretStr(os.environ[KEY]))
    started = request.getfixturevalue("label_studio")
    key = started.api_key
    return Server(started.url, key if isinstance(key, SecretStr) else SecretStr(key))


class Desk(Protocol):
    """What annotators do; `person` is a place in PEOPLE."""

    def annotate(
        self,
        task_id: int,
        result: Result,
        *,
        person: int = 0,
        skipped: bool = False,
        from_prediction: bool = False,
        lead_time_s: float | None = None,
    ) -> int: ...
    def next_task(self, project_id: int, *, person: int = 0) -> int | None:
        """The task that the server puts before this person; None where it has no more."""
        ...

    def edit(self, annotation_id: int, result: Result, *, person: int = 0) -> None: ...
    def mark_ground_truth(self, annotation_id: int, *, person: int = 0) -> None: ...
    def reassign(self, annotation_id: int, *, person: int) -> None:
        """Give it to this person: another `completed_by`."""
        ...

    def move(self, annotation_id: int, task_id: int) -> None:
        """To another task."""
        ...

    def skip(self, annotation_id: int) -> None: ...
    def unskip(self, annotation_id: int) -> None: ...
    def delete_annotation(self, annotation_id: int) -> None: ...
    def clear(self, project_id: int) -> None:
        """Delete all annotations of the project by one bulk action."""
        ...

    def delete_task(self, task_id: int) -> None: ...
    def delete_project(self, project_id: int) -> None: ...


class RealDesk:
    """By HTTP, each person with an account and a key of their own."""

    def __init__(self, server: Server) -> None:
        keys = [sign_up(server.url, server.api_key, email, PASSWORD) for email in PEOPLE]
        self._people = [
            httpx.Client(
                base_url=server.url,
                headers={"Authorization": f"Token {key.get_secret_value()}", "Connection": "close"},
                timeout=60,
            )
            for key in keys
        ]
        self.person_ids = [int(self._send("GET", "/api/current-user/whoami", person=i).json()["id"]) for i in (0, 1)]

    def close(self) -> None:
        for client in self._people:
            client.close()

    def annotate(
        self,
        task_id: int,
        result: Result,
        *,
        person: int = 0,
        skipped: bool = False,
        from_prediction: bool = False,
        lead_time_s: float | None = None,
    ) -> int:
        body: dict[str, JsonValue] = {"result": [*result], "was_cancelled": skipped, "lead_time": lead_time_s}
        if from_prediction:
            predictions = self._send("GET", f"/api/tasks/{task_id}/").json()["predictions"]
            body["parent_prediction"] = predictions[0]["id"]
        made = self._send("POST", f"/api/tasks/{task_id}/annotations/", body, person=person)
        return int(made.json()["id"])

    def next_task(self, project_id: int, *, person: int = 0) -> int | None:
        answer = self._people[person].get(f"/api/projects/{project_id}/next")
        return int(answer.raise_for_status().json()["id"]) if answer.status_code != httpx.codes.NOT_FOUND else None

    def edit(self, annotation_id: int, result: Result, *, person: int = 0) -> None:
        self._send("PATCH", f"/api/annotations/{annotation_id}/", {"result": [*result]}, person=person)

    def mark_ground_truth(self, annotation_id: int, *, person: int = 0) -> None:
        self._send("PATCH", f"/api/annotations/{annotation_id}/", {"ground_truth": True}, person=person)

    def reassign(self, annotation_id: int, *, person: int) -> None:
        completed_by = self.person_ids[person]
        self._send("PATCH", f"/api/annotations/{annotation_id}/", {"completed_by": completed_by}, person=person)

    def move(self, annotation_id: int, task_id: int) -> None:
        self._send("PATCH", f"/api/annotations/{annotation_id}/", {"task": task_id})

    def skip(self, annotation_id: int) -> None:
        self._send("PATCH", f"/api/annotations/{annotation_id}/", {"was_cancelled": True})

    def unskip(self, annotation_id: int) -> None:
        self._send("PATCH", f"/api/annotations/{annotation_id}/", {"was_cancelled": False})

    def delete_annotation(self, annotation_id: int) -> None:
        self._send("DELETE", f"/api/annotations/{annotation_id}/")

    def clear(self, project_id: int) -> None:
        action = f"/api/dm/actions/?id=delete_tasks_annotations&project={project_id}"
        self._send("POST", action, {"selectedItems": {"all": True, "excluded": []}})

    def delete_task(self, task_id: int) -> None:
        self._send("DELETE", f"/api/tasks/{task_id}/")

    def delete_project(self, project_id: int) -> None:
        self._send("DELETE", f"/api/projects/{project_id}/")

    def _send(
        self, method: str, path: str, body: Mapping[str, JsonValue] | None = None, *, person: int = 0
    ) -> httpx.Response:
        return self._people[person].request(method, path, json=body).raise_for_status()


class FakeDesk:
    """The same hands on the fake."""

    def __init__(self, queue: FakeTaskQueue) -> None:
        self._queue = queue
        self.move = queue.move
        self.skip = queue.skip
        self.unskip = queue.unskip
        self.delete_annotation = queue.delete_annotation
        self.clear = queue.clear
        self.delete_task = queue.delete_task
        self.delete_project = queue.delete_project

    def annotate(
        self,
        task_id: int,
        result: Result,
        *,
        person: int = 0,
        skipped: bool = False,
        from_prediction: bool = False,
        lead_time_s: float | None = None,
    ) -> int:
        return self._queue.annotate(
            task_id,
            result,
            annotator=PEOPLE[person],
            skipped=skipped,
            from_prediction=from_prediction,
            lead_time_s=lead_time_s,
        )

    def edit(self, annotation_id: int, result: Result, *, person: int = 0) -> None:
        self._queue.edit(annotation_id, result, by=self._other(annotation_id, person))

    def mark_ground_truth(self, annotation_id: int, *, person: int = 0) -> None:
        self._queue.mark_ground_truth(annotation_id, by=self._other(annotation_id, person))

    def reassign(self, annotation_id: int, *, person: int) -> None:
        self._queue.reassign(annotation_id, PEOPLE[person])

    def _other(self, annotation_id: int, person: int) -> str | None:
        """The person, where that is not the annotator."""
        annotation = self._queue._holder(annotation_id).annotations[annotation_id]
        return None if annotation.annotator == PEOPLE[person] else PEOPLE[person]

    def next_task(self, project_id: int, *, person: int = 0) -> int | None:
        for task in self._queue._of(project_id):
            by = [annotation.annotator for annotation in task.annotations.values()]
            if PEOPLE[person] not in by and len(by) < self._queue.annotators_of(task.task_id):
                return task.task_id
        return None


@dataclass
class Bench:
    """A queue under test, the same one with small pages, and the annotators' desk; a test's projects go with it."""

    queue: TaskQueue
    small: TaskQueue
    desk: Desk
    projects: list[int] = field(default_factory=list)

    def project(self, draft: ProjectDraft, known: int | None = None) -> tuple[int, str]:
        made = self.queue.ensure_project(draft, known)
        if made[0] not in self.projects:
            self.projects.append(made[0])
        return made

    def clean(self) -> None:
        for project_id in self.projects:
            self.desk.delete_project(project_id)
        self.projects.clear()


def unique(text: str) -> str:
    return f"{text} {uuid4().hex[:12]}"
