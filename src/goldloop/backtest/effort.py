"""How many labels people would have had to give on traces, or pairs, whose labels are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from goldloop.backtest import pair_judging, pairs
from goldloop.backtest.pool import NO_JUDGE, OFFLINE, pool
from goldloop.backtest.traces import read
from goldloop.errors import ConfigError
from goldloop.judge import effort
from goldloop.numeric import Floats, Ints
from goldloop.records import Record

TARGETS = (0.95, 0.99)
SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


class Point(Record):
    """At this share of human labels: the accuracy of all labels, and what the judge's probabilities say it is."""

    share: float
    accuracy: float
    expected: float


class Target(Record):
    """What an accuracy takes, as shares of all labels.

    `share` is what people have to label, with its 95 % interval (bootstrap over groups); `random` where they take
    traces as they come, `best` where they take only what the judge got wrong. `stopped` is where the judge's own
    probabilities would have had them stop, and `accuracy_there` what they really had there.
    """

    accuracy: float
    share: float
    low: float
    high: float
    random: float
    best: float
    stopped: float
    accuracy_there: float


class EffortReport(Record):
    """What was replayed on what, and what came out; `human` is whose labels count as right."""

    traces: str
    rows: int
    left_out: int
    groups: int
    human: str
    judge: str
    accuracy: float
    seed: int
    targets: tuple[Target, ...]
    curve: tuple[Point, ...]


@dataclass(frozen=True)
class Labelled:
    """n judged rows: how sure the judge is of each label, whether it is right, and the group of each, all (n,)."""

    certainty: Floats
    right: Floats
    groups: Ints
    judge: str
    human: str
    left_out: int = 0


def replay_effort(
    path: Path, *, judge: str = OFFLINE, leave_out: Sequence[str] = (), seed: int = 1, reps: int = 1000
) -> EffortReport:
    """Read the file, of traces or of pairs, and replay it; `InputError` names what is wrong in it.

    Raises:
        ConfigError: where there is no judge.
    """
    if judge == NO_JUDGE:
        raise ConfigError("--effort asks what a judge takes off people: name one by --judge, or leave it out")
    labelled = _pairs(path, judge) if pairs.holds_pairs(path) else _traces(path, judge, leave_out)
    return report(labelled, str(path), seed, reps)


def report(labelled: Labelled, name: str, seed: int, reps: int = 1000) -> EffortReport:
    """The curve, and what each target takes."""
    curve = effort.curve(labelled.certainty, labelled.right)
    rng = np.random.default_rng(seed)
    return EffortReport(
        traces=name,
        rows=curve.size,
        left_out=labelled.left_out,
        groups=len(np.unique(labelled.groups)),
        human=labelled.human,
        judge=labelled.judge,
        accuracy=float(curve.accuracy[0]),
        seed=seed,
        targets=tuple(_target(labelled, curve, target, rng, reps) for target in TARGETS),
        curve=tuple(_point(curve, share) for share in SHARES),
    )


def _target(labelled: Labelled, curve: effort.Curve, target: float, rng: np.random.Generator, reps: int) -> Target:
    missing = max(0.0, target - float(curve.accuracy[0]))
    wrong = 1 - float(curve.accuracy[0])
    stopped, there = curve.stopped_at(target)
    low, high = effort.resampled(labelled.certainty, labelled.right, labelled.groups, target, rng, reps)
    return Target(
        accuracy=target,
        share=curve.share_for(target),
        low=low,
        high=high,
        random=missing / wrong if missing else 0.0,
        best=missing,
        stopped=stopped,
        accuracy_there=there,
    )


def _point(curve: effort.Curve, share: float) -> Point:
    place = round(share * curve.size)
    return Point(share=share, accuracy=float(curve.accuracy[place]), expected=float(curve.expected[place]))


def _traces(path: Path, judge: str, leave_out: Sequence[str]) -> Labelled:
    file = read(path, None if judge == OFFLINE else judge, leave_out)
    made = pool(file, judge)
    assert made.judged is not None
    assert made.groups is not None
    certainty, right = effort.of_two(made.judged.probability, made.failed)
    human = "failure or not, as the file has it"
    return Labelled(certainty, right, made.groups, made.judged.name, human, file.left_out)


def _pairs(path: Path, judge: str) -> Labelled:
    made = pair_judging.judged(pairs.read(path), judge)
    certainty, right = effort.of_several(made.probability, made.label)
    return Labelled(certainty, right, made.groups, made.name, "a, b or tie, by most votes", made.left_out)
