"""`goldloop reconcile`: what differs as a table, mended, and left where it cannot be."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from builders import NOW, QUEUE
from cli.labelled import label, opened
from cli.terminal import Goldloop
from goldloop.ports import TraceResolution
from goldloop.records import Score, ScoreType, State
from small_langfuse import SmallLangfuse

TITLE = "What differs"


@pytest.fixture
def langfuse_scores(langfuse: HTTPServer, label_studio: HTTPServer) -> SmallLangfuse:
    answers: dict[str, Any] = {
        "/api/public/health": {"status": "OK", "version": "4.16.0"},
        "/api/public/projects": {"data": [{"id": "project", "name": "Project"}]},
        "/api/public/dataset-items": {"data": [], "meta": {"page": 1, "totalPages": 0}},
        "/api/version": {"release": "1.23.2"},
        "/api/current-user/whoami": {"id": 1, "email": "admin@example.org"},
    }
    for path, answer in answers.items():
        langfuse.expect_request(path).respond_with_json(answer)
    return SmallLangfuse(langfuse)


def score(score_id: str = "s1", **given: object) -> Score:
    fields = {
        "score_id": score_id,
        "trace_id": "t000",
        "name": "human_verdict",
        "data_type": ScoreType.CATEGORICAL,
        "value": "pass",
        "metadata": {"goldloop": f"{QUEUE}@1.0.0"},
        "event_at": NOW,
    }
    return Score.model_validate(fields | given)


@pytest.fixture
def confirmed() -> None:
    """A score that stood in Langfuse when it was last looked at."""
    deliver()


def deliver(*, sent_at: datetime = NOW, confirm: bool = True) -> None:
    label(1)
    with opened() as store:
        store.save_resolutions(
            QUEUE, [TraceResolution("t000", state=State.RESOLVED, answers=[], scores=[score()], eval_row=None)], NOW
        )
        store.due_scores(QUEUE, 1)
        store.mark_scores_sent(["s1"], sent_at)
        if confirm:
            store.mark_scores_confirmed(["s1"])


def states() -> dict[str, int]:
    with opened() as store:
        return store.counts(QUEUE).scores_by_state


def test_a_dry_run_shows_and_changes_nothing(
    goldloop: Goldloop, langfuse_scores: SmallLangfuse, confirmed: None
) -> None:
    ended = goldloop("reconcile", "--dry-run")
    assert ended.code == 1
    assert TITLE in ended.out
    assert "scores that are missing" in ended.out
    assert "Next: goldloop reconcile" in ended.out
    assert (langfuse_scores.batches, states()) == ([], {"confirmed": 1})


def test_what_is_missing_is_sent_and_read_back(
    goldloop: Goldloop, langfuse_scores: SmallLangfuse, confirmed: None
) -> None:
    ended = goldloop("reconcile")
    assert ended.code == 0, ended.err
    assert "scores that are missing" in ended.out
    assert "sent 1" in ended.out
    (event,) = langfuse_scores.stored.values()
    assert event["timestamp"] > NOW.strftime("%Y-%m-%dT%H:%M:%S")
    assert states() == {"confirmed": 1}
    ended = goldloop("reconcile")
    assert (ended.code, TITLE in ended.out) == (0, False)
    assert "Nothing differs: 0 tasks, 1 scores and 0 eval rows were compared." in ended.out


def test_what_the_store_does_not_know_is_left_and_the_next_step_named(
    goldloop: Goldloop, langfuse_scores: SmallLangfuse, confirmed: None
) -> None:
    goldloop("reconcile")
    (event,) = langfuse_scores.stored.values()
    stranger = event | {"body": event["body"] | {"id": "of-a-newer-store"}}
    langfuse_scores.stored["of-a-newer-store"] = stranger
    ended = goldloop("reconcile")
    assert ended.code == 1
    assert "scores that the store lacks" in ended.out
    assert "Next: goldloop rebuild --dry-run" in ended.out
    made = json.loads(goldloop("reconcile", "--json").out)
    assert (made["differing"], made["left"], made["scores"]) == (1, 1, 1)


def test_what_never_appeared_is_said_in_red(
    goldloop: Goldloop, langfuse_scores: SmallLangfuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLDLOOP_CONFIRM_SECONDS", "0")
    deliver(sent_at=NOW - timedelta(days=1), confirm=False)
    ended = goldloop("publish")
    assert ended.code == 0, ended.err
    said = " ".join(ended.out.split())
    assert "1 score never appeared in Langfuse, which had taken them: goldloop parked list" in said
    assert "never_appeared" in goldloop("parked", "list").out


def test_status_shows_what_is_on_its_way(goldloop: Goldloop) -> None:
    deliver(confirm=False)
    said = " ".join(goldloop("status").out.split())
    assert "On the way to Langfuse and the golden set: 1 scores to read back." in said
