from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import codebook
from builders_codebooks import asked_and_answered
from goldloop.codebook.render import render
from goldloop.codebook.result import to_result
from goldloop.codebook.schema import Codebook, Label, Question
from goldloop.records import Value
from ml_backend.label_config import read_label_config

CONFIG = read_label_config(render(codebook()))


def part(**changes: Any) -> dict[str, Any]:
    """A valid answer to the verdict, with changes."""
    return {
        "id": "r1",
        "from_name": "verdict",
        "to_name": "output",
        "type": "choices",
        "value": {"choices": ["pass"]},
    } | changes


def test_what_the_codebook_s_result_says_is_allowed() -> None:
    answers: dict[str, Value] = {
        "verdict": "fail",
        "error_type": ["ungrounded", "tone"],
        "correction": "Better.",
        "note": "See above.",
    }
    assert CONFIG.allows(to_result(codebook(), answers))


@pytest.mark.parametrize(
    "wrong",
    [
        part(from_name="mood"),
        part(from_name=None),
        part(to_name="input"),
        part(to_name=["output"]),
        part(type="rating"),
        part(value=None),
        part(value={"choices": []}),
        part(value={"choices": "pass"}),
        part(value={"choices": ["pass", "fail"]}),
        part(value={"choices": ["Pass"]}),
        part(value={"choices": ["maybe"]}),
        part(value={"choices": [1]}),
        part(value={"text": ["pass"]}),
        part(from_name="error_type", value={"choices": ["tone", "tone"]}),
        part(from_name="note", type="textarea", value={"text": [3]}),
    ],
)
def test_what_the_label_config_lacks_is_not(wrong: dict[str, Any]) -> None:
    assert CONFIG.allows([part()])
    assert not CONFIG.allows([wrong])


def test_one_control_is_answered_once() -> None:
    assert not CONFIG.allows([part(), part(value={"choices": ["fail"]})])


def test_choices_count_by_alias_and_may_be_nested() -> None:
    config = read_label_config(
        '<View><Text name="t" value="$t"/><Choices name="c" toName="t">'
        '<View><Choice value="Yes" alias="y"/></View><Choice value="No"/></Choices></View>'
    )
    assert config.controls["c"].choices == {"y", "No"}


def number(value: Any) -> dict[str, Any]:
    return part(from_name="n", to_name="t", type="number", value={"number": value})


@pytest.mark.parametrize(
    ("bounds", "taken", "refused"),
    [
        ('min="0.1" max="2" step="0.1"', [0.1, 0.3, 1, 2, 2.0], [0, 2.1, 0.15, 0.30000000000000004, 10**400]),
        ('min="-3"', [-3, 0.25, 1e300], [-3.5]),
        ("", [-1e300, 0], []),
    ],
)
def test_a_number_keeps_to_its_scale(bounds: str, taken: list[Any], refused: list[Any]) -> None:
    xml = f'<View><Text name="t" value="$t"/><Number name="n" toName="t" {bounds}/></View>'
    config = read_label_config(xml)
    assert [value for value in taken if not config.allows([number(value)])] == []
    never: list[Any] = [True, None, "1", [1], float("nan"), float("inf"), float("-inf")]
    assert [value for value in [*refused, *never] if config.allows([number(value)])] == []
    assert not config.allows([number(1) | {"type": "rating"}])


@given(asked_and_answered(), st.booleans())
def test_whatever_a_codebook_asks_its_answers_are_allowed(pair: tuple[Codebook, dict[str, Value]], swap: bool) -> None:
    random, answers = pair
    config = read_label_config(render(random))
    assert config.allows(to_result(random, answers, swap=swap))


def test_a_pair_is_answered_by_its_sides() -> None:
    labels = tuple(Label(name=name, text=name, definition="d") for name in ("output", "alternative", "tie"))
    better = Question(name="better", kind="pairwise", text="Which?", labels=labels, failure=("alternative",))
    config = read_label_config(render(codebook().model_copy(update={"questions": (better,)})))
    assert config.controls["better"].choices == {"a", "b", "tie"}
    assert not config.allows([part(from_name="better", value={"choices": ["output"]})])


def test_blind_is_a_label_config_without_a_place_for_the_suggestion() -> None:
    assert not CONFIG.blind
    assert read_label_config(render(codebook(), blind=True)).blind


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "nothing",
        "<View>",
        '<!DOCTYPE v [<!ENTITY a "aaaa">]><View>&a;</View>',
        "<View>&a;</View>",
        '<View><Text name="t" value="$t"/><Number name="n" toName="t" min="low"/></View>',
        '<View><Text name="t" value="$t"/><Number name="n" toName="t" step="1/0"/></View>',
    ],
)
def test_what_is_no_label_config_is_refused(xml: str) -> None:
    with pytest.raises(ValueError, match="label config"):
        read_label_config(xml)
