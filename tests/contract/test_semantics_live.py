"""What each act in Label Studio does to the store, its history, Langfuse's scores and the golden set: on a real server.

`docs/delivery.md`, "What each act does", is this in prose.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import cast
from uuid import uuid4

import httpx
import pytest
from pydantic import JsonValue

from builders import QUEUE, codebook
from contract.label_studio_server import PEOPLE, RealDesk, Server, server_of
from fakes.task_queue import FakeTaskQueue, Result
from goldloop.adapters.labelstudio import LabelStudio
from goldloop.adapters.store import open_store
from goldloop.adapters.store.tables import annotation_history
from goldloop.codebook.schema import Codebook
from goldloop.pipeline.gather import GatherSummary
from goldloop.pipeline.worklist import relabel
from goldloop.records import Annotation, State
from pipeline.loop import Loop

pytestmark = pytest.mark.servers

ONE, TWO = PEOPLE


@dataclass(frozen=True)
class Seen:
    """One trace in all four places; an annotation is (annotator, verdict), None for a skip."""

    standing: list[tuple[str, object]]
    scores: dict[str, object]
    gold: bool


class Live:
    """One queue's loop over a real Label Studio and fakes of Langfuse, and the hands of two annotators."""

    def __init__(self, folder: Path, server: Server, queue: LabelStudio, desk: RealDesk) -> None:
        template = folder / "template.db"
        open_store(f"sqlite:///{template}").close()
        self.name = f"acts-{uuid4().hex[:12]}"
        self.queue, self.desk = queue, desk
        self.admin = httpx.Client(
            base_url=server.url,
            headers={"Authorization": f"Token {server.api_key.get_secret_value()}", "Connection": "close"},
            timeout=60,
        )
        asked = codebook(annotations_per_trace=1, blind_share=0.0).model_copy(update={"name": self.name})
        self.loop = Loop(folder, template, asked)
        self.loop.tasks = cast("FakeTaskQueue", self.queue)
        self.loop.queue("t1", "t2")
        (project,) = self.loop.store.projects(self.name)
        self.project = project.project_id

    def close(self) -> None:
        for project_id in {row.project_id for row in self.loop.store.projects(self.name)} - {0}:
            self.admin.delete(f"/api/projects/{project_id}/")
        for thing in (self.loop.store, self.admin):
            thing.close()

    def post(self, path: str, body: JsonValue) -> JsonValue:
        made: JsonValue = self.admin.post(path, json=body).raise_for_status().json()
        return made

    def task(self, trace_id: str, project_id: int | None = None) -> int:
        return self.queue.find_tasks(project_id or self.project, [trace_id])[trace_id]

    def result(self, verdict: str = "fail") -> Result:
        more = {"error_type": ["tone"]} if verdict == "fail" else {}
        return self.loop.answer(verdict=verdict, **more)

    def annotate(self, trace_id: str = "t1", verdict: str = "fail", *, person: int = 0) -> int:
        return self.desk.annotate(self.task(trace_id), self.result(verdict), person=person)

    def fetch(self) -> GatherSummary:
        """Gather, resolve, publish; then once more, for what is done twice has to change nothing."""
        made = self.loop.gather()
        self.loop.resolve()
        self.loop.publish()
        before = self.seen(), self.seen("t2"), self.history()
        self.loop.fetch_annotations()
        assert (self.seen(), self.seen("t2"), self.history()) == before
        return made

    def annotations(self, trace_id: str = "t1") -> list[Annotation]:
        return [one for one in self.loop.store.annotations(self.name, trace_id) if not one.deleted]

    def seen(self, trace_id: str = "t1") -> Seen:
        sinks = ((self.loop.file, QUEUE), (self.loop.datasets, self.loop.codebook.dataset))
        in_file, in_dataset = (sink.row_ids(name) for sink, name in sinks)
        assert in_file == in_dataset
        rows = self.loop.datasets.rows(self.loop.codebook.dataset).values()
        scores = [one for one in self.loop.shown() if one.trace_id == trace_id]
        return Seen(
            standing=[(one.annotator, one.answers.get("verdict")) for one in self.annotations(trace_id)],
            scores={one.name: one.value for one in scores if one.name.endswith("verdict")},
            gold=trace_id in {row.trace_id for row in rows},
        )

    def history(self) -> list[tuple[str, object, str | None]]:
        """(annotator, verdict, what else is to be said), oldest first."""
        with self.loop.store._db.read() as connection:
            query = annotation_history.select().order_by(annotation_history.c.id)
            rows = connection.execute(query).mappings().all()
        assert all(row["seen_at"] and row["updated_at"] for row in rows), "each says when"
        marks = ("deleted", "skipped", "ground_truth")
        return [
            (
                row["annotator"],
                row["answers"].get("verdict"),
                row["edited_by"] or next((mark for mark in marks if row[mark]), None),
            )
            for row in rows
        ]

    def score(self, trace_id: str = "t1") -> tuple[str, dict[str, JsonValue]]:
        """Id and metadata of the one annotation's score."""
        (one,) = (one for one in self.loop.shown("annotation_") if one.trace_id == trace_id)
        return one.score_id, one.metadata


