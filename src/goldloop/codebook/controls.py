"""Names of the tags that every label config has, and which of two compared answers stands on which side."""

from typing import Final

from goldloop import ids
from goldloop.codebook.schema import SIDES
from goldloop.codebook.text import clean

SUBJECT: Final = "output"
"""The tag that holds the answer to judge (of two, the left one): every question is about it."""
OTHER: Final = "other"
"""The tag that holds the right one of two answers."""
PRELABEL: Final = "prelabel"
"""The tag that shows the machine's suggestion; a blind label config has none."""
SKIP_REASON: Final = "skip_reason"
"""The control that says why a trace is skipped."""

LEFT: Final = "a"
RIGHT: Final = "b"


def swapped(queue: str, trace_id: str) -> bool:
    """Whether the app's own answer stands on the right: for half of all traces, by their id alone.

    A reviewer can't learn a side, and whoever reads the annotation knows it without asking the task.
    """
    return int(ids.key("side", queue, clean(trace_id))[-1], 16) % 2 == 1


def side(label: str, *, swap: bool) -> str:
    """What a pairwise label is on the screen: `a` (left), `b` (right), or what it was, for a tie."""
    if label not in SIDES:
        return label
    return (LEFT, RIGHT)[(label == SIDES[1]) != swap]


def label_of(shown: str, *, swap: bool) -> str:
    """The label that a side of the screen stands for: the inverse of `side`."""
    if shown not in {LEFT, RIGHT}:
        return shown
    return SIDES[(shown == RIGHT) != swap]
