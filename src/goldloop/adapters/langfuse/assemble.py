"""One trace out of its observations: pure, and honest about what is unusual in `notes`."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from goldloop.adapters.langfuse.category import trace_name
from goldloop.adapters.langfuse.payload import Output, as_text, decode, read_documents, read_input, read_output
from goldloop.adapters.langfuse.wire import Observation
from goldloop.records import Document, Message, Step, Trace

DOCUMENT_KEYS: Final = ("documents", "context")
"""Metadata of a top observation that may hold the passages that the answer rests on."""

ALTERNATIVE_KEY: Final = "alternative_output"
"""Metadata of a top observation that holds another answer to the same input, read as an output is."""

_SEARCHES: Final = re.compile(r"retriev|search", re.IGNORECASE)
_NO_STEP: Final = frozenset({"GENERATION", "EMBEDDING"})
_MODEL_CALL: Final = "GENERATION"


@dataclass(frozen=True)
class _Shape:
    """The observations by their place, each list in order of start.

    `roots` are those that the server calls so: also the app's own top below a span of its framework. `heads` speak for
    the trace: the roots, or, where none was recorded, those whose parent is missing. `tops` are the heads and then all
    others whose parent is missing.
    """

    all: list[Observation]
    roots: list[Observation]
    heads: list[Observation]
    tops: list[Observation]

    @property
    def generations(self) -> list[Observation]:
        return [each for each in self.all if each.type == _MODEL_CALL]


def assemble(observations: Sequence[Observation], *, unreadable: int = 0) -> Trace:
    """The trace of these observations, of which there must be one at least; repeated rows count once.

    Args:
        observations: rows with the fields core, basic, time, io, metadata, model, usage and trace_context.
        unreadable: how many more there were that could not be read, for the notes.
    """
    shape = _shape(observations)
    head = shape.heads[0]
    messages, messages_borrowed = _input(shape)
    output, output_borrowed = _output(shape)
    retrieved, searches = _retrieved(shape.all)
    apart = {each.id for each in shape.heads} | searches
    unusual_if = (
        (messages_borrowed, "no root has an input: that of the last model call is shown"),
        (output_borrowed, "no root has an output: that of the last model call is shown"),
        (output.is_json, "output is JSON"),
        (not output.text, "no output"),
        (unreadable > 0, f"{unreadable} of its observations could not be read"),
    )
    return Trace(
        trace_id=head.trace_id,
        environment=head.environment or "default",
        name=trace_name(head),
        timestamp=shape.all[0].start_time,
        user_id=_first(each.user_id for each in [*shape.heads, *shape.all]),
        session_id=_first(each.session_id for each in [*shape.heads, *shape.all]),
        messages=messages,
        output=output.text,
        alternative=_alternative(shape),
        documents=retrieved or _documents_in_metadata(shape),
        steps=tuple(_step(each) for each in shape.all if each.id not in apart and _is_step(each)),
        model=_model(shape),
        release=_first(each.release for each in shape.heads) or _first(each.version for each in shape.heads),
        latency_s=_latency(shape),
        cost_usd=_cost(shape),
        tags=tuple(dict.fromkeys(tag for each in shape.all for tag in each.tags)),
        root_observation_id=shape.roots[0].id if shape.roots else None,
        notes=(*_notes_on_roots(shape), *(words for unusual, words in unusual_if if unusual)),
    )


def _shape(observations: Sequence[Observation]) -> _Shape:
    ordered = sorted(_latest(observations), key=lambda each: (each.start_time, each.id))
    ids = {each.id for each in ordered}
    parentless = [each for each in ordered if each.parent_observation_id not in ids]
    roots = [each for each in ordered if each.is_root]
    # Observations that are each other's parents have no top; the earliest then stands for it.
    heads = roots or parentless or ordered[:1]
    chosen = {each.id for each in heads}
    return _Shape(ordered, roots, heads, heads + [each for each in parentless if each.id not in chosen])


def _latest(observations: Sequence[Observation]) -> list[Observation]:
    """Each observation once, as it was last updated: the server does not deduplicate its rows."""
    found: dict[str, Observation] = {}
    for each in observations:
        before = found.get(each.id)
        if before is None or _updated(each) > _updated(before):
            found[each.id] = each
    return list(found.values())


def _updated(observation: Observation) -> datetime:
    return observation.updated_at or observation.start_time


def _input(shape: _Shape) -> tuple[tuple[Message, ...], bool]:
    """The conversation, and whether it is a model call's for want of a top's."""
    found = next((messages for each in shape.tops if (messages := read_input(each.input))), ())
    if found:
        return found, False
    called = next((messages for each in reversed(shape.generations) if (messages := read_input(each.input))), ())
    return called, bool(called)


def _output(shape: _Shape) -> tuple[Output, bool]:
    """The answer, and whether it is a model call's for want of a top's."""
    orphans = shape.tops[len(shape.heads) :]
    for borrowed, observations in ((False, shape.heads), (False, orphans), (True, shape.generations)):
        for each in reversed(observations):
            found = read_output(each.output)
            if found.text.strip():
                return found, borrowed
    return Output("", is_json=False), False


def _retrieved(observations: Sequence[Observation]) -> tuple[tuple[Document, ...], set[str]]:
    """The passages that were found, and the observations that found them."""
    documents: list[Document] = []
    searches: set[str] = set()
    for each in observations:
        if each.type != "RETRIEVER" and (each.type in _NO_STEP or not _SEARCHES.search(each.name)):
            continue
        found = read_documents(each.output, texts=each.type == "RETRIEVER")
        if found:
            documents.extend(found)
            searches.add(each.id)
    return tuple(dict.fromkeys(documents)), searches


def _documents_in_metadata(shape: _Shape) -> tuple[Document, ...]:
    """Lists only: a plain text there ("context": "checkout") need not be a passage."""
    values = (decode(each.metadata.get(key)) for each in shape.tops for key in DOCUMENT_KEYS)
    return next(
        (found for value in values if not isinstance(value, str) and (found := read_documents(value, texts=True))), ()
    )


def _alternative(shape: _Shape) -> str | None:
    """The last one that is there, as with outputs; None where no text is in it."""
    found = (read_output(each.metadata.get(ALTERNATIVE_KEY)).text for each in reversed(shape.tops))
    return next((text for text in found if text.strip()), None)


def _is_step(observation: Observation) -> bool:
    if observation.type in _NO_STEP:
        return False
    return observation.type == "TOOL" or bool(as_text(observation.input) or as_text(observation.output))


def _step(observation: Observation) -> Step:
    return Step(
        kind=observation.type.lower() or "span",
        name=observation.name,
        input=as_text(observation.input),
        output=as_text(observation.output),
    )


def _model(shape: _Shape) -> str | None:
    return _first(each.model for each in [*reversed(shape.generations), *shape.tops])


def _latency(shape: _Shape) -> float | None:
    ends = [each.end_time for each in shape.tops if each.end_time is not None]
    seconds = (max(ends) - min(each.start_time for each in shape.tops)).total_seconds() if ends else -1.0
    return seconds if seconds >= 0 else None


def _cost(shape: _Shape) -> float | None:
    """US dollars. The server shows an unknown cost as 0, so 0 in sum says nothing."""
    return sum(each.total_cost or 0.0 for each in shape.generations or shape.heads) or None


def _notes_on_roots(shape: _Shape) -> list[str]:
    if not shape.roots:
        return ["no root observation was recorded"]
    known = {each.id for each in shape.all}
    apart = [each for each in shape.roots if each.parent_observation_id not in known]
    return [f"{len(apart)} root observations: input of the first, output of the last"] if len(apart) > 1 else []


def _first(values: Iterable[str | None]) -> str | None:
    return next((value for value in values if value), None)
