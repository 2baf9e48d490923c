"""The policies: each a distribution over a frame's candidates, or None where it has none.

A policy never ranks: it weighs, so that every candidate's inclusion probability is known. Weights come from what the
frame says; what it does not say (no judge, no feedback) leaves a candidate to the other policies.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

import numpy as np

from goldloop.codebook.sampling import PolicyName, PolicySettings, Slice
from goldloop.numeric import Bools, Floats, expit, logit
from goldloop.sampling.frame import TAG_JOIN, Frame, seconds

_DAY = 86_400.0
_SUREST = 0.01  # no judge and no signal is surer than this, either way


def distribution(name: PolicyName, frame: Frame, settings: PolicySettings, now: datetime) -> Floats | None:
    """The policy's probabilities: shape (n,), sums to 1; None where no candidate has a weight.

    Every policy but `relabel` gives resolved rows 0, and `relabel` gives fresh rows 0.
    """
    weight = _POLICIES[name](frame, settings, now)
    weight = np.where(frame.fresh if name != "relabel" else ~frame.fresh, weight, 0.0)
    total = weight.sum()
    return np.asarray(weight / total, dtype=np.float64) if total > 0 else None


def distributions(
    names: Iterable[PolicyName], frame: Frame, settings: PolicySettings, now: datetime
) -> dict[str, Floats | None]:
    """`distribution` by name, in the canonical order of the policies."""
    wanted = set(names)
    return {name: distribution(name, frame, settings, now) for name in _POLICIES if name in wanted}


def fused(frame: Frame, settings: PolicySettings) -> Floats:
    """The frame's `fuse`: shape (n,)."""
    return fuse(frame.risk, frame.feedback, settings.base_rate)


def fuse(judged: Floats, feedback: Floats, base_rate: float) -> Floats:
    """Probability of failure from judge and feedback together: shape (n,), in [0.01, 0.99].

    logit p = logit(judged) + feedback, as if the two were independent given the truth (naive Bayes); a row without
    judge (NaN) starts from the base rate. A weight to draw by, not a calibrated probability.
    """
    p = np.where(np.isnan(judged), base_rate, judged)
    return np.clip(expit(bounded_logit(p) + feedback), _SUREST, 1 - _SUREST)


def bounded_logit(p: Floats) -> Floats:
    """log(p / (1 - p)) with p kept in [0.01, 0.99]: no judge is surer than that."""
    return logit(np.clip(p, _SUREST, 1 - _SUREST))


def rubric_risk(score: Floats, low: float, high: float, boundary: float, threshold: float = 0.5) -> Floats:
    """A rubric's score as `risk`: `high` (the best) becomes 0, `boundary` the threshold, `low` 1, straight between.

    So that `uncertainty` looks at the rubric's boundary. Shape (n,); NaN stays NaN. Not a calibrated probability.
    """
    return np.asarray(np.interp(score, [low, boundary, high], [1.0, threshold, 0.0]), dtype=np.float64)


def _random(frame: Frame, _settings: PolicySettings, _now: datetime) -> Floats:
    return np.ones(len(frame))


def _stratified(frame: Frame, settings: PolicySettings, _now: datetime) -> Floats:
    """Uniform within a category; a category of size N_h weighs N_h ** power."""
    # One more than there are names, because -1 (no category) is a category too, at the end.
    sizes = np.bincount(
        frame.stratum.codes[frame.fresh] % (len(frame.stratum.table) + 1), minlength=len(frame.stratum.table) + 1
    ).astype(np.float64)
    weight = np.zeros_like(sizes)
    np.power(sizes, settings.stratified_power - 1, out=weight, where=sizes > 0)
    return np.asarray(weight[frame.stratum.codes], dtype=np.float64)


def _negative(frame: Frame, settings: PolicySettings, _now: datetime) -> Floats:
    """Traces whose signals speak for failure, by the odds of it that the signals make: exp(log-odds) ** power - 1.

    Less 1 because evidence of nothing weighs nothing.
    """
    return np.asarray(np.expm1(np.maximum(frame.feedback, 0) * settings.negative_power), dtype=np.float64)


def _risk(frame: Frame, settings: PolicySettings, _now: datetime) -> Floats:
    """The fused probability of failure to its power; no candidates where nothing tells one trace from another."""
    p = fused(frame, settings)
    return _told_apart(p, frame) * p**settings.risk_power


def _uncertainty(frame: Frame, settings: PolicySettings, _now: datetime) -> Floats:
    """(p (1 - p)) ** (power / 2) of the fused probability of failure, moved so that the threshold lies at 1/2.

    With power 1 and threshold 1/2 it is a trace's standard deviation, and the draw Neyman's: the one that makes the
    variance of the failure rate least (Neyman 1934; Sarndal, Swensson & Wretman 1992, section 12.2).
    """
    p = fused(frame, settings)
    moved = expit(bounded_logit(p) - bounded_logit(np.full(1, settings.threshold)))
    return _told_apart(p, frame) * (moved * (1 - moved)) ** (settings.uncertainty_power / 2)


