"""Answers -> Label Studio's JSON -> answers, and what is refused on the way back."""

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import codebook
from builders_codebooks import answers_for, asked_and_answered, codebooks, words
from goldloop.adapters.labelstudio.validation import invalid_predictions
from goldloop.codebook.controls import SUBJECT
from goldloop.codebook.render import render
from goldloop.codebook.result import MODEL_VERSION, from_result, skip_reason, to_result, to_skip_result
from goldloop.codebook.schema import Codebook, Label, Question, Scale, SkipReason
from goldloop.errors import RejectedError
from goldloop.ports import TaskDraft
from goldloop.records import Value

CODEBOOK = codebook()
Result = list[dict[str, Any]]


def label(name: str) -> Label:
    return Label(name=name, text=name.title(), definition="when so")


def asked(name: str, kind: str, *names: str, **more: object) -> Question:
    labels = tuple(label(each) for each in names)
    return Question.model_validate({"name": name, "kind": kind, "text": f"{name}?", "labels": labels} | more)


ALL = CODEBOOK.model_copy(
    update={
        "questions": (
            asked("better", "pairwise", "output", "alternative", "tie", required=True, failure=["alternative"]),
            asked("grade", "rating", "poor", "fair", "good", only_if={"better": ["output", "alternative"]}),
            asked("minutes", "number", scale=Scale(minimum=0.1, maximum=2, step=0.1), only_if={"grade": ["good"]}),
            asked("why", "multi-choice", "short", "clear"),
            asked("more", "text", only_if={"why": ["clear"]}, required=True),
        ),
        "skip_reasons": (SkipReason(name="spam", text="Spam"), SkipReason(name="secret", text="Secret")),
    }
)


def choice(name: str, *labels: Any, kind: str = "choices") -> dict[str, Any]:
    return {"from_name": name, "to_name": SUBJECT, "type": kind, "value": {kind: [*labels]}}


def written(name: str, text: Any) -> dict[str, Any]:
    return {"from_name": name, "to_name": SUBJECT, "type": "textarea", "value": {"text": text}}


def number(value: Any) -> dict[str, Any]:
    return {"from_name": "minutes", "to_name": SUBJECT, "type": "number", "value": {"number": value}}


def refusal(asked_by: Codebook, result: Result, *, swap: bool = False) -> str:
    with pytest.raises(RejectedError) as caught:
        from_result(asked_by, result, swap=swap)
    return caught.value.reason


# -- there and back


@given(asked_and_answered(), st.booleans())
def test_there_and_back_is_exact(pair: tuple[Codebook, dict[str, Value]], swap: bool) -> None:
    random, answers = pair
    result = to_result(random, answers, swap=swap)
    sent = json.loads(json.dumps(result, allow_nan=False))
    assert from_result(random, sent, swap=swap) == answers


@given(asked_and_answered(), st.booleans())
def test_what_is_sent_passes_the_label_config(pair: tuple[Codebook, dict[str, Value]], swap: bool) -> None:
    random, answers = pair
    prediction = {"model_version": MODEL_VERSION, "result": [*to_result(random, answers, swap=swap)]}
    drafts = [TaskDraft(trace_id="t1", data={}, prediction=prediction)]
    assert invalid_predictions(render(random), drafts) == {}


def test_a_whole_number_needs_no_point() -> None:
    answers: dict[str, Value] = {"better": "tie", "grade": "good", "minutes": 1}
    everywhere = ALL.model_copy(
        update={"questions": tuple(one.model_copy(update={"only_if": None}) for one in ALL.questions)}
    )
    (part,) = (part for part in to_result(everywhere, answers) if part["from_name"] == "minutes")
    assert part["value"] == {"number": 1}


# What Label Studio adds, and the order of the parts, say nothing.
HARMLESS: list[Callable[[Result], Result]] = [
    lambda result: result[::-1],
    lambda result: [part | {"id": "x" * 10, "origin": "prediction-changed", "score": 0.3} for part in result],
    lambda result: [part | {"meta": {"text": ["a remark"]}, "hidden": False, "readonly": True} for part in result],
    lambda result: [{name: value for name, value in part.items() if name != "id"} for part in result],
]


@given(asked_and_answered(), st.sampled_from(HARMLESS))
def test_what_label_studio_adds_changes_nothing(
    pair: tuple[Codebook, dict[str, Value]], change: Callable[[Result], Result]
) -> None:
    random, answers = pair
    assert from_result(random, change(to_result(random, answers))) == answers


WRONG: list[Any] = [None, True, 7, -0.5, 1e400, float("nan"), "", "maybe", "Pass", [], ["maybe"], [None], [["a"]], {}]


