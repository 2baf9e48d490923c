"""A codebook as a Label Studio label config.

Content of strangers goes only into tags that escape it: Text, Paragraphs, Table, Header and panel titles. Markdown
would run its script in Label Studio's page. HyperText would load its images: the one there is shows `trace`, a link
that goldloop made itself (docs/decisions/0010-strangers-text-stays-text.md).
"""

import re
from typing import Final
from xml.etree import ElementTree as ET

from goldloop.codebook.controls import PRELABEL, SKIP_REASON
from goldloop.codebook.render.asked import choices, question_part, view, words
from goldloop.codebook.render.context import conversation, evidence
from goldloop.codebook.render.meanings import meanings
from goldloop.codebook.schema import Codebook
from goldloop.codebook.style import STYLE

_KEYS = "Ctrl+Enter submits, Ctrl+Space skips (on a Mac Cmd+Enter, Alt+Enter); Tab moves on, Shift+Enter closes a text"
"""What Label Studio's own keys are: those of the labels stand beside them."""

_NOTICE: Final = "<!-- Generated from the codebook {} by `goldloop codebook render`: edit that instead. -->\n"
_FROM: Final = re.compile(re.escape(_NOTICE.rstrip()).replace(re.escape("{}"), r"([^\s@]+)@[^\s@]+"))


def render(codebook: Codebook, *, blind: bool = False) -> str:
    """The label config, as XML text that ends with a newline. A blind one has no place for a suggestion."""
    top = view(None, "gl gl-pair" if codebook.pairwise else "gl")
    ET.SubElement(top, "Style").text = STYLE
    columns = view(top, "gl-columns")
    conversation(view(columns, "gl-talk gl-read"), pairwise=codebook.pairwise)
    evidence(view(columns, "gl-evidence gl-read"))
    judging = view(columns, "gl-judge")
    if not blind:
        machine = view(judging, "gl-machine")
        words(machine, "A machine's suggestion, to check")
        ET.SubElement(machine, "Text", name=PRELABEL, value=f"${PRELABEL}")
    for question in codebook.questions:
        question_part(judging, codebook, question)
    # On the screen it is the last. Tab comes to it first, since in a field that is filled in or ticked no key works.
    meanings(view(judging, "gl-meaning gl-read"), codebook)
    words(view(judging, "gl-keys"), _KEYS)
    if codebook.skip_reasons:
        _skip(judging, codebook)
    ET.indent(top)
    return _NOTICE.format(codebook.ref) + ET.tostring(top, encoding="unicode") + "\n"


def made_from(text: str) -> str | None:
    """The name of the codebook that a label config says it was generated from; None where it says nothing of it."""
    said = _FROM.match(text)
    return said[1] if said else None


def _skip(parent: ET.Element, codebook: Codebook) -> None:
    part = view(parent, "gl-skip")
    words(part, "Can't be judged? Say why, then Ctrl+Space:")
    offered = [(reason.text, reason.name, None, reason.hotkey) for reason in codebook.skip_reasons]
    # A second press takes the reason back: with one, the task can't be submitted.
    choices(part, SKIP_REASON, offered, choice="single")
