"""Prelabel: each drawn trace is judged once by each version of the judge."""

import pytest

from builders import QUEUE
from goldloop.errors import RetryableError
from goldloop.judge.lexical import LexicalJudge
from goldloop.pipeline.prelabel import PrelabelSummary
from goldloop.records import State
from pipeline.loop import MINUTE, FixedJudge, Loop


@pytest.fixture(autouse=True)
def drawn(loop: Loop) -> None:
    loop.log("t1")
    loop.log("t2", output="This is wrong.")
    loop.log("t3", output="I am unsure.")
    loop.pull()
    loop.draw()


def test_only_what_has_no_judgement_is_judged(loop: Loop) -> None:
    made = loop.prelabel()
    assert (made.judged, made.abstained, made.parked) == (2, 1, 0)
    assert sorted(loop.judge.judged) == ["t1", "t2", "t3"]
    assert loop.prelabel() == PrelabelSummary(judged=0, abstained=0, parked=0)
    assert len(loop.judge.judged) == 3


def test_an_answer_and_an_abstention_are_both_kept(loop: Loop) -> None:
    loop.prelabel()
    found = {name: loop.store.prediction(QUEUE, "1.0.0", name) for name in ("t2", "t3")}
    assert found["t2"]
    assert found["t3"]
    assert found["t2"].judgement.answers == {"verdict": "fail"}
    assert (found["t3"].judgement.answers, found["t3"].judgement.abstained) == ({}, "not sure")


def test_a_new_version_judges_again_what_waits(loop: Loop) -> None:
    loop.prelabel()
    loop.clock.turn(MINUTE)
    loop.judge = FixedJudge("2")
    assert loop.prelabel().judged == 2
    found = loop.store.prediction(QUEUE, "1.0.0", "t1")
    assert found
    assert found.judgement.judge_version == "2"
    loop.enqueue()
    loop.judge = FixedJudge("3")
    assert loop.prelabel().judged == 0


def test_another_judge_judges_too(loop: Loop) -> None:
    loop.prelabel()
    made = loop.prelabel(judge=LexicalJudge())
    assert made.judged + made.abstained == 3


def test_a_trace_that_is_gone_or_empty_is_parked(loop: Loop) -> None:
    loop.source.delete("t1")
    loop.log("t2", output=" \n", messages=())
    made = loop.prelabel()
    assert (made.judged, made.abstained, made.parked) == (0, 1, 2)
    assert loop.parked() == {"trace:t1": "trace_gone", "trace:t2": "no_payload"}
    assert {one.trace_id for one in loop.store.draws(QUEUE, State.PARKED)} == {"t1", "t2"}
    assert loop.prelabel().parked == 0
    assert loop.enqueue().queued == 1


def test_what_was_parked_goes_on_when_it_is_there_again(loop: Loop) -> None:
    loop.source.delete("t1")
    loop.prelabel()
    loop.log("t1")
    assert loop.retry() == 1
    assert loop.prelabel().judged == 1
    assert loop.state("t1") == State.DRAWN


def test_an_empty_answer_is_still_judged(loop: Loop) -> None:
    loop.log("t1", output="")
    assert loop.prelabel().judged == 2


def test_a_run_that_was_killed_is_taken_up_where_it_saved_last(loop: Loop) -> None:
    loop.judge.dies_at = 2
    with pytest.raises(KeyboardInterrupt):
        loop.prelabel(page_size=1)
    loop.judge.dies_at = None
    made = loop.prelabel()
    assert made.judged + made.abstained == 1
    assert sorted(loop.judge.judged) == ["t1", "t2", "t3"]


def test_a_source_that_is_away_ends_the_run_and_parks_nothing(loop: Loop) -> None:
    loop.source.failing = RetryableError("Langfuse", "it is away: try again later")
    with pytest.raises(RetryableError):
        loop.prelabel()
    assert loop.parked() == {}
    loop.source.failing = None
    assert loop.prelabel().judged == 2
