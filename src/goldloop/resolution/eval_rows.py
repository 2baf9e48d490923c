"""A confirmed failure as a line of the golden set."""

from collections.abc import Sequence
from typing import Final

from pydantic import JsonValue

from goldloop.codebook.lineage import CodebookVersion
from goldloop.codebook.schema import SIDES, Codebook, Severity
from goldloop.codebook.task import shown_messages
from goldloop.codebook.text import clean
from goldloop.records import Annotation, Answer, Document, Draw, EvalRow, Trace, Value
from goldloop.resolution.scores import provenance

_SEVERITIES: Final[tuple[Severity, ...]] = ("minor", "major", "critical")
"""From the mildest to the worst."""


def eval_row(
    version: CodebookVersion,
    row_id: str,
    trace: Trace,
    draw: Draw,
    answers: Sequence[Answer],
    annotations: Sequence[Annotation],
) -> EvalRow:
    """The line of a trace that failed; `version` is what is asked now, and quarantined answers are left out.

    Where two answers were compared, `output` is the app's own, and `expected_output` the other one where it was
    preferred.
    """
    codebook = version.codebook
    given = _given(answers)
    asked = [question for question in codebook.questions if question.name in given]
    texts = {question.kind: str(given[question.name].value) for question in reversed(asked) if question.in_words}
    verdict = given[codebook.verdict.name]
    return EvalRow(
        row_id=row_id,
        dataset=codebook.dataset,
        trace_id=trace.trace_id,
        input=shown_messages(trace),
        context=[Document(title=clean(one.title), text=clean(one.text), score=one.score) for one in trace.documents],
        output=clean(trace.output),
        expected_output=_preferred(codebook, given, trace) if codebook.pairwise else texts.get("correction"),
        labels=labels_of(codebook, answers),
        severity=_severity(codebook, given),
        note=texts.get("text"),
        provenance={
            "trace_id": trace.trace_id,
            "queue": draw.queue,
            "codebook_version": verdict.codebook_version,
            "since": {question.name: given[question.name].codebook_version for question in asked},
            "annotators": list(verdict.annotators),
            "votes": verdict.votes,
            "voters": verdict.voters,
            "annotated_at": [one.updated_at.isoformat() for one in annotations if not one.skipped and not one.deleted],
            **provenance(draw),
            "model": clean(trace.model or "") or None,
            "release": clean(trace.release or "") or None,
            "environment": trace.environment,
            **_sides(codebook, trace),
        },
    )


def labels_of(codebook: Codebook, answers: Sequence[Answer]) -> dict[str, Value]:
    """The labels of a row with these answers: in the codebook's order, without what is said in words."""
    given = _given(answers)
    return {one.name: given[one.name].value for one in codebook.questions if one.name in given and not one.in_words}


def _given(answers: Sequence[Answer]) -> dict[str, Answer]:
    return {answer.question: answer for answer in answers if not answer.quarantined}


def _preferred(codebook: Codebook, given: dict[str, Answer], trace: Trace) -> str | None:
    question = next(one for one in codebook.questions if one.kind == "pairwise")
    better = given[question.name].value if question.name in given else None
    return clean(trace.alternative) if better == SIDES[1] and trace.alternative is not None else None


def _sides(codebook: Codebook, trace: Trace) -> dict[str, JsonValue]:
    if not codebook.pairwise:
        return {}
    return {"output": "the app's own answer", "alternative": clean(trace.alternative or "")}


def _severity(codebook: Codebook, given: dict[str, Answer]) -> str | None:
    """The worst of all labels that the answers name; a question that asks for it gives each of its labels its own."""
    found = []
    for question in codebook.questions:
        value = given[question.name].value if question.name in given else None
        named = value if isinstance(value, list) else [value]
        found += [label.severity for label in question.labels if label.name in named and label.severity]
    return max(found, key=_SEVERITIES.index, default=None)