NOTHING = Seen(standing=[], scores={}, gold=False)
FAILED = Seen(standing=[(ONE, "fail")], scores={"annotation_verdict": "fail", "human_verdict": "fail"}, gold=True)
PASSED = Seen(standing=[(ONE, "pass")], scores={"annotation_verdict": "pass", "human_verdict": "pass"}, gold=False)


@pytest.fixture(scope="module")
def hands(request: pytest.FixtureRequest) -> Iterator[tuple[Server, LabelStudio, RealDesk]]:
    server = server_of(request)
    queue, desk = server.connect(), RealDesk(server)
    yield server, queue, desk
    queue.close()
    desk.close()


@pytest.fixture
def live(tmp_path: Path, hands: tuple[Server, LabelStudio, RealDesk]) -> Iterator[Live]:
    made = Live(tmp_path, *hands)
    yield made
    made.close()


def test_create(live: Live) -> None:
    live.annotate()
    assert live.fetch().new == 1
    assert live.seen() == FAILED
    assert live.history() == [(ONE, "fail", None)]
    assert {"edited_by", "ground_truth"}.isdisjoint(live.score()[1])


def test_edit(live: Live) -> None:
    one = live.annotate()
    live.fetch()
    score_id, _ = live.score()
    live.desk.edit(one, live.result("pass"))
    assert live.fetch().changed == 1
    assert live.seen() == PASSED
    assert live.score()[0] == score_id
    assert live.history() == [(ONE, "fail", None), (ONE, "pass", None)]


def test_edit_by_somebody_else(live: Live) -> None:
    one = live.annotate()
    live.fetch()
    score_id, _ = live.score()
    live.desk.edit(one, live.result("pass"), person=1)
    live.fetch()
    assert live.seen() == PASSED, "it stays the voice of whoever annotated"
    assert live.score()[0] == score_id
    assert live.score()[1]["edited_by"] == TWO
    assert live.history() == [(ONE, "fail", None), (ONE, "pass", TWO)]
    live.desk.edit(one, live.result("fail"))
    live.fetch()
    assert live.seen() == FAILED
    assert "edited_by" not in live.score()[1], "who saved it last is the annotator again"


def test_resubmit_as_it_is(live: Live) -> None:
    one = live.annotate()
    live.fetch()
    score_id, _ = live.score()
    live.desk.edit(one, live.result())
    assert live.fetch().changed == 1, "its time moved"
    assert live.seen() == FAILED
    assert live.score()[0] == score_id
    assert live.history() == [(ONE, "fail", None), (ONE, "fail", None)]


def test_delete(live: Live) -> None:
    one = live.annotate()
    live.fetch()
    live.desk.delete_annotation(one)
    assert live.fetch().annotations_deleted == 1
    assert live.seen() == NOTHING
    assert live.history() == [(ONE, "fail", None), (ONE, "fail", "deleted")]
    assert "t1" in {one.trace_id for one in live.loop.store.draws(live.name, State.QUEUED)}


