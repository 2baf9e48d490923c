from xml.etree import ElementTree as ET

import pytest
from label_studio_sdk.label_interface.interface import LabelInterface

from builders import ROOT, codebook
from goldloop.codebook.render import render
from goldloop.codebook.result import to_result
from goldloop.codebook.task import TaskData
from goldloop.records import Value

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
}


def test_the_committed_file_is_what_the_codebook_renders_to() -> None:
    assert (ROOT / "label_configs" / "answer-quality.xml").read_text(encoding="utf-8") == render(codebook())


def test_only_tags_that_escape_the_content_of_strangers() -> None:
    assert {element.tag for element in ET.fromstring(render(codebook())).iter()} <= ESCAPING


def test_every_value_is_a_field_of_the_tasks_data() -> None:
    values = [element.get("value", "") for element in ET.fromstring(render(codebook())).iter()]
    assert {value[1:] for value in values if value.startswith("$")} <= set(TaskData.model_fields)


def test_the_style_survives_label_studio_and_fetches_nothing() -> None:
    (style,) = ET.fromstring(render(codebook())).iter("Style")
    assert style.text
    assert not set("<>&") & set(style.text)  # they arrive in the page as entities, and break the rule that they are in
    assert "url(" not in style.text
    assert "@import" not in style.text
    assert style.text.count("{") == style.text.count("}")


def test_a_label_is_not_taken_back_by_a_second_click() -> None:
    kinds = {tag.get("name"): tag.get("choice") for tag in ET.fromstring(render(codebook())).iter("Choices")}
    assert kinds == {"verdict": "single-radio", "error_type": "multiple"}


def test_a_blind_config_has_no_place_for_a_suggestion() -> None:
    assert "prelabel" in render(codebook())
    assert "prelabel" not in render(codebook(), blind=True)
    assert "suggestion" not in render(codebook(), blind=True)


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
