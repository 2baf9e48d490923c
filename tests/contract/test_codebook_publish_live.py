"""A codebook's versions on a real Label Studio: in place, in a project of its own, and against changes by hand."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast
from uuid import uuid4

import httpx
import pytest

from builders import codebook
from contract.label_studio_server import RealDesk, Server, server_of
from fakes.task_queue import FakeTaskQueue
from goldloop.adapters.labelstudio import LabelStudio
from goldloop.adapters.store import open_store
from goldloop.codebook.render import render
from goldloop.codebook.schema import Codebook
from goldloop.pipeline.project_plans import ChangedByHandError
from goldloop.pipeline.projects import same_config
from goldloop.pipeline.worklist import relabel, worklist
from goldloop.ports import ProjectSnapshot
from pipeline.loop import Loop

pytestmark = pytest.mark.servers


class Live:
    """One queue's loop with a Label Studio that is real."""

    def __init__(self, folder: Path, server: Server) -> None:
        template = folder / "template.db"
        open_store(f"sqlite:///{template}").close()
        self.name = f"live-{uuid4().hex[:12]}"
        self.server = server
        self.queue: LabelStudio = server.connect()
        self.desk = RealDesk(server)
        self.loop = Loop(folder, template, None)
        self.loop.tasks = cast("FakeTaskQueue", self.queue)
        self.one = codebook(annotations_per_trace=1, blind_share=0.0).model_copy(update={"name": self.name})

    def close(self) -> None:
        for project_id in {row.project_id for row in self.loop.store.projects(self.name)}:
            self.desk.delete_project(project_id)
        for thing in (self.loop.store, self.desk, self.queue):
            thing.close()

    def edited(self, version: str, question: str, **fields: object) -> Codebook:
        content = self.one.model_dump(mode="json") | {"version": version}
        for asked in content["questions"]:
            if asked["name"] == question:
                asked.update(fields)
        return Codebook.model_validate(content)

    def project(self, version: str) -> ProjectSnapshot:
        (row,) = [one for one in self.loop.store.projects(self.name) if one.codebook_version == version]
        found = self.queue.find_project("", row.project_id)
        assert found is not None
        return found

    def task(self, project_id: int, trace_id: str) -> int:
        return self.queue.find_tasks(project_id, [trace_id])[trace_id]

    def edit_by_hand(self, project_id: int, label_config: str) -> None:
        headers = {"Authorization": f"Token {self.server.api_key.get_secret_value()}"}
        url = f"{self.server.url}/api/projects/{project_id}/"
        httpx.patch(url, json={"label_config": label_config}, headers=headers, timeout=60).raise_for_status()

    def answers(self, trace_id: str, *, quarantined: bool = False) -> dict[str, object]:
        found = self.loop.store.answers(self.name, trace_id)
        return {one.question: one.value for one in found if one.quarantined == quarantined}

    def fetch(self) -> None:
        self.loop.gather()
        self.loop.resolve()


@pytest.fixture
def live(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Live]:
    made = Live(tmp_path, server_of(request))
    yield made
    made.close()


def test_a_codebook_goes_through_its_versions(live: Live) -> None:
    loop = live.loop
    first = loop.publish_codebook(live.one)
    (step,) = first.projects
    assert (first.level, step.action) == ("first", "create")
    assert step.project_id is not None
    assert loop.publish_codebook(live.one).nothing_to_do
    loop.queue("t1", "t2")
    live.desk.annotate(live.task(step.project_id, "t1"), loop.answer(verdict="fail", error_type=["tone"], note="Rude."))
    live.fetch()

    # Reworded: the same project, changed in place; nothing of what was said is news.
    reworded = live.edited("1.0.1", "verdict", text="Would you let it out?")
    again = loop.publish_codebook(reworded)
    assert [(one.action, one.project_id) for one in again.projects] == [("update", step.project_id)]
    assert live.project("1.0.1").title == f"{live.name} 1.0.1"
    assert same_config(live.project("1.0.1").label_config, render(reworded))
    assert loop.publish_codebook(reworded).nothing_to_do
    assert loop.gather().annotations == 0
    assert loop.resolve().traces == 0

    # A question that is used is broken: a new project beside the old one, which is readable and gathered still.
    labels = [one.model_dump(mode="json") for one in live.one.questions[1].labels if one.name != "tone"]
    broken = live.edited("2.0.0", "error_type", labels=labels)
    made = loop.publish_codebook(broken)
    assert (made.level, made.breaking, made.quarantined) == ("breaking", ["error_type"], 1)
    (new,) = made.projects
    assert (new.action, new.project_id != step.project_id) == ("create", True)
    assert new.project_id is not None
    assert live.project("1.0.1").title == f"{live.name} 1.0.1"
    loop.codebook = reworded
    live.desk.annotate(live.task(step.project_id, "t2"), loop.answer(verdict="fail", error_type=["format"]))
    loop.codebook = broken
    live.fetch()
    assert live.answers("t1") == {"verdict": "fail", "note": "Rude."}
    assert live.answers("t2", quarantined=True) == {"error_type": ["format"]}
    assert loop.publish_codebook(broken).nothing_to_do

    assert {row.trace_id for row in worklist(live.name, loop.store)} == {"t1", "t2"}
    relabel(live.name, loop.store)
    loop.prelabel()
    assert loop.enqueue().queued == 2
    live.desk.annotate(live.task(new.project_id, "t1"), loop.answer(verdict="fail", error_type=["format"]), person=1)
    live.fetch()
    assert live.answers("t1") == {"verdict": "fail", "error_type": ["format"], "note": "Rude."}
    assert live.queue.task_count(step.project_id) == live.queue.task_count(new.project_id) == 2


def test_what_was_changed_by_hand_is_refused_adopted_or_overwritten(live: Live) -> None:
    loop = live.loop
    project_id = loop.publish_codebook(live.one).projects[0].project_id
    assert project_id is not None
    by_hand = render(live.one).replace("<Header ", '<Header style="color: teal" ', 1)
    live.edit_by_hand(project_id, by_hand)
    with pytest.raises(ChangedByHandError) as refused:
        loop.publish_codebook(live.one)
    assert "teal" in refused.value.difference
    assert same_config(live.project("1.0.0").label_config, by_hand)

    assert [step.action for step in loop.publish_codebook(live.one, "adopt").projects] == ["adopt"]
    assert loop.publish_codebook(live.one).nothing_to_do
    assert same_config(live.project("1.0.0").label_config, by_hand)

    assert [step.action for step in loop.publish_codebook(live.one, "overwrite").projects] == ["overwrite"]
    assert same_config(live.project("1.0.0").label_config, render(live.one))
    assert loop.publish_codebook(live.one).nothing_to_do
