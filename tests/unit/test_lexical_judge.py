from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import codebook, trace
from goldloop.codebook.schema import Codebook, Kind, Label, Question
from goldloop.judge.lexical import LexicalJudge, backed, words
from goldloop.records import Judgement, Trace

POLICY = {"title": "Returns", "text": "Unused goods can be returned within 30 days of delivery, free of charge."}


def judged(output: str, **more: Any) -> Judgement:
    return said_of(codebook(), trace("t1", output, **({"documents": [POLICY]} | more)))


def said_of(asked: Codebook, one: Trace) -> Judgement:
    (judgement,) = LexicalJudge().judge(asked, [one])
    assert isinstance(judgement, Judgement)
    return judgement


def test_words_by_hand() -> None:
    assert words("Returned 1,000 goods, to us!") == {"return", "1,000", "goods"}
    assert backed("returns within 60 days", {"return", "within", "days"}) == pytest.approx(3 / 4)
    assert backed("ok", set()) is None


def test_a_backed_answer_passes_and_an_unbacked_one_fails() -> None:
    assert judged("You can return unused goods within 30 days.").answers == {"verdict": "pass"}
    made_up = judged("Premium members enjoy lifetime exchange privileges worldwide. Call our Madrid office!")
    assert made_up.answers == {"verdict": "fail"}
    assert made_up.reason == "In 2 of 2 sentences most words are in no document, tool result or message."
    assert not made_up.calibrated


def test_tool_results_back_an_answer() -> None:
    step = {"kind": "tool", "name": "lookup", "input": "4711", "output": "order 4711 arrives on Tuesday"}
    assert judged("Order 4711 arrives on Tuesday.", documents=[], steps=[step]).answers == {"verdict": "pass"}


def test_it_abstains_with_nothing_to_compare() -> None:
    assert judged("Hello there, friend.", documents=[]).abstained
    assert judged("!!!").abstained


def test_an_empty_answer_fails() -> None:
    assert judged("  ").answers == {"verdict": "fail"}


@given(st.text(st.characters(codec=None)), st.text(st.characters(codec=None)))
def test_it_never_raises_and_its_number_is_a_probability(output: str, context: str) -> None:
    judgement = judged(output, documents=[{"title": "t", "text": context}])
    assert (judgement.probability is None) == (judgement.abstained is not None)
    assert judgement.probability is None or 0.5 <= judgement.probability <= 1


def verdict_of(kind: Kind, *names: str, failure: tuple[str, ...]) -> Codebook:
    labels = tuple(Label(name=name, text=name, definition="when so") for name in names)
    question = Question(name="verdict", kind=kind, text="?", labels=labels, failure=failure)
    return codebook().model_copy(update={"questions": (question,)})


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (verdict_of("choice", "good", "bad", failure=("bad",)), "bad"),
        (verdict_of("choice", "good", "poor", "bad", failure=("bad", "poor")), None),
        (verdict_of("choice", "good", "fine", "bad", failure=("bad",)), "bad"),
        (verdict_of("rating", "bad", "good", failure=("bad",)), None),
        (verdict_of("pairwise", "output", "alternative", failure=("alternative",)), None),
    ],
)
def test_it_says_only_what_words_can_tell(asked: Codebook, said: str | None) -> None:
    made_up = trace("t1", "Premium members enjoy lifetime exchange privileges worldwide.", documents=[POLICY])
    judgement = said_of(asked, made_up)
    assert judgement.answers.get("verdict") == said
    assert (judgement.abstained is None) == (said is not None)
