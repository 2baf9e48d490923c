"""The traces of a backtest as columns, and signals that are made up where the file has none."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from goldloop.backtest import judging
from goldloop.backtest.judging import Judged
from goldloop.backtest.traces import LabelledFile, LabelledTrace
from goldloop.codebook.sampling import FeedbackSettings
from goldloop.numeric import Floats, Ints
from goldloop.records import Record
from goldloop.sampling.frame import Frame, Names
from goldloop.sampling.sketch import simhash
from goldloop.signals.evidence import Signals, evidence

OFFLINE, NO_JUDGE = "offline", "none"


class Thumbs(Record):
    """Thumbs-down made up: this share of the traces gets one, and this share of those did fail."""

    rate: float
    precision: float


@dataclass(frozen=True)
class Pool:
    """n candidates, their labels `failed` (n,) of 0 and 1, and the judge whose probabilities the frame carries.

    `groups` (n,) numbers those that know of each other; None for made-up ones, where nobody does.
    """

    frame: Frame
    failed: Floats
    judged: Judged | None
    thumbs: Thumbs | None = None
    signals: bool = False
    groups: Ints | None = None

    def frames(self, rng: np.random.Generator) -> Frame:
        """The frame of one repetition: with thumbs of its own, where they are made up."""
        if self.thumbs is None:
            return self.frame
        return replace(self.frame, feedback=simulated(self.failed, self.thumbs, rng))


def pool(file: LabelledFile, judge: str = OFFLINE, thumbs: Thumbs | None = None) -> Pool:
    """`judge` is `offline`, `none`, or the column that the file was read with; made-up thumbs replace the file's."""
    order = np.argsort(np.array([trace.id.encode() for trace in file.traces], dtype="S"), kind="stable")
    traces = [file.traces[row] for row in order]
    failed = np.array([float(bool(trace.failed)) for trace in traces])
    groups = np.unique([trace.group_id or trace.id for trace in traces], return_inverse=True)[1].astype(np.int64)
    judged = None
    if judge == OFFLINE:
        judged = judging.offline(traces, failed, groups)
    elif judge != NO_JUDGE:
        if file.scores is None:
            raise ValueError("the file was read without the judge's column")
        judged = judging.column(judge, [file.scores[row] for row in order], failed, groups)
    strata = Names.of([trace.category for trace in traces])
    heard = any(trace.signals for trace in traces) and thumbs is None
    frame = Frame.of(
        [trace.id for trace in traces],
        stratum=strata,
        user=Names.of([trace.user_id for trace in traces]),
        session=Names.of([trace.session_id for trace in traces]),
        model=Names.of([trace.model for trace in traces]),
        release=Names.of([trace.release for trace in traces]),
        sketch=[simhash("\n".join(message.content for message in trace.input)) for trace in traces],
        risk=None if judged is None else judged.probability,
        feedback=_feedback(traces, strata.codes.astype(np.int64)) if heard else None,
    )
    return Pool(frame, failed, judged, thumbs, heard, groups)


def simulated(failed: Floats, thumbs: Thumbs, rng: np.random.Generator) -> Floats:
    """Log-odds (n,) of thumbs-down on traces taken at random, of those that failed and of those that did not."""
    count = round(thumbs.rate * len(failed))
    hits = min(round(count * thumbs.precision), int(failed.sum()))
    misses = min(count - hits, int((1 - failed).sum()))
    chosen = np.concatenate(
        [
            rng.choice(np.flatnonzero(failed == 1), hits, replace=False),
            rng.choice(np.flatnonzero(failed == 0), misses, replace=False),
        ]
    )
    feedback = np.zeros(len(failed))
    feedback[chosen] = FeedbackSettings().weight("thumbs_down")
    return feedback


def _feedback(traces: Sequence[LabelledTrace], category: Ints) -> Floats:
    """The evidence in the file's own signals."""
    heard = [(row, signal) for row, trace in enumerate(traces) for signal in trace.signals]
    names, labels = Names.of([one.name for _, one in heard]), Names.of([one.label for _, one in heard])
    signals = Signals(
        row=np.array([row for row, _ in heard], dtype=np.int64),
        name=names.codes.astype(np.int64),
        names=names.table,
        value=np.array([np.nan if one.value is None else one.value for _, one in heard]),
        label=labels.codes.astype(np.int64),
        labels=labels.table,
    )
    return evidence(signals, category, FeedbackSettings()).feedback
