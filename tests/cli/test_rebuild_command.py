"""`goldloop rebuild` as a person meets it."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from builders import NOW, QUEUE, codebook, draw
from cli.labelled import label, opened
from cli.terminal import Goldloop
from goldloop.codebook.task import TaskData
from goldloop.pipeline.projects import draft_of

MADE = "2026-03-02T10:00:00Z"


def task(number: int, **fields: object) -> dict[str, object]:
    """A row of Label Studio's listing, with a trace that Langfuse has no more."""
    data = TaskData(
        title="returns",
        conversation=[],
        output="an answer",
        system=[],
        documents=[],
        steps=[],
        about={},
        feedback={},
        prelabel="",
        trace_id=f"t{number}",
        queue="answer-quality",
        codebook="answer-quality@1.0.0",
        draw_run="run",
        policy="random",
        pi=0.5,
        stratum="returns",
        since={question.name: "1.0.0" for question in codebook().questions},
    )
    return {"id": number, "created_at": MADE, "data": data.model_dump(mode="json") | fields}


@pytest.fixture
def held(goldloop: Goldloop, servers: HTTPServer) -> HTTPServer:
    """A Label Studio with one project of the queue and two tasks, one of them of a version before."""
    draft = draft_of(codebook(), "review")
    project = {
        "id": 7,
        "title": draft.title,
        "description": draft.description,
        "expert_instruction": draft.instruction,
        "label_config": draft.label_config,
        "maximum_annotations": 2,
        "show_collab_predictions": True,
    }
    servers.clear_all_handlers()
    answers: dict[str, object] = {
        "/api/public/health": {"status": "OK", "version": "4.16.0"},
        "/api/public/projects": {"data": [{"id": "project", "name": "Project"}]},
        "/api/version": {"release": "1.23.2"},
        "/api/current-user/whoami": {"id": 1, "email": "admin@example.org"},
        "/api/projects/": {"count": 1, "next": None, "previous": None, "results": [project]},
        "/api/tasks/": {"tasks": [task(1), task(2, codebook="answer-quality@0.9.0")], "total": 2},
    }
    for path, answer in answers.items():
        servers.expect_request(path).respond_with_json(answer)
    return servers


def test_a_dry_run_says_what_would_come_back_and_what_is_left_alone(goldloop: Goldloop, held: HTTPServer) -> None:
    told = goldloop("rebuild", "--dry-run")
    assert (told.code, told.err) == (0, "")
    assert "answer-quality: would come back" in told.out
    assert "project 7 (answer-quality 1.0.0)" in told.out
    assert "its file is not" in told.out
    assert "Neither server holds:\n- what judges said" in told.out
    assert told.out.endswith("Next: goldloop rebuild\n")
    with opened() as store:
        assert store.lineage("answer-quality").versions == ()


def test_the_object_for_scripts(goldloop: Goldloop, held: HTTPServer) -> None:
    made = json.loads(goldloop("rebuild", "--dry-run", "--json").out)
    assert (made["tasks"], made["draws"], made["draw_runs"], made["projects"]) == (1, 1, 1, 1)
    assert made["codebook_versions"] == ["1.0.0"]
    assert [(one["what"], one["tasks"]) for one in made["left_alone"]] == [("project 7 (answer-quality 1.0.0)", 1)]
    assert made["not_held"]


def test_nothing_there_is_nothing_lacking(goldloop: Goldloop, servers: HTTPServer) -> None:
    told = goldloop("rebuild")
    assert told.code == 0
    assert told.out.startswith("The store of answer-quality lacks nothing that the servers hold.")
    assert told.out.endswith("Next: goldloop run\n")


def test_a_file_of_another_queue_is_refused(goldloop: Goldloop, held: HTTPServer) -> None:
    other = next(path for path in Path("label_configs").glob("*.yaml") if path.stem != "answer-quality")
    refused = goldloop("rebuild", "--codebook", str(other))
    assert refused.code == 2
    assert "is of another queue than answer-quality: leave it out" in refused.sentence


def test_the_shares_of_a_rebuilt_draw_are_not_made_up(goldloop: Goldloop) -> None:
    label(2)
    with opened() as store:
        (run,) = store.draw_runs(QUEUE)
        again = {"run_id": "again", "drawn_at": NOW + timedelta(hours=1), "mix": {}, "frame": {"rebuilt": True}}
        store.bring_back(run.model_copy(update=again), [draw("t9")], {"t9": NOW})
    refused = goldloop("yield")
    assert refused.code == 2
    assert "the shares of answer-quality's last draw are lost, for the store was rebuilt" in refused.sentence