def test_skip_and_unskip(live: Live) -> None:
    one = live.annotate()
    live.fetch()
    score_id, _ = live.score()
    live.desk.skip(one)
    live.fetch()
    assert live.seen() == Seen(standing=[(ONE, None)], scores={}, gold=False)
    live.desk.unskip(one)
    live.fetch()
    assert live.seen() == FAILED
    assert live.score()[0] == score_id
    assert live.history() == [(ONE, "fail", None), (ONE, None, "skipped"), (ONE, "fail", None)]


def test_bulk_delete(live: Live) -> None:
    for trace_id in ("t1", "t2"):
        live.annotate(trace_id)
    live.fetch()
    live.desk.clear(live.project)
    assert live.fetch().annotations_deleted == 2
    assert (live.seen("t1"), live.seen("t2")) == (NOTHING, NOTHING)
    assert [mark for _, _, mark in live.history()] == [None, None, "deleted", "deleted"]


def test_ground_truth(live: Live) -> None:
    one = live.annotate()
    live.fetch()
    score_id, _ = live.score()
    live.desk.mark_ground_truth(one)
    live.fetch()
    assert live.seen() == FAILED, "it counts as any other"
    assert live.score()[0] == score_id
    assert live.score()[1]["ground_truth"] is True
    assert live.history() == [(ONE, "fail", None), (ONE, "fail", "ground_truth")]


def test_two_by_one_person(live: Live) -> None:
    live.annotate(verdict="fail")
    live.annotate(verdict="pass")
    live.fetch()
    assert live.seen().standing == [(ONE, "fail"), (ONE, "pass")]
    shown = [(one.name, one.value) for one in live.loop.shown() if one.name.endswith("verdict")]
    assert sorted(shown) == [
        ("annotation_verdict", "fail"),
        ("annotation_verdict", "pass"),
        ("human_verdict", "pass"),  # a person has one voice: the last
    ]
    assert not live.seen().gold


def test_a_second_annotator_at_the_same_time(live: Live) -> None:
    """The server takes more annotations than the task wants; two voices that differ decide nothing."""
    live.annotate(verdict="fail", person=0)
    live.annotate(verdict="pass", person=1)
    live.fetch()
    assert live.seen().standing == [(ONE, "fail"), (TWO, "pass")]
    shown = [(one.name, one.value) for one in live.loop.shown() if one.name.endswith("verdict")]
    assert sorted(shown) == [("annotation_verdict", "fail"), ("annotation_verdict", "pass")]
    assert not live.seen().gold


def test_a_deleted_task(live: Live) -> None:
    live.annotate()
    live.fetch()
    live.desk.delete_task(live.task("t1"))
    assert live.fetch().tasks_gone == 1
    assert live.seen() == NOTHING
    assert live.history() == [(ONE, "fail", None), (ONE, "fail", "deleted")]
    assert live.loop.parked() == {"trace:t1": "task_deleted"}


def test_a_deleted_project(live: Live) -> None:
    live.annotate()
    live.fetch()
    live.desk.delete_project(live.project)
    assert live.fetch().tasks_gone == 2
    assert (live.seen("t1"), live.seen("t2")) == (NOTHING, NOTHING)
    assert live.history()[-1] == (ONE, "fail", "deleted")
    assert live.loop.parked() == {"trace:t1": "task_deleted", "trace:t2": "task_deleted"}


def test_a_task_that_is_imported_with_annotations(live: Live) -> None:
    """As the SDK's import does it. Even with the data of one of ours, it is a stranger."""
    ours = live.admin.get(f"/api/tasks/{live.task('t1')}/").json()["data"]
    for data in (ours, ours | {"trace_id": "elsewhere"}):
        body: list[JsonValue] = [
            {"data": data, "annotations": [{"result": [*live.result()], "completed_by": live.desk.person_ids[0]}]}
        ]
        live.post(f"/api/projects/{live.project}/import", body)
    assert live.fetch().foreign == 2
    assert live.seen() == NOTHING
    assert live.history() == []
    assert set(live.loop.parked().values()) == {"foreign_task"}


