import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from builders import NOW, QUEUE, codebook, draw, trace
from goldloop.codebook.render import render
from goldloop.codebook.result import MODEL_VERSION
from goldloop.codebook.schema import Codebook
from goldloop.codebook.task import TEXT_LIMIT, task_data
from goldloop.errors import CodebookError, RetryableError
from goldloop.pipeline.enqueue import prelabel_of
from goldloop.records import Document, Judgement, Prediction, Project, Trace, Value
from ml_backend.prelabels import Limits, Prelabels

XML = render(codebook())
EMPTY = {"result": [], "score": 0.0, "model_version": MODEL_VERSION}


def judgement(verdict: str | None, version: str = "3", **answers: Value) -> Judgement:
    given: dict[str, Value] = {"verdict": verdict} if verdict else {}
    return Judgement(
        judge="stub",
        judge_version=version,
        answers=given | answers,
        probability=0.8,
        method="lexical",
        abstained=None if verdict else "no idea",
    )


class Stub:
    """A judge that does as it is told."""

    name = "stub"
    version = "3"

    def __init__(self, act: Callable[[Trace], Judgement] = lambda _trace: judgement("pass")) -> None:
        self.act = act
        self.seen: list[Trace] = []

    def judge(self, _codebook: Codebook, trace: Trace) -> Judgement:
        self.seen.append(trace)
        return self.act(trace)


class Remembering:
    """A store with this in it; `asked` counts the readings."""

    def __init__(self, *judgements: tuple[str, Judgement], projects: tuple[Project, ...] = ()) -> None:
        self.judgements = dict(judgements)
        self.known = list(projects)
        self.fails: Exception | None = None
        self.asked = 0

    def codebook(self, queue: str, version: str) -> Codebook:
        self._ask()
        if (queue, version) != (QUEUE, "1.0.0"):
            raise CodebookError("not in the store")
        return codebook()

    def prediction(self, queue: str, codebook_version: str, trace_id: str) -> Prediction | None:
        self._ask()
        found = self.judgements.get(trace_id)
        if found is None:
            return None
        return Prediction(
            queue=queue, codebook_version=codebook_version, trace_id=trace_id, judged_at=NOW, judgement=found
        )

    def projects(self, _queue: str) -> list[Project]:
        self._ask()
        return self.known

    def _ask(self) -> None:
        self.asked += 1
        if self.fails:
            raise self.fails


def prelabels(judge: Stub | None = None, memory: Remembering | None = None, **limits: float) -> Prelabels:
    return Prelabels(judge or Stub(), memory or Remembering(), {QUEUE: codebook()}, lambda: NOW, Limits(**limits))


def task(trace_id: str = "t1", **changes: Any) -> dict[str, Any]:
    of = trace(trace_id, documents=(Document(title="Returns", text="Within 30 days."),))
    data = task_data(codebook(), of, draw(trace_id), [], None, "https://example.com").model_dump(mode="json")
    return {"id": 5, "data": data | changes}


def predicted(verdict: str) -> dict[str, Any]:
    found = Prediction(
        queue=QUEUE, codebook_version="1.0.0", trace_id="t1", judged_at=NOW, judgement=judgement(verdict)
    )
    expected = prelabel_of(codebook(), found)
    assert expected is not None
    return expected


def test_full_and_empty_predictions_carry_the_one_version() -> None:
    assert predicted("pass")["model_version"] == EMPTY["model_version"] == MODEL_VERSION


def test_a_task_is_judged_live() -> None:
    judge = Stub()
    assert prelabels(judge).predict([task()], XML, 2) == [predicted("pass")]
    assert [seen.output for seen in judge.seen] == ["Returns are accepted within 30 days."]


def test_the_stored_prediction_comes_first() -> None:
    judge = Stub()
    memory = Remembering(("t1", judgement("fail")))
    assert prelabels(judge, memory).predict([task()], XML, 2) == [predicted("fail")]
    assert not judge.seen


def test_a_stored_abstention_stays_one() -> None:
    judge = Stub()
    assert prelabels(judge, Remembering(("t1", judgement(None)))).predict([task()], XML, 2) == [EMPTY]
    assert not judge.seen


def test_the_prediction_of_an_older_judge_is_made_anew() -> None:
    memory = Remembering(("t1", judgement("fail", version="2")))
    assert prelabels(memory=memory).predict([task()], XML, 2) == [predicted("pass")]


@pytest.mark.parametrize(
    "changed",
    [
        {"codebook": "answer-quality@9.9.9"},
        {"codebook": "nonsense"},
        {"queue": "another"},
        {"about": {}},
        {"output": "a" * 80_000 + "[... 1,000 characters left out here; the whole text is in Langfuse ...]"},
    ],
)
def test_what_cannot_be_judged_is_empty(changed: dict[str, Any]) -> None:
    assert prelabels().predict([task(**changed)], XML, 2) == [EMPTY]


