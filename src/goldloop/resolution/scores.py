"""Annotations and answers as Langfuse scores."""

from pydantic import JsonValue

from goldloop import ids
from goldloop.codebook.schema import Codebook
from goldloop.records import Annotation, Answer, Draw, Score, ScoreType, Value


def annotation_score(codebook: Codebook, annotation: Annotation, draw: Draw, environment: str) -> Score | None:
    """One annotation as one score of its own: its verdict, named `annotation_<question>`; None for a skip.

    The other answers stand in the metadata, so that an annotation is one score however much it says; the correction
    does not: it is the output rewritten, and goes to the golden set.
    """
    question = codebook.verdict
    if annotation.skipped or annotation.deleted or question.name not in annotation.answers:
        return None
    others: dict[str, JsonValue] = {
        name: _json(value)
        for name, value in annotation.answers.items()
        if name != question.name and (asked := codebook.question(name)) is not None and asked.chooses
    }
    return Score(
        score_id=ids.annotation_score_id(annotation.trace_id, question.name, codebook.version, annotation.key),
        trace_id=annotation.trace_id,
        name=f"annotation_{question.name}",
        data_type=ScoreType.CATEGORICAL,
        value=str(annotation.answers[question.name]),
        comment=_note(codebook, annotation),
        metadata={
            **_provenance(draw),
            "annotator": annotation.annotator,
            "annotated_at": annotation.updated_at.isoformat(),
            "prelabel_shown": annotation.from_prediction,
            **others,
        },
        environment=environment,
        event_at=annotation.updated_at,
    )


def answer_score(codebook: Codebook, answer: Answer, draw: Draw, environment: str) -> Score | None:
    """A resolved answer as the score `human_<question>`; None for texts, of which there is no majority.

    The value of a multi-choice answer is its labels in the codebook's order, joined by `+`.
    """
    question = codebook.question(answer.question)
    if question is None or not question.chooses:
        return None
    return Score(
        score_id=ids.answer_score_id(answer.queue, answer.trace_id, answer.question, codebook.version),
        trace_id=answer.trace_id,
        name=f"human_{answer.question}",
        data_type=ScoreType.CATEGORICAL,
        value="+".join(answer.value) if isinstance(answer.value, list) else str(answer.value),
        metadata={
            **_provenance(draw),
            "votes": answer.votes,
            "voters": answer.voters,
            "annotators": list(answer.annotators),
            "method": answer.method,
            "failure": answer.failure,
        },
        environment=environment,
        event_at=answer.revised_at,
    )


def _provenance(draw: Draw) -> dict[str, JsonValue]:
    return {
        "goldloop": f"{draw.queue}@{draw.codebook_version}",
        "policy": draw.policy,
        "pi": draw.pi,
        "stratum": draw.stratum,
        "draw_run": draw.run_id,
    }


def _note(codebook: Codebook, annotation: Annotation) -> str | None:
    notes = [
        str(annotation.answers[question.name])
        for question in codebook.questions
        if question.kind == "text" and question.name in annotation.answers
    ]
    return "\n".join(notes) or None


def _json(value: Value) -> JsonValue:
    return [*value] if isinstance(value, list) else value