def test_an_annotation_that_is_imported_into_one_of_our_tasks(live: Live) -> None:
    """It is the annotation of whoever its `completed_by` says; who brought it in is noted."""
    body: JsonValue = {"result": [*live.result()], "completed_by": live.desk.person_ids[0]}
    live.post(f"/api/tasks/{live.task('t1')}/annotations/", body)
    live.fetch()
    assert live.seen() == FAILED
    (one,) = live.annotations()
    assert one.edited_by not in {None, ONE, TWO}
    assert live.history() == [(ONE, "fail", one.edited_by)]
    assert live.score()[1]["edited_by"] == one.edited_by


def test_a_changed_completed_by(live: Live) -> None:
    one = live.annotate()
    live.fetch()
    score_id, _ = live.score()
    live.desk.reassign(one, person=1)
    live.fetch()
    assert live.seen() == Seen(standing=[(TWO, "fail")], scores=FAILED.scores, gold=True)
    assert live.score()[0] == score_id
    assert live.score()[1]["annotator"] == TWO
    assert live.history() == [(ONE, "fail", None), (TWO, "fail", None)]


def test_a_draft(live: Live) -> None:
    body: JsonValue = {"result": [*live.result()], "lead_time": 1}
    live.post(f"/api/tasks/{live.task('t1')}/drafts", body)
    assert live.fetch().new == 0
    assert live.seen() == NOTHING
    assert live.history() == []


def test_an_annotation_that_is_made_a_draft_again(live: Live) -> None:
    one = live.annotate()
    live.fetch()
    live.post(f"/api/annotations/{one}/convert-to-draft", {})
    assert live.fetch().annotations_deleted == 1
    assert live.seen() == NOTHING
    assert live.history() == [(ONE, "fail", None), (ONE, "fail", "deleted")]


def test_an_annotation_that_is_moved_to_another_task(live: Live) -> None:
    one = live.annotate()
    live.fetch()
    score_id, _ = live.score()
    live.desk.move(one, live.task("t2"))
    live.fetch()
    assert (live.seen("t1"), live.seen("t2")) == (NOTHING, FAILED)
    assert live.score("t2")[0] != score_id, "a score's trace is a part of its id"
    assert live.history() == [(ONE, "fail", None), (ONE, "fail", None)]


def test_predictions_that_are_made_annotations(live: Live) -> None:
    """A bulk action of the Data Manager; they are the annotations of whoever pressed it."""
    task_id = live.task("t1")
    for prediction in live.admin.get(f"/api/tasks/{task_id}/").json()["predictions"]:
        live.admin.delete(f"/api/predictions/{prediction['id']}/").raise_for_status()
    live.post("/api/predictions/", {"task": task_id, "result": [*live.result()], "model_version": "goldloop"})
    live.post(
        f"/api/dm/actions/?id=predictions_to_annotations&project={live.project}",
        {"selectedItems": {"all": False, "included": [task_id]}, "model_version": "goldloop"},
    )
    live.fetch()
    (one,) = live.annotations()
    assert one.from_prediction
    assert live.seen() == Seen(standing=[(one.annotator, "fail")], scores=FAILED.scores, gold=True)
    assert live.score()[1]["prelabel_shown"] is True


def copied(live: Live) -> int:
    """A task of somebody else's with the data of ours, with an annotation."""
    data = live.admin.get(f"/api/tasks/{live.task('t1')}/").json()["data"]
    live.post(f"/api/projects/{live.project}/import", [{"data": data}])
    (copy,) = live.queue.task_ids(live.project) - {live.task("t1"), live.task("t2")}
    live.desk.annotate(copy, live.result("pass"), person=1)
    return copy


