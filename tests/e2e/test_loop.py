"""The whole loop on a real Label Studio and a real Prefect, looked at from outside with the vendors' own clients.

One round by flows, then an edit, a deletion and a change of mind, then rounds that must add nothing. The steps build
on each other, so they are one test: each part says in its name what it proves.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import pytest
from langfuse.api import LangfuseAPI

from conftest import LabelStudioServer, PrefectServer
from e2e.traces import majority, submitted, trace_file
from goldloop import settings
from goldloop.bootstrap import VERBS, Goldloop, Run
from goldloop.bootstrap.rebuilding import run_rebuild
from goldloop.devstack import annotators
from goldloop.devstack.counts import Counts, read_back
from goldloop.devstack.demo import OUT, Demo
from goldloop.devstack.flows import run_flow
from goldloop.devstack.send import trace_id
from goldloop.devstack.stack import Stack
from goldloop.devstack.tracefile import FileTrace, read
from goldloop.records import State
from goldloop.sampling.policies import POLICIES

QUEUE = "answer-quality"

pytestmark = pytest.mark.servers


@dataclass
class Outside:
    """Both servers as anyone sees them, without a line of goldloop's adapters."""

    langfuse: LangfuseAPI
    label_studio: httpx.Client
    project_id: int

    def scores(self, prefix: str) -> dict[str, Any]:
        """Every score whose name starts so, by id; an id that comes twice is a failure."""
        found: dict[str, Any] = {}
        cursor = None
        while True:
            page = self.langfuse.scores.get_many(limit=100, cursor=cursor, fields="details,subject")
            for score in page.data:
                if score.name.startswith(prefix):
                    assert score.id not in found
                    found[score.id] = score
            cursor = page.meta.cursor
            if cursor is None:
                return found

    def dataset_items(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        page = 1
        while True:
            answer = self.langfuse.dataset_items.list(dataset_name=QUEUE, page=page, limit=100)
            found |= {row.id: row for row in answer.data if row.status == "ACTIVE"}
            if page >= answer.meta.total_pages:
                return found
            page += 1

    def tasks(self) -> list[dict[str, Any]]:
        answer = self.label_studio.get(
            "/api/tasks/", params={"project": self.project_id, "fields": "all", "page_size": 1000}
        )
        answer.raise_for_status()
        return list(answer.json()["tasks"])

    def annotation_of(self, task: dict[str, Any], email: str) -> dict[str, Any]:
        users = {user["id"]: user["email"] for user in self.label_studio.get("/api/users/").json()}
        return next(one for one in task["annotations"] if users[one["completed_by"]] == email)


@pytest.fixture
def own_environment() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@contextmanager
def outside_of(stack: Stack, label_studio: LabelStudioServer, project_id: int) -> Iterator[Outside]:
    assert stack.langfuse
    headers = {"Authorization": f"Token {label_studio.api_key.get_secret_value()}"}
    with httpx.Client() as for_langfuse, httpx.Client(base_url=label_studio.url, headers=headers, timeout=60) as client:
        langfuse = LangfuseAPI(
            base_url=stack.langfuse.url,
            username=stack.langfuse.public_key,
            password=stack.langfuse.secret_key.get_secret_value(),
            httpx_client=for_langfuse,
        )
        yield Outside(langfuse, client, project_id)


def verdicts(trace: FileTrace) -> dict[str, str]:
    return {annotators.email(rating.rater): rating.label for rating in submitted(trace)}


def test_the_loop(
    stack: Stack, clear_label_studio: LabelStudioServer, prefect_server: PrefectServer, own_environment: None
) -> None:
    traces = {trace_id(trace.id): trace for trace in read(trace_file())}
    demo = Demo(stack, list(traces.values()), lambda _step: lambda *_: None, lambda _line: None)
    counts, project = demo.run(QUEUE, partial(run_flow, stack))
    with outside_of(stack, clear_label_studio, project.project_id) as outside:
        drawn = every_drawn_trace_is_one_task(outside, traces, counts)
        every_submitted_annotation_is_one_score(outside, drawn, counts)
        every_decided_trace_has_one_answer(outside, drawn)
        every_confirmed_failure_is_one_eval_row(outside, drawn, stack)

        with Goldloop(settings.load()) as goldloop:
            a_second_round_adds_nothing(outside, goldloop, counts)
            edited = an_edit_changes_the_score_under_the_same_id(outside, drawn, stack)
            a_skip_after_all_takes_the_score_away(outside, goldloop, drawn, edited)
            a_deleted_annotation_takes_its_score_with_it(outside, goldloop, drawn, edited)
            a_lost_store_comes_back_and_sends_nothing(outside, goldloop, stack)


def every_drawn_trace_is_one_task(
    outside: Outside, traces: dict[str, FileTrace], counts: Counts
) -> dict[str, FileTrace]:
    tasks = outside.tasks()
    ids = [task["data"]["trace_id"] for task in tasks]
    assert len(ids) == len(set(ids)) == counts.drawn > 0
    assert counts.pulled == len(traces)
    for task in tasks:
        data = task["data"]
        assert 0 < data["pi"] <= 1
        assert data["policy"] in POLICIES
        assert data["stratum"] == traces[data["trace_id"]].category
    assert sum(bool(task["predictions"]) for task in tasks) == counts.prelabelled > 0
    assert counts.parked == 0
    return {one: traces[one] for one in ids}


def every_submitted_annotation_is_one_score(outside: Outside, drawn: dict[str, FileTrace], counts: Counts) -> None:
    expected = {(one, email): label for one, trace in drawn.items() for email, label in verdicts(trace).items()}
    scores = outside.scores("annotation_")
    seen = {(score.subject.id, score.metadata["annotator"]): score.value for score in scores.values()}
    assert seen == expected
    assert len(scores) == len(expected) == counts.annotated  # one each, and none for a skip
    skips = sum(rating.skips for trace in drawn.values() for rating in trace.human.ratings)
    assert counts.skipped == skips
    assert {score.environment for score in scores.values()} == {"goldloop-demo"}
    assert {score.source for score in scores.values()} == {"API"}


def every_decided_trace_has_one_answer(outside: Outside, drawn: dict[str, FileTrace]) -> None:
    expected = {one: answer for one, trace in drawn.items() if (answer := majority(trace))}
    scores = outside.scores("human_verdict").values()
    assert {score.subject.id: score.value for score in scores} == expected
    assert len(scores) == len(expected)


def every_confirmed_failure_is_one_eval_row(outside: Outside, drawn: dict[str, FileTrace], stack: Stack) -> None:
    failures = {one for one, trace in drawn.items() if majority(trace) == "fail"}
    assert failures
    items = outside.dataset_items()
    assert {row.source_trace_id for row in items.values()} == failures
    lines = (stack.places.state / "evals" / f"{QUEUE}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert {row["row_id"] for row in rows} == set(items)
    for row in rows:
        trace = drawn[row["trace_id"]]
        assert row["output"] == trace.output
        assert [message["content"] for message in row["input"]] == [message.content for message in trace.input]
        assert row["labels"]["verdict"] == "fail"
        provenance = row["provenance"]
        assert provenance["annotators"] == sorted(verdicts(trace))
        assert provenance["codebook_version"] == "1.0.0"
        assert 0 < provenance["pi"] <= 1
        assert provenance["policy"] in POLICIES


def a_second_round_adds_nothing(outside: Outside, goldloop: Goldloop, counts: Counts) -> None:
    before = (outside.scores(""), outside.dataset_items(), [task["id"] for task in outside.tasks()])
    summaries = dict(goldloop.run(VERBS, QUEUE, Run(seed=99)))
    assert summaries["publish"].model_dump()["sent"] == 0
    assert summaries["publish"].model_dump()["eval_rows"] == 0
    time.sleep(2)  # longer than the server's lag
    assert (outside.scores(""), outside.dataset_items(), [task["id"] for task in outside.tasks()]) == before
    assert read_back(goldloop, QUEUE, counts.seconds) == counts


def an_edit_changes_the_score_under_the_same_id(outside: Outside, drawn: dict[str, FileTrace], stack: Stack) -> str:
    """Changes one rater's mind on a trace that all three passed; the trace keeps its answer."""
    agreed = next(one for one, trace in drawn.items() if list(verdicts(trace).values()) == ["pass"] * 3)
    email = next(iter(verdicts(drawn[agreed])))
    task = next(task for task in outside.tasks() if task["data"]["trace_id"] == agreed)
    annotation = outside.annotation_of(task, email)
    before = {key: score for key, score in outside.scores("annotation_").items() if score.subject.id == agreed}
    (edited,) = [key for key, score in before.items() if score.metadata["annotator"] == email]
    result = annotation["result"]
    result[0]["value"]["choices"] = ["fail"]
    outside.label_studio.patch(f"/api/annotations/{annotation['id']}/", json={"result": result}).raise_for_status()

    run_flow(stack, QUEUE, OUT)

    after = {key: score for key, score in outside.scores("annotation_").items() if score.subject.id == agreed}
    assert set(after) == set(before)
    assert {key: score.value for key, score in after.items()} == {
        key: "fail" if key == edited else "pass" for key in before
    }
    (answer,) = [score for score in outside.scores("human_verdict").values() if score.subject.id == agreed]
    assert (answer.value, answer.metadata["votes"]) == ("pass", 2)
    return agreed


def a_skip_after_all_takes_the_score_away(
    outside: Outside, goldloop: Goldloop, drawn: dict[str, FileTrace], agreed: str
) -> None:
    email = list(verdicts(drawn[agreed]))[1]
    task = next(task for task in outside.tasks() if task["data"]["trace_id"] == agreed)
    annotation = outside.annotation_of(task, email)
    outside.label_studio.patch(
        f"/api/annotations/{annotation['id']}/", json={"result": annotation["result"], "was_cancelled": True}
    ).raise_for_status()
    publish_until(outside, goldloop, lambda: email not in annotators_of(outside, agreed))


def a_deleted_annotation_takes_its_score_with_it(
    outside: Outside, goldloop: Goldloop, drawn: dict[str, FileTrace], agreed: str
) -> None:
    email = list(verdicts(drawn[agreed]))[2]
    task = next(task for task in outside.tasks() if task["data"]["trace_id"] == agreed)
    annotation = outside.annotation_of(task, email)
    outside.label_studio.delete(f"/api/annotations/{annotation['id']}/").raise_for_status()
    publish_until(outside, goldloop, lambda: email not in annotators_of(outside, agreed))
    # One "fail" of three is left: nothing is decided any more, so the answer is withdrawn.
    assert not [score for score in outside.scores("human_").values() if score.subject.id == agreed]


def a_lost_store_comes_back_and_sends_nothing(outside: Outside, goldloop: Goldloop, stack: Stack) -> None:
    """But for what neither server holds: judgements, how draws came about, the history of what was deleted."""
    before = (outside.scores(""), outside.dataset_items(), [task["id"] for task in outside.tasks()])
    known = held_in(goldloop)
    os.environ["GOLDLOOP_STORE_URL"] = f"sqlite:///{stack.places.state / 'again.db'}"
    with Goldloop(settings.load()) as again:
        told = run_rebuild(again, QUEUE, [], lambda _verb: lambda *_: None)
        assert (told.left_alone, told.scores_due, told.scores_withdrawn) == ([], 0, 0)
        assert (told.tasks, told.scores_confirmed) == (len(before[2]), len(before[0]))
        summaries = {name: summary.model_dump() for name, summary in again.run([*OUT], QUEUE, Run())}
        assert (summaries["publish"]["sent"], summaries["publish"]["deleted"]) == (0, 0)
        assert held_in(again) == known
    time.sleep(2)  # longer than the server's lag
    assert (outside.scores(""), outside.dataset_items(), [task["id"] for task in outside.tasks()]) == before


def held_in(goldloop: Goldloop) -> dict[str, Any]:
    store = goldloop.store
    draws = {one.trace_id: (state, one) for state in State for one in store.draws(QUEUE, state)}
    return {
        "draws": draws,
        "tasks": store.standing_tasks(QUEUE),
        "answers": {one: store.answers(QUEUE, one) for one in draws},
        "annotations": {one: [each for each in store.annotations(QUEUE, one) if not each.deleted] for one in draws},
        "signals": {one: store.signals(one) for one in draws},
        "scores": set(store.score_ids(QUEUE)),
    }


def annotators_of(outside: Outside, trace: str) -> set[str]:
    scores = outside.scores("annotation_").values()
    return {score.metadata["annotator"] for score in scores if score.subject.id == trace}


def publish_until(outside: Outside, goldloop: Goldloop, holds: Any) -> None:
    list(goldloop.run(OUT, QUEUE, Run()))
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.3)
