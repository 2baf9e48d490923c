"""What a label config allows a prediction to say.

Label Studio itself checks nothing: an unknown choice shows as nothing selected, and Submit still saves it as the
human's. So whatever the judge says is held against the label config that came with the request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from typing import Final
from xml.etree import ElementTree as ET

from pydantic import JsonValue

SUGGESTION: Final = "prelabel"
"""Name of the tag that shows the machine's suggestion; a blind label config has none."""


_CONTENT: Final = {"choices": "choices", "textarea": "text", "number": "number"}
"""The field of a result's value that carries the answer, by the result's type."""


@dataclass(frozen=True)
class Numbers:
    """Which numbers a number control takes: from `minimum` to `maximum`, every `step` from the minimum on (0: any)."""

    minimum: float = -inf
    maximum: float = inf
    step: Fraction = Fraction()

    def allows(self, number: JsonValue) -> bool:
        if isinstance(number, bool) or not isinstance(number, int | float) or not abs(number) < inf:
            return False
        if not self.minimum <= number <= self.maximum:
            return False
        # As written in decimal: of the binary numbers 0.3 and 0.1 neither is a multiple of the other.
        start = Fraction(repr(self.minimum)) if self.minimum > -inf else Fraction()
        return not self.step or (Fraction(repr(number)) - start) % self.step == 0


@dataclass(frozen=True)
class Control:
    """One control tag: the `type` of its results, the tags it is about, and the choices or the numbers it has."""

    kind: str
    targets: frozenset[str]
    choices: frozenset[str] = frozenset()
    several: bool = False
    numbers: Numbers = Numbers()

    def allows(self, part: Mapping[str, JsonValue]) -> bool:
        value = part.get("value")
        if part.get("type") != self.kind or str(part.get("to_name")) not in self.targets or not isinstance(value, dict):
            return False
        given = value.get(_CONTENT.get(self.kind, ""))
        if self.kind == "number":
            return self.numbers.allows(given)
        texts = [text for text in given if isinstance(text, str)] if isinstance(given, list) else []
        if not texts or not isinstance(given, list) or len(texts) != len(given):
            return False
        if self.kind == "textarea":
            return True
        return set(texts) <= self.choices and len(set(texts)) == len(texts) and (self.several or len(texts) == 1)


@dataclass(frozen=True)
class LabelConfig:
    """A label config's controls by name, and whether it is blind: without a place for a suggestion."""

    controls: Mapping[str, Control]
    blind: bool

    def allows(self, result: Sequence[Mapping[str, JsonValue]]) -> bool:
        """Whether each part answers a control of its own with something that the control has."""
        names = [part.get("from_name") for part in result]
        return len(set(map(str, names))) == len(names) and all(
            isinstance(name, str) and name in self.controls and self.controls[name].allows(part)
            for name, part in zip(names, result, strict=True)
        )


def read_label_config(xml: str) -> LabelConfig:
    """The label config in an XML text; ValueError where it is none."""
    if "<!DOCTYPE" in xml:
        raise ValueError("a label config has no document type: it could define entities without end")
    try:
        top = ET.fromstring(xml)  # noqa: S314 - without a document type there are no entities to expand
    except ET.ParseError as error:
        raise ValueError(f"a label config is XML, and this is not: line {error.position[0]}") from None
    controls = {
        tag.attrib["name"]: _control(tag) for tag in top.iter() if tag.get("name") and tag.get("toName") is not None
    }
    return LabelConfig(controls, blind=not any(tag.get("name") == SUGGESTION for tag in top.iter()))


def _control(tag: ET.Element) -> Control:
    choices = (choice.get("alias") or choice.get("value") for choice in tag.iter("Choice"))
    return Control(
        kind=tag.tag.lower(),
        targets=frozenset(name.strip() for name in tag.attrib["toName"].split(",")),
        choices=frozenset(choice for choice in choices if choice),
        several=tag.get("choice") == "multiple",
        numbers=_numbers(tag) if tag.tag == "Number" else Numbers(),
    )


def _numbers(tag: ET.Element) -> Numbers:
    try:
        return Numbers(float(tag.get("min", "-inf")), float(tag.get("max", "inf")), Fraction(tag.get("step", "0")))
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"in this label config the bounds of {tag.get('name')} are no numbers") from None
