import logging
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW, QUEUE, codebook, trace
from fakes.judges import Said, ScriptedJudge, opinion
from goldloop.errors import ConfigError, FatalError
from goldloop.judge.calibration import Calibration
from goldloop.judge.combination import Combination, SetOfMembers, members_version
from goldloop.judge.panel import Panel
from goldloop.judge.protocol import Judge
from goldloop.records import Estimate, JudgeFit, Judgement, JudgeQuality, Unjudged, Vote

ASKED = codebook()
LATER = Unjudged(cause="later", reason="the server is away")
BUDGET = Unjudged(cause="budget", reason="spent")
UNUSABLE = Unjudged(cause="unusable", reason="no JSON")
QUALITY = JudgeQuality(labels={"fail": 50, "pass": 50}, groups=90, auroc=0.9, kappa=0.6, ece=0.04, accuracy=0.8)


def fit(judge: str, body: Mapping[str, object], judge_version: str = "1", **more: object) -> JudgeFit:
    fields = {
        "queue": QUEUE,
        "question": "verdict",
        "since": "1.0.0",
        "judge": judge,
        "judge_version": judge_version,
        "version": "f1",
        "body": body,
        "quality": QUALITY,
        "threshold": 0.8,
        "fitted_at": NOW,
    }
    return JudgeFit.model_validate(fields | more)


def platt(level: float, slope: float, **more: str) -> JudgeFit:
    return fit("a", {"failure": Calibration("platt", (level, slope)).to_json()}, **more)


def combined(*sets: SetOfMembers, names: tuple[str, ...] = ("a", "b")) -> JudgeFit:
    held_for = members_version([(name, "1") for name in names])
    return fit("combination", Combination(sets=sets).model_dump(mode="json"), held_for)


def said(panel: Panel) -> Judgement:
    (outcome,) = panel.judge(ASKED, [trace("t1")])
    assert isinstance(outcome, Judgement)
    return outcome


def judge(name: str, what: float | str | Said, **more: object) -> ScriptedJudge:
    version = str(more.pop("version", "1"))
    return ScriptedJudge(name, {"t1": what}, version=version, **more)


def test_a_model_that_was_asked_several_times_is_one_vote_with_its_askings() -> None:
    askings = tuple(Vote(judge="a", judge_version="1", method="votes", risk=risk) for risk in (1.0, 0.0, 1.0))
    several = opinion(ASKED, 0.6, judge="a").model_copy(update={"votes": askings})
    (vote,) = said(Panel([judge("a", several)])).votes
    assert (vote.risk, [asking.risk for asking in vote.askings]) == (0.6, [1.0, 0.0, 1.0])


def test_one_member_is_a_panel_with_one_vote() -> None:
    panel = Panel([judge("a", 0.9, reason="Because.")])
    assert panel.name == "a"
    outcome = said(panel)
    assert (outcome.judge, outcome.judge_version) == ("a", panel.version(ASKED))
    assert (outcome.answers, outcome.probability, outcome.risk) == ({"verdict": "fail"}, 0.9, 0.9)
    assert (outcome.calibrated, outcome.threshold, outcome.reason) == (False, None, "Because.")
    (vote,) = outcome.votes
    assert (vote.judge, vote.judge_version, vote.risk, vote.answers) == ("a", "1", 0.9, {"verdict": "fail"})
    assert outcome.dissent is None


def test_the_first_that_does_not_abstain_speaks_and_all_are_kept() -> None:
    panel = Panel([judge("a", "no documents"), judge("b", 0.2), judge("c", 0.7)])
    assert panel.name == "a+b+c"
    outcome = said(panel)
    assert (outcome.answers, outcome.risk) == ({"verdict": "pass"}, 0.2)
    assert [(vote.judge, vote.risk, vote.abstained) for vote in outcome.votes] == [
        ("a", None, "no documents"),
        ("b", 0.2, None),
        ("c", 0.7, None),
    ]
    assert outcome.dissent == 0.7


def test_all_abstain_with_their_causes() -> None:
    outcome = said(
        Panel([judge("a", "no documents"), judge("b", "uncalibrated: no labels"), judge("c", "no documents")])
    )
    assert outcome.abstained == "no documents; uncalibrated: no labels"
    assert outcome.answers == {}
    assert len(outcome.votes) == 3


