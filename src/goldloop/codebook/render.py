"""A codebook as a Label Studio label config.

Only tags that escape the content of strangers: Text, Paragraphs, Table, Header and panel titles. Never Markdown or
HyperText: the first runs script in Label Studio's page, the second loads images from anywhere.
"""

from xml.etree import ElementTree as ET

from goldloop.codebook.controls import SUBJECT
from goldloop.codebook.schema import Codebook, Question
from goldloop.codebook.style import STYLE

_KEYS = "Shift+Enter closes a text, Ctrl+Enter submits, Ctrl+Space skips"
"""What Label Studio's own keys are: those of the labels stand beside them."""


def render(codebook: Codebook, *, blind: bool = False) -> str:
    """The label config, as XML text that ends with a newline. A blind one has no place for a suggestion."""
    top = ET.Element("View", className="gl")
    ET.SubElement(top, "Style").text = STYLE
    columns = _view(top, "gl-columns")
    _talk(_view(columns, "gl-talk gl-read"))
    _evidence(_view(columns, "gl-evidence gl-read"))
    judging = _view(columns, "gl-judge")
    if not blind:
        machine = _view(judging, "gl-machine")
        ET.SubElement(machine, "Header", value="A machine's suggestion, to check", size="5")
        ET.SubElement(machine, "Text", name="prelabel", value="$prelabel")
    for question in codebook.questions:
        _question(judging, codebook, question)
    ET.SubElement(_view(judging, "gl-keys"), "Header", value=_KEYS, size="5")
    ET.indent(top)
    notice = f"<!-- Generated from the codebook {codebook.ref} by `goldloop codebook render`: edit that instead. -->\n"
    return notice + ET.tostring(top, encoding="unicode") + "\n"


def _view(parent: ET.Element, name: str) -> ET.Element:
    return ET.SubElement(parent, "View", className=name)


def _talk(parent: ET.Element) -> None:
    ET.SubElement(parent, "Header", value="$title", size="4")
    _paragraphs(parent, "conversation")
    answer = _view(parent, "gl-answer")
    ET.SubElement(answer, "Header", value="The answer to judge", size="5")
    ET.SubElement(answer, "Text", name=SUBJECT, value=f"${SUBJECT}")


def _evidence(parent: ET.Element) -> None:
    folded = ET.SubElement(parent, "Collapse", accordion="false")
    for title, name, unfolded in (
        ("Retrieved documents", "documents", True),
        ("Tool calls and steps", "steps", True),
        ("User feedback", "feedback", False),
        ("About this trace", "about", False),
        ("System prompt", "system", False),
    ):
        panel = ET.SubElement(folded, "Panel", value=title, open=str(unfolded).lower())
        inside = _view(panel, f"gl-{name}")
        if name in {"feedback", "about"}:
            ET.SubElement(inside, "Table", name=name, value=f"${name}")
        else:
            _paragraphs(inside, name)


def _paragraphs(parent: ET.Element, name: str) -> None:
    ET.SubElement(
        parent, "Paragraphs", name=name, value=f"${name}", layout="dialogue", nameKey="author", textKey="text"
    )


def _question(parent: ET.Element, codebook: Codebook, question: Question) -> None:
    part = _view(parent, f"gl-part gl-{question.kind}")
    for other, wanted in (question.only_if or {}).items():
        part.set("visibleWhen", "choice-selected")
        part.set("whenTagName", other)
        part.set("whenChoiceValue", ",".join(_choice_value(codebook, other, label) for label in wanted))
    ET.SubElement(part, "Header", value=question.text, size="5")
    if question.chooses:
        choices = ET.SubElement(
            part,
            "Choices",
            name=question.name,
            toName=SUBJECT,
            # With "single", a click on the chosen label would take it back: a confirmation would undo the suggestion.
            choice="multiple" if question.kind == "multi-choice" else "single-radio",
            layout="inline",
            required=str(question.required).lower(),
        )
        for label in question.labels:
            choice = ET.SubElement(choices, "Choice", value=label.text, alias=label.name, hint=label.definition)
            if label.hotkey:
                choice.set("hotkey", label.hotkey)
    else:
        area = ET.SubElement(
            part, "TextArea", name=question.name, toName=SUBJECT, rows="3", maxSubmissions="1", editable="true"
        )
        if question.kind == "correction":
            area.set("value", f"${SUBJECT}")
            area.set("rows", "6")


def _choice_value(codebook: Codebook, question: str, label: str) -> str:
    asked = codebook.question(question)
    return next(choice.text for choice in asked.labels if choice.name == label) if asked else label
