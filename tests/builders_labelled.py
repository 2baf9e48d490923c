"""Traces of which words tell, most of the time, what people say: something that a judge can learn."""

import random

from goldloop.records import Document, Message, Trace

_SYLLABLES = [first + vowel for first in "bdfgklmnprstvz" for vowel in "aeiou"]
_WORDS = [
    first + second + third for first in _SYLLABLES[::5] for second in _SYLLABLES[::3] for third in _SYLLABLES[::9]
]


def logged(number: int) -> tuple[Trace, str]:
    """A trace, and what people say of it: an answer out of its document passes, in nine of ten cases."""
    rng = random.Random(number)  # noqa: S311 - a test's chance
    backed = rng.random() < 0.5
    facts = rng.sample(_WORDS, 40)
    others = rng.sample(_WORDS, 40)
    output = " ".join(facts[:20] if backed else others[:20]) + "."
    passes = backed == (rng.random() < 0.9)
    asked = Message(role="user", content=f"Question {number}: {' '.join(rng.sample(_WORDS, 8))}?")
    fields = {"messages": (asked,), "output": output, "documents": (Document(title="d", text=" ".join(facts)),)}
    return Trace.model_validate({"trace_id": f"t{number:03}", "timestamp": "2026-03-02T11:00:00Z", **fields}), (
        "pass" if passes else "fail"
    )