@pytest.mark.parametrize(
    ("first", "second", "cause"),
    [
        (LATER, BUDGET, "later"),
        (UNUSABLE, BUDGET, "budget"),
        (UNUSABLE, UNUSABLE, "unusable"),
        # An abstention is an answer for good: who may have an answer next time is asked again.
        (LATER, "uncalibrated", "later"),
        ("uncalibrated", UNUSABLE, "unusable"),
    ],
)
def test_without_an_answer_what_is_missing_counts(first: Said | str, second: Said | str, cause: str) -> None:
    (outcome,) = Panel([judge("a", first), judge("b", second)]).judge(ASKED, [trace("t1")])
    assert isinstance(outcome, Unjudged)
    assert outcome.cause == cause


def test_an_answer_counts_whoever_is_missing() -> None:
    outcome = said(Panel([judge("a", LATER), judge("b", 0.2)]))
    assert outcome.answers == {"verdict": "pass"}
    assert [vote.judge for vote in outcome.votes] == ["b"]


def test_a_member_that_breaks_has_no_opinion_and_shows_no_payload(caplog: pytest.LogCaptureFixture) -> None:
    broken = judge("a", 0.9)
    broken.breaks_with = ValueError("How long can I return it?")
    with caplog.at_level(logging.WARNING):
        outcome = said(Panel([broken, judge("b", 0.2)]))
    assert [vote.judge for vote in outcome.votes] == ["b"]
    (line,) = caplog.messages
    assert line == "the judge a has no opinion on a page of 1: ValueError"
    (alone,) = Panel([broken]).judge(ASKED, [trace("t1")])
    assert alone == Unjudged(cause="later", reason="a broke: ValueError")


def test_a_member_that_answers_to_other_traces_has_no_opinion() -> None:
    class Short(ScriptedJudge):
        def judge(self, *given: object) -> list[Said]:
            return []

    (outcome,) = Panel([Short("a", {})]).judge(ASKED, [trace("t1")])
    assert outcome == Unjudged(cause="later", reason="a broke: 0 answers to 1 traces")


def test_a_member_that_answers_with_something_else_has_no_opinion() -> None:
    class Empty(ScriptedJudge):
        def judge(self, *given: object) -> list[Said]:
            return [None]  # type: ignore[list-item]  # what a judge of somebody else's may do

    (outcome,) = Panel([Empty("a", {}), judge("b", 0.2)]).judge(ASKED, [trace("t1")])
    assert isinstance(outcome, Judgement)
    assert [vote.judge for vote in outcome.votes] == ["b"]
    (outcome,) = Panel([Empty("a", {})]).judge(ASKED, [trace("t1")])
    assert outcome == Unjudged(cause="later", reason="a broke: an answer is no judgement")


@pytest.mark.parametrize("error", [FatalError("OpenAI", "the key is wrong: set another"), ConfigError("no extra")])
def test_what_would_come_again_with_every_page_goes_through(error: Exception) -> None:
    broken = judge("a", 0.9)
    broken.breaks_with = error
    with pytest.raises(type(error)):
        Panel([broken, judge("b", 0.2)]).judge(ASKED, [trace("t1")])


def test_nobody_is_no_panel() -> None:
    with pytest.raises(ConfigError, match="GOLDLOOP_JUDGE__MEMBERS"):
        Panel([])


def test_costs_are_summed_and_the_slowest_counts() -> None:
    first = judge("a", 0.9, usd=0.01, input_tokens=10, output_tokens=1, latency_s=2.0)
    second = judge("b", 0.8, usd=0.02, input_tokens=20, output_tokens=2, latency_s=0.5)
    outcome = said(Panel([first, second, judge("c", 0.7)]))
    assert (outcome.usd, outcome.input_tokens, outcome.output_tokens, outcome.latency_s) == (0.03, 30, 3, 2.0)


def test_a_sum_with_an_unknown_price_in_it_is_unknown() -> None:
    outcome = said(Panel([judge("a", 0.9, usd=0.01), judge("b", 0.8, input_tokens=20)]))
    assert (outcome.usd, outcome.input_tokens) == (None, 20)


def test_a_calibration_corrects_the_number_and_leaves_the_vote() -> None:
    # odds of 0.9 are 9; half the log-odds make 3, which is 0.75
    outcome = said(Panel([judge("a", 0.9, reason="Because.")], [platt(0.0, 0.5)]))
    assert outcome.risk == pytest.approx(0.75)
    assert outcome.probability == pytest.approx(0.75)
    assert (outcome.calibrated, outcome.threshold, outcome.confident) == (True, 0.8, False)
    assert (outcome.answers, outcome.reason, outcome.method) == ({"verdict": "fail"}, "Because.", "votes")
    assert outcome.votes[0].risk == 0.9


