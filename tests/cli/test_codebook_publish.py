"""`goldloop codebook publish | worklist | relabel`, and what a run says of a version that nobody published."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from builders import QUEUE, annotation, candidate, draw, trace
from cli.terminal import Goldloop
from fakes.langfuse import FakeScoreConfigs, FakeScoreSink, FakeTraceSource
from fakes.task_queue import FakeTaskQueue
from goldloop import bootstrap
from goldloop.adapters.store import open_store
from goldloop.codebook.load import load
from goldloop.records import DrawRun, Task

FILE = Path("label_configs/answer-quality.yaml")


@pytest.fixture
def source() -> FakeTraceSource:
    return FakeTraceSource(FakeScoreSink())


@pytest.fixture(autouse=True)
def label_studio(monkeypatch: pytest.MonkeyPatch, source: FakeTraceSource) -> FakeTaskQueue:
    fake = FakeTaskQueue()
    monkeypatch.setattr(bootstrap.Goldloop, "label_studio", fake)
    langfuse = SimpleNamespace(score_configs=FakeScoreConfigs(), source=source)
    monkeypatch.setattr(bootstrap.Goldloop, "langfuse", langfuse)
    return fake


def edit(old: str, new: str, version: str) -> None:
    content = FILE.read_text()
    assert old in content
    before = load(FILE).version
    FILE.write_text(content.replace(old, new).replace(f"version: {before}", f"version: {version}"))


def break_error_type() -> None:
    """Its first label goes by another name."""
    question = load(FILE).question("error_type")
    assert question
    edit(f"name: {question.labels[0].name}", "name: another_name", "2.0.0")


def have_annotated() -> None:
    """t1 was judged by the version that is published."""
    with open_store("sqlite:///.goldloop/goldloop.db") as store:
        at = candidate("t1").timestamp
        asked = load(FILE)
        run = DrawRun(
            run_id="run",
            queue=QUEUE,
            codebook_version=asked.version,
            drawn_at=at,
            window_start=at,
            window_end=at,
            frame_size=1,
            budget=1,
            seed=1,
            mix={"random": 1.0},
            settings_hash="s",
            code_version="c",
        )
        store.save_candidates([candidate("t1")], at)
        store.save_draw(run, [draw("t1", asked.version)])
        project = store.projects(QUEUE)[0].project_id
        made = Task(queue=QUEUE, codebook_version=asked.version, trace_id="t1", project_id=project, task_id=1)
        store.save_tasks([made], at)
        store.save_annotations([annotation("ada", "fail", codebook_version=asked.version)], at)


def test_a_first_version_and_then_nothing_to_do(goldloop: Goldloop, label_studio: FakeTaskQueue) -> None:
    said = goldloop("codebook", "publish")
    assert said.code == 0
    assert f"{QUEUE} 1.0.0 is published: first" in said.out
    assert [draft.title for draft in label_studio.projects.values()] == [f"{QUEUE} 1.0.0"]
    assert "nothing to do" in goldloop("codebook", "publish", str(FILE)).out
    again = json.loads(goldloop("codebook", "publish", QUEUE, "--json").out)
    assert (again["nothing_to_do"], again["level"], again["projects"][0]["action"]) == (True, "same", "none")
    assert again["score_configs"].keys() >= {"human_verdict", "annotation_verdict"}


def test_a_first_version_publishes_itself_once_there_is_something_to_enqueue(
    goldloop: Goldloop, label_studio: FakeTaskQueue, source: FakeTraceSource
) -> None:
    assert goldloop("enqueue").code == 0
    assert label_studio.projects == {}
    source.log(trace("t1").model_copy(update={"timestamp": datetime.now(UTC) - timedelta(hours=1)}))
    for verb in ("pull", "draw", "prelabel", "enqueue"):
        assert goldloop(verb).code == 0
    assert [draft.title for draft in label_studio.projects.values()] == [f"{QUEUE} 1.0.0"]
    assert "nothing to do" in goldloop("codebook", "publish").out


def test_a_dry_run_changes_nothing(goldloop: Goldloop, label_studio: FakeTaskQueue) -> None:
    said = goldloop("codebook", "publish", "--dry-run")
    assert "would be published: first" in said.out
    assert label_studio.projects == {}
    with open_store("sqlite:///.goldloop/goldloop.db") as store:
        assert store.lineage(QUEUE).versions == ()


def test_a_run_asks_for_it_where_a_version_is_new(goldloop: Goldloop) -> None:
    goldloop("codebook", "publish")
    break_error_type()
    said = goldloop("draw")
    assert said.code == 2
    assert "goldloop codebook publish" in said.sentence
    assert "breaking for error_type" in said.sentence
    assert goldloop("codebook", "publish").code == 0
    assert goldloop("draw").code == 0


def test_a_version_that_says_too_little_is_refused(goldloop: Goldloop) -> None:
    goldloop("codebook", "publish")
    edit("name: tone", "name: manner", "1.0.1")
    said = goldloop("codebook", "publish")
    assert said.code == 2
    assert "set `version: 2.0.0`" in said.sentence


def test_what_was_changed_by_hand_is_shown(goldloop: Goldloop, label_studio: FakeTaskQueue) -> None:
    goldloop("codebook", "publish")
    (project,) = label_studio.projects
    mine = label_studio.projects[project].label_config.replace("<View ", '<View style="color: teal" ', 1)
    label_studio.edit_label_config(project, mine)
    said = goldloop("codebook", "publish")
    assert (said.code, said.out) == (2, "")
    assert "+<View" in said.err
    assert "--adopt" in said.err.splitlines()[-1]
    assert goldloop("codebook", "publish", "--adopt", "--overwrite").code == 2
    assert "kept as it was changed by hand" in goldloop("codebook", "publish", "--adopt").out
    assert label_studio.projects[project].label_config == mine
    assert "replaced by the codebook's" in goldloop("codebook", "publish", "--overwrite").out
    assert label_studio.projects[project].label_config != mine


def test_the_worklist_and_putting_it_up_again(goldloop: Goldloop) -> None:
    assert goldloop("codebook", "publish").code == 0
    assert "Nothing is to be labelled again" in goldloop("codebook", "worklist").out
    have_annotated()
    break_error_type()
    goldloop("codebook", "publish")
    (row,) = json.loads(goldloop("codebook", "worklist", "--json").out)["worklist"]
    assert (row["trace_id"], row["why"], row["questions"]) == ("t1", "open", ["error_type"])
    assert "t1" in goldloop("codebook", "worklist").out
    assert json.loads(goldloop("codebook", "relabel", "--limit", "3", "--json").out) == {
        "relabelled": ["t1"],
        "left": 0,
    }
    assert "0 put up again" in goldloop("codebook", "relabel").out
