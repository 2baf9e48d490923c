"""Answers <-> Label Studio's result JSON, exact both ways.

The server checks nothing of what it is given, so whatever comes back is held against the codebook: an answer that it
cannot be is refused with the reason, never guessed.
"""

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from goldloop.codebook.controls import SUBJECT
from goldloop.codebook.schema import Codebook, Question
from goldloop.errors import RejectedError
from goldloop.ids import key
from goldloop.records import Value

MODEL_VERSION = "goldloop"
"""What every prelabel says it is from. Label Studio shows only those of the project's one model version, so a new judge
must not have another: which judge it was, the store knows."""

_TYPES = {
    "binary": "choices",
    "choice": "choices",
    "multi-choice": "choices",
    "rating": "choices",
    "pairwise": "choices",
    "number": "number",
    "correction": "textarea",
    "text": "textarea",
}


def to_result(codebook: Codebook, answers: Mapping[str, Value]) -> list[dict[str, JsonValue]]:
    """The result of a prediction (or an annotation) that gives these answers, in the codebook's order."""
    result: list[dict[str, JsonValue]] = []
    for question in codebook.questions:
        if question.name not in answers:
            continue
        value = answers[question.name]
        kind = _TYPES[question.kind]
        texts: list[JsonValue] = [*value] if isinstance(value, list) else [value]
        content: dict[str, JsonValue] = {"choices" if kind == "choices" else "text": texts}
        result.append(
            {
                "id": key("result", codebook.ref, question.name)[:10],
                "from_name": question.name,
                "to_name": SUBJECT,
                "type": kind,
                "value": content,
            }
        )
    return result


def from_result(codebook: Codebook, result: Sequence[Mapping[str, JsonValue]]) -> dict[str, Value]:
    """The answers in an annotation's result; `RejectedError` with a reason where it cannot be one of this codebook.

    An answer to a question that was hidden by its `only_if` counts as not given: the page keeps what was filled in
    before the verdict changed. A blank text is no answer.
    """
    answers: dict[str, Value] = {}
    for part in result:
        question = codebook.question(str(part.get("from_name")))
        if question is None:
            raise _refused(
                "unknown_question", f"it answers {str(part.get('from_name'))[:60]!r}, which the codebook lacks"
            )
        if question.name in answers:
            raise _refused("two_answers", f"it answers {question.name} twice")
        value = _read(question, part)
        if value:
            answers[question.name] = value
    shown = {question.name: answers[question.name] for question in codebook.questions if _given(question, answers)}
    for question in codebook.questions:
        if question.required and question.name not in shown:
            raise _refused("no_answer", f"it does not answer {question.name}")
    return shown


def _given(question: Question, answers: Mapping[str, Value]) -> bool:
    return question.name in answers and all(
        answers.get(other) in labels for other, labels in (question.only_if or {}).items()
    )


def _read(question: Question, part: Mapping[str, JsonValue]) -> Value:
    content = part.get("value")
    kind = _TYPES[question.kind]
    texts = content.get("choices" if kind == "choices" else "text") if isinstance(content, dict) else None
    if isinstance(texts, str):
        texts = [texts]
    if part.get("type") != kind or not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise _refused("wrong_shape", f"its answer to {question.name} is not of the type {kind}")
    given = [str(text) for text in texts]
    if kind == "textarea":
        return "\n".join(given).strip()
    unknown = sorted(set(given) - set(question.label_names))
    if unknown:
        raise _refused(
            "unknown_choice", f"it answers {question.name} with {unknown[0][:60]!r}, which is no label of it"
        )
    if question.kind == "multi-choice":
        return [label for label in question.label_names if label in given]
    if len(given) > 1:
        raise _refused("two_answers", f"it gives {len(given)} labels to {question.name}, which takes one")
    return given[0] if given else ""


def _refused(reason: str, what: str) -> RejectedError:
    return RejectedError("Label Studio", f"an annotation cannot be read: {what}", reason=reason)
