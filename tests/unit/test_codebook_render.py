from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from label_studio_sdk.label_interface.interface import LabelInterface

from builders import ROOT, codebook
from builders_codebooks import codebooks
from goldloop.codebook.controls import SUBJECT
from goldloop.codebook.load import load
from goldloop.codebook.render import render
from goldloop.codebook.render.asked import plain
from goldloop.codebook.result import to_result
from goldloop.codebook.schema import Codebook
from goldloop.codebook.task import TaskData
from goldloop.records import Value

SHIPPED = sorted((ROOT / "label_configs").glob("*.yaml"), key=lambda path: path.stem)
ESCAPING = {
    "View",
    "Style",
    "Header",
    "Text",
    "Paragraphs",
    "Table",
    "Collapse",
    "Panel",
    "Choices",
    "Choice",
    "TextArea",
    "Number",
}
shipped = pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)


def tags(asked: Codebook, tag: str | None = None, *, blind: bool = False) -> Iterator[ET.Element]:
    return ET.fromstring(render(asked, blind=blind)).iter(tag)


def control(asked: Codebook, name: str) -> ET.Element:
    (found,) = (element for element in tags(asked) if element.get("name") == name)
    return found


def asking(*questions: dict[str, object], **more: object) -> Codebook:
    """A codebook of a verdict and these questions."""
    verdict = {
        "name": "verdict",
        "kind": "binary",
        "text": "Good?",
        "failure": ["no"],
        "labels": [{"name": name, "text": name.title(), "definition": f"It is {name}."} for name in ("yes", "no")],
    }
    whole = codebook().model_dump(mode="json") | {"questions": [verdict, *questions], "skip_reasons": []} | more
    return Codebook.model_validate(whole)


def choice(name: str, kind: str, *labels: str, **more: object) -> dict[str, object]:
    offered = [{"name": label, "text": label.title(), "definition": f"When {label}."} for label in labels]
    return {"name": name, "kind": kind, "text": f"{name}?", "labels": offered} | more


def preference(*labels: str) -> dict[str, object]:
    keys = dict(zip(labels, "123", strict=False))
    question = choice("preference", "pairwise", *labels, failure=["alternative"])
    return question | {
        "labels": [
            {"name": name, "text": f"The words for {name}", "definition": f"When {name}.", "hotkey": keys[name]}
            for name in labels
        ]
    }


@shipped
def test_the_committed_file_is_what_the_codebook_renders_to(path: Path) -> None:
    assert path.with_suffix(".xml").read_text(encoding="utf-8") == render(load(path))


@given(codebooks())
def test_only_tags_that_escape_the_content_of_strangers(asked: Codebook) -> None:
    for element in tags(asked):
        if element.tag == "HyperText":
            assert element.get("value") == "$trace"  # goldloop's own link, and nothing else
        else:
            assert element.tag in ESCAPING


@given(codebooks())
def test_every_value_is_a_field_of_the_tasks_data(asked: Codebook) -> None:
    shows = {element.get("value", "")[1:] for element in tags(asked) if element.get("value", "").startswith("$")}
    fields = {value for value in shows if value.isidentifier()}
    assert fields <= set(TaskData.model_fields)
    assert "other" not in fields or asked.pairwise


@given(codebooks())
def test_no_two_tags_have_one_name(asked: Codebook) -> None:
    names = [name for element in tags(asked) if (name := element.get("name"))]
    assert len(set(names)) == len(names)


def test_the_style_survives_label_studio_and_fetches_nothing() -> None:
    (style,) = tags(codebook(), "Style")
    assert style.text
    assert not set("<>&") & set(style.text)  # they arrive in the page as entities, and break the rule that they are in
    assert "url(" not in style.text
    assert "@import" not in style.text
    assert style.text.count("{") == style.text.count("}")


def test_a_label_is_not_taken_back_by_a_second_click() -> None:
    asked = asking(choice("kind", "choice", "a", "b"), choice("errors", "multi-choice", "a", "b"))
    reason = {"name": "private", "text": "Private"}
    kinds = {tag.get("name"): tag.get("choice") for tag in tags(asking(skip_reasons=[reason]), "Choices")}
    assert {tag.get("name"): tag.get("choice") for tag in tags(asked, "Choices")} == {
        "verdict": "single-radio",
        "kind": "single-radio",
        "errors": "multiple",
    }
    assert kinds["skip_reason"] == "single"  # this one is: whoever judges after all must be able to submit


def test_a_rating_goes_from_low_to_high_with_its_definitions_as_hints() -> None:
    labels = [
        {"name": name, "text": name.title(), "definition": f"It is {name}.", "hotkey": key}
        for name, key in (("poor", "q"), ("fair", "w"), ("good", "e"))
    ]
    rating = control(asking(choice("rating", "rating") | {"labels": labels}), "rating")
    assert rating.tag == "Choices"
    assert [dict(point.attrib) for point in rating] == [
        {"value": "Poor", "alias": "poor", "hint": "It is poor.", "hotkey": "q"},
        {"value": "Fair", "alias": "fair", "hint": "It is fair.", "hotkey": "w"},
        {"value": "Good", "alias": "good", "hint": "It is good.", "hotkey": "e"},
    ]


