"""What words alone say of an answer: is it backed by what the assistant had, does it refuse, how long is it.

Numbers for a regression that learns from labels which of them matter; none is a verdict. A change here is a new
VERSION: what was learned from other numbers holds for them alone.
"""

import hashlib
import math
import re
from collections.abc import Collection, Sequence
from functools import cache
from itertools import pairwise
from typing import Final

from goldloop.records import Trace, TraceFeatures

VERSION: Final = "2"

_STEM = re.compile(r"([a-z]{3,6}|\d+(?:[.,]\d+)*|[^\W\d_]{3,6})[^\W\d_]*")
"""Whole numbers, and of words of three letters or more the first six, so that endings do not matter. Plain letters come
first because they are faster to find."""
_SENTENCE = re.compile(r"[.!?]\s+|\n+")
_NAME = re.compile(r"\b[A-Z][a-z]+\b")
_REFUSAL = re.compile(
    r"\b(?:i (?:do not|don't|cannot|can't|could not|couldn't|am not|am unable|was unable)|unable to|sorry"
    r"|not (?:provide|contain|mention|specif|enough|available|have|explicitly|directly)"
    r"|no (?:information|mention|relevant|specific)|unanswerable|does(?: not|n't)|insufficient"
    r"|cannot be (?:answered|determined))\b"
)
_HALF: Final = 0.5
_LONG: Final = 500
"""Characters of a message that may hold a document: hardly a question alone is as long."""

NAMES: Final = (
    "words backed by the sources",
    "words backed by sources or messages",
    "word pairs backed",
    "word pairs backed in a row",
    "least backed sentence",
    "mean backing of sentences",
    "share of sentences not backed",
    "unbacked numbers, log",
    "share of names not backed",
    "length of the answer, log",
    "length of the sources, log",
    "length of the answer to the sources, log",
    "refuses",
    "refuses at once",
    "words of the question in the answer",
    "words of the question in the sources",
    "refuses, words backed",
    "refuses, words of the question in the sources",
    "repeated sentences",
    "messages, log",
    "no answer",
    "sources, log",
    "no sources",
    "length of the question, log",
    "asks with a question mark",
    "answer asks back",
)
"""Sources are documents and what tools returned; where neither is there, messages long enough to hold a document.

The question is the user's last message.
"""


def features(trace: Trace) -> tuple[float, ...]:
    """The numbers of one trace, in the order of NAMES; all finite, whatever the trace lacks."""
    output, question = trace.output.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"), _question(trace)
    sources = _sources(trace)
    stems_of = cache(_stems)  # a message may be a source, and the question too
    given = [stem for source in sources for stem in stems_of(source)]
    known, pairs = set(given), set(pairwise(given))
    anywhere = known.union(*(stems_of(message.content) for message in trace.messages))
    asked = set(stems_of(question))
    sentences = [sentence for sentence in _SENTENCE.split(output) if sentence and not sentence.isspace()]
    by_sentence = [stems for sentence in sentences if (stems := _STEM.findall(sentence))]
    stated = [stem for stems in by_sentence for stem in stems]
    backing = [_share(stems, known) for stems in by_sentence]
    in_pairs = [pair in pairs for pair in pairwise(stated)]
    names = [name[:6].lower() for name in _NAME.findall(trace.output)]
    refuses = float(_REFUSAL.search(output) is not None)
    backed, answerable = _share(stated, known), _share(asked, known)
    long_answer, long_sources = math.log1p(len(output)), math.log1p(sum(map(len, sources)))
    return (
        backed,
        _share(stated, anywhere),
        _mean(in_pairs),
        _mean([one and other for one, other in pairwise(in_pairs)]),
        min(backing, default=0.0),
        _mean(backing),
        sum(share < _HALF for share in backing) / len(backing) if backing else 1.0,
        math.log1p(len([stem for stem in stated if stem[0].isdigit() and stem not in known])),
        1 - _share(names, known) if names else 0.0,
        long_answer,
        long_sources,
        long_answer - long_sources,
        refuses,
        float(bool(sentences) and _REFUSAL.search(sentences[0]) is not None),
        _share(asked, set(stated)),
        answerable,
        refuses * backed,
        refuses * answerable,
        1 - len(set(sentences)) / len(sentences) if sentences else 0.0,
        math.log1p(len(trace.messages)),
        float(not sentences),
        math.log1p(len(sources)),
        float(not known),
        math.log1p(len(question)),
        float("?" in question),
        float(output.rstrip().endswith("?")),
    )


def asked(trace: Trace) -> str:
    """What tells the same question from others: hashes of the last user message, and of all that the answer had.

    Joined by a point; nothing before it where no user said a thing. The second tells traces apart whose message is the
    same for all, as a prompt's template is.
    """
    given = [message.content for message in trace.messages if message.role != "system"]
    given += [document.text for document in trace.documents]
    if not any(given):
        return ""
    question = _question(trace)
    return f"{_hash(question) if question else ''}.{_hash(' '.join(given))}"


def trace_features(trace: Trace) -> TraceFeatures:
    return TraceFeatures(trace_id=trace.trace_id, version=VERSION, asked=asked(trace), values=features(trace))


def _sources(trace: Trace) -> list[str]:
    sources = [f"{document.title} {document.text}" for document in trace.documents]
    sources += [step.output for step in trace.steps if step.output]
    given = (message.content for message in trace.messages if message.role in {"user", "tool"})
    return sources or [content for content in given if len(content) >= _LONG]


def _question(trace: Trace) -> str:
    return next((message.content for message in reversed(trace.messages) if message.role == "user"), "")


def _stems(text: str) -> list[str]:
    return _STEM.findall(text.lower())


def _share(part: Collection[str], whole: Collection[str]) -> float:
    """How much of the part is in the whole; 0 of nothing."""
    return _mean([one in whole for one in part])


def _mean(numbers: Sequence[float]) -> float:
    """0 of nothing."""
    return sum(numbers) / len(numbers) if numbers else 0.0


def _hash(text: str) -> str:
    return hashlib.sha256(" ".join(text.lower().split()).encode("utf-8", "replace")).hexdigest()[:16]
