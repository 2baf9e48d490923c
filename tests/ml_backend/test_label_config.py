from typing import Any

import pytest

from builders import codebook
from goldloop.codebook.render import render
from goldloop.codebook.result import to_result
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


def test_blind_is_a_label_config_without_a_place_for_the_suggestion() -> None:
    assert not CONFIG.blind
    assert read_label_config(render(codebook(), blind=True)).blind


@pytest.mark.parametrize(
    "xml", ["", "nothing", "<View>", '<!DOCTYPE v [<!ENTITY a "aaaa">]><View>&a;</View>', "<View>&a;</View>"]
)
def test_what_is_no_label_config_is_refused(xml: str) -> None:
    with pytest.raises(ValueError, match="label config"):
        read_label_config(xml)
