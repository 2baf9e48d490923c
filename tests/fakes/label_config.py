"""What Label Studio and its SDK hold against a label config, as far as codebooks need it.

Predictions before they are sent, and annotations that are there.
"""

from typing import Any
from xml.etree import ElementTree as ET

from pydantic import JsonValue


def choices_of(label_config: str) -> dict[str, set[str]]:
    """What each control of a label config can be answered with, by its name; nothing for controls without choices."""
    controls = (tag for tag in ET.fromstring(label_config).iter() if "toName" in tag.attrib)
    return {
        tag.attrib["name"]: {choice.get("alias") or choice.attrib["value"] for choice in tag.iter("Choice")}
        for tag in controls
    }


def still_fits(there: dict[str, set[str]], part: dict[str, JsonValue]) -> bool:
    name, value = part.get("from_name"), part.get("value")
    chosen = value.get("choices") if isinstance(value, dict) else None
    if name not in there:
        return False
    return not isinstance(chosen, list) or {str(choice) for choice in chosen} <= there[str(name)]


def problem(label_config: str, prediction: dict[str, Any] | None) -> str | None:
    """What codebooks need and no more: choices, texts, targets, and controls that are required and always shown."""
    if prediction is None:
        return None
    top = ET.fromstring(label_config)
    controls = {tag.attrib["name"]: tag for tag in top.iter() if "toName" in tag.attrib}
    hidden = {name.get("name") for part in top.iter() if "visibleWhen" in part.attrib for name in part.iter()}
    results = prediction.get("result")
    if not prediction.get("model_version") or not isinstance(results, list):
        return "no model_version or no result"
    names = [result.get("from_name") for result in results]
    if len(set(names)) != len(names) or not set(names) <= controls.keys():
        return "a question is unknown or answered twice"
    missing = {name for name, tag in controls.items() if tag.get("required") == "true"} - hidden - set(names)
    if missing:
        return f"{sorted(missing)} has no answer"
    bad = [result["from_name"] for result in results if not _fits(controls[result["from_name"]], result)]
    return f"{bad} has a wrong value" if bad else None


def _fits(control: ET.Element, result: dict[str, Any]) -> bool:
    value = result.get("value", {}).get({"Choices": "choices", "TextArea": "text", "Number": "number"}[control.tag])
    if (result.get("to_name"), result.get("type")) != (control.get("toName"), control.tag.lower()):
        return False
    if control.tag == "Number":
        return bool(result.get("id")) and isinstance(value, int | float)
    if not result.get("id") or not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        return False
    if control.tag == "TextArea":
        return True
    allowed = {choice.get("alias") or choice.get("value") for choice in control.iter("Choice")}
    return set(value) <= allowed and bool(value) and (len(value) == 1 or control.get("choice") == "multiple")
