"""A task's data, turned back into the trace that it shows: what a live judge reads.

The way from a trace to a task loses things (docs/task-data.md), so this gives back what a judge needs (messages,
output, documents, steps) and what identifies the trace; user, session, tags, cost and latency stay unknown.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from pydantic import ValidationError

from goldloop.codebook.controls import swapped
from goldloop.codebook.task import FORMAT, NOTHING, Passage, TaskData, show_output
from goldloop.records import Document, Message, Step, Trace

_CUT = re.compile(r"\[\.\.\. [\d,]+ characters left out here; the whole text is in Langfuse \.\.\.\]")
_DOCUMENT = re.compile(r"(?:\d+\. )?(?P<title>.*?)(?: \(score (?P<score>-?\d+\.\d+)\))?", re.DOTALL)
_PLACE = re.compile(r"^\d+\. ")
_ARROW = "\n→ "


def read_task_data(task: object) -> TaskData | None:
    """The data of a task as Label Studio sends it; None where it is not goldloop's, or of another form."""
    data = task.get("data") if isinstance(task, dict) else None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        return None
    try:
        return TaskData.model_validate(data)
    except ValidationError:
        return None


def is_whole(data: TaskData) -> bool:
    """Whether nothing that a judge reads was cut for the screen: on half a text it could judge otherwise."""
    passages = (*data.conversation, *data.system, *data.documents, *data.steps)
    return not any(_CUT.search(text) for text in (data.output, data.other, *(passage.text for passage in passages)))


def trace_of(data: TaskData) -> Trace:
    """The trace that a task shows; ValueError where its time cannot be read."""
    shown = datetime.strptime(data.about.get("time", ""), "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
    sides = (data.output, data.other or None)
    if data.other and swapped(data.queue, data.trace_id):
        sides = (data.other, data.output)
    output, alternative = ("" if side == show_output("") else side for side in sides)
    spoken = (Message(role=said.author, content=said.text) for said in _given((*data.system, *data.conversation)))
    return Trace(
        trace_id=data.trace_id,
        environment=data.about.get("environment", "default"),
        name=data.title.removeprefix(data.stratum).removeprefix(" · "),
        timestamp=shown,
        messages=tuple(spoken),
        output=output or "",
        alternative=alternative,
        documents=tuple(_document(passage) for passage in _given(data.documents)),
        steps=tuple(_step(passage) for passage in _given(data.steps)),
        model=data.about.get("model"),
        release=data.about.get("release"),
        notes=tuple(note for note in data.about.get("unusual", "").split("; ") if note),
    )


def _given(passages: Sequence[Passage]) -> Iterator[Passage]:
    """Without the placeholder that stands for none; a blank text was an empty one."""
    for passage in passages:
        text = "" if passage.text == " " else passage.text
        if text or passage.author != NOTHING:
            yield Passage(author=passage.author, text=text)


def _document(passage: Passage) -> Document:
    head = _DOCUMENT.fullmatch(passage.author)
    assert head is not None  # every part of the pattern may be empty
    score = head["score"]
    return Document(title=head["title"], text=passage.text, score=float(score) if score else None)


def _step(passage: Passage) -> Step:
    kind, _, name = _PLACE.sub("", passage.author).partition(" ")
    asked, _, answered = passage.text.partition(_ARROW)
    return Step(kind=kind, name=name, input=asked, output=answered)
