"""Whether a label config allows a prediction. The server takes anything, and then shows it wrongly or not at all.

The SDK's LabelInterface checks names, types and choices. What it lets through is checked here: results without an id,
controls answered twice or left out though required, several or no choices, ratings and numbers of the wrong type or
out of range or on no step, sides of a pair, spans that end before they start.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final
from xml.etree import ElementTree as ET

from goldloop.adapters.labelstudio.http import require_sdk
from goldloop.errors import ConfigError
from goldloop.ports import TaskDraft

_REGIONS: Final = frozenset({"Labels", "HyperTextLabels", "ParagraphLabels"})
"""Controls that may answer many times: once a region."""


def invalid_predictions(label_config: str, drafts: Sequence[TaskDraft]) -> dict[str, str]:
    """The first reason, by trace id, for each draft whose prediction is not allowed; it quotes no value.

    Raises:
        ConfigError: the label config can't be parsed, or the SDK is not installed.
    """
    predicted = [(draft.trace_id, draft.prediction) for draft in drafts if draft.prediction is not None]
    if not predicted:
        return {}
    checker = _Checker(label_config)
    problems = ((trace_id, next(checker.problems(prediction), None)) for trace_id, prediction in predicted)
    return {trace_id: problem for trace_id, problem in problems if problem is not None}


class _Checker:
    def __init__(self, label_config: str) -> None:
        require_sdk()
        from label_studio_sdk.label_interface.interface import LabelInterface  # noqa: PLC0415 - it takes two seconds

        try:
            top = ET.fromstring(label_config)  # noqa: S314 - goldloop renders it from a codebook
            self._interface: Any = LabelInterface(label_config)
        except Exception as error:  # the SDK raises errors of several libraries
            raise ConfigError(
                "The label config is no XML that Label Studio could read: render the codebook again."
            ) from error
        self._controls: dict[str, ET.Element] = {
            tag.attrib["name"]: tag for tag in top.iter() if "name" in tag.attrib and "toName" in tag.attrib
        }
        self._required = set(_required(top, hidden=False))

    def problems(self, prediction: Mapping[str, Any]) -> Iterator[str]:
        model_version, results = prediction.get("model_version"), prediction.get("result")
        if not isinstance(model_version, str) or not model_version:
            yield "it names no model_version, without which it is never shown"
        score = prediction.get("score")
        if score is not None and (not _is_number(score) or not 0 <= score <= 1):
            yield "its score is no number from 0 to 1"
        if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
            yield "its result is no list of objects"
            return
        for result in results:
            yield from self._result_problems(result)
        answered = Counter(result["from_name"] for result in results)
        for name, times in answered.items():
            if times > 1 and self._controls[name].tag not in _REGIONS:
                yield f"{name} is answered {times} times"
        for name in sorted(self._required - set(answered)):
            yield f"{name} is required and has no answer"

    def _result_problems(self, result: Mapping[str, Any]) -> Iterator[str]:
        name = result.get("from_name")
        control = self._controls.get(name) if isinstance(name, str) else None
        if control is None:
            yield "it answers a question that the label config has not"
            return
        if not isinstance(result.get("id"), str) or not result["id"]:
            yield f"{name} has no id"
        if not isinstance(result.get("type"), str) or not isinstance(result.get("value"), dict):
            yield f"{name} has no type or no value"
        elif not self._interface.validate_region(result):
            yield f"{name} has a type, a target or a value that the label config does not allow"
        elif (check := _CHECKS.get(control.tag)) is not None and not check(control.attrib, result["value"]):
            yield f"{name} has a value that {control.tag} does not take"


def _required(tag: ET.Element, *, hidden: bool) -> Iterator[str]:
    """Names of required controls that are always on the screen."""
    hidden = hidden or "visibleWhen" in tag.attrib
    if not hidden and tag.get("required") == "true" and "name" in tag.attrib:
        yield tag.attrib["name"]
    for part in tag:
        yield from _required(part, hidden=hidden)


def _choices(control: Mapping[str, str], value: Mapping[str, Any]) -> bool:
    chosen = value["choices"]
    return (
        bool(chosen) and len(set(chosen)) == len(chosen) and (len(chosen) == 1 or control.get("choice") == "multiple")
    )


def _rating(control: Mapping[str, str], value: Mapping[str, Any]) -> bool:
    rating = value["rating"]
    return isinstance(rating, int) and _is_number(rating) and 1 <= rating <= int(control.get("maxRating", "5"))


def _number(control: Mapping[str, str], value: Mapping[str, Any]) -> bool:
    number = value["number"]
    low, high = float(control.get("min", "-inf")), float(control.get("max", "inf"))
    if not _is_number(number) or not low <= number <= high or not abs(number) < math.inf:
        return False
    # In decimal, as a browser counts: of the binary numbers 0.3 and 0.1 neither is a multiple of the other.
    start, step = Fraction(control.get("min", "0")), Fraction(control.get("step", "0"))
    return not step or (Fraction(repr(number)) - start) % step == 0


def _pairwise(_control: Mapping[str, str], value: Mapping[str, Any]) -> bool:
    return value["selected"] in {"left", "right"}


def _span(_control: Mapping[str, str], value: Mapping[str, Any]) -> bool:
    start, end = value["start"], value["end"]
    return _is_number(start) and _is_number(end) and 0 <= start <= end


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_CHECKS: Final[Mapping[str, Callable[[Mapping[str, str], Mapping[str, Any]], bool]]] = {
    "Choices": _choices,
    "Rating": _rating,
    "Number": _number,
    "Pairwise": _pairwise,
    "Labels": _span,
}
