import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from builders import NOW, QUEUE, codebook, draw, trace
from goldloop.codebook.render import render
from goldloop.codebook.result import MODEL_VERSION
from goldloop.codebook.schema import Codebook
from goldloop.codebook.task import TEXT_LIMIT, task_data
from goldloop.errors import CodebookError, RetryableError
from goldloop.pipeline.drafts import prelabel_of
from goldloop.ports import Prelabel
from goldloop.records import Document, Judgement, Prediction, Project, Trace, Unjudged, Value
from ml_backend.extra_params import ExtraParams
from ml_backend.judges import QueueJudges
from ml_backend.live import Limits, Live
from ml_backend.memory import READ_SECONDS, Memory
from ml_backend.prelabels import Prelabels
from ml_backend.project_model import ProjectModel, project_model

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

    def __init__(self, act: Callable[[Trace], Any] = lambda _trace: judgement("pass")) -> None:
        self.act = act
        self.seen: list[Trace] = []

    def version(self, _codebook: Codebook) -> str:
        return "3"

    def judge(self, _codebook: Codebook, traces: Sequence[Trace]) -> Any:
        self.seen += traces
        said = self.act(traces[0])
        return said if isinstance(said, list | None) else [said]


class Remembering:
    """A store with this in it; `asked` counts the readings."""

    def __init__(self, *judgements: tuple[str, Judgement], projects: tuple[Project, ...] = ()) -> None:
        self.judgements = dict(judgements)
        self.known = list(projects)
        self.fails: Exception | None = None
        self.waits = threading.Event()
        self.waits.set()
        self.asked: list[str] = []

    def codebook(self, queue: str, version: str) -> Codebook:
        self._ask("codebook")
        if (queue, version) != (QUEUE, "1.0.0"):
            raise CodebookError("not in the store")
        return codebook()

    def prelabels(self, _queue: str, _codebook_version: str, trace_ids: Sequence[str]) -> dict[str, Prelabel]:
        self._ask("prelabels")
        found = {trace_id: self.judgements[trace_id] for trace_id in trace_ids if trace_id in self.judgements}
        return {
            name: Prelabel(json.dumps(one.answers), one.probability, one.abstained, one.judge, one.judge_version)
            for name, one in found.items()
        }

    def projects(self, _queue: str) -> list[Project]:
        self._ask("projects")
        return self.known

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        self.waits.wait(30)
        if self.fails:
            raise self.fails


class Answering:
    """The backend's prelabels over a stub, as a request sees them; `kept` is what goes on to the store."""

    def __init__(self, judge: Stub | None = None, memory: Remembering | None = None, **limits: float) -> None:
        self.kept: list[Prediction] = []
        stub = judge or Stub()
        judges = QueueJudges(lambda _queue, _run: stub, lambda _queue: [], lambda: NOW)
        judges.of(QUEUE)
        self.live = Live(judges, self.kept.append, lambda: NOW, Limits(**limits), threads=4)
        self.prelabels = Prelabels(Memory(memory or Remembering(), {QUEUE: codebook()}), self.live)
        self.models: dict[tuple[str, int | None, ExtraParams], ProjectModel] = {}

    def predict(
        self, tasks: Sequence[object], xml: str, project: int | None, params: ExtraParams | None = None
    ) -> list[Any]:
        key = xml, project, params or ExtraParams()
        model = self.models.setdefault(key, project_model(project, xml, key[2]))
        return self.prelabels.predict(tasks, model)


def prelabels(judge: Stub | None = None, memory: Remembering | None = None, **limits: float) -> Answering:
    return Answering(judge, memory, **limits)


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


def test_a_stored_prediction_counts_whichever_judge_it_is_of() -> None:
    """The task carries it already, and a refit must not make it vanish."""
    judge = Stub()
    memory = Remembering(("t1", judgement("fail", version="2")))
    assert prelabels(judge, memory).predict([task()], XML, 2) == [predicted("fail")]
    assert not judge.seen


def test_a_stored_abstention_of_a_judge_that_has_learned_since_is_judged_anew() -> None:
    judge, memory = Stub(), Remembering(("t1", judgement(None, version="2")), ("t2", judgement(None)))
    answers = prelabels(judge, memory)
    assert answers.predict([task("t1"), task("t2")], XML, 2) == [predicted("pass"), EMPTY]
    assert [one.trace_id for one in judge.seen] == ["t1"]
    assert answers.predict([task("t1")], XML, 2, ExtraParams(live=False)) == [EMPTY]


