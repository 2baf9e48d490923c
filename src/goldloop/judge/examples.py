"""Which approved examples a judge is shown with a trace: never the trace itself, nor one that is nearly the same.

An example that is the trace, but for a name or a date, gives its answer away: the judge would look right where it
copied, and its calibration would be that of a copyist.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from goldloop.records import Trace, Value

_WORD: Final = re.compile(r"\w+")
_SHINGLE: Final = 3
NEAR: Final = 0.5
"""From this Jaccard similarity of three-word shingles on two texts are nearly the same.

One changed word spoils three shingles on either side: a text of 20 words (18 shingles) with one word changed has 15 in
common of 21, 0.71; with two, 12 of 24, 0.5. Two texts on one subject that were written apart share under a tenth.
"""


@dataclass(frozen=True)
class ShownExample:
    """A resolved trace that was approved as an example, with what people answered, by question."""

    trace: Trace
    answers: dict[str, Value]

    @cached_property
    def _texts(self) -> tuple[frozenset[str], ...]:
        return _shingled(self.trace)

    def gives_away(self, trace: Trace) -> bool:
        """Whether it is this trace, or nearly: by what the user asked, by the answer, or by the one held against it."""
        if trace.trace_id == self.trace.trace_id:
            return True
        return any(similarity(*pair) >= NEAR for pair in zip(self._texts, _shingled(trace), strict=True))


def chosen(examples: Sequence[ShownExample], trace: Trace, most: int) -> list[ShownExample]:
    """The newest `most` of the examples (which come oldest first) that do not give the trace away, oldest first.

    The order is the same for all traces, so that what a provider has cached of the one prompt holds for the next.
    """
    fit = [example for example in examples if not example.gives_away(trace)]
    return fit[max(0, len(fit) - most) :] if most > 0 else []


def shingles(text: str) -> frozenset[str]:
    """Its runs of three words, in small letters; of a shorter text the whole."""
    words = _WORD.findall(text.casefold())
    if not words:
        return frozenset()
    last = max(1, len(words) - _SHINGLE + 1)
    return frozenset(" ".join(words[start : start + _SHINGLE]) for start in range(last))


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard's: the share of what either has that both have; 0 where one has nothing."""
    if not one or not other:
        return 0.0
    both = len(one & other)
    return both / (len(one) + len(other) - both)


def _shingled(trace: Trace) -> tuple[frozenset[str], ...]:
    asked = " ".join(message.content for message in trace.messages if message.role == "user")
    return tuple(shingles(text) for text in (asked, trace.output, trace.alternative or ""))