def _told_apart(p: Floats, frame: Frame) -> Bools:
    """(n,): False for all where p is the same for all fresh rows."""
    fresh = p[frame.fresh]
    return np.broadcast_to(np.bool_(len(fresh) > 0 and np.ptp(fresh) > 0), p.shape)


def _disagreement(frame: Frame, settings: PolicySettings, _now: datetime) -> Floats:
    """How far two opinions stand on two sides: judge against feedback, and judge against judge; the larger of both.

    Two probabilities p, q of failure contradict each other by |p - q| where the threshold lies between them, and by
    0 elsewhere. The feedback's own is its log-odds added to the threshold's, so no feedback stands at the threshold.
    """
    said = expit(bounded_logit(np.full(1, settings.threshold)) + frame.feedback)
    pairs = ((frame.risk, said, frame.feedback != 0), (frame.risk, frame.risk2, np.ones(len(frame), dtype=np.bool_)))
    weight = np.zeros(len(frame))
    for one, other, spoken in pairs:
        apart = ((one - settings.threshold) * (other - settings.threshold) < 0) & spoken  # False where either is NaN
        weight = np.maximum(weight, np.where(apart, np.abs(one - other), 0.0))
    return weight


def _targeted(frame: Frame, settings: PolicySettings, now: datetime) -> Floats:
    """Each slice that has not expired and has candidates weighs its weight, its candidates all alike."""
    weight = np.zeros(len(frame))
    for part in settings.slices:
        rows = in_slice(frame, part) & frame.fresh
        if now <= part.expires and rows.any():
            weight += rows * (part.weight / np.count_nonzero(rows))
    return weight


def in_slice(frame: Frame, part: Slice) -> Bools:
    """(n,): which rows lie in the slice; every condition given has to hold."""
    inside = np.ones(len(frame), dtype=np.bool_)
    named = (
        (frame.stratum, part.categories),
        (frame.model, part.models),
        (frame.release, part.releases),
        (frame.prompt, part.prompts),
        (frame.cluster, part.clusters),
    )
    for column, names in named:
        if names:
            inside &= column.is_in(names)
    if part.tags:
        sets = [name for name in frame.tags.table if set(part.tags) & set(name.split(TAG_JOIN))]
        inside &= frame.tags.is_in(sets)
    if part.start is not None:
        inside &= frame.time >= seconds(part.start)
    if part.end is not None:
        inside &= frame.time < seconds(part.end)
    return inside


def _diversity(frame: Frame, _settings: PolicySettings, _now: datetime) -> Floats:
    """1 / (the number of near-duplicates, itself included): each cluster of them weighs what one lone trace does.

    Near-duplicates share two of the four 16-bit bands of their simhash at least, as all within a Hamming distance of
    2 do and many within 8; a candidate's number is the size of its second-largest bucket, less what would fall there
    by chance. Linear in n. A trace without sketch is a cluster of its own; without any sketch there is no candidate.
    """
    sketched = (frame.sketch != -1) & frame.fresh
    if not sketched.any():
        return np.zeros(len(frame))
    sketch = frame.sketch[sketched].view(np.uint64)
    sizes = []
    for band in range(4):
        bucket = ((sketch >> np.uint64(16 * band)) & np.uint64(0xFFFF)).astype(np.int64)
        sizes.append(np.bincount(bucket, minlength=1 << 16)[bucket])
    second = np.sort(np.stack(sizes), axis=0)[2]
    chance = len(sketch) / (1 << 16)
    near = np.maximum(second - chance - 4 * np.sqrt(chance), 1.0)  # four standard deviations of a Poisson count
    weight = np.ones(len(frame))
    weight[sketched] = 1 / near
    return weight


def _audit(frame: Frame, settings: PolicySettings, _now: datetime) -> Floats:
    """Prelabels of at least the audit's confidence, all alike; confidence is max(p, 1 - p)."""
    return np.asarray(np.maximum(frame.risk, 1 - frame.risk) >= settings.audit_confidence, dtype=np.float64)


def _relabel(frame: Frame, settings: PolicySettings, now: datetime) -> Floats:
    """Traces resolved at least so many days ago, all alike."""
    return np.asarray(frame.resolved <= seconds(now) - settings.relabel_age_days * _DAY, dtype=np.float64)


_POLICIES: dict[PolicyName, Callable[[Frame, PolicySettings, datetime], Floats]] = {
    "random": _random,
    "stratified": _stratified,
    "negative": _negative,
    "uncertainty": _uncertainty,
    "disagreement": _disagreement,
    "risk": _risk,
    "targeted": _targeted,
    "diversity": _diversity,
    "audit": _audit,
    "relabel": _relabel,
}
POLICIES: tuple[PolicyName, ...] = tuple(_POLICIES)
