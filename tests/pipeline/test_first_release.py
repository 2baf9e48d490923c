"""A store of the first release: brought forward with all that is in it, and then worked on."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import MetaData

from builders import NOW, QUEUE
from goldloop import ids
from goldloop.adapters.store import open_store
from goldloop.adapters.store.engine import Database
from goldloop.adapters.store.migrate import _config
from goldloop.codebook.result import to_result
from goldloop.codebook.schema import Codebook
from goldloop.errors import ConfigError
from goldloop.pipeline.codebooks import admit
from goldloop.pipeline.project_plans import ChangedByHandError
from goldloop.pipeline.worklist import relabel, worklist
from goldloop.ports import ProjectDraft, TaskDraft
from goldloop.records import Score, ScoreType, State
from pipeline.loop import ADA, BEN, Loop

THEN = NOW - timedelta(days=1)
OLD_CONFIG = (
    '<View><Text name="output" value="$output"/>'
    '<Choices name="verdict" toName="output"><Choice value="Pass" alias="pass"/><Choice value="Fail" alias="fail"/>'
    '</Choices><Choices name="error_type" toName="output" choice="multiple"><Choice value="Tone" alias="tone"/>'
    '<Choice value="Format" alias="format"/></Choices></View>'
)


def _label(name: str, definition: str | None = None) -> dict[str, object]:
    return {"name": name, "text": name.title(), "definition": definition or f"It is {name}.", "hotkey": None}


def body(version: str, failing: str | None = None) -> dict[str, Any]:
    """A codebook as the first release kept it: without any of the fields that came since."""
    verdict = {
        "name": "verdict",
        "kind": "binary",
        "text": "Good?",
        "labels": [_label("pass"), _label("fail", failing)],
        "required": True,
        "failure": ["fail"],
        "only_if": None,
    }
    error_type = {
        "name": "error_type",
        "kind": "multi-choice",
        "text": "What is wrong?",
        "labels": [_label("tone"), _label("format")],
        "required": False,
        "failure": [],
        "only_if": {"verdict": "fail"},
    }
    return {
        "name": QUEUE,
        "version": version,
        "title": "Answer quality",
        "owner": "Ada",
        "purpose": "Is it good?",
        "questions": [verdict, error_type],
        "queue": {
            "budget": 10,
            "mix": {"random": 1.0},
            "stratified_power": 0.5,
            "annotations_per_trace": 1,
            "age_limit_days": 30,
        },
    }


FIRST = Codebook.model_validate(body("1.0.0"))
LATER = Codebook.model_validate(body("2.0.0", "By other rules."))
KEY = ids.annotation_key(1, 11)


def answer_rows(verdict: str, at: datetime) -> list[dict[str, Any]]:
    shared = {
        "queue": QUEUE,
        "trace_id": "t1",
        "codebook_version": "1.0.0",
        "votes": 1,
        "voters": 1,
        "annotators": [ADA],
        "method": "majority",
        "revised_at": at,
    }
    return [
        {**shared, "question": "verdict", "value": verdict, "failure": True},
        {**shared, "question": "error_type", "value": ["tone"], "failure": False},
    ]


def scores() -> list[Score]:
    """As the first release sent them."""
    shared = {"trace_id": "t1", "metadata": {"goldloop": f"{QUEUE}@1.0.0"}, "environment": "default", "event_at": THEN}
    named = {
        ids.annotation_score_id("t1", "verdict", "1.0.0", KEY): ("annotation_verdict", "fail"),
        ids.answer_score_id(QUEUE, "t1", "verdict", "1.0.0"): ("human_verdict", "fail"),
        ids.answer_score_id(QUEUE, "t1", "error_type", "1.0.0"): ("human_error_type", "tone"),
    }
    return [
        Score.model_validate(
            {**shared, "score_id": key, "name": name, "value": value, "data_type": ScoreType.CATEGORICAL}
        )
        for key, (name, value) in named.items()
    ]


def rows(versions: list[str]) -> Mapping[str, list[dict[str, Any]]]:
    """t1 was judged by 1.0.0 and published, t2 is a task of the newest version, t3 was drawn for it."""
    at = THEN.replace(tzinfo=None)
    newest = versions[-1]
    books = {"1.0.0": body("1.0.0"), "2.0.0": body("2.0.0", "By other rules.")}
    projects = {version: number for number, version in enumerate(versions, start=1)}
    states = {"t1": ("published", "1.0.0"), "t2": ("queued", newest), "t3": ("drawn", newest)}
    return {
        "codebooks": [
            {"queue": QUEUE, "version": one, "digest": "of another shape", "body": books[one], "saved_at": at}
            for one in versions
        ],
        "projects": [
            {
                "queue": QUEUE,
                "codebook_version": one,
                "purpose": "review",
                "project_id": number,
                "url": f"http://label-studio.test/projects/{number}/data",
            }
            for one, number in projects.items()
        ],
        "candidates": [
            {
                "trace_id": name,
                "environment": "default",
                "name": "",
                "category": "returns",
                "timestamp": at,
                "tags": [],
                "roots": 1,
                "seen_at": at,
            }
            for name in states
        ],
        "draw_runs": [
            {
                "run_id": "r",
                "queue": QUEUE,
                "codebook_version": newest,
                "drawn_at": at,
                "window_start": at,
                "window_end": at,
                "frame_size": 3,
                "budget": 3,
                "seed": "7",
                "mix": {"random": 1.0},
                "settings_hash": "s",
                "code_version": "c",
            }
        ],
        "draws": [
            {
                "queue": QUEUE,
                "trace_id": name,
                "run_id": "r",
                "codebook_version": version,
                "policy": "random",
                "mixture": {"random": 1.0},
                "pi": 0.5,
                "stratum": "returns",
                "priority": place,
                "state": state,
                "resolve_due": False,
                "drawn_at": at,
                "import_begun_at": None if state == "drawn" else at,
                "queued_at": None if state == "drawn" else at,
            }
            for place, (name, (state, version)) in enumerate(states.items())
        ],
        "tasks": [
            {
                "project_id": projects[version],
                "task_id": task_id,
                "queue": QUEUE,
                "codebook_version": version,
                "trace_id": name,
                "saved_at": at,
            }
            for task_id, name, version in ((1, "t1", "1.0.0"), (2, "t2", newest))
        ],
        "annotations": [
            {
                "key": KEY,
                "queue": QUEUE,
                "codebook_version": "1.0.0",
                "trace_id": "t1",
                "project_id": 1,
                "task_id": 1,
                "annotation_id": 11,
                "annotator": ADA,
                "answers": {"verdict": "fail", "error_type": ["tone"]},
                "skipped": False,
                "deleted": False,
                "created_at": at,
                "updated_at": at,
                "from_prediction": False,
            }
        ],
        "answers": answer_rows("fail", at),
        "scores": [
            {
                **json.loads(one.model_dump_json(include={"score_id", "trace_id", "name", "data_type", "value"})),
                "metadata": one.metadata,
                "environment": one.environment,
                "event_at": at,
                "queue": QUEUE,
                "digest": "of another shape",
                "state": "confirmed",
                "attempts": 1,
                "sent_at": at,
            }
            for one in scores()
        ],
        "eval_rows": [
            {
                "row_id": ids.eval_row_id(QUEUE, "t1", "1.0.0"),
                "queue": QUEUE,
                "codebook_version": "1.0.0",
                "trace_id": "t1",
                "digest": "of another shape",
                "state": "done",
                "attempts": 1,
            }
        ],
    }


def make(file: Path, versions: list[str]) -> None:
    database = Database(f"sqlite:///{file}", wait_s=5)
    config = _config()
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        tables = MetaData()
        tables.reflect(connection)
        for name, those in rows(versions).items():
            connection.execute(tables.tables[name].insert(), those)
    database.close()
    open_store(f"sqlite:///{file}").close()


def opened(folder: Path, versions: list[str]) -> Loop:
    """The servers as the first release left them."""
    make(folder / "first.db", versions)
    loop = Loop(folder, folder / "first.db", None)
    for version in versions:
        loop.tasks.ensure_project(
            ProjectDraft(
                title=f"{QUEUE} {version}",
                description="",
                instruction="Is it good?",
                label_config=OLD_CONFIG,
                annotations_per_task=1,
                show_predictions=True,
            ),
            None,
        )
    loop.log("t1", "t2", "t3")
    loop.scores.send(scores())
    for project_id, name in ((1, "t1"), (len(versions), "t2")):
        loop.tasks.import_tasks(project_id, [TaskDraft(trace_id=name, data={"output": "An answer."}, prediction=None)])
    loop.codebook = FIRST
    result = to_result(FIRST, {"verdict": "fail", "error_type": ["tone"]})
    made = loop.tasks.annotate(1, result, annotator=ADA, at=THEN)
    held = loop.tasks._tasks[1].annotations
    held[11] = held.pop(made).model_copy(update={"annotation_id": 11})
    return loop


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    with opened(tmp_path, ["1.0.0"]) as loop:
        yield loop


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Loop]:
    """A queue whose codebook had a second version, of which nobody could say then what it broke."""
    with opened(tmp_path, ["1.0.0", "2.0.0"]) as loop:
        loop.codebook = LATER
        yield loop


def names(loop: Loop, trace_id: str = "t1") -> dict[str, object]:
    return {one.name: one.value for one in loop.shown() if one.trace_id == trace_id}


def test_what_was_published_stays_so(loop: Loop) -> None:
    assert admit(FIRST, loop.store, loop.clock())
    before = names(loop)
    done = loop.fetch_annotations()
    assert (done.sent, done.deleted, done.eval_rows, done.eval_rows_removed) == (0, 0, 0, 0)
    assert names(loop) == before
    assert loop.state("t1") == State.PUBLISHED
    assert loop.parked() == {}


def test_the_loop_goes_on_where_it_stood(loop: Loop) -> None:
    assert admit(FIRST, loop.store, loop.clock())
    loop.prelabel()
    loop.enqueue()
    assert loop.tasks._tasks[loop.task_id("t3")].project_id == 1
    loop.annotate("t2", "fail", by=BEN, error_type=["format"])
    loop.fetch_annotations()
    assert names(loop, "t2") == {"annotation_verdict": "fail", "human_verdict": "fail", "human_error_type": "format"}
    assert loop.state("t2") == State.PUBLISHED


def test_a_new_vote_revises_the_scores_that_are_there(loop: Loop) -> None:
    """By the same ids: none is doubled."""
    assert admit(FIRST, loop.store, loop.clock())
    loop.edit(11, "pass")
    loop.fetch_annotations()
    assert names(loop) == {"annotation_verdict": "pass", "human_verdict": "pass"}
    assert loop.gold() == set()


def test_nobody_knows_who_set_the_label_config(loop: Loop) -> None:
    with pytest.raises(ChangedByHandError, match=r"run `goldloop codebook publish` with --adopt .* --overwrite"):
        loop.publish_codebook(FIRST)
    loop.publish_codebook(FIRST, "overwrite")
    assert loop.publish_codebook(FIRST).nothing_to_do
    assert loop.state("t1") == State.PUBLISHED


def test_a_later_version_has_to_be_published(loop: Loop) -> None:
    with pytest.raises(ConfigError, match="breaking for verdict"):
        admit(LATER, loop.store, loop.clock())
    made = loop.publish_codebook(LATER)
    assert (made.level, made.breaking, made.quarantined) == ("breaking", ["verdict"], 1)
    loop.fetch_annotations()
    assert names(loop) == {
        "quarantined_annotation_verdict_1.0.0": "fail",
        "quarantined_human_verdict_1.0.0": "fail",
        "human_error_type": "tone",
    }
    assert {row.trace_id: row.why for row in worklist(QUEUE, loop.store)} == {"t1": "quarantined", "t2": "open"}
    relabel(QUEUE, loop.store)
    loop.prelabel()
    assert loop.enqueue().queued == 3


def test_of_two_versions_only_the_newer_ones_labels_count(two: Loop) -> None:
    """They were counted together then; since each question dates from its version, the older one's are set aside."""
    assert admit(LATER, two.store, two.clock())
    assert two.store.quarantined(QUEUE) == {"t1": ["error_type", "verdict"]}
    two.fetch_annotations()
    assert names(two) == {
        "quarantined_annotation_verdict_1.0.0": "fail",
        "quarantined_human_verdict_1.0.0": "fail",
        "quarantined_human_error_type_1.0.0": "tone",
    }
    assert [row.trace_id for row in worklist(QUEUE, two.store)] == ["t1"]
    assert admit(LATER, two.store, two.clock())
    assert two.store.due_for_resolve(QUEUE) == []
