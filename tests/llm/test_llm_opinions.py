"""What several answers of one model come to; expected numbers by hand."""

import pytest

from builders_llm import SMALL
from goldloop.adapters.llm.opinions import Opinion, judgement
from goldloop.adapters.llm.way import Method
from goldloop.codebook.schema import Codebook, Label, Question
from goldloop.records import Judgement, Value

LABELS = tuple(Label(name=name, text=name, definition=name) for name in ("good", "weak", "wrong"))


def book(kind: str) -> Codebook:
    question = Question.model_validate(
        {"name": "verdict", "kind": kind, "text": "?", "labels": LABELS, "required": True, "failure": ("weak", "wrong")}
    )
    return SMALL.model_copy(update={"questions": (question,)})


def come_to(asked: Codebook, opinions: list[Opinion], method: Method) -> Judgement:
    return judgement(asked, opinions, judge="llm:m", version="v", method=method)


def gave(value: Value, sure: float | None = None, **shares: float) -> Opinion:
    return Opinion(answers={"verdict": value}, sure=sure, shares={"verdict": shares} if shares else {})


def test_the_risk_is_the_sum_over_the_labels_that_are_failures() -> None:
    found = come_to(book("choice"), [gave("weak", good=0.3, weak=0.5, wrong=0.2)], "logprobs")
    assert (found.probability, found.risk, found.votes) == (0.5, 0.7, ())


def test_log_probabilities_of_several_askings_are_their_mean() -> None:
    opinions = [
        gave("weak", good=0.3, weak=0.5, wrong=0.2),
        gave("good", good=0.6, weak=0.3, wrong=0.1),
        gave("weak", good=0.0, weak=1.0, wrong=0.0),
    ]
    found = come_to(book("rating"), opinions, "logprobs")
    # weak: (0.5 + 0.3 + 1) / 3; a failure: (0.7 + 0.4 + 1) / 3.
    assert (found.answers["verdict"], found.probability, found.risk) == ("weak", 0.6, 0.7)
    assert [(vote.probability, vote.risk) for vote in found.votes] == [(0.5, 0.7), (0.6, 0.4), (1.0, 1.0)]


def test_where_one_asking_has_no_log_probabilities_the_votes_count() -> None:
    found = come_to(book("choice"), [gave("weak", good=0.3, weak=0.5, wrong=0.2), gave("weak")], "logprobs")
    # Two of two: 3 / 4.
    assert (found.method, found.probability, found.risk) == ("votes", 0.75, 0.75)


def test_votes_for_different_failures_are_one_risk() -> None:
    found = come_to(book("choice"), [gave("weak"), gave("wrong"), gave("weak"), gave("good")], "votes")
    # weak: (2 + 1) / 6; a failure: (3 + 1) / 6.
    assert (found.answers["verdict"], found.probability) == ("weak", 0.5)
    assert found.risk == pytest.approx(4 / 6, abs=1e-6)


def test_of_verdicts_with_as_many_votes_the_first_stands() -> None:
    assert come_to(book("choice"), [gave("wrong"), gave("good")], "votes").answers["verdict"] == "wrong"


def test_the_models_own_word_over_several_askings() -> None:
    found = come_to(book("choice"), [gave("weak", 0.9), gave("good", 0.6), gave("weak", 0.7)], "verbalised")
    # weak: (0.9 + 0.4 + 0.7) / 3; a failure: the same, as good is none.
    assert [found.probability, found.risk] == pytest.approx([2 / 3, 2 / 3], abs=1e-6)


def test_a_verdict_of_several_labels_fails_by_any_of_them() -> None:
    found = come_to(book("multi-choice"), [gave(["good", "wrong"], 0.8)], "verbalised")
    assert (found.answers["verdict"], found.probability, found.risk) == (["good", "wrong"], 0.8, 0.8)


def test_half_of_the_votes_are_enough_to_answer() -> None:
    out = Opinion(abstained="No documents.")
    assert come_to(book("choice"), [gave("weak"), out], "votes").abstained is None
    assert come_to(book("choice"), [gave("weak"), out, out], "votes").abstained == "No documents."


def test_a_verdict_that_was_left_open_has_no_number() -> None:
    found = come_to(book("choice"), [Opinion(answers={}, sure=0.9)], "verbalised")
    assert (found.answers, found.probability, found.risk) == ({}, None, None)


def test_other_answers_have_their_own_confidence() -> None:
    tone = Question(name="tone", kind="choice", text="?", labels=LABELS)
    asked = SMALL.model_copy(update={"questions": (*book("choice").questions, tone)})
    one = Opinion(
        answers={"verdict": "good", "tone": "weak"},
        shares={
            "verdict": {"good": 0.9, "weak": 0.1, "wrong": 0.0},
            "tone": {"good": 0.25, "weak": 0.75, "wrong": 0.0},
        },
    )
    found = come_to(asked, [one], "logprobs")
    assert (found.confidences, found.probability, found.risk) == ({"tone": 0.75}, 0.9, 0.1)
