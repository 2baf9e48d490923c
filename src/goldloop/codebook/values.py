"""Which values a question takes: the one place that knows, for a person's answer as for a judge's.

An answer has one form: a label's name; the names of several labels, in the codebook's order and at least one; a finite
number on its scale; a text without outer white space that is not empty. None stands for a question left open.
"""

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from goldloop.codebook.schema import Codebook, Question, Scale
from goldloop.records import Value

_SHOWN: Final = 60
"""Characters of a wrong value that a complaint repeats."""


class UnfitError(ValueError):
    """A value that a question does not take: `reason` is one word for a table, the message a clause that says it."""

    def __init__(self, reason: str, what: str) -> None:
        super().__init__(what)
        self.reason = reason


def take(question: Question, value: object) -> Value | None:
    """The answer that `value` is, None where it is none: nothing, no label, a blank text.

    Raises:
        UnfitError: `wrong_type`, `unknown_choice`, `two_answers`, `out_of_range` or `off_step`. Nothing is rounded,
            cut or guessed.
    """
    if value is None:
        return None
    if question.scale:
        return _number(question, question.scale, value)
    if not question.chooses:
        if not isinstance(value, str):
            raise UnfitError("wrong_type", f"its answer to {question.name} is no text")
        return value.strip() or None
    chosen = value if isinstance(value, list) else [value]
    names = [name for name in chosen if isinstance(name, str)]
    if len(names) != len(chosen):
        raise UnfitError("wrong_type", f"its answer to {question.name} is no label's name")
    return _labels(question, names)


def shown(codebook: Codebook, answers: Mapping[str, Value]) -> dict[str, Value]:
    """The answers to questions that are on the screen, in the codebook's order.

    What was filled in before another answer hid its question does not count, and can show no other question either.
    """
    found: dict[str, Value] = {}
    for question in codebook.questions:
        if question.name in answers and is_shown(question, found):
            found[question.name] = answers[question.name]
    return found


def complete(codebook: Codebook, answers: Mapping[str, Value]) -> dict[str, Value]:
    """The answers that count.

    Raises:
        UnfitError: `no_answer`, where a question is shown, required, and left open.
    """
    found = shown(codebook, answers)
    for question in codebook.questions:
        if question.required and question.name not in found and is_shown(question, found):
            raise UnfitError("no_answer", f"it does not answer {question.name}")
    return found


def is_shown(question: Question, answers: Mapping[str, Value]) -> bool:
    """Whether these answers, all of questions that are shown themselves, put the question on the screen."""
    for other, wanted in (question.only_if or {}).items():
        given = answers.get(other, [])
        if not set(given if isinstance(given, list) else [given]) & set(wanted):
            return False
    return True


def _labels(question: Question, names: list[str]) -> Value | None:
    unknown = sorted(set(names) - set(question.label_names))
    if unknown:
        raise UnfitError(
            "unknown_choice", f"it answers {question.name} with {unknown[0][:_SHOWN]!r}, which is no label of it"
        )
    if question.kind == "multi-choice":
        return [label for label in question.label_names if label in names] or None
    if len(names) > 1:
        raise UnfitError("two_answers", f"it gives {len(names)} labels to {question.name}, which takes one")
    return names[0] if names else None


def _number(question: Question, scale: Scale, value: object) -> float:
    # An integer may be larger than any float, so only a float is asked whether it is finite.
    if isinstance(value, bool) or not (isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))):
        raise UnfitError("wrong_type", f"its answer to {question.name} is no number")
    if not scale.minimum <= value <= scale.maximum:
        raise UnfitError(
            "out_of_range",
            f"its answer to {question.name} is not in the range from {scale.minimum:g} to {scale.maximum:g}",
        )
    # As written in decimal: of the binary numbers 0.3 and 0.1 neither is a multiple of the other.
    if (Fraction(repr(value)) - Fraction(repr(scale.minimum))) % Fraction(repr(scale.step)):
        raise UnfitError(
            "off_step",
            f"its answer to {question.name} is on no step of {scale.step:g} from {scale.minimum:g} on",
        )
    return float(value)
