"""A judge without a model: is what the answer states to be found in what the assistant had before it?

It compares words, so it sees unbacked claims and nothing else: no tone, no missed question. It has seen no label of
yours, its number is a share of words and no probability of anything: it says "uncalibrated".
"""

import re
from collections.abc import Sequence
from typing import Final

from goldloop.codebook.schema import Codebook
from goldloop.records import Judgement, Trace, Unjudged, Value

_VERSION: Final = "1"
_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]{3,}")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_KINDS = ("binary", "choice")
_BACKED = 0.5
"""A sentence counts as backed from this share of its words on: half, since answers rephrase."""


class LexicalJudge:
    """Gives the verdict where it is one label of some; abstains where there is nothing to compare the answer with.

    A pair or a grade it can't tell: it knows no better from worse, only backed from unbacked.
    """

    name = "lexical-grounding"

    def version(self, codebook: Codebook) -> str:  # noqa: ARG002 - it reads words, and no codebook
        return _VERSION

    def judge(self, codebook: Codebook, traces: Sequence[Trace]) -> list[Judgement | Unjudged]:
        return [self._judge(codebook, trace) for trace in traces]

    def _judge(self, codebook: Codebook, trace: Trace) -> Judgement:
        if codebook.verdict.kind not in _KINDS:
            return self._abstention(f"comparing words gives no answer to a {codebook.verdict.kind} question")
        source = [document.text + " " + document.title for document in trace.documents]
        source += [step.output for step in trace.steps]
        if not trace.output.strip():
            return self._verdict(codebook, 0.0, "The assistant answered nothing.")
        if not any(text.strip() for text in source):
            return self._abstention("there are no documents or tool results to compare the answer with")
        known = words(" ".join([*source, *(message.content for message in trace.messages)]))
        shares = [share for sentence in _SENTENCE.split(trace.output) if (share := backed(sentence, known)) is not None]
        if not shares:
            return self._abstention("the answer has no words to compare")
        unbacked = sum(share < _BACKED for share in shares)
        reason = f"In {unbacked} of {len(shares)} sentences most words are in no document, tool result or message."
        return self._verdict(codebook, sum(shares) / len(shares), reason)

    def _verdict(self, codebook: Codebook, support: float, reason: str) -> Judgement:
        question = codebook.verdict
        fails = support < _BACKED
        labels = [name for name in question.label_names if (name in question.failure) == fails]
        if len(labels) != 1:
            how_many = "several labels" if labels else "no label"
            return self._abstention(f"the codebook has {how_many} for {'a failure' if fails else 'a good answer'}")
        answers: dict[str, Value] = {question.name: labels[0]}
        return Judgement(
            judge=self.name,
            judge_version=_VERSION,
            answers=answers,
            probability=round(1 - support if fails else support, 4),
            risk=round(1 - support, 4),
            method="lexical",
            reason=reason,
        )

    def _abstention(self, cause: str) -> Judgement:
        return Judgement(judge=self.name, judge_version=_VERSION, method="lexical", abstained=cause)


def words(text: str) -> set[str]:
    """Numbers, and words of three letters or more, cut to six so that endings do not matter."""
    return {word.lower()[:6] if word[0].isalpha() else word for word in _WORD.findall(text)}


def backed(sentence: str, known: set[str]) -> float | None:
    """The share of the sentence's words that are known; None where it has none."""
    stated = words(sentence)
    return len(stated & known) / len(stated) if stated else None