def test_a_calibration_may_turn_the_verdict_and_then_nothing_else_is_left() -> None:
    # log-odds of 0.9 are 2.197; less 4 is -1.803, which is 0.1415
    full = judge("a", 0.9, answers={"verdict": "fail", "error_type": ["format"]}, reason="Because.")
    outcome = said(Panel([full], [platt(-4.0, 1.0)]))
    assert outcome.risk == pytest.approx(0.1415, abs=1e-4)
    assert outcome.probability == pytest.approx(0.8585, abs=1e-4)
    assert outcome.answers == {"verdict": "pass"}
    assert outcome.reason.startswith("The judge itself said the opposite")
    assert outcome.confident


@pytest.mark.parametrize(("judge_version", "question"), [("2", "verdict"), ("1", "error_type")])
def test_a_calibration_of_something_else_is_left_aside(judge_version: str, question: str) -> None:
    outcome = said(Panel([judge("a", 0.9)], [platt(0.0, 0.5, judge_version=judge_version, question=question)]))
    assert (outcome.risk, outcome.calibrated) == (0.9, False)


def test_the_combination_goes_before_the_first_member() -> None:
    # log-odds: -0.5 + 1 * ln(0.6 / 0.4) + 2 * ln(0.2 / 0.8) = -0.5 + 0.405 - 2.773 = -2.867, which is 0.0538
    fits = [combined(SetOfMembers(members=("a", "b"), level=-0.5, weights=(1.0, 2.0), labels=100)), platt(0.0, 0.5)]
    first = judge("a", 0.6, answers={"verdict": "fail", "note": "x"}, reason="A.")
    second = judge("b", 0.2, answers={"verdict": "pass", "note": "y"}, reason="B.")
    outcome = said(Panel([first, second], fits))
    assert outcome.risk == pytest.approx(0.0538, abs=1e-4)
    assert outcome.probability == pytest.approx(0.9462, abs=1e-4)
    assert (outcome.method, outcome.calibrated, outcome.threshold) == ("combined", True, 0.8)
    # The first says the opposite: the rest is the second's.
    assert (outcome.answers, outcome.reason) == ({"verdict": "pass", "note": "y"}, "B.")
    assert outcome.confident


def test_the_first_keeps_the_word_where_the_combination_agrees() -> None:
    fits = [combined(SetOfMembers(members=("a", "b"), level=0.0, weights=(2.0, 0.0), labels=100))]
    first = judge("a", 0.6, answers={"verdict": "fail", "note": "x"}, reason="A.")
    outcome = said(Panel([first, judge("b", 0.2)], fits))
    # 2 * ln(1.5) = 0.811, which is 0.6923
    assert outcome.risk == pytest.approx(0.6923, abs=1e-4)
    assert (outcome.answers, outcome.reason) == ({"verdict": "fail", "note": "x"}, "A.")


def test_a_combination_says_nothing_of_a_set_that_it_never_saw() -> None:
    fits = [combined(SetOfMembers(members=("a", "b"), level=0.0, weights=(1.0, 1.0), labels=100)), platt(0.0, 0.5)]
    outcome = said(Panel([judge("a", 0.9), judge("b", "no documents")], fits))
    assert outcome.risk == pytest.approx(0.75)
    assert outcome.method == "votes"


def test_a_combination_of_other_versions_is_left_aside() -> None:
    fits = [combined(SetOfMembers(members=("a", "b"), level=0.0, weights=(1.0, 1.0), labels=100))]
    outcome = said(Panel([judge("a", 0.9), judge("b", 0.9, version="2")], fits))
    assert (outcome.risk, outcome.method) == (0.9, "votes")


def test_with_a_third_label_what_was_fitted_to_two_holds_no_more() -> None:
    fits = [combined(SetOfMembers(members=("a", "b"), level=0.0, weights=(1.0, 1.0), labels=100)), platt(0.0, 0.5)]
    panel = Panel([judge("a", 0.9), judge("b", 0.8)], fits)
    assert set(panel.calibrations(ASKED)) == {"a", "combination"}
    verdict = ASKED.verdict
    third = verdict.labels[0].model_copy(update={"name": "partly"})
    wider = verdict.model_copy(update={"kind": "choice", "labels": (*verdict.labels, third)})
    book = ASKED.model_copy(update={"questions": (wider, *ASKED.questions[1:])})
    assert panel.calibrations(book) == {}
    # Scripted by two labels, as members that were asked before the third came.
    (outcome,) = Panel(
        [judge("a", opinion(ASKED, 0.9, judge="a")), judge("b", opinion(ASKED, 0.8, judge="b"))], fits
    ).judge(book, [trace("t1")])
    assert isinstance(outcome, Judgement)
    assert (outcome.risk, outcome.calibrated, outcome.method) == (0.9, False, "votes")


