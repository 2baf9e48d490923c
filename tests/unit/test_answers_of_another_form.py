"""A 200 with an answer that is none (a proxy's own page, a body of another form) is an error of goldloop's own tree.

It is never a fault of goldloop's, and never read as "there is nothing": that would take everything for deleted.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from pydantic import SecretStr

from goldloop.adapters import labelstudio, langfuse
from goldloop.adapters.labelstudio import LabelStudio
from goldloop.adapters.langfuse import Langfuse
from goldloop.adapters.retries import Retries
from goldloop.errors import RemoteError
from goldloop.ports import ProjectDraft, TaskDraft, Window
from goldloop.records import EvalRow, Score, ScoreType

FORMS = (
    "{}",
    "[]",
    "null",
    "5",
    '"no"',
    "{",
    "<html>",
    '[{"id": ',
    '{"data": 5}',
    '{"results": {}}',
    '{"tasks": [5], "total": 1}',
    '{"id": null}',
)
ONCE = Retries(attempts=1)
KEY = SecretStr("0" * 40)
CONFIG = "<View><Text name='output' value='$output'/></View>"
PROJECT = ProjectDraft(title="A", description="", instruction="", label_config=CONFIG, annotations_per_task=1)
NOW = datetime(2026, 3, 2, tzinfo=UTC)
SCORE = Score(
    score_id="s1", trace_id="t1", name="annotation_verdict", data_type=ScoreType.CATEGORICAL, value="fail", event_at=NOW
)
ROW = EvalRow(
    row_id="r1",
    dataset="d",
    trace_id="t1",
    input=[],
    context=[],
    output="no",
    expected_output=None,
    labels={"verdict": "fail"},
    note=None,
    provenance={},
)
WINDOW = Window(start=datetime(2026, 3, 1, tzinfo=UTC), end=NOW)

OF_LABEL_STUDIO: dict[str, Callable[[LabelStudio], object]] = {
    "ensure_project": lambda it: it.ensure_project(PROJECT, None),
    "ensure a known project": lambda it: it.ensure_project(PROJECT, 3),
    "find_project": lambda it: it.find_project("A", None),
    "find a known project": lambda it: it.find_project("A", 3),
    "find_tasks": lambda it: it.find_tasks(3, ["t1"]),
    "import_tasks": lambda it: it.import_tasks(3, [TaskDraft(trace_id="t1", data={}, prediction=None)]),
    "changed_tasks": lambda it: list(it.changed_tasks(3, None)),
    "changed_tasks since": lambda it: list(it.changed_tasks(3, NOW)),
    "peek": lambda it: it.peek(3),
    "task_count": lambda it: it.task_count(3),
    "task_ids": lambda it: it.task_ids(3),
    "all_projects": lambda it: it.all_projects(),
    "origins": lambda it: list(it.origins(3)),
}
OF_LANGFUSE: dict[str, Callable[[Langfuse], object]] = {
    "candidates": lambda it: list(it.source.candidates(WINDOW)),
    "signals": lambda it: list(it.source.signals(WINDOW)),
    "trace": lambda it: it.source.trace("t1"),
    "payloads": lambda it: list(it.source.payloads(["t1", "t2"])),
    "send": lambda it: it.scores.send([SCORE]),
    "read": lambda it: it.scores.read(["s1"]),
    "listed": lambda it: list(it.scores.listed(["annotation_verdict"])),
    "score configs": lambda it: it.score_configs.listed(),
    "put": lambda it: it.datasets.put("d", [ROW]),
    "remove": lambda it: it.datasets.remove("d", ["r1"]),
    "row_ids": lambda it: it.datasets.row_ids("d"),
    "shown": lambda it: it.datasets.shown("d", "d"),
}


def answering(form: str) -> httpx.MockTransport:
    told = {"content-type": "application/json"}
    return httpx.MockTransport(lambda _: httpx.Response(200, content=form.encode(), headers=told))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("asked", OF_LABEL_STUDIO)
def test_label_studio(asked: str, form: str) -> None:
    it = labelstudio.connect("http://labels.example.org", KEY, transport=answering(form), retries=ONCE)
    with pytest.raises(RemoteError):
        OF_LABEL_STUDIO[asked](it)
    it.close()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("asked", OF_LANGFUSE)
def test_langfuse(asked: str, form: str) -> None:
    it = langfuse.connect("http://langfuse.example.org", KEY, KEY, transport=answering(form), retries=ONCE)
    with pytest.raises(RemoteError):
        OF_LANGFUSE[asked](it)
    it.close()
