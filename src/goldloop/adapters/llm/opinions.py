"""One opinion out of one or several answers of a model, with its probability.

With log-probabilities, the verdict's is the mean over the askings of what the model gave its label. With votes it is
Laplace's rule of succession over two ways, (n + 1) / (k + 2) for n votes of k: a share of 3 in 3 is no certainty. With
the model's own word it is that word, read of the asking as a whole.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from goldloop.adapters.llm.way import Method
from goldloop.codebook.answer import read_abstention, read_answer, read_confidence, read_reason
from goldloop.codebook.controls import label_of
from goldloop.codebook.schema import Codebook, Question
from goldloop.records import Judgement, Value, Vote

_DIGITS: Final = 6


@dataclass(frozen=True)
class Opinion:
    """What one asking gave. `shares` are the labels' probabilities by question, `sure` the model's own word."""

    answers: dict[str, Value] = field(default_factory=dict)
    abstained: str | None = None
    reason: str = ""
    shares: dict[str, dict[str, float]] = field(default_factory=dict)
    sure: float | None = None


def opinion(codebook: Codebook, answer: Mapping[str, Any], *, swap: bool, says_sure: bool) -> Opinion:
    """What the ledger keeps of a call, read back: `{"said": ..., "shares": ...}` or `{"refused": cause}`."""
    if "refused" in answer:
        return Opinion(abstained=str(answer["refused"]))
    said = answer["said"]
    return Opinion(
        answers=read_answer(codebook, said, swap=swap, confidence=says_sure),
        abstained=read_abstention(said),
        reason=read_reason(said),
        shares={
            name: _by_label(codebook.question(name), labels, swap=swap)
            for name, labels in answer.get("shares", {}).items()
        },
        sure=read_confidence(said),
    )


def judgement(
    codebook: Codebook, opinions: Sequence[Opinion], *, judge: str, version: str, method: Method
) -> Judgement:
    """What they come to: an abstention where more than half abstain, else what most say, of equals the first."""
    verdict = codebook.verdict
    standing = [one for one in opinions if one.abstained is None]
    method = _method(verdict, standing, method, len(opinions))
    named = {"judge": judge, "judge_version": version, "method": method}
    votes = tuple(_vote(verdict, one, named, method) for one in opinions) if len(opinions) > 1 else ()
    if 2 * len(standing) < len(opinions) or not standing:
        cause = next(one.abstained for one in opinions if one.abstained is not None)
        return Judgement.model_validate(named | {"abstained": cause, "votes": votes})
    most = _most(verdict, standing)
    first = next(one for one in standing if _said(verdict, one) == most)
    probability, risk = _sure(verdict, standing, most, method)
    return Judgement.model_validate(
        named
        | {
            "answers": first.answers,
            "probability": probability,
            "risk": risk,
            "confidences": _confidences(verdict, first),
            "reason": first.reason,
            "votes": votes,
        }
    )


def fails(verdict: Question, said: Value | None) -> bool:
    return bool(set(said if isinstance(said, list) else [said]) & set(verdict.failure))


def _method(verdict: Question, standing: Sequence[Opinion], method: Method, asked: int) -> Method:
    """Log-probabilities that were asked for and did not come are stood in for, without another call."""
    if method != "logprobs" or all(verdict.name in one.shares for one in standing):
        return method
    if asked > 1:
        return "votes"
    return "verbalised" if any(one.sure is not None for one in standing) else "logprobs"


def _most(verdict: Question, standing: Sequence[Opinion]) -> tuple[str, ...]:
    return Counter(_said(verdict, one) for one in standing).most_common(1)[0][0]


def _said(verdict: Question, one: Opinion) -> tuple[str, ...]:
    value = one.answers.get(verdict.name)
    return tuple(value) if isinstance(value, list) else () if value is None else (str(value),)


def _sure(
    verdict: Question, standing: Sequence[Opinion], most: tuple[str, ...], method: Method
) -> tuple[float | None, float | None]:
    """The probability of the verdict that most gave, and that of a failure."""
    if not most:
        return None, None
    if method == "votes":
        votes = len(standing) + 2
        same = sum(_said(verdict, one) == most for one in standing)
        failing = sum(fails(verdict, one.answers.get(verdict.name)) for one in standing)
        return _rounded((same + 1) / votes), _rounded((failing + 1) / votes)
    told = [(one, _told(verdict, one, most, method)) for one in standing]
    sure = [each for _, each in told if each is not None]
    risks = [risk for one, _ in told if (risk := _risk(verdict, one, method)) is not None]
    return _mean(sure), _mean(risks)


def _told(verdict: Question, one: Opinion, label: tuple[str, ...], method: Method) -> float | None:
    """How likely one asking makes this label."""
    if method == "logprobs":
        return one.shares.get(verdict.name, {}).get(label[0])
    if one.sure is None:
        return None
    return one.sure if _said(verdict, one) == label else 1 - one.sure


def _risk(verdict: Question, one: Opinion, method: Method) -> float | None:
    if method == "logprobs":
        shares = one.shares.get(verdict.name)
        return None if shares is None else sum(shares[label] for label in verdict.failure)
    if one.sure is None or not _said(verdict, one):
        return None
    return one.sure if fails(verdict, one.answers.get(verdict.name)) else 1 - one.sure


def _vote(verdict: Question, one: Opinion, named: Mapping[str, str], method: Method) -> Vote:
    """One asking by itself: without a probability of its own a vote says yes or no."""
    value = one.answers.get(verdict.name)
    risk: float | None
    if one.abstained is not None or value is None:
        probability = risk = None
    elif method == "votes":
        probability, risk = None, float(fails(verdict, value))
    else:
        probability, risk = _told(verdict, one, _said(verdict, one), method), _risk(verdict, one, method)
    return Vote(
        **named, answers=one.answers, probability=_rounded(probability), risk=_rounded(risk), abstained=one.abstained
    )


def _confidences(verdict: Question, one: Opinion) -> dict[str, float]:
    return {
        name: _whole(shares[said])
        for name, shares in one.shares.items()
        if name != verdict.name and isinstance(said := one.answers.get(name), str) and said in shares
    }


def _by_label(question: Question | None, labels: Mapping[str, float], *, swap: bool) -> dict[str, float]:
    if question is None or question.kind != "pairwise":
        return dict(labels)
    return {label_of(shown, swap=swap): share for shown, share in labels.items()}


def _mean(numbers: Sequence[float]) -> float | None:
    return _rounded(sum(numbers) / len(numbers)) if numbers else None


def _rounded(number: float | None) -> float | None:
    return None if number is None else _whole(number)


def _whole(number: float) -> float:
    return min(1.0, max(0.0, round(number, _DIGITS)))
