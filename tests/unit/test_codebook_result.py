"""Answers -> Label Studio's JSON -> answers, and what is refused on the way back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import codebook
from goldloop.codebook.result import from_result, to_result
from goldloop.errors import RejectedError
from goldloop.records import Value

CODEBOOK = codebook()
ERRORS = CODEBOOK.questions[1].label_names
texts = st.text(min_size=1).map(str.strip).filter(bool)


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Value]:
    given_answers: dict[str, Value] = {"verdict": draw(st.sampled_from(["pass", "fail"]))}
    if given_answers["verdict"] == "fail":
        chosen = draw(st.sets(st.sampled_from(ERRORS)))
        if chosen:
            given_answers["error_type"] = [label for label in ERRORS if label in chosen]
        for name in ("correction", "note"):
            if draw(st.booleans()):
                given_answers[name] = draw(texts)
    return given_answers


@given(answers())
def test_there_and_back_is_exact(given_answers: dict[str, Value]) -> None:
    assert from_result(CODEBOOK, to_result(CODEBOOK, given_answers)) == given_answers


def choice(name: str, *labels: str, kind: str = "choices") -> dict[str, Any]:
    return {"from_name": name, "to_name": "output", "type": kind, "value": {kind: [*labels]}}


def written(name: str, text: str) -> dict[str, Any]:
    return {"from_name": name, "to_name": "output", "type": "textarea", "value": {"text": [text]}}


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ([], "no_answer"),
        ([choice("error_type", "tone")], "no_answer"),
        ([choice("verdict", "maybe")], "unknown_choice"),
        ([choice("verdict", "Pass")], "unknown_choice"),
        ([choice("verdict", "pass", "fail")], "two_answers"),
        ([choice("verdict", "pass"), choice("verdict", "fail")], "two_answers"),
        ([choice("mood", "pass")], "unknown_question"),
        ([choice("verdict", "pass", kind="rating")], "wrong_shape"),
        ([{"from_name": "verdict", "type": "choices", "value": {"choices": [1]}}], "wrong_shape"),
        ([{"from_name": "verdict", "type": "choices", "value": None}], "wrong_shape"),
        ([{"type": "choices"}], "unknown_question"),
    ],
)
def test_what_it_cannot_be_is_refused_with_the_reason(result: list[dict[str, Any]], reason: str) -> None:
    with pytest.raises(RejectedError) as caught:
        from_result(CODEBOOK, result)
    assert caught.value.reason == reason


def test_what_was_filled_in_before_the_verdict_changed_does_not_count() -> None:
    note = written("note", "bad")
    assert from_result(CODEBOOK, [choice("verdict", "pass"), choice("error_type", "tone"), note]) == {"verdict": "pass"}


def test_a_blank_text_is_no_answer() -> None:
    note = written("note", " \n")
    assert from_result(CODEBOOK, [choice("verdict", "fail"), note]) == {"verdict": "fail"}


def test_labels_come_back_in_the_codebooks_order() -> None:
    result = [choice("verdict", "fail"), choice("error_type", "tone", "ungrounded")]
    assert from_result(CODEBOOK, result)["error_type"] == ["ungrounded", "tone"]
