"""The codebook's definitions and examples, one fold away from the questions."""

from collections.abc import Iterator
from xml.etree import ElementTree as ET

from goldloop.codebook.render.asked import ties, view, words
from goldloop.codebook.schema import Codebook, Label, Question


def meanings(parent: ET.Element, codebook: Codebook) -> None:
    """A closed panel: for each label what it means, where it applies, where not, and what only looks like it."""
    panel = ET.SubElement(
        ET.SubElement(parent, "Collapse", accordion="false"), "Panel", value="What the labels mean", open="false"
    )
    for question in codebook.questions:
        if question.labels:
            words(view(panel, "gl-asked"), question.text)
        for title, labels in _entries(question):
            part = view(panel, "gl-label")
            words(view(part, "gl-name"), title)
            for line in dict.fromkeys(line for label in labels for line in _lines(label)):
                words(part, line)


def _entries(question: Question) -> Iterator[tuple[str, list[Label]]]:
    sides = [label for label in question.labels if label not in ties(question)] if question.kind == "pairwise" else []
    if sides:
        # A and B are the app's own answer and the other in turns: what is said of both labels holds for either.
        yield "A is better, B is better", sides
    for label in question.labels:
        if label not in sides:
            yield f"{label.text} ({label.severity})" if label.severity else label.text, [label]


def _lines(label: Label) -> Iterator[str]:
    yield label.definition
    for begins, example in (
        ("Applies", label.positive),
        ("Does not", label.negative),
        ("Looks like it, but isn't", label.edge),
    ):
        if example:
            yield f"{begins}: {example}"