def remove_duplicates(live: Live) -> None:
    action = f"/api/dm/actions/?id=remove_duplicates&project={live.project}"
    live.post(action, {"selectedItems": {"all": True, "excluded": []}})


def test_a_duplicate_of_ours_that_is_removed(live: Live) -> None:
    """Its annotations become ours, and the server moves no time."""
    live.annotate()
    copied(live)
    live.fetch()
    assert live.seen() == FAILED
    remove_duplicates(live)
    live.fetch()
    assert live.seen().standing == [(ONE, "fail"), (TWO, "pass")]
    assert live.loop.parked() == {}


def test_ours_that_is_removed_as_the_duplicate(live: Live) -> None:
    """The server keeps the first task that has annotations. To goldloop its own was deleted."""
    copy = copied(live)
    live.fetch()
    ours = live.queue.task_ids(live.project) - {copy}
    remove_duplicates(live)
    assert live.queue.task_ids(live.project) & ours == {live.task("t2")}
    live.fetch()
    assert live.seen() == NOTHING
    assert live.loop.parked() == {f"task:{live.project}/{copy}": "foreign_task", "trace:t1": "task_deleted"}


def test_the_first_judgement_while_somebody_judges_the_trace_again(live: Live) -> None:
    """A second look has a project of its own and changes no answer; the first one can be edited meanwhile."""
    one = live.annotate(verdict="fail")
    live.fetch()
    loop = live.loop
    settings = loop.codebook.queue.model_dump() | {"mix": {"random": 1.0}, "relabel_share": 0.5, "age_limit_days": 90}
    loop.use(loop.codebook.model_copy(update={"queue": loop.codebook.queue.model_validate(settings)}))
    loop.clock.turn(timedelta(days=40))
    assert loop.draw().by_policy["relabel"] == 1
    loop.enqueue()
    (again,) = (row for row in loop.store.projects(live.name) if row.purpose == "relabel")
    live.desk.annotate(live.task("t1", again.project_id), live.result("pass"), person=1)
    live.fetch()
    assert live.seen() == FAILED
    (second,) = loop.store.annotations(live.name, "t1", second=True)
    assert (second.annotator, second.answers["verdict"]) == (TWO, "pass")
    live.desk.edit(one, live.result("pass"))
    live.fetch()
    assert live.seen() == PASSED
    live.desk.delete_project(again.project_id)
    live.fetch()
    assert live.seen() == PASSED
    assert live.history()[-1] == (TWO, "pass", "deleted")


def test_the_old_task_while_somebody_labels_the_trace_again(live: Live) -> None:
    """A breaking version put the trace up again: what is said to the old question is quarantined, and never mixed."""
    live.annotate(verdict="fail")
    live.fetch()
    old = live.loop.codebook
    content = old.model_dump(mode="json") | {"version": "2.0.0"}
    for question in content["questions"]:
        if question["name"] == "verdict":
            question["labels"][1]["definition"] = "By other rules."
    live.loop.publish_codebook(Codebook.model_validate(content))
    assert [row.trace_id for row in relabel(live.name, live.loop.store)] == ["t1", "t2"]
    live.loop.prelabel()
    live.loop.enqueue()
    (new,) = (row for row in live.loop.store.projects(live.name) if row.codebook_version == "2.0.0")
    assert new.project_id != live.project
    live.annotate(verdict="pass", person=1)  # on the old task
    live.fetch()
    shown = [(one.name, one.value) for one in live.loop.shown() if one.name.endswith("verdict_1.0.0")]
    assert sorted(shown) == [
        ("quarantined_annotation_verdict_1.0.0", "fail"),
        ("quarantined_annotation_verdict_1.0.0", "pass"),  # two voices that differ: no answer
    ]
    assert live.seen().scores == {}
    assert not live.seen().gold
    live.desk.annotate(live.task("t1", new.project_id), live.result("pass"), person=0)
    live.fetch()
    assert live.seen().scores == {"annotation_verdict": "pass", "human_verdict": "pass"}
