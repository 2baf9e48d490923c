"""Prelabel: what is left for another run, what is parked, and what a killed run has paid for."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice

import pytest

from builders import QUEUE
from goldloop.codebook.schema import Codebook
from goldloop.errors import ConfigError
from goldloop.judge.features import VERSION
from goldloop.pipeline.prelabel import PAGE, PrelabelSummary, prelabel, wanted_of
from goldloop.pipeline.prelabel_estimate import estimate
from goldloop.pipeline.prelabel_pages import Meter, PageSummary, PrelabelPage, judge_page
from goldloop.ports import Limits, Selection
from goldloop.records import Estimate, JudgeCall, Judgement, Trace, Unjudged
from pipeline.loop import Loop, killed_at, progress, revised

TRACES = ("t1", "t2", "t3", "t4", "t5")
LATER = Unjudged(cause="later", reason="503", detail="the server does not answer")
UNUSABLE = Unjudged(cause="unusable", reason="no JSON", detail="asked twice, its answer had no verdict")
WITHOUT = "left for another run, and without a prelabel if enqueued before"


class PaidJudge:
    """Asks one call a trace of a model, by the ledger: a cent each, and a second."""

    name = "paid"

    def __init__(self, loop: Loop, limits: Limits | None = None, run: str = "run") -> None:
        self.loop, self.limits, self.run = loop, limits or Limits(), run
        self.meter = Meter(loop.store)
        self.asked: list[str] = []
        self.dies_at: int | None = None

    def version(self, codebook: Codebook) -> str:
        return "1"

    def judge(self, codebook: Codebook, traces: Sequence[Trace]) -> list[Judgement | Unjudged]:
        known = self.meter.known_calls([trace.trace_id for trace in traces])
        new = [trace.trace_id for trace in traces if trace.trace_id not in known]
        reserved = self.meter.reserve(self.run, len(new), 0.01, self.limits, self.loop.clock())
        granted = set(new[: reserved.calls])
        for trace_id in new[: reserved.calls]:
            if self.dies_at == len(self.asked):
                raise KeyboardInterrupt
            self.asked.append(trace_id)
            self.meter.settle(reserved.reservation, [self._call(trace_id)], done=False)
        self.meter.settle(reserved.reservation, [])
        pays = Unjudged(cause="budget", reason="the budget is spent")
        return [self._judgement() if trace.trace_id in granted | known.keys() else pays for trace in traces]

    def estimate(self, codebook: Codebook, traces: Sequence[Trace]) -> Estimate:
        cached = len(self.loop.store.known_calls([trace.trace_id for trace in traces]))
        calls = len(traces) - cached
        return Estimate(calls=calls, cached=cached, input_tokens=100 * calls, output_tokens=calls, usd=0.01 * calls)

    def _call(self, trace_id: str) -> JudgeCall:
        return JudgeCall(
            key=trace_id,
            judge=self.name,
            run=self.run,
            at=self.loop.clock(),
            outcome="answered",
            answer={"verdict": "pass"},
            input_tokens=100,
            output_tokens=1,
            usd=0.01,
            latency_s=1.0,
        )

    def _judgement(self) -> Judgement:
        return Judgement(judge=self.name, judge_version="1", answers={"verdict": "pass"}, method="votes", risk=0.2)


def judged_by(loop: Loop, judge: PaidJudge, page_size: int = PAGE) -> PrelabelSummary:
    def work(page: PrelabelPage) -> PageSummary:
        return judge_page(page, loop.source, judge, loop.store, loop.clock, judge.meter)

    return prelabel(loop.codebook, Selection(), judge, loop.store, work, progress, page_size=page_size)


@pytest.fixture(autouse=True)
def drawn(loop: Loop) -> None:
    loop.log(*TRACES)
    loop.pull()
    loop.draw()


# -- killed --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dies_at", range(len(TRACES)))
def test_killed_inside_a_page_it_pays_for_nothing_twice(loop: Loop, dies_at: int) -> None:
    judge = PaidJudge(loop)
    judge.dies_at = dies_at
    with pytest.raises(KeyboardInterrupt):
        judged_by(loop, judge, page_size=2)
    again = PaidJudge(loop)
    made = judged_by(loop, again, page_size=2)
    # Of the page of two that it died in, the first call may have been answered: that comes from the cache.
    assert made.judged == len(TRACES) - dies_at // 2 * 2
    assert (made.cached, made.calls) == (dies_at % 2, len(TRACES) - dies_at)
    assert sorted(judge.asked + again.asked) == list(TRACES)
    assert loop.store.spent(loop.clock()).calls == len(TRACES)


def test_killed_before_a_page_is_saved_it_takes_it_from_the_cache(loop: Loop) -> None:
    with killed_at(loop.store, "save_predictions"):
        judged_by(loop, PaidJudge(loop))
    made = judged_by(loop, PaidJudge(loop))
    assert (made.judged, made.cached, made.calls, made.usd) == (5, 5, 0, 0)


def test_what_no_judge_can_judge_is_kept_in_numbers_all_the_same(loop: Loop) -> None:
    with killed_at(loop.store, "save_predictions"):
        judged_by(loop, PaidJudge(loop))
    assert sorted(loop.store.features(VERSION, TRACES)) == list(TRACES)


def test_a_page_that_is_judged_again_is_passed_by(loop: Loop) -> None:
    page = PrelabelPage(queue=QUEUE, codebook_version="1.0.0", trace_ids=TRACES)
    first = judge_page(page, loop.source, loop.judge, loop.store, loop.clock)
    again = judge_page(page, loop.source, loop.judge, loop.store, loop.clock)
    assert (first.judged, again) == (5, PageSummary(traces=5))


# -- the budget ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page_size", [1, 2, 50])
def test_a_spent_budget_leaves_the_rest_and_is_no_error(loop: Loop, page_size: int) -> None:
    made = judged_by(loop, PaidJudge(loop, Limits(calls_per_run=3)), page_size)
    assert (made.judged, made.left, made.calls, made.usd) == (3, 2, 3, 0.03)
    assert (made.input_tokens, made.output_tokens) == (300, 3)
    assert made.state == f"budget spent: 2 {WITHOUT}"
    assert loop.parked() == {}
    rest = judged_by(loop, PaidJudge(loop, Limits(calls_per_run=3), "another run"), page_size)
    assert (rest.judged, rest.left, rest.state) == (2, 0, "done")


def test_what_the_budget_leaves_goes_on_without_a_prelabel(loop: Loop) -> None:
    judged_by(loop, PaidJudge(loop, Limits(usd_per_run=0.03)))
    made = loop.enqueue()
    assert (made.queued, made.with_prelabel) == (5, 3)


def test_no_page_is_handed_out_once_the_budget_is_spent(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def payloads(ids: Sequence[str]) -> Iterator[Trace | None]:
        read.extend(ids)
        return map(loop.source.trace, ids)

    monkeypatch.setattr(loop.source, "payloads", payloads)
    made = judged_by(loop, PaidJudge(loop, Limits(calls_per_run=0)), page_size=1)
    assert (made.left, len(read)) == (5, 1)


def test_progress_tells_what_was_spent(loop: Loop) -> None:
    told: list[tuple[int, int | None, float | None]] = []
    judge = PaidJudge(loop)

    def work(page: PrelabelPage) -> PageSummary:
        return judge_page(page, loop.source, judge, loop.store, loop.clock, judge.meter)

    def tell(done: int, total: int | None, usd: float | None = None) -> None:
        told.append((done, total, usd))

    prelabel(loop.codebook, Selection(limit=4), judge, loop.store, work, tell, page_size=2)
    assert told == [(0, 4, 0.0), (2, 4, 0.02), (4, 4, 0.04)]


# -- pages ---------------------------------------------------------------------------------------------------------


def test_rather_than_more_pages_there_are_larger_ones(loop: Loop) -> None:
    sizes: list[int] = []

    def work(page: PrelabelPage) -> PageSummary:
        sizes.append(len(page.trace_ids))
        return PageSummary(traces=len(page.trace_ids))

    for most_pages in (None, 2):
        prelabel(loop.codebook, Selection(), loop.judge, loop.store, work, progress, page_size=1, most_pages=most_pages)
    assert sizes == [1, 1, 1, 1, 1, 3, 2]


def test_a_million_candidates_are_read_as_they_are_needed(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def found(*_: object) -> Iterator[list[str]]:
        for batch in range(1000):
            read.append(batch)
            yield [f"h{batch}-{number}" for number in range(1000)]

    monkeypatch.setattr(loop.store, "unjudged_candidates", found)
    wanted = wanted_of(loop.codebook, Selection(history=True), loop.judge, loop.store)
    pages = wanted.pages(QUEUE, 50)
    assert next(pages).trace_ids[0] == "h0-0"
    assert [len(page.trace_ids) for page in islice(pages, 30)] == [50] * 30
    assert read == [0, 1]


def test_a_page_whose_workers_died_is_left_and_told(loop: Loop) -> None:
    def work(page: PrelabelPage) -> PageSummary:
        if "t1" in page.trace_ids:
            return PageSummary(traces=len(page.trace_ids), lost=len(page.trace_ids))
        return judge_page(page, loop.source, loop.judge, loop.store, loop.clock)

    made = prelabel(loop.codebook, Selection(), loop.judge, loop.store, work, progress, page_size=2)
    assert (made.judged, made.left) == (3, 2)
    assert made.state == f"the workers died: 2 {WITHOUT}"
    assert loop.prelabel().judged == 2


# -- an answer of no use, a server that is away --------------------------------------------------------------------


def test_an_answer_of_no_use_is_parked_and_its_trace_goes_on(loop: Loop) -> None:
    loop.judge.left = {"t2": UNUSABLE}
    made = loop.prelabel()
    assert (made.judged, made.parked, made.left, made.state) == (4, 1, 0, "done")
    assert loop.parked() == {"prediction:t2": "no JSON"}
    loop.judge.left = {}
    assert loop.prelabel().judged == 0  # not asked again
    assert loop.retry() == 1
    assert loop.prelabel().judged == 1
    assert (loop.enqueue().with_prelabel, loop.parked()) == (5, {})


def test_what_is_parked_does_not_hold_its_trace_up(loop: Loop) -> None:
    loop.judge.left = {"t2": UNUSABLE}
    loop.prelabel()
    made = loop.enqueue()
    assert (made.queued, made.with_prelabel) == (5, 4)


def test_a_judge_whose_server_is_away_is_asked_by_another_run(loop: Loop) -> None:
    loop.judge.left = dict.fromkeys(TRACES, LATER)
    made = loop.prelabel(page_size=2)
    assert (made.judged, made.left) == (0, 5)
    assert made.state == f"the judge's server is away: 5 {WITHOUT}"
    assert loop.parked() == {}
    loop.judge.left = {"t3": LATER}  # one of five is no reason to stop
    made = loop.prelabel(page_size=2)
    assert (made.judged, made.left) == (4, 1)


# -- history -------------------------------------------------------------------------------------------------------


def test_history_is_judged_drawn_or_not_and_only_once(loop: Loop) -> None:
    loop.clock.turn(timedelta(days=2))
    loop.log("new1", "new2", category="tariffs")
    loop.pull()
    loop.prelabel()
    made = loop.prelabel(history=True)
    assert (made.judged, made.state) == (2, "done")  # the drawn ones are judged
    assert loop.prelabel(history=True).judged == 0
    assert set(loop.store.features(VERSION, [*TRACES, "new1", "new2"])) == {*TRACES, "new1", "new2"}


def test_filters_choose_among_history(loop: Loop) -> None:
    at = loop.clock()
    loop.clock.turn(timedelta(days=2))
    loop.log("new1", "new2", category="tariffs")
    loop.log("new3")
    loop.pull()
    assert loop.prelabel(history=True, since=at, categories=("tariffs",), limit=1).judged == 1
    assert loop.judge.judged == ["new1"]  # newest first, and then by id
    assert loop.prelabel(history=True, until=at).judged == 5
    assert loop.prelabel(history=True).judged == 2


def test_the_limit_is_not_used_up_by_what_is_aside(loop: Loop) -> None:
    loop.judge.left = {"t1": UNUSABLE}
    loop.prelabel(history=True, limit=1)
    assert loop.prelabel(history=True, limit=1).judged == 1
    assert loop.judge.judged == ["t2"]


def test_of_history_what_is_gone_is_only_counted(loop: Loop) -> None:
    loop.source.delete("t1")
    loop.log("t2", output=" ", messages=())
    made = loop.prelabel(history=True)
    assert (made.judged, made.gone, made.parked) == (3, 2, 0)
    assert loop.parked() == {}


def test_filters_without_history_are_refused(loop: Loop) -> None:
    with pytest.raises(ConfigError, match="--history"):
        loop.prelabel(categories=("returns",))


def test_each_drawn_trace_is_judged_by_the_version_that_asks_it(loop: Loop) -> None:
    loop.use(revised())
    loop.log("t6")
    loop.pull()
    loop.draw()
    assert loop.prelabel().judged == 6
    by_version = [set(loop.store.predictions(QUEUE, version, [*TRACES, "t6"])) for version in ("1.0.0", "1.1.0")]
    assert by_version == [{*TRACES}, {"t6"}]


# -- the estimate --------------------------------------------------------------------------------------------------


def test_an_estimate_counts_what_is_known_and_what_the_budget_leaves(loop: Loop) -> None:
    judged_by(loop, PaidJudge(loop, Limits(calls_per_run=2)), page_size=1)
    with killed_at(loop.store, "save_predictions"):
        judged_by(loop, PaidJudge(loop, Limits(calls_per_run=1), "killed"), page_size=1)
    judge = PaidJudge(loop)
    limits = Limits(calls_per_run=10, usd_per_day=0.04, usd_per_run=5)
    made = estimate(
        loop.codebook, Selection(), judge, loop.source, loop.store, limits, loop.clock(), at_once=2, page_size=2
    )
    # Three calls were made, of which two are saved: three traces are left, one of them is answered.
    assert (made.traces, made.pages, made.sampled, made.calls, made.cached) == (3, 2, 3, 2, 1)
    assert (made.input_tokens, made.output_tokens, made.usd) == (200, 2, 0.02)
    assert (made.calls_left, made.usd_left, made.within_budget) == (10, 0.01, False)
    assert made.seconds == pytest.approx(2 * 1.0 / 2)
    assert judge.asked == []


def test_an_estimate_reads_a_few_payloads_and_scales_up(loop: Loop) -> None:
    loop.log(*(f"h{number:03}" for number in range(995)))
    loop.pull()
    selection = Selection(history=True, limit=900)
    judge = PaidJudge(loop)
    made = estimate(loop.codebook, selection, judge, loop.source, loop.store, Limits(), loop.clock(), at_once=1)
    assert (made.traces, made.pages, made.sampled, made.calls, made.usd) == (900, 18, 20, 900, 9.0)
    assert (made.calls_left, made.usd_left, made.seconds, made.within_budget) == (None, None, None, True)


def test_a_judge_that_costs_nothing_is_estimated_without_a_payload(loop: Loop) -> None:
    loop.source.failing = AssertionError("not asked")  # type: ignore[assignment]  # it must not be raised
    made = estimate(loop.codebook, Selection(), loop.judge, loop.source, loop.store, Limits(), loop.clock(), at_once=1)
    assert (made.traces, made.sampled, made.calls, made.usd) == (5, 0, 0, 0)