@st.composite
def damaged(draw: st.DrawFn, result: Result) -> Result:
    """A result with one thing in it that no screen writes."""
    parts = copy.deepcopy(result)
    place = draw(st.integers(0, len(parts) - 1))
    part = parts[place]
    (field, content), *_ = part["value"].items()
    match draw(st.sampled_from(["twice", "both", "name", "target", "type", "value", "field", "content", "reason"])):
        case "twice":
            parts.insert(draw(st.integers(0, len(parts))), copy.deepcopy(part))
        case "both":
            part["value"] = {field: [*content, *content] if isinstance(content, list) else [content]}
        case "name":
            part["from_name"] = draw(st.sampled_from([None, 5, "", "no_such_question_here", SUBJECT, [SUBJECT]]))
        case "target":
            part["to_name"] = draw(st.sampled_from([None, "", "other", "prelabel"]))
        case "type":
            part["type"] = draw(st.sampled_from([None, "rating", "pairwise", "labels"]))
        case "value":
            part["value"] = draw(st.sampled_from([None, [], "pass", {}, {"selected": "left"}]))
        case "field":
            part["value"] = {draw(st.sampled_from(["rating", "selected", "taxonomy"])): content}
        case "content":
            wrong = [value for value in WRONG if field != "text" or not isinstance(value, str | list)]
            part["value"] = {field: draw(st.sampled_from(wrong))}
        case "reason":
            parts.append(choice("skip_reason", "spam"))
    return parts


@given(st.data())
def test_a_damaged_result_is_refused_or_says_the_same(data: st.DataObject) -> None:
    random = data.draw(codebooks())
    answers = data.draw(answers_for(random).filter(bool))
    result = data.draw(damaged(to_result(random, answers)))
    left_open = {
        part["from_name"] for part in result if part.get("value") in [{field: []} for field in ("choices", "text")]
    } | {part["from_name"] for part in result if isinstance(part["value"], dict) and None in part["value"].values()}
    with suppress(RejectedError):
        read = from_result(random, result)
        # An empty list or a null is a question left open, and may hide others; whatever is read was said.
        assert read == answers if not left_open else read.items() <= answers.items()


@given(asked_and_answered(kinds=["number"]), st.sampled_from([1 / 3, -1 / 3, 1e-9, 1e9]))
def test_a_number_beside_its_scale_is_never_rounded(pair: tuple[Codebook, dict[str, Value]], off: float) -> None:
    random, answers = pair
    for question in random.questions:
        value = answers.get(question.name)
        if question.scale and isinstance(value, float):
            beside = value + off * question.scale.step
            changed = [
                part | ({"value": {"number": beside}} if part["from_name"] == question.name else {})
                for part in to_result(random, answers)
            ]
            on_step = beside == value
            assert on_step or refusal(random, changed) in {"out_of_range", "off_step"}


# -- by example


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
        ([choice("verdict", 1)], "wrong_type"),
        ([choice("verdict", True)], "wrong_type"),
        ([choice("verdict", "pass") | {"value": {"choices": "pass"}}], "wrong_shape"),
        ([choice("verdict", "pass") | {"value": None}], "wrong_shape"),
        ([choice("verdict", "pass") | {"to_name": "steps"}], "wrong_shape"),
        ([choice("verdict", "pass"), written("note", ["one", "two"])], "two_answers"),
        ([choice("verdict", "pass"), written("note", [1])], "wrong_type"),
        ([choice("verdict", "pass"), written("note", 1)], "wrong_shape"),
        ([choice("verdict", "pass"), choice("skip_reason", "spam")], "skip_reason_on_submit"),
        ([{"type": "choices"}], "unknown_question"),
    ],
)
def test_what_it_cannot_be_is_refused_with_the_reason(result: Result, reason: str) -> None:
    assert refusal(CODEBOOK, result) == reason


@pytest.mark.parametrize(
    ("value", "read"),
    [(0.1, 0.1), (0.3, 0.3), (1, 1.0), (2, 2.0), (0.7, 0.7), (1.9, 1.9)],
)
def test_a_number_counts_as_it_is_written(value: float, read: float) -> None:
    grade = [choice("better", "a"), choice("grade", "good")]
    assert from_result(ALL, [*grade, number(value)])["minutes"] == read


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (0, "out_of_range"),
        (2.1, "out_of_range"),
        (10**400, "out_of_range"),
        (0.15, "off_step"),
        (0.30000000000000004, "off_step"),
        (True, "wrong_type"),
        ("1", "wrong_type"),
        ([1], "wrong_type"),
        (float("nan"), "wrong_type"),
        (float("inf"), "wrong_type"),
    ],
)
def test_a_number_that_is_not_on_its_scale_is_refused(value: object, reason: str) -> None:
    assert refusal(ALL, [choice("better", "a"), choice("grade", "good"), number(value)]) == reason


