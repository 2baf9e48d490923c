"""What the annotator reads: the conversation, the answer to judge or the two to compare, and the evidence."""

from typing import Final
from xml.etree import ElementTree as ET

from goldloop.codebook.controls import OTHER, SUBJECT
from goldloop.codebook.render.asked import view, words

_PANELS: Final = (
    ("Retrieved documents", "documents", True),
    ("Tool calls and steps", "steps", True),
    ("User feedback", "feedback", False),
    ("About this trace", "about", False),
    ("System prompt", "system", False),
)
"""Title, field, and whether the panel is open at first."""


def conversation(parent: ET.Element, *, pairwise: bool) -> None:
    """Where the trace is from, what was said, and what is judged."""
    head = view(parent, "gl-head")
    ET.SubElement(head, "Header", value="$title", size="4")
    ET.SubElement(
        head,
        "HyperText",
        name="trace",
        value="$trace",
        inline="true",  # else it stands in a frame that may open no window
        clickableLinks="true",
        selectionEnabled="false",
    )
    _paragraphs(parent, "conversation")
    # Empty, or not: by that the style knows which letters to set the answer in. No question can have its name.
    ET.SubElement(view(parent, "gl-form"), "Text", name="answer-form", value="$form")
    if pairwise:
        both = view(parent, "gl-answers")
        _answer(both, "A", SUBJECT)
        _answer(both, "B", OTHER)
    else:
        _answer(parent, "The answer to judge", SUBJECT)


def evidence(parent: ET.Element) -> None:
    """A panel for each kind of it; the style leaves out those that hold nothing."""
    folded = ET.SubElement(parent, "Collapse", accordion="false")
    for title, name, unfolded in _PANELS:
        panel = ET.SubElement(folded, "Panel", value=title, open=str(unfolded).lower())
        inside = view(panel, f"gl-{name}")
        if name in {"feedback", "about"}:
            ET.SubElement(inside, "Table", name=name, value=f"${name}")
        else:
            _paragraphs(inside, name)


def _answer(parent: ET.Element, title: str, name: str) -> None:
    answer = view(parent, "gl-answer")
    words(answer, title)
    ET.SubElement(answer, "Text", name=name, value=f"${name}")


def _paragraphs(parent: ET.Element, name: str) -> None:
    ET.SubElement(
        parent, "Paragraphs", name=name, value=f"${name}", layout="dialogue", nameKey="author", textKey="text"
    )