def test_a_judge_that_cannot_say_its_version_keeps_nothing_stored_back() -> None:
    judge, memory = Stub(), Remembering(("t1", judgement("fail")), ("t2", judgement(None)))
    judge.version = lambda _codebook: (_ for _ in ()).throw(RuntimeError())  # type: ignore[method-assign]  # a stub
    assert prelabels(judge, memory).predict([task("t1")], XML, 2) == [predicted("fail")]
    assert prelabels(judge, memory).predict([task("t1"), task("t2")], XML, 2) == [predicted("fail"), predicted("pass")]


def test_a_request_is_one_query() -> None:
    memory = Remembering(*((f"t{number}", judgement("fail")) for number in range(100)))
    answers = prelabels(memory=memory)
    tasks = [task(f"t{number}") for number in range(100)]
    assert answers.predict(tasks, XML, 2) == [predicted("fail")] * 100
    assert sorted(memory.asked) == ["codebook", "prelabels", "projects"]
    assert answers.predict(tasks, XML, 2) == [predicted("fail")] * 100
    assert memory.asked.count("prelabels") == 2
    assert len(memory.asked) == 4


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


def test_a_task_that_was_drawn_blind_gets_nothing_anywhere() -> None:
    answers = prelabels(memory=Remembering(("t1", judgement("fail"))))
    assert answers.predict([task(blind=True)], XML, 2) == [EMPTY]
    assert not answers.kept


UNCHECKED = judgement("pass").model_dump()


@pytest.mark.parametrize(
    "said",
    [
        judgement("maybe"),
        judgement("fail", error_type=["weather"]),
        judgement("pass", mood="sunny"),
        judgement(None),
        Unjudged(cause="budget", reason="spent"),
        None,
        [],
        [judgement("pass"), judgement("pass")],
        "pass",
        Judgement.model_construct(**UNCHECKED | {"probability": float("nan")}),
        Judgement.model_construct(**UNCHECKED | {"probability": 7}),
        Judgement.model_construct(**UNCHECKED | {"answers": {"verdict": 7}}),
        Judgement.model_construct(**UNCHECKED | {"answers": None}),
    ],
)
def test_a_judge_that_says_what_it_may_not_is_not_heard(said: Any) -> None:
    answers = prelabels(Stub(lambda of: said if of.trace_id == "t1" else judgement("pass")))
    assert answers.predict([task("t1"), task("t2")], XML, 2) == [EMPTY, predicted("pass")]
    abstained = isinstance(said, Judgement) and said == judgement(None)
    assert {one.trace_id for one in answers.kept} == ({"t1", "t2"} if abstained else {"t2"})


def test_where_live_judging_is_off_only_what_is_stored_is_given() -> None:
    judge, memory = Stub(), Remembering(("t1", judgement("fail")))
    answers = prelabels(judge, memory).predict([task("t1"), task("t2")], XML, 2, ExtraParams(live=False))
    assert answers == [predicted("fail"), EMPTY]
    assert not judge.seen


def test_a_live_judgement_is_kept_once() -> None:
    answers = prelabels()
    answers.predict([task()], XML, 2)
    (kept,) = answers.kept
    assert (kept.queue, kept.codebook_version, kept.trace_id, kept.judged_at) == (QUEUE, "1.0.0", "t1", NOW)
    assert kept.judgement == judgement("pass")