def test_other_questions_have_calibrations_of_their_own() -> None:
    sure = judge("a", 0.9, answers={"verdict": "fail", "error_type": "format"}, confidences={"error_type": 0.9})
    other = fit("a", {"right": Calibration("platt", (0.0, 0.5)).to_json()}, question="error_type")
    outcome = said(Panel([sure], [other]))
    assert outcome.confidences == {"error_type": pytest.approx(0.75)}
    assert outcome.risk == 0.9
    assert outcome.votes[0].confidences == {"error_type": 0.9}


def test_the_version_changes_with_members_and_with_the_fits_that_hold() -> None:
    members: list[Judge] = [judge("a", 0.9), judge("b", 0.9)]
    plain = Panel(members).version(ASKED)
    assert Panel(members).version(ASKED) == plain
    assert Panel(members[::-1]).version(ASKED) != plain
    assert Panel([judge("a", 0.9, version="2"), members[1]]).version(ASKED) != plain
    assert Panel(members, [platt(0.0, 0.5)]).version(ASKED) != plain
    assert Panel(members, [platt(0.0, 0.5)]).version(ASKED) != Panel(members, [platt(0, 1, version="f2")]).version(
        ASKED
    )
    assert Panel(members, [combined()]).version(ASKED) != plain
    assert Panel(members, [platt(0.0, 0.5, judge_version="9")]).version(ASKED) == plain


def test_what_it_would_take_is_the_sum_of_its_members() -> None:
    class Free:
        name = "free"

        def version(self, codebook: object) -> str:
            return "1"

        def judge(self, codebook: object, traces: object) -> list[Said]:
            return []

    panel = Panel([judge("a", 0.9), Free(), judge("b", 0.9)])
    assert panel.estimate(ASKED, [trace("t1")]) == Estimate(calls=2, input_tokens=200, usd=1.0)
    assert Panel([Free()]).estimate(ASKED, [trace("t1")]) == Estimate()


def test_closing_closes_what_the_members_hold() -> None:
    member = judge("a", 0.9)
    with Panel([member], close=member.close):
        assert member.closed == 0
    assert member.closed == 1


_SAID = st.one_of(
    st.floats(min_value=0.0, max_value=1.0),
    st.sampled_from(["no documents", "uncalibrated"]),
    st.sampled_from([LATER, BUDGET, UNUSABLE]),
)


@given(
    st.lists(st.lists(st.one_of(_SAID, st.just("break")), min_size=1, max_size=3), min_size=0, max_size=6).filter(
        lambda rows: len({len(row) for row in rows}) <= 1
    ),
    st.booleans(),
)
def test_no_trace_is_lost_and_the_order_stays(rows: list[list[float | str | Said]], fitted: bool) -> None:
    traces = [trace(f"t{place}") for place in range(len(rows))]
    count = len(rows[0]) if rows else 1
    members = []
    for column in range(count):
        member = ScriptedJudge(chr(97 + column), {f"t{place}": row[column] for place, row in enumerate(rows)})
        if any(row[column] == "break" for row in rows):
            member.breaks_with = RuntimeError("no")
        members.append(member)
    fits = [combined(SetOfMembers(members=("a", "b"), level=0.1, weights=(0.7, 0.6), labels=90)), platt(0.2, 0.8)]
    logging.disable(logging.CRITICAL)
    try:
        outcomes = Panel(members, fits if fitted else []).judge(ASKED, traces)
    finally:
        logging.disable(logging.NOTSET)
    assert len(outcomes) == len(traces)
    for row, outcome in zip(rows, outcomes, strict=True):
        answering = [
            (member.name, said)
            for member, said in zip(members, row, strict=True)
            if member.breaks_with is None and isinstance(said, float)
        ]
        if isinstance(outcome, Unjudged):
            assert not answering
            continue
        assert [(vote.judge, vote.risk) for vote in outcome.votes if vote.risk is not None] == answering
        assert (outcome.abstained is None) == bool(answering)
        if answering:
            assert outcome.risk is not None
            assert outcome.probability == pytest.approx(max(outcome.risk, 1 - outcome.risk))
            assert outcome.answers["verdict"] == ("fail" if outcome.risk >= 0.5 else "pass")
