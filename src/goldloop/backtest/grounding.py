"""What words alone say of an answer: is it backed by what the assistant had, does it refuse, how long is it.

Numbers for a regression that learns from labels which of them matter; none is a verdict.
"""

import math
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from goldloop.backtest.traces import LabelledTrace

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_NAME = re.compile(r"\b[A-Z][a-z]+\b")
_REFUSAL = re.compile(
    r"\b(?:i (?:do not|don't|cannot|can't|could not|couldn't|am not|am unable|was unable)|unable to|sorry"
    r"|not (?:provide|contain|mention|specif|enough|available|have|explicitly|directly)"
    r"|no (?:information|mention|relevant|specific)|unanswerable|does(?: not|n't)|insufficient"
    r"|cannot be (?:answered|determined))\b",
    re.IGNORECASE,
)
_HALF = 0.5
_SHORTEST = 3

NAMES = (
    "words backed by the documents",
    "words backed by documents or messages",
    "word pairs backed",
    "least backed sentence",
    "sentences' mean backing",
    "share of sentences not backed",
    "unbacked numbers, log",
    "share of names not backed",
    "answer's length, log",
    "documents' length, log",
    "answer's length to the documents', log",
    "refuses",
    "refuses at once",
    "question's words in the answer",
    "question's words in the documents",
    "refuses, words backed",
    "refuses, question's words in the documents",
    "turns, log",
    "no answer",
    "documents",
    "question's length, log",
    "asks with a question mark",
)


def features(trace: LabelledTrace) -> list[float]:
    """The numbers of one trace, in the order of NAMES."""
    output, question = trace.output, trace.input[-1].content if trace.input else ""
    context = " ".join(f"{document.title or ''} {document.text}" for document in trace.context)
    earlier = " ".join(message.content for message in trace.input[:-1])
    stated = _long(output)
    in_context = _stems(context)
    known = set(in_context)
    asked = set(_long(question))
    anywhere = known | asked | set(_stems(earlier))
    pairs = set(pairwise(in_context))
    sentences = [sentence for sentence in _SENTENCE.split(output) if sentence.strip()]
    backing = [_share(words, known) for sentence in sentences if (words := _long(sentence))]
    exact = {word.lower() for word in _WORD.findall(context)}
    numbers = [word for word in _WORD.findall(output) if word[0].isdigit()]
    names = [name.lower()[:6] for name in _NAME.findall(output)]
    refuses = float(bool(_REFUSAL.search(output)))
    backed, answerable = _share(stated, known), _share(asked, known)
    return [
        backed,
        _share(stated, anywhere),
        _share(pairwise(stated), pairs),
        min(backing, default=0.0),
        sum(backing) / len(backing) if backing else 0.0,
        sum(share < _HALF for share in backing) / len(backing) if backing else 1.0,
        math.log1p(sum(number not in exact for number in numbers)),
        1 - _share(names, known) if names else 0.0,
        math.log1p(len(output)),
        math.log1p(len(context)),
        math.log1p(len(output)) - math.log1p(len(context)),
        refuses,
        float(bool(sentences and _REFUSAL.search(sentences[0]))),
        _share(asked, set(stated)),
        answerable,
        refuses * backed,
        refuses * answerable,
        math.log(max(1, len(trace.input))),
        float(not output.strip()),
        float(len(trace.context)),
        math.log1p(len(question)),
        float("?" in question),
    ]


def _stems(text: str) -> list[str]:
    """Words in lower case, cut to six letters so that endings do not matter."""
    return [word.lower()[:6] for word in _WORD.findall(text)]


def _long(text: str) -> list[str]:
    return [stem for stem in _stems(text) if len(stem) >= _SHORTEST or stem[0].isdigit()]


def _share(part: Iterable[object], whole: set[str] | set[tuple[str, str]]) -> float:
    """How much of the part is in the whole; 0 of nothing."""
    found: Sequence[bool] = [one in whole for one in part]
    return sum(found) / len(found) if found else 0.0
