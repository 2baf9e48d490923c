"""The questions: a part of the judging column each, with its control."""

import re
from collections.abc import Iterable
from typing import Final
from xml.etree import ElementTree as ET

from goldloop.codebook.controls import LEFT, RIGHT, SUBJECT
from goldloop.codebook.schema import SIDES, Codebook, Label, Question, Scale

Offer = tuple[str, str, str | None, str | None]
"""A choice as it is shown: its text, its alias, its hint, its key."""

_VARIABLE: Final = re.compile(r"\$(?=[\w\[\].{}])")
_WORD_JOINER: Final = "\N{WORD JOINER}"
_BETTER: Final = {LEFT: "A is better", RIGHT: "B is better"}


def view(parent: ET.Element | None, name: str) -> ET.Element:
    """A box of that class."""
    return ET.Element("View", className=name) if parent is None else ET.SubElement(parent, "View", className=name)


def plain(text: str) -> str:
    """A codebook's text, so that Label Studio takes no `$5` in it for a field of the task's data."""
    return _VARIABLE.sub(f"${_WORD_JOINER}", text)


def words(parent: ET.Element, text: str) -> None:
    """A line of text that is the codebook's or goldloop's own."""
    ET.SubElement(parent, "Header", value=plain(text), size="5")


def choices(parent: ET.Element, name: str, offered: Iterable[Offer], *, choice: str) -> ET.Element:
    """A group of choices about the answer. The values that it saves are the aliases."""
    group = ET.SubElement(parent, "Choices", name=name, toName=SUBJECT, choice=choice, layout="inline")
    for text, alias, hint, hotkey in offered:
        made = ET.SubElement(group, "Choice", value=plain(text), alias=alias)
        if hint:
            made.set("hint", plain(hint))
        if hotkey:
            made.set("hotkey", hotkey)
    return group


def question_part(parent: ET.Element, codebook: Codebook, question: Question) -> None:
    """The question and its control; hidden until the answer that it hangs on is given."""
    part = view(parent, f"gl-part gl-{question.kind}")
    for other, wanted in (question.only_if or {}).items():
        part.set("visibleWhen", "choice-selected")
        part.set("whenTagName", other)
        part.set("whenChoiceValue", ",".join(aliases(codebook, other, wanted)))
    words(part, f"{question.text} ({_span(question.scale)})" if question.scale else question.text)
    control = _control(part, question)
    control.set("required", str(question.required).lower())
    if question.required:
        control.set("requiredMessage", plain(f"Not answered yet: {question.text}"))


def offers(question: Question) -> list[Offer]:
    """The choices of a question in the screen's order and words."""
    if question.kind != "pairwise":
        return [(label.text, label.name, label.definition, label.hotkey) for label in question.labels]
    sides = zip(_BETTER.items(), question.labels, strict=False)
    return [
        *((text, alias, None, label.hotkey) for (alias, text), label in sides),
        *((label.text, label.name, label.definition, label.hotkey) for label in ties(question)),
    ]


def ties(question: Question) -> tuple[Label, ...]:
    """The labels of a pairwise question that stand for no side."""
    return tuple(label for label in question.labels if label.name not in SIDES)


def aliases(codebook: Codebook, other: str, wanted: Iterable[str]) -> Iterable[str]:
    """The choices that show a question. Aliases: the texts of labels may hold commas, which would part them.

    Which side is the app's own differs from trace to trace, so a question that hangs on one side shows with both;
    where it does not apply, its answer counts for nothing.
    """
    asked = codebook.question(other)
    if asked is None or asked.kind != "pairwise" or not set(wanted) & set(SIDES):
        return wanted
    return [LEFT, RIGHT, *(label for label in wanted if label not in SIDES)]


def _control(part: ET.Element, question: Question) -> ET.Element:
    if question.chooses:
        # With "single", a press on the chosen label would take it back: a confirmation would undo the suggestion.
        choice = "multiple" if question.kind == "multi-choice" else "single-radio"
        return choices(part, question.name, offers(question), choice=choice)
    if question.scale:
        scale = question.scale
        return ET.SubElement(
            part,
            "Number",
            name=question.name,
            toName=SUBJECT,
            min=_number(scale.minimum),
            max=_number(scale.maximum),
            step=_number(scale.step),
        )
    area = ET.SubElement(
        part, "TextArea", name=question.name, toName=SUBJECT, rows="2", maxSubmissions="1", editable="true"
    )
    if question.kind == "correction":
        area.set("value", f"${SUBJECT}")
        area.set("rows", "4")
    return area


def _span(scale: Scale) -> str:
    unit = f" {scale.unit}" if scale.unit else ""
    step = "" if scale.step == 1 else f", in steps of {_number(scale.step)}"
    return f"{_number(scale.minimum)} to {_number(scale.maximum)}{unit}{step}"


def _number(value: float) -> str:
    return repr(float(value)).removesuffix(".0")