@pytest.mark.parametrize("error", [RuntimeError("the answer is secret"), SystemExit(3), KeyboardInterrupt()])
def test_a_judge_that_raises_costs_one_prediction_and_one_line(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def act(of: Trace) -> Judgement:
        if of.trace_id == "t2":
            raise error
        return judgement("pass")

    with caplog.at_level(logging.WARNING):
        answers = prelabels(Stub(act)).predict([task("t1"), task("t2"), task("t3")], XML, 2)
    assert answers == [predicted("pass"), EMPTY, predicted("pass")]
    assert [record.getMessage() for record in caplog.records] == [f"1 tasks got no prediction: {type(error).__name__}"]
    assert not caplog.records[0].exc_info


def hanging(free: threading.Event, *ids: str) -> Stub:
    return Stub(lambda of: judgement("pass") if of.trace_id not in ids or free.wait(30) else None)


def test_a_judge_that_hangs_is_not_waited_for_and_what_it_says_at_last_is_kept() -> None:
    free = threading.Event()
    answers = prelabels(hanging(free, "slow"), judgement=0.3)
    assert answers.predict([task("slow"), task("quick")], XML, 2) == [EMPTY, predicted("pass")]
    assert [one.trace_id for one in answers.kept] == ["quick"]
    free.set()
    give_up = time.monotonic() + 10
    while len(answers.kept) < 2 and time.monotonic() < give_up:
        time.sleep(0.01)
    assert [one.trace_id for one in answers.kept] == ["quick", "slow"]


def test_a_project_can_set_its_own_deadline() -> None:
    free = threading.Event()
    try:
        begun = time.monotonic()
        answers = prelabels(hanging(free, "slow"), judgement=20)
        assert answers.predict([task("slow")], XML, 2, ExtraParams(deadline_seconds=0.2)) == [EMPTY]
        assert time.monotonic() - begun < 5
    finally:
        free.set()


def test_while_a_judge_hangs_stored_predictions_come_at_once() -> None:
    free = threading.Event()
    answers = prelabels(hanging(free, "slow"), Remembering(("t1", judgement("fail"))), judgement=20)
    waiting = [threading.Thread(target=answers.predict, args=([task("slow")], XML, 2)) for _ in range(8)]
    try:
        for thread in waiting:
            thread.start()
        begun = time.monotonic()
        assert answers.predict([task("t1")], XML, 2) == [predicted("fail")]
        assert time.monotonic() - begun < 1
    finally:
        free.set()
        for thread in waiting:
            thread.join()


def test_one_request_judges_no_longer_than_its_limit() -> None:
    free = threading.Event()
    judge = Stub(lambda _trace: judgement("pass") if free.wait(30) else judgement("fail"))
    tasks = [task(f"t{number}") for number in range(200)]
    try:
        answers = prelabels(judge, judgement=0.05, request=0.1).predict(tasks, XML, 2)
    finally:
        free.set()
    assert answers == [EMPTY] * 200
    assert len(judge.seen) <= 4  # there are four threads, and all of them hang


def test_a_store_that_is_away_is_left_alone_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    memory = Remembering()
    memory.fails = RetryableError("store", "the store is away")
    answers = prelabels(memory=memory)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert answers.predict([task("t1"), task("t2")], XML, 2) == [predicted("pass")] * 2
    assert memory.asked == ["codebook"]
    assert [record.getMessage() for record in caplog.records] == [
        "the store does not answer, so predictions are made live: RetryableError"
    ]


def test_a_store_that_hangs_is_not_waited_for() -> None:
    memory = Remembering()
    memory.waits.clear()
    answers, begun = prelabels(memory=memory, judgement=3), time.monotonic()
    try:
        assert answers.predict([task()], XML, 2) == [predicted("pass")]
        assert time.monotonic() - begun < 2
    finally:
        memory.waits.set()


class Slow(Remembering):
    """A store that answers everything, and takes its time: too short a one to be given up."""

    def _ask(self, what: str) -> None:
        time.sleep(READ_SECONDS * 0.9)
        super()._ask(what)


def test_a_page_does_not_wait_for_a_slow_store_three_times_over() -> None:
    begun = time.monotonic()
    assert prelabels(memory=Slow(("t1", judgement("fail")))).predict([task()], XML, 2) == [predicted("fail")]
    assert time.monotonic() - begun < 1.8


def test_many_stored_predictions_may_take_longer_than_one() -> None:
    memory = Slow(("t1", judgement("fail")), ("t2", judgement("pass")))
    answers = prelabels(memory=memory)
    answers.predict([task()], XML, 2)  # codebook and projects are known from here on
    free = threading.Timer(READ_SECONDS * 2, memory.waits.set)
    memory.waits.clear()
    free.start()
    assert answers.predict([task("t1"), task("t2")], XML, 2) == [predicted("fail"), predicted("pass")]
    assert not answers.kept


def test_for_a_stored_abstention_no_judge_is_made_while_the_page_waits() -> None:
    """Making one reads the store without a deadline, and approved examples from Langfuse."""
    made = threading.Event()

    def make(_queue: str, _run: str) -> Stub:
        assert threading.current_thread().name == "judge"
        made.set()
        return Stub()

    live = Live(QueueJudges(make, lambda _queue: [], lambda: NOW), lambda _one: None, lambda: NOW)
    memory = Memory(Remembering(("t1", judgement(None))), {QUEUE: codebook()})
    model = project_model(2, XML, ExtraParams())
    assert Prelabels(memory, live).predict([task()], model) == [predicted("pass")]
    assert made.is_set()


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
