"""The middle of answers that have an order: steps of a rating, numbers.

Of an even count the lower of the two middle ones is taken: it is an answer that somebody gave, which their mean need
not be, and where half say better and half say worse it does not flatter.
"""

from collections.abc import Sequence

from goldloop.codebook.schema import Question
from goldloop.records import Value


def median(question: Question, values: Sequence[Value]) -> Value:
    """The lower median; `values` are of a rating's labels, or numbers, and not empty."""
    places = sorted(range(len(values)), key=lambda place: _rank(question, values[place]))
    return values[places[(len(values) - 1) // 2]]


def settled_median(question: Question, values: Sequence[Value], outstanding: int) -> Value | None:
    """A rating's median, where no `outstanding` further ones could move it: all at one end, or all at the other."""
    lowest, highest = question.label_names[0], question.label_names[-1]
    low = median(question, [*values, *[lowest] * outstanding])
    high = median(question, [*values, *[highest] * outstanding])
    return low if low == high else None


def _rank(question: Question, value: Value) -> float:
    if isinstance(value, str) and value in question.label_names:
        return question.label_names.index(value)
    return float(value) if isinstance(value, int | float) else 0.0