def test_a_text_cut_by_goldloop_is_not_judged_on_its_rest() -> None:
    of = trace(output="word " * TEXT_LIMIT)
    data = task_data(codebook(), of, draw(), [], None, "").model_dump(mode="json")
    assert prelabels().predict([{"data": data}], XML, 2) == [EMPTY]


def test_the_folder_s_codebook_serves_where_the_store_lacks_it() -> None:
    memory = Remembering()
    memory.codebook = lambda *_: (_ for _ in ()).throw(CodebookError("gone"))  # type: ignore[method-assign]  # a stub
    assert prelabels(memory=memory).predict([task()], XML, 2) == [predicted("pass")]


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "<View",
        "<View/>",
        render(codebook(), blind=True),
        XML.replace('name="verdict"', 'name="other"'),
        XML.replace('alias="pass"', 'alias="fine"'),
        XML.replace('toName="output"', 'toName="input"'),
    ],
)
def test_what_the_label_config_cannot_show_is_empty(xml: str) -> None:
    assert prelabels().predict([task()], xml, 2) == [EMPTY]


def test_a_project_that_the_store_knows_as_blind_gets_nothing_whatever_its_label_config_says() -> None:
    blind = Project(queue=QUEUE, codebook_version="1.0.0", purpose="blind", project_id=2, url="")
    answers = prelabels(memory=Remembering(projects=(blind,)))
    assert answers.predict([task()], XML, 2) == [EMPTY]
    assert answers.predict([task()], XML, 3) == [predicted("pass")]


@pytest.mark.parametrize(
    "said",
    [judgement("maybe"), judgement("fail", error_type=["weather"]), judgement("pass", version="4"), judgement(None)],
)
def test_a_judge_that_says_what_it_may_not_is_not_heard(said: Judgement) -> None:
    assert prelabels(Stub(lambda _trace: said)).predict([task()], XML, 2) == [EMPTY]


def test_a_judge_that_raises_costs_one_prediction_and_one_line(caplog: pytest.LogCaptureFixture) -> None:
    def act(of: Trace) -> Judgement:
        if of.trace_id == "t2":
            raise RuntimeError(of.output)
        return judgement("pass")

    with caplog.at_level(logging.WARNING):
        answers = prelabels(Stub(act)).predict([task("t1"), task("t2"), task("t3")], XML, 2)
    assert answers == [predicted("pass"), EMPTY, predicted("pass")]
    assert [record.getMessage() for record in caplog.records] == ["a task got no prediction: RuntimeError"]
    assert not caplog.records[0].exc_info


def test_a_judge_that_hangs_is_not_waited_for() -> None:
    free = threading.Event()

    def act(of: Trace) -> Judgement:
        if of.trace_id == "slow":
            free.wait(30)
        return judgement("pass")

    answers = prelabels(Stub(act), judgement=0.2).predict([task("slow"), task("quick")], XML, 2)
    free.set()
    assert answers == [EMPTY, predicted("pass")]


def test_one_request_judges_no_longer_than_its_limit() -> None:
    free = threading.Event()
    judge = Stub(lambda _trace: judgement("pass") if free.wait(30) else judgement("fail"))
    tasks = [task(f"t{number}") for number in range(200)]
    try:
        answers = prelabels(judge, judgement=0.05, request=0.1).predict(tasks, XML, 2)
    finally:
        free.set()
    assert answers == [EMPTY] * 200
    assert len(judge.seen) <= 4  # 0.1 s in waits of 0.05 s; and there are four threads


def test_a_store_that_is_away_is_asked_once_a_request(caplog: pytest.LogCaptureFixture) -> None:
    memory = Remembering()
    memory.fails = RetryableError("store", "the store is away")
    with caplog.at_level(logging.WARNING):
        answers = prelabels(memory=memory).predict([task("t1"), task("t2")], XML, 2)
    assert answers == [predicted("pass")] * 2
    assert memory.asked == 1
    assert len(caplog.records) == 1


def test_every_task_gets_one_prediction_in_its_place() -> None:
    tasks: list[object] = [[None, 7, {}, {"data": {"text": "?"}}, task(f"t{place}")][place % 5] for place in range(100)]
    answers = prelabels(memory=Remembering(("t4", judgement("fail")))).predict(tasks, XML, 2)
    assert [bool(answer["result"]) for answer in answers] == [place % 5 == 4 for place in range(100)]
    assert answers[4] == predicted("fail")
    assert answers[9] == predicted("pass")


def test_the_log_counts_and_quotes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        prelabels().predict([task(), None], XML, 2)
    assert [record.getMessage() for record in caplog.records] == [
        "predict: project 2, 2 tasks (1 live, 1 not goldloop's)"
    ]
