"""What a judge answers: one JSON object, its schema, and how it is read.

It is `{"reason": text, "abstained": text or null, "answers": {question: value or null}}`. The reason comes first, since
a model that writes its reasons before its answer has them to answer by. Where the judge is asked how sure it is, that
number comes last, as `confidence`: of an answer that stands.
"""

import math
from typing import Any, Final, TypeGuard, assert_never

from goldloop.codebook.controls import LEFT, RIGHT, side
from goldloop.codebook.render.asked import aliases
from goldloop.codebook.result import unsided
from goldloop.codebook.schema import Codebook, Question
from goldloop.codebook.values import UnfitError, complete, take
from goldloop.errors import RejectedError
from goldloop.records import Value

CONFIDENCE: Final = "confidence"
_FIELDS: Final = ("reason", "abstained", "answers")
_SHOWN: Final = 60
_SURE: Final[dict[str, Any]] = {
    "type": ["number", "null"],
    "minimum": 0,
    "maximum": 1,
    "description": "the probability that the verdict is what a careful reviewer of the team says",
}


def answer_schema(codebook: Codebook, *, confidence: bool = False) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of an answer, in the part of it that providers enforce as a strict schema.

    Every property is required and no other allowed; null stands for a question left open. What it cannot say (a step,
    a label named twice, a question that is hidden) `read_answer` checks. Two compared answers are `a` and `b` in it,
    whichever is the app's own, so that it is one schema for all traces.
    """
    return _object(
        {
            "reason": {"type": "string", "description": "what in the trace decides, in at most three sentences"},
            "abstained": {
                "type": ["string", "null"],
                "description": "why a required question can't be answered; null where you answer",
            },
            "answers": _object({question.name: _property(codebook, question) for question in codebook.questions}),
            **({CONFIDENCE: _SURE} if confidence else {}),
        }
    )


def read_answer(
    codebook: Codebook, answer: object, *, swap: bool = False, confidence: bool = False
) -> dict[str, Value]:
    """The answers of a judge that keep to the codebook, by the rules that a person's are read by; none if it abstains.

    `swap` is the one that the trace was shown with (`goldloop.codebook.prompt.fenced`): by it the sides are labels
    again. `confidence` says whether the judge was asked how sure it is: where it was, its answer has to say so.

    Raises:
        RejectedError: with the reason `wrong_shape`, `unknown_question`, `contradiction` (it abstains and answers), or
            one of `goldloop.codebook.values`.
    """
    try:
        given = _fields(codebook, answer, swap=swap, confidence=confidence)
        answers = {name: value for name, value in given.items() if value is not None}
        if read_abstention(answer) is None:
            return complete(codebook, answers)
        if answers:
            raise UnfitError("contradiction", "it abstains, and answers")  # noqa: TRY301 - one place that translates
    except UnfitError as error:
        raise RejectedError("the judge", f"its answer cannot be used: {error}", reason=error.reason) from None
    return {}


def read_abstention(answer: object) -> str | None:
    """Why the judge gives no answer; None where it gives one, or says nothing that can be read."""
    return _words(answer, "abstained")


def read_reason(answer: object) -> str:
    """What the judge says decides; empty where it says nothing that can be read. A and B are as it saw them."""
    return _words(answer, "reason") or ""


def read_confidence(answer: object) -> float | None:
    """How sure the judge says it is, from 0 to 1; None where it does not say so, or says nothing that can be read."""
    said = answer.get(CONFIDENCE) if isinstance(answer, dict) else None
    return float(said) if _is_share(said) else None


def kind_of(question: Question) -> str:
    match question.kind:
        case "binary" | "choice" | "rating":
            return "Exactly one label."
        case "pairwise":
            return (
                f"Exactly one label: `{LEFT}` where answer A is better, `{RIGHT}` where answer B is. Their order is "
                "chance: with the places swapped, the judgement has to be the same."
            )
        case "multi-choice":
            return "Every label that applies."
        case "number":
            return f"A number {_range(question)}."
        case "text":
            return "A short text, or null."
        case "correction":
            return "The output as it should have been, whole, or null."
        case unknown:
            assert_never(unknown)


def _range(question: Question) -> str:
    if question.scale is None:
        return ""
    scale = question.scale
    unit = f" {scale.unit}" if scale.unit else ""
    return f"from {scale.minimum:.15g} to {scale.maximum:.15g}{unit}, in steps of {scale.step:.15g} from the lowest on"


def condition_of(codebook: Codebook, question: Question) -> str:
    conditions = (question.only_if or {}).items()
    shows = [
        f"{name} is {' or '.join(f'`{label}`' for label in aliases(codebook, name, wanted))}"
        for name, wanted in conditions
    ]
    return f", and asked only if {shows[0]} (null otherwise)" if shows else ""


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "additionalProperties": False,
    }


def _property(codebook: Codebook, question: Question) -> dict[str, Any]:
    described = {"description": f"{question.text} {kind_of(question)}{condition_of(codebook, question)}"}
    if question.scale:
        bounds = {"minimum": question.scale.minimum, "maximum": question.scale.maximum}
        return {"type": ["number", "null"], **bounds, **described}
    if not question.chooses:
        return {"type": ["string", "null"], **described}
    # The sides stand in one order, whichever label is which.
    labels = [side(name, swap=False) if question.kind == "pairwise" else name for name in question.label_names]
    if question.kind == "multi-choice":
        return {"type": ["array", "null"], "items": {"type": "string", "enum": labels}, **described}
    return {"type": ["string", "null"], "enum": [*labels, None], **described}


def _fields(codebook: Codebook, answer: object, *, swap: bool, confidence: bool) -> dict[str, Value | None]:
    fields = (*_FIELDS, CONFIDENCE) if confidence else _FIELDS
    if not isinstance(answer, dict) or answer.keys() != set(fields) or not isinstance(answer["answers"], dict):
        raise UnfitError("wrong_shape", f"it is no object of {', '.join(fields)}")
    if answer.get(CONFIDENCE) is not None and not _is_share(answer[CONFIDENCE]):
        raise UnfitError("out_of_range", f"its {CONFIDENCE} is no number from 0 to 1")
    if not isinstance(answer["reason"], str) or not isinstance(answer["abstained"], str | None):
        raise UnfitError("wrong_shape", "its reason, or why it abstains, is no text")
    values: dict[str, Value | None] = {}
    for name, value in answer["answers"].items():
        question = codebook.question(name) if isinstance(name, str) else None
        if question is None:
            raise UnfitError("unknown_question", f"it answers {str(name)[:_SHOWN]!r}, which the codebook lacks")
        if question.chooses and isinstance(value, list) != (question.kind == "multi-choice") and value is not None:
            raise UnfitError("wrong_shape", f"its answer to {question.name} is not of the kind {question.kind}")
        sided = question.kind == "pairwise" and value is not None
        values[name] = take(question, unsided(question, [value], swap=swap) if sided else value)
    return values


def _is_share(said: object) -> TypeGuard[float]:
    return isinstance(said, int | float) and not isinstance(said, bool) and math.isfinite(said) and 0 <= said <= 1


def _words(answer: object, field: str) -> str | None:
    said = answer.get(field) if isinstance(answer, dict) else None
    return (said.strip() or None) if isinstance(said, str) else None
