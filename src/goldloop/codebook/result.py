"""Answers <-> Label Studio's result JSON, exact both ways.

The server checks nothing of what it is given, so whatever comes back is held against the codebook: an answer that it
cannot be is refused with the reason, never guessed.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import JsonValue

from goldloop.codebook.controls import SKIP_REASON, SUBJECT, side
from goldloop.codebook.schema import Codebook, Question
from goldloop.codebook.values import UnfitError, complete, shown, take
from goldloop.errors import RejectedError
from goldloop.ids import key
from goldloop.records import Value

MODEL_VERSION = "goldloop"
"""What every prelabel says it is from. Label Studio shows only those of the project's one model version, so a new judge
must not have another: which judge it was, the store knows."""

_CHOICES: Final = ("choices", "choices")
_NUMBER: Final = ("number", "number")
_TEXT: Final = ("textarea", "text")
"""A result's type, and the field of its value that carries the answer."""


def to_result(codebook: Codebook, answers: Mapping[str, Value], *, swap: bool = False) -> list[dict[str, JsonValue]]:
    """The result of a prediction (or an annotation) that gives these answers, in the codebook's order.

    Answers to questions that the others hide are left out, as the screen leaves them out. `swap` says that the app's
    own answer stands on the right: see `goldloop.codebook.controls`.
    """
    given = shown(codebook, answers)
    return [
        _part(codebook, question.name, *_written(question, given[question.name], swap=swap))
        for question in codebook.questions
        if question.name in given
    ]


def to_skip_result(codebook: Codebook, reason: str) -> list[dict[str, JsonValue]]:
    """The result of a skipped annotation that says why."""
    return [_part(codebook, SKIP_REASON, _CHOICES, [reason])]


def from_result(
    codebook: Codebook, result: Sequence[Mapping[str, JsonValue]], *, swap: bool = False
) -> dict[str, Value]:
    """The answers that a submitted result gives, as `to_result` takes them.

    Texts come back as they were typed, but for white space at their ends; a blank one is no answer. Fields that Label
    Studio adds to a result (`id`, `origin`, `score`, `meta`, ...) count for nothing.

    Raises:
        RejectedError: with the reason `unknown_question`, `unknown_choice` (a stale alias too), `two_answers`,
            `wrong_shape`, `wrong_type`, `out_of_range`, `off_step`, `no_answer` (required, and shown), or
            `skip_reason_on_submit`: whoever says why a trace can't be judged wanted to skip it, or to judge it.
    """
    try:
        return complete(codebook, _answers(codebook, result, swap=swap))
    except UnfitError as error:
        raise RejectedError(
            "Label Studio", f"an annotation cannot be read: {error}; correct it there", reason=error.reason
        ) from None


def skip_reason(codebook: Codebook, result: object) -> str | None:
    """Why a trace was skipped: the name of a skip reason; None where the result does not say one of them plainly."""
    parts = result if isinstance(result, list) else []
    said = [_listed(part) for part in parts if isinstance(part, Mapping) and part.get("from_name") == SKIP_REASON]
    match said:
        case [[str(name)]] if name in {reason.name for reason in codebook.skip_reasons}:
            return name
        case _:
            return None


def unsided(question: Question, given: list[JsonValue], *, swap: bool) -> list[JsonValue]:
    """The labels that the sides of the screen stand for; a label's own name is none of its aliases there.

    Raises:
        UnfitError: `unknown_choice`, where one of them is no side.
    """
    if question.kind != "pairwise":
        return given
    labels = {side(name, swap=swap): name for name in question.label_names}
    unknown = [word for word in given if not isinstance(word, str) or word not in labels]
    if unknown:
        raise UnfitError(
            "unknown_choice", f"it answers {question.name} with {str(unknown[0])[:60]!r}, which is no side"
        )
    return [labels[str(word)] for word in given]


def _part(codebook: Codebook, name: str, form: tuple[str, str], content: JsonValue) -> dict[str, JsonValue]:
    kind, field = form
    return {
        "id": key("result", codebook.ref, name)[:10],
        "from_name": name,
        "to_name": SUBJECT,
        "type": kind,
        "value": {field: content},
    }


def _form(question: Question) -> tuple[str, str]:
    return _CHOICES if question.chooses else _NUMBER if question.scale else _TEXT


def _written(question: Question, value: Value, *, swap: bool) -> tuple[tuple[str, str], JsonValue]:
    form = _form(question)
    if form is _NUMBER:
        return form, [*value] if isinstance(value, list) else value
    words = value if isinstance(value, list) else [value]
    if question.kind == "pairwise":
        words = [side(str(word), swap=swap) for word in words]
    return form, [*words]


def _answers(codebook: Codebook, result: Sequence[Mapping[str, JsonValue]], *, swap: bool) -> dict[str, Value]:
    answers: dict[str, Value] = {}
    answered: set[str] = set()
    for part in result:
        name, value = _read(codebook, part, swap=swap)
        if name in answered:
            raise UnfitError("two_answers", f"it answers {name} twice")
        answered.add(name)
        if value is not None:
            answers[name] = value
    return answers


def _read(codebook: Codebook, part: Mapping[str, JsonValue], *, swap: bool) -> tuple[str, Value | None]:
    """The question that a part of a result answers, and how; None where it is left open."""
    name = part.get("from_name")
    if name == SKIP_REASON:
        if _listed(part) != []:
            raise UnfitError("skip_reason_on_submit", "it is submitted, and says why the trace was skipped")
        return SKIP_REASON, None
    question = codebook.question(name) if isinstance(name, str) else None
    if question is None:
        raise UnfitError("unknown_question", f"it answers {str(name)[:60]!r}, which the codebook lacks")
    form = _form(question)
    kind, field = form
    content = part.get("value")
    if part.get("type") != kind or part.get("to_name") != SUBJECT or not isinstance(content, dict):
        raise UnfitError("wrong_shape", f"its answer to {question.name} is not of the type {kind}")
    if field not in content:
        raise UnfitError("wrong_shape", f"its answer to {question.name} has no {field}")
    given = content[field]
    if form is _NUMBER:
        return question.name, take(question, given)
    if form is _TEXT:
        return question.name, take(question, _text(question, given))
    if not isinstance(given, list):
        raise UnfitError("wrong_shape", f"its answer to {question.name} is no list of choices")
    return question.name, take(question, unsided(question, given, swap=swap))


def _text(question: Question, given: JsonValue) -> JsonValue:
    """What was typed. The control takes one text: of two, nobody knows which was meant."""
    match given:
        case []:
            return None
        case [text] | (str() as text):
            return text
        case list():
            raise UnfitError("two_answers", f"it gives {len(given)} texts to {question.name}, which takes one")
        case _:
            raise UnfitError("wrong_shape", f"its answer to {question.name} is no text")


def _listed(part: Mapping[str, JsonValue]) -> list[JsonValue] | None:
    """The choices of a part; None where it is of another shape."""
    content = part.get("value")
    choices = content.get("choices") if isinstance(content, dict) else None
    return choices if part.get("type") == "choices" and isinstance(choices, list) else None
