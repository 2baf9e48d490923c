"""What moved a learned judge, in words for an annotator: never a verdict's proof, but where to look."""

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from goldloop.judge.features import NAMES
from goldloop.numeric import Floats

_MOST: Final = 3
_LEAST: Final = 0.2
"""Log-odds below which something did not move it."""

Values = Mapping[str, float]


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _count(logged: float, one: str, several: str) -> str:
    count = round(math.expm1(logged))
    return f"{count} {one if count == 1 else several}"


def _backed(values: Values) -> str:
    if values["no sources"]:
        return "it had no source to rest on"
    share = values["words backed by the sources"]
    return f"{_percent(share) if share else 'none'} of the answer's words are in its sources"


def _phrases(values: Values) -> str:
    return f"{_percent(values['word pairs backed'])} of its word pairs stand so in the sources"


def _sentences(values: Values) -> str:
    share = values["share of sentences not backed"]
    return f"{_percent(share) if share else 'none'} of its sentences are mostly not in the sources"


def _numbers(values: Values) -> str:
    count = round(math.expm1(values["unbacked numbers, log"]))
    return (
        f"{count} of its numbers {'is' if count == 1 else 'are'} in no source"
        if count
        else "it has no number that no source has"
    )


def _names(values: Values) -> str:
    share = values["share of names not backed"]
    return f"{_percent(share)} of its names are in no source" if share else "it has no name that no source has"


def _length(values: Values) -> str:
    if values["no answer"]:
        return "it says nothing"
    return f"the answer is {_count(values['length of the answer, log'], 'character', 'characters')} long"


def _refusal(values: Values) -> str:
    if not values["refuses"]:
        return "it refuses nothing"
    held = values["words of the question in the sources"]
    return f"it refuses, and {_percent(held)} of the question's words are in the sources"


def _taken_up(values: Values) -> str:
    return f"it takes up {_percent(values['words of the question in the answer'])} of the question's words"


def _answerable(values: Values) -> str:
    return f"{_percent(values['words of the question in the sources'])} of the question's words are in the sources"


def _repeats(values: Values) -> str:
    return f"{_percent(values['repeated sentences'])} of its sentences repeat another"


def _sources(values: Values) -> str:
    return f"it had {_count(values['sources, log'], 'source', 'sources')}"


def _turns(values: Values) -> str:
    return f"the conversation has {_count(values['messages, log'], 'message', 'messages')}"


def _question(values: Values) -> str:
    return f"the question is {_count(values['length of the question, log'], 'character', 'characters')} long"


def _asks(values: Values) -> str:
    return "the answer ends in a question" if values["answer asks back"] else "the answer ends in no question"


_SAYS: Final[tuple[tuple[Callable[[Values], str], tuple[str, ...]], ...]] = (
    (
        _backed,
        (
            "words backed by the sources",
            "words backed by sources or messages",
            "least backed sentence",
            "mean backing of sentences",
            "no sources",
        ),
    ),
    (_phrases, ("word pairs backed", "word pairs backed in a row")),
    (_sentences, ("share of sentences not backed",)),
    (_numbers, ("unbacked numbers, log",)),
    (_names, ("share of names not backed",)),
    (_length, ("length of the answer, log", "length of the answer to the sources, log", "no answer")),
    (
        _refusal,
        ("refuses", "refuses at once", "refuses, words backed", "refuses, words of the question in the sources"),
    ),
    (_taken_up, ("words of the question in the answer",)),
    (_answerable, ("words of the question in the sources",)),
    (_repeats, ("repeated sentences",)),
    (_sources, ("sources, log", "length of the sources, log")),
    (_turns, ("messages, log",)),
    (_question, ("length of the question, log", "asks with a question mark")),
    (_asks, ("answer asks back",)),
)
"""Numbers that say much the same count together: one of them alone may pull one way and its like the other."""
_KINDS: Final[Floats] = np.array([[float(name in names) for _, names in _SAYS] for name in NAMES])
"""(features, kinds of reasons): which feature belongs to which."""


def reasons(values: Floats, pulls: Floats) -> list[str]:
    """For each trace the two or three things that moved it most towards its verdict.

    `values` (n, k) are its features, `pulls` (n, k) how far each of them moved it. Empty where nothing did: the verdict
    is then the one that most traces get.
    """
    by_kind = pulls @ _KINDS
    order = np.argsort(-by_kind, axis=1, kind="stable")[:, :_MOST]
    return [
        _told(dict(zip(NAMES, row, strict=True)), [int(kind) for kind in strongest if moved[kind] >= _LEAST])
        for row, strongest, moved in zip(values.tolist(), order, by_kind, strict=True)
    ]


def _told(values: Values, kinds: list[int]) -> str:
    said = "; ".join(_SAYS[kind][0](values) for kind in kinds)
    return f"{said[:1].upper()}{said[1:]}." if said else ""