def test_a_number_has_its_scale_and_says_it() -> None:
    scale = {"minimum": 0, "maximum": 60, "step": 2.5, "unit": "minutes"}
    asked = asking({"name": "time", "kind": "number", "text": "How long?", "scale": scale})
    number = control(asked, "time")
    assert (number.tag, number.get("min"), number.get("max"), number.get("step")) == ("Number", "0", "60", "2.5")
    assert "How long? (0 to 60 minutes, in steps of 2.5)" in {tag.get("value") for tag in tags(asked, "Header")}


def test_a_correction_begins_with_the_answer_and_a_text_with_nothing() -> None:
    asked = asking(
        {"name": "fix", "kind": "correction", "text": "How?"}, {"name": "why", "kind": "text", "text": "Why?"}
    )
    assert control(asked, "fix").get("value") == f"${SUBJECT}"
    assert control(asked, "why").get("value") is None


def test_sides_are_chosen_by_place_whatever_the_labels_say() -> None:
    asked = asking(questions=[preference("output", "alternative", "tie")])
    assert [(tag.get("value"), tag.get("alias"), tag.get("hotkey")) for tag in control(asked, "preference")] == [
        ("A is better", "a", "1"),
        ("B is better", "b", "2"),
        ("The words for tie", "tie", "3"),
    ]
    without_tie = asking(questions=[preference("output", "alternative")])
    assert [tag.get("alias") for tag in control(without_tie, "preference")] == ["a", "b"]


@given(codebooks(kinds=["pairwise"]))
def test_no_word_of_a_sides_label_is_on_a_button(asked: Codebook) -> None:
    for question in asked.questions:
        if question.kind == "pairwise":
            ties = [plain(label.text) for label in question.labels[2:]]
            assert [tag.get("value") for tag in control(asked, question.name)] == ["A is better", "B is better", *ties]


def shows_with(asked: Codebook, name: str) -> list[str]:
    """The choices that a question hangs on."""
    (part,) = (view for view in tags(asked, "View") if any(child.get("name") == name for child in view))
    assert part.get("visibleWhen") == "choice-selected"
    return str(part.get("whenChoiceValue")).split(",")


def test_a_follow_up_hangs_on_aliases_which_have_no_comma() -> None:
    first = choice("kind", "choice", "a", "b", "c")
    asked = asking(first, choice("more", "choice", "x", "y", only_if={"kind": ["a", "c"]}))
    assert shows_with(asked, "more") == ["a", "c"]


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [(["output"], ["a", "b"]), (["alternative", "tie"], ["a", "b", "tie"]), (["tie"], ["tie"])],
)
def test_a_follow_up_on_one_side_shows_with_both(wanted: list[str], shown: list[str]) -> None:
    note = {"name": "note", "kind": "text", "text": "Why?", "only_if": {"preference": wanted}}
    assert shows_with(asking(questions=[preference("output", "alternative", "tie"), note]), "note") == shown


def test_a_codebooks_dollar_is_no_field_of_the_data() -> None:
    assert plain("costs $5, see $output and ${x}; 5$ a day") == (
        "costs $\N{WORD JOINER}5, see $\N{WORD JOINER}output and $\N{WORD JOINER}{x}; 5$ a day"
    )
    assert plain("a $ b") == "a $ b"


def test_the_fold_tells_of_each_label_what_it_is_and_what_it_is_not() -> None:
    label = {
        "name": "bad",
        "text": "Bad",
        "definition": "It harms.",
        "positive": "A lie",
        "negative": "A typo",
        "edge": "A <b>joke</b>",
        "severity": "major",
    }
    asked = asking(choice("errors", "multi-choice", "fine") | {"labels": [label, label | {"name": "worse"}]})
    (panel,) = (panel for panel in tags(asked, "Panel") if panel.get("value") == "What the labels mean")
    assert panel.get("open") == "false"
    told = [str(tag.get("value")) for tag in panel.iter("Header")]
    start = told.index("Bad (major)")
    assert told[start + 1 : start + 5] == [
        "It harms.",
        "Applies: A lie",
        "Does not: A typo",
        "Looks like it, but isn't: A <b>joke</b>",
    ]


@given(codebooks())
def test_a_blind_config_has_no_place_for_a_suggestion(asked: Codebook) -> None:
    assert any(tag.get("name") == "prelabel" for tag in tags(asked))
    for element in tags(asked, blind=True):
        told = [*element.attrib.values(), element.text or ""] if element.tag != "Style" else []
        assert "$prelabel" not in told
        assert "A machine's suggestion, to check" not in told


@pytest.mark.parametrize(
    "answers",
    [
        {"verdict": "pass"},
        {"verdict": "fail", "error_type": ["ungrounded", "format"], "correction": "x", "note": "y"},
    ],
)
def test_label_studios_own_validation_takes_config_and_predictions(answers: dict[str, Value]) -> None:
    interface = LabelInterface(render(codebook()))
    interface.validate()
    prediction = {"model_version": "m", "score": 0.5, "result": to_result(codebook(), answers)}
    assert interface.validate_prediction(prediction)


@shipped
def test_label_studios_own_validation_takes_what_ships(path: Path) -> None:
    for blind in (False, True):
        LabelInterface(render(load(path), blind=blind)).validate()
