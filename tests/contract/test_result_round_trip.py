"""Answers -> a real Label Studio -> the same answers, by the listing that gather reads and by the server's export."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from builders import ROOT, draw, trace
from builders_codebooks import KINDS, answers_for, codebooks
from contract.label_studio_server import Server, server_of, unique
from goldloop.adapters.labelstudio import LabelStudio
from goldloop.codebook.controls import swapped
from goldloop.codebook.load import load
from goldloop.codebook.render import render
from goldloop.codebook.result import MODEL_VERSION, from_result, skip_reason, to_result, to_skip_result
from goldloop.codebook.schema import Codebook, Kind, SkipReason
from goldloop.codebook.task import task_data
from goldloop.ports import ProjectDraft, TaskDraft
from goldloop.records import Value

pytestmark = pytest.mark.servers

SHIPPED = sorted(path.stem for path in (ROOT / "label_configs").glob("*.yaml"))
RANDOM = 8
TASKS = 3


@dataclass(frozen=True)
class Case:
    """A codebook, and what the annotations of its tasks say."""

    codebook: Codebook
    answers: list[dict[str, Value]]


def drawn(codebook: st.SearchStrategy[Codebook], number: int) -> list[Case]:
    """The same examples in every run."""
    found: list[Case] = []

    @settings(
        max_examples=number,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(
        codebook.flatmap(
            lambda asked: st.builds(Case, st.just(asked), st.lists(answers_for(asked), min_size=TASKS, max_size=TASKS))
        )
    )
    def collect(case: Case) -> None:
        found.append(case)

    collect()
    return found


@cache
def random_cases() -> list[Case]:
    """Of many the ones that ask most, some of each kind."""
    left, chosen, kinds = drawn(codebooks(), 50), list[Case](), set[Kind]()
    while len(chosen) < RANDOM:
        case = max(left, key=lambda one: (len(kinds_of(one) - kinds), len(one.codebook.questions)))
        left.remove(case)
        chosen.append(case)
        kinds |= kinds_of(case)
    assert kinds == set(KINDS)
    return chosen


def kinds_of(case: Case) -> set[Kind]:
    return {question.kind for question in case.codebook.questions}


def case_of(name: str | int) -> Case:
    if isinstance(name, int):
        return random_cases()[name]
    return drawn(st.just(load(ROOT / "label_configs" / f"{name}.yaml")), TASKS)[-1]


@dataclass(frozen=True)
class Desk:
    queue: LabelStudio
    http: httpx.Client

    def annotate(self, task_id: int, result: list[dict[str, JsonValue]], *, skipped: bool = False) -> None:
        body = {"result": result, "was_cancelled": skipped}
        self.http.post(f"/api/tasks/{task_id}/annotations/", json=body).raise_for_status()

    def exported(self, project_id: int) -> dict[int, list[Any]]:
        """Each task's one result in the server's own export, by task id."""
        answer = self.http.get(f"/api/projects/{project_id}/export", params={"exportType": "JSON"}).raise_for_status()
        return {task["id"]: task["annotations"][0]["result"] for task in answer.json()}


@pytest.fixture(scope="module")
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    server: Server = server_of(request)
    headers = {"Authorization": f"Token {server.api_key.get_secret_value()}", "Connection": "close"}
    with (
        closing(server.connect()) as queue,
        httpx.Client(base_url=server.url, headers=headers, timeout=60, trust_env=False) as http,
    ):
        yield Desk(queue, http)


def task_of(codebook: Codebook, trace_id: str, answers: Mapping[str, Value]) -> TaskDraft:
    """A task with a prelabel that says what the annotation will."""
    shown = trace(trace_id, alternative="Sixty days." if codebook.pairwise else None)
    drawn_one = draw(trace_id).model_copy(update={"queue": codebook.name})
    data = task_data(codebook, shown, drawn_one, [], None, "http://langfuse.test/t1").model_dump(mode="json")
    result = to_result(codebook, answers, swap=swapped(codebook.name, trace_id))
    return TaskDraft(trace_id=trace_id, data=data, prediction={"model_version": MODEL_VERSION, "result": [*result]})


def project_for(desk: Desk, codebook: Codebook) -> int:
    draft = ProjectDraft(
        title=unique("round trip"),
        description="made by a test",
        instruction=codebook.purpose,
        label_config=render(codebook),
        annotations_per_task=1,
    )
    return desk.queue.ensure_project(draft, None)[0]


@pytest.mark.parametrize("name", [*SHIPPED, *range(RANDOM)])
def test_what_annotators_say_comes_back_as_they_said_it(desk: Desk, name: str | int) -> None:
    case = case_of(name)
    project_id = project_for(desk, case.codebook)
    said = {unique("t").replace(" ", "-"): answers for answers in case.answers}
    drafts = [task_of(case.codebook, trace_id, answers) for trace_id, answers in said.items()]
    assert desk.queue.invalid_predictions(render(case.codebook), drafts) == {}
    task_ids = dict(zip(said, desk.queue.import_tasks(project_id, drafts), strict=True))
    for trace_id, answers in said.items():
        swap = swapped(case.codebook.name, trace_id)
        desk.annotate(task_ids[trace_id], to_result(case.codebook, answers, swap=swap))

    (page,) = desk.queue.changed_tasks(project_id, None)
    assert page.rejected == []
    listed = {row.trace_id: row.annotations[0].result for row in page.rows}
    exported = desk.exported(project_id)
    for trace_id, answers in said.items():
        swap = swapped(case.codebook.name, trace_id)
        assert from_result(case.codebook, listed[trace_id], swap=swap) == answers
        assert from_result(case.codebook, exported[task_ids[trace_id]], swap=swap) == answers
    assert {row.predictions for row in page.rows} == {1}
    desk.http.delete(f"/api/projects/{project_id}/").raise_for_status()


def test_why_a_trace_was_skipped_comes_back(desk: Desk) -> None:
    reasons = (SkipReason(name="not_ours", text="Not ours"), SkipReason(name="language", text="Other language"))
    codebook = load(ROOT / "label_configs" / f"{SHIPPED[0]}.yaml").model_copy(update={"skip_reasons": reasons})
    project_id = project_for(desk, codebook)
    (task_id,) = desk.queue.import_tasks(project_id, [task_of(codebook, "t1", {})])
    desk.annotate(task_id, to_skip_result(codebook, "language"), skipped=True)
    (page,) = desk.queue.changed_tasks(project_id, None)
    (annotation,) = page.rows[0].annotations
    assert annotation.skipped
    assert skip_reason(codebook, annotation.result) == "language"
    desk.http.delete(f"/api/projects/{project_id}/").raise_for_status()
