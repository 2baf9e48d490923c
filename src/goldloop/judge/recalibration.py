"""One judge's numbers, corrected by people's blind labels.

Of a verdict of two labels the risk of failure is corrected, and the verdict goes with it: a judge that says "fails,
60 %" where people agree with it in 30 of 100 cases has said "passes, 70 %". Of any other answer the probability of its
being right is corrected, and the answer stays what it was.
"""

from collections.abc import Mapping
from typing import Final, cast

import numpy as np
from pydantic import JsonValue

from goldloop.codebook.schema import Codebook, Question
from goldloop.judge.basis import Asked, People, enough, quality, two_sides, version_of
from goldloop.judge.calibration import Calibration, confident_from, fitted_calibration, held_out
from goldloop.judge.groups import numbered
from goldloop.numeric import Floats
from goldloop.records import JudgeFit, Judgement, Vote

_FAILS: Final = "failure"
_RIGHT: Final = "right"
_HALF: Final = 0.5


def calibration_of(
    asked: Asked,
    judge: tuple[str, str],
    votes: Mapping[str, Vote],
    people: People,
    known: Mapping[str, JudgeFit],
) -> JudgeFit | None:
    """What blind labels make of a judge (name, version), from its votes by trace id; None where they are too few.

    One of `known`, by version, where nothing changed. Each number in its quality comes from labels of other groups.
    """
    said = _said(asked.question, votes, people)
    trace_ids = sorted(said)
    true, groups = people.of(trace_ids)
    given = [said[trace_id][0] for trace_id in trace_ids]
    raw = np.array([said[trace_id][1] for trace_id in trace_ids], dtype=np.float64)
    sides = asked.sides
    happened = (
        np.array([label == sides[0] for label in true], dtype=np.float64)
        if sides
        else np.array([one == other for one, other in zip(given, true, strict=True)], dtype=np.float64)
    )
    if not enough(happened, groups):
        return None
    rows = [[*row, round(number, 6)] for row, number in zip(zip(trace_ids, true, given, strict=True), raw, strict=True)]
    version = version_of(asked.question.name, asked.since, asked.wanted, judge, rows, numbered(groups).tolist())
    if version in known:
        return known[version]
    probability = _level(held_out(raw, happened, groups), raw)
    # What a judge tells apart is in its own numbers: a calibration keeps their order.
    score, positive = raw, happened
    if sides:
        given = [sides[0] if p >= _HALF else sides[1] for p in probability]
        probability = np.maximum(probability, 1 - probability)
    elif asked.question.failure:
        failing = np.array([label in asked.question.failure for label in given], dtype=np.bool_)
        score = np.where(failing, raw, 1 - raw)
        positive = np.array([label in asked.question.failure for label in true], dtype=np.float64)
    right = np.array([one == other for one, other in zip(given, true, strict=True)], dtype=np.float64)
    return JudgeFit(
        queue=asked.queue,
        question=asked.question.name,
        since=asked.since,
        judge=judge[0],
        judge_version=judge[1],
        version=version,
        body={(_FAILS if sides else _RIGHT): cast("JsonValue", fitted_calibration(raw, happened, groups).to_json())},
        quality=quality(true, given, probability, score=score, positive=positive, groups=groups),
        threshold=confident_from(probability, right, asked.wanted),
        fitted_at=asked.at,
    )


def holds(question: Question, fit: JudgeFit) -> bool:
    """Whether a calibration has the form that this question takes: with a third label a verdict has no two sides."""
    return (_FAILS if two_sides(question) else _RIGHT) in fit.body


def recalibrated(codebook: Codebook, judgement: Judgement, fits: Mapping[str, JudgeFit]) -> Judgement:
    """The judgement as people's labels have it, by the judge's own fits by question; as it was where there is none.

    Where its verdict turns, see `by_risk`.
    """
    confidences = {
        name: _applied(fits[name], _RIGHT, probability) if name in fits else probability
        for name, probability in judgement.confidences.items()
    }
    changed = judgement.model_copy(update={"confidences": confidences})
    fit = fits.get(codebook.verdict.name)
    sides = two_sides(codebook.verdict)
    if fit is None:
        return changed
    known = {"calibrated": True, "threshold": fit.threshold}
    if sides and _FAILS in fit.body and judgement.risk is not None:
        return by_risk(codebook.verdict, changed, _applied(fit, _FAILS, judgement.risk)).model_copy(update=known)
    if not sides and _RIGHT in fit.body and judgement.probability is not None:
        return changed.model_copy(update={"probability": _applied(fit, _RIGHT, judgement.probability), **known})
    return changed


def by_risk(verdict: Question, judgement: Judgement, risk: float) -> Judgement:
    """The judgement with this risk of failure, and the verdict of two labels that goes with it.

    Where the verdict turns, it is all that is left of the answers: the others were given to the opposite.
    """
    sides = two_sides(verdict)
    assert sides, "a risk is a verdict where there are two labels, one of them a failure"
    label = sides[0] if risk >= _HALF else sides[1]
    turned = judgement.answers.get(verdict.name) != label
    return judgement.model_copy(
        update={
            "answers": {verdict.name: label} if turned else judgement.answers,
            "risk": risk,
            "probability": max(risk, 1 - risk),
        }
    )


def _level(probability: Floats, raw: Floats) -> Floats:
    """(n,): the mean of the probabilities of all rows with the same number.

    Many judges know but a few numbers. A fold with more failures than others has been left out of its own calibration,
    which is lower for it: by such differences alone the rows of one number would be sorted against the truth.
    """
    _, place, count = np.unique(raw, return_inverse=True, return_counts=True)
    return np.asarray((np.bincount(place, weights=probability) / count)[place], dtype=np.float64)


def _said(question: Question, votes: Mapping[str, Vote], people: People) -> dict[str, tuple[str, float]]:
    """Answer and number by trace id, of traces that people labelled and the judge gave a number for."""
    said = {}
    for trace_id, vote in votes.items():
        answer = vote.answers.get(question.name)
        number: float | None
        if two_sides(question):
            number = vote.risk
        else:
            number = vote.probability if question.failure else vote.confidences.get(question.name)
        if trace_id in people.labels and vote.abstained is None and isinstance(answer, str) and number is not None:
            said[trace_id] = (answer, number)
    return said


def _applied(fit: JudgeFit, event: str, number: float) -> float:
    if event not in fit.body:
        return number
    return float(Calibration.from_json(fit.body[event]).apply(np.array([number]))[0])