def test_a_pair_is_answered_by_its_sides() -> None:
    assert to_result(ALL, {"better": "output"})[0]["value"] == {"choices": ["a"]}
    assert to_result(ALL, {"better": "output"}, swap=True)[0]["value"] == {"choices": ["b"]}
    assert from_result(ALL, [choice("better", "b")]) == {"better": "alternative"}
    assert from_result(ALL, [choice("better", "b")], swap=True) == {"better": "output"}
    assert from_result(ALL, [choice("better", "tie")], swap=True) == {"better": "tie"}


@pytest.mark.parametrize("said", ["output", "alternative", "c", "A", 0, None])
def test_a_pair_knows_no_other_word_than_its_sides(said: object) -> None:
    assert refusal(ALL, [choice("better", said)]) == "unknown_choice"


def test_a_hidden_answer_hides_what_hangs_on_it() -> None:
    # The tie hides the grade; the number hangs on the grade, so it is hidden with it.
    result = [choice("better", "tie"), choice("grade", "good"), number(1)]
    assert from_result(ALL, result) == {"better": "tie"}
    answers: dict[str, Value] = {"better": "tie", "grade": "good", "minutes": 1.0}
    assert [part["from_name"] for part in to_result(ALL, answers)] == ["better"]


def test_a_question_is_required_where_it_is_shown() -> None:
    assert from_result(ALL, [choice("better", "tie"), choice("why", "short")]) == {"better": "tie", "why": ["short"]}
    assert refusal(ALL, [choice("better", "tie"), choice("why", "short", "clear")]) == "no_answer"


def test_what_was_filled_in_before_the_verdict_changed_does_not_count() -> None:
    result = [choice("verdict", "pass"), choice("error_type", "tone"), written("note", ["bad"])]
    read = from_result(CODEBOOK, result)
    assert read["verdict"] == "pass"
    assert "error_type" not in read


@pytest.mark.parametrize("blank", [" \n", "", [], [" \n"], None])
def test_a_blank_text_is_no_answer(blank: Any) -> None:
    answered = [choice("better", "tie"), choice("why", "clear")]
    assert refusal(ALL, [*answered, written("more", blank)]) == ("wrong_shape" if blank is None else "no_answer")
    assert from_result(ALL, [*answered, written("more", " \tso\n be it \n")])["more"] == "so\n be it"


def test_labels_come_back_in_the_codebooks_order() -> None:
    result = [choice("verdict", "fail"), choice("error_type", "tone", "ungrounded")]
    assert from_result(CODEBOOK, result)["error_type"] == ["ungrounded", "tone"]


# -- skips


def test_a_skip_says_why() -> None:
    assert skip_reason(ALL, to_skip_result(ALL, "secret")) == "secret"
    assert skip_reason(ALL, [choice("better", "a"), choice("skip_reason", "spam")]) == "spam"


@pytest.mark.parametrize(
    "rubbish",
    [
        None,
        7,
        "spam",
        {},
        [],
        [None],
        [choice("skip_reason")],
        [choice("skip_reason", "no such reason")],
        [choice("skip_reason", "spam", "secret")],
        [choice("skip_reason", "spam"), choice("skip_reason", "spam")],
        [choice("skip_reason", ["spam"])],
        [choice("skip_reason", "spam", kind="rating")],
        [written("skip_reason", ["spam"])],
        [{"from_name": "skip_reason", "type": "choices", "value": "spam"}],
        [{"from_name": ["skip_reason"]}],
    ],
)
def test_a_skip_that_does_not_say_why_plainly_says_nothing(rubbish: object) -> None:
    assert skip_reason(ALL, rubbish) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words | st.sampled_from(["skip_reason", "spam"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["from_name", "type", "value", "choices"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_rubbish_stops_the_reading_of_a_skip(rubbish: object) -> None:
    assert skip_reason(ALL, rubbish) in {None, "spam", "secret"}


PARTS = st.lists(
    st.fixed_dictionaries(
        {
            "from_name": st.sampled_from([*(question.name for question in ALL.questions), "skip_reason"]) | JSON,
            "to_name": st.just(SUBJECT) | JSON,
            "type": st.sampled_from(["choices", "number", "textarea"]) | JSON,
            "value": st.dictionaries(st.sampled_from(["choices", "number", "text"]), JSON, max_size=2) | JSON,
        }
    ),
    max_size=4,
)


@given(PARTS, st.booleans())
def test_rubbish_is_read_or_refused_and_nothing_else(result: Result, swap: bool) -> None:
    with suppress(RejectedError):
        read = from_result(ALL, result, swap=swap)
        assert from_result(ALL, to_result(ALL, read, swap=swap), swap=swap) == read


def test_an_empty_skip_reason_on_a_submitted_annotation_is_none() -> None:
    assert from_result(ALL, [choice("better", "a"), choice("skip_reason")]) == {"better": "output"}
