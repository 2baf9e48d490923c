"""What is to be asked, in the order of the page."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from goldloop.codebook.controls import swapped
from goldloop.codebook.prompt import fenced, fenced_example
from goldloop.codebook.schema import Codebook
from goldloop.judge.examples import ShownExample, chosen
from goldloop.records import Trace

_LONGEST_EXAMPLE = 12_000
"""Characters. A longer example costs at each call more than it teaches."""


@dataclass(frozen=True)
class Asking:
    """One asking about one trace. `key` is what its answer is remembered by, `first` that of the first asking.

    `wrong` says what was wrong with that, where it is asked again. `swap`: of two compared answers, the app's own
    stands second.
    """

    key: str
    first: str
    trace_id: str
    shown: str
    fenced: str
    swap: bool
    wrong: str | None = None

    @property
    def characters(self) -> int:
        return len(self.shown) + len(self.fenced)

    def again(self, wrong: str) -> "Asking":
        """The same once more, saying what was wrong; its key does not hang on what that was."""
        return replace(self, key=second_key(self.key), wrong=wrong)


def askings(
    codebook: Codebook, trace: Trace, examples: Sequence[ShownExample], *, version: str, votes: int, most: int
) -> list[Asking]:
    """One for each vote. Two compared answers change places with each, so that a habit of taking the first cancels."""
    shown = "\n\n".join(
        text
        for example in chosen(examples, trace, most)
        if len(text := _example(codebook, example)) <= _LONGEST_EXAMPLE
    )
    first = swapped(codebook.name, trace.trace_id) if codebook.pairwise else False
    made = []
    for vote in range(votes):
        swap = codebook.pairwise and first != (vote % 2 == 1)
        told = fenced(codebook, trace, swap=swap)
        key = _key(version, shown, told, str(vote))
        made.append(Asking(key, key, trace.trace_id, shown, told, swap))
    return made


def second_key(key: str) -> str:
    return _key(key, "again")


def _example(codebook: Codebook, example: ShownExample) -> str:
    swap = codebook.pairwise and swapped(codebook.name, example.trace.trace_id)
    return fenced_example(codebook, example.trace, example.answers, swap=swap)


def _key(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
