"""What a draw is made by: the queue's settings and slices, written out so that the draw can be made again."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from pydantic import Field, JsonValue, ValidationError

from goldloop.codebook.mixes import NAMED, settled
from goldloop.codebook.queue import QueueSettings
from goldloop.codebook.sampling import Caps, PolicyName, PolicySettings, Slice
from goldloop.errors import ConfigError
from goldloop.numeric import Bools
from goldloop.ports import Column, Risks, SignalColumns, Store, Window
from goldloop.records import DrawRun, NamedSlice, Record
from goldloop.sampling.design import Design, design
from goldloop.sampling.frame import Frame
from goldloop.sampling.mixture import check_shares
from goldloop.sampling.policies import in_slice
from goldloop.signals.evidence import Signals, evidence
from goldloop.signals.judges import SignalSettings, judged

_CONDITIONS: dict[str, Column] = {
    "models": "model",
    "releases": "release",
    "prompts": "prompt",
    "tags": "tags",
    "clusters": "cluster",
    "start": "time",
    "end": "time",
}
_INSTANT = timedelta(microseconds=1)
"""What a judge says at the very time of a draw comes after it."""
_LATE = timedelta(days=1)
"""A signal may say that it came this long before the trace that it is about, or after now: clocks differ."""


class DrawPlan(Record):
    """Everything that a draw depends on but its candidates, its budget, its seed and its time."""

    shares: dict[PolicyName, float]
    moved: float = Field(default=0.0, description="in it the share that `risk` has of `targeted`, without a target")
    policies: PolicySettings = Field(description="with the slices that `targeted` looks at")
    caps: Caps
    floor: float
    double_share: float
    blind_share: float
    annotators: int = Field(description="how many judge a trace that is not double-labelled")
    room: int | None = Field(description="open traces that the queue has room for; None: any number")
    must_slices: tuple[Slice, ...] = ()
    must_traces: tuple[str, ...] = ()
    signals: dict[str, JsonValue] = Field(
        default_factory=dict, description="what scores mean, where it is not as the code has it"
    )

    @property
    def columns(self) -> tuple[Column, ...]:
        """What the frame needs beside the columns that every draw has."""
        slices = [*self.must_slices, *(self.policies.slices if self.shares.get("targeted") else ())]
        asked = {column for part in slices for name, column in _CONDITIONS.items() if getattr(part, name)}
        # Where a trace has no user its session stands for one.
        asked |= {"session"} if self.caps.user or self.caps.session else set()
        asked |= {"sketch"} if self.shares.get("diversity") else set()
        return tuple(sorted(asked))

    def design(self, run: DrawRun, frame: Frame) -> Design:
        """What the run's draw is made by on these candidates: each one's inclusion probability."""
        return design(
            frame,
            self.shares,
            run.budget,
            now=run.drawn_at,
            settings=self.policies,
            caps=self.caps,
            floor=self.floor,
        )


def plan_of(
    settings: QueueSettings, slices: Sequence[NamedSlice], signals: SignalSettings, room: int | None, now: datetime
) -> DrawPlan:
    """`ConfigError` where the shares of the mix do not fit together."""
    targets = tuple(slice_of(part) for part in slices if not part.must_review)
    policies = settings.policy_settings
    policies = policies.model_copy(update={"slices": (*policies.slices, *targets)})
    shares = shares_of(settings, policies, now)
    check_shares({str(name): share for name, share in shares.items()}, settings.random_floor)
    return DrawPlan(
        shares=shares,
        moved=_moved(settings, shares),
        policies=policies,
        caps=settings.caps,
        floor=settings.random_floor,
        double_share=settings.double_label_share,
        blind_share=settings.blind_share,
        annotators=settings.annotations_per_trace,
        room=room,
        must_slices=tuple(slice_of(part) for part in slices if part.must_review and part.where),
        must_traces=tuple(sorted({trace_id for part in slices if part.must_review for trace_id in part.traces})),
        signals=signals.model_dump(mode="json", exclude_defaults=True),
    )


def shares_of(settings: QueueSettings, policies: PolicySettings, now: datetime) -> dict[PolicyName, float]:
    """Each policy's share; that of relabelling is taken from all others alike.

    A named mix looks at risk while there is no slice to look at; whoever wrote a mix gets that one.
    """
    asked: Mapping[PolicyName, float]
    asked = settled(NAMED[settings.mix].shares, policies, now) if isinstance(settings.mix, str) else settings.mix
    again = settings.relabel_share
    shares: dict[PolicyName, float] = {name: share * (1 - again) for name, share in asked.items()}
    if again:
        shares["relabel"] = shares.get("relabel", 0.0) + again
    return dict(sorted(shares.items()))


def _moved(settings: QueueSettings, shares: Mapping[PolicyName, float]) -> float:
    """What a named mix gave from `targeted` to `risk`."""
    if "targeted" in shares or not isinstance(settings.mix, str):
        return 0.0
    return NAMED[settings.mix].shares.get("targeted", 0.0) * (1 - settings.relabel_share)


def slice_of(part: NamedSlice) -> Slice:
    """The slice as the sampler has it; `ConfigError` where its conditions are none."""
    fields = {"name": part.name, "expires": part.expires_at, "weight": part.weight, **part.where}
    try:
        return Slice.model_validate(fields)
    except ValidationError as error:
        raise ConfigError(
            f"the slice {part.name} cannot be used: {error.errors(include_url=False)[0]['msg']}"
        ) from None


def read_frame(
    store: Store,
    queue: str,
    window: Window,
    plan: DrawPlan,
    *,
    as_of: datetime | None = None,
    even: Sequence[str] = (),
) -> Frame:
    """The candidates of the window, with what users and judges say of them, and which must be reviewed.

    With `as_of` those that there were then; `even` those, as if no draw had taken them. What goldloop's judges say
    counts up to the window's end, which is the time of the draw: a later judgement leaves a past draw as it was.
    """
    again = plan.shares.get("relabel")
    frame = store.frame(
        queue,
        window,
        columns=plan.columns,
        also=plan.must_traces,
        even=even,
        resolved_before=window.end - timedelta(days=plan.policies.relabel_age_days) if again else None,
        as_of=as_of,
    )
    settings = SignalSettings.model_validate(plan.signals)
    names = [name for name in store.signal_names() if settings.means_something(name)]
    if names and len(frame):
        around = Window(start=window.start - _LATE, end=window.end + _LATE)
        signals = _on(frame, store.signal_columns(around, names))
        seen = evidence(signals, frame.stratum.codes.astype(np.int64), settings)
        risk, risk2 = judged(len(frame), signals, settings.judges, plan.policies.threshold)
        frame = replace(frame, feedback=seen.feedback, edited=seen.edited, risk=risk, risk2=risk2)
    frame = _with_judgements(frame, store.risks(queue, window.end - _INSTANT)) if len(frame) else frame
    return replace(frame, must=_must(frame, plan)) if plan.must_slices or plan.must_traces else frame


def described(frame: Frame) -> dict[str, JsonValue]:
    """The candidate frame in numbers, and a digest by which the same candidates are known again."""
    return {
        "candidates": len(frame),
        "resolved": int(np.count_nonzero(~frame.fresh)),
        "with_feedback": int(np.count_nonzero(frame.feedback)),
        "judged": int(np.count_nonzero(~np.isnan(frame.risk))),
        "must_review": int(np.count_nonzero(frame.must)),
        "categories": len(frame.stratum.table),
        "digest": digest(frame),
    }


def digest(frame: Frame) -> str:
    """A hash of the ids, the categories, of who has which user and session, and of what is known of each candidate."""
    found = hashlib.blake2b(digest_size=16)
    found.update(np.ascontiguousarray(frame.trace_id).data)
    for names in (frame.stratum, frame.user, frame.session):
        found.update(np.ascontiguousarray(names.codes).data)
    found.update("\0".join(frame.stratum.table).encode())
    for names in (frame.model, frame.release, frame.prompt, frame.tags, frame.cluster):
        if len(names.table):  # where a slice asks for them
            found.update(np.ascontiguousarray(names.codes).data)
            found.update("\0".join(names.table).encode())
    known = (
        frame.feedback,
        frame.risk,
        frame.risk2,
        frame.resolved,
        frame.must,
        frame.edited,
        frame.time,
        frame.sketch,
    )
    for column in known:
        if column.strides != (0,):  # one value for all rows, which is what is missing
            found.update(np.ascontiguousarray(column).data)
    return found.hexdigest()


def window_of(settings: QueueSettings, now: datetime) -> Window:
    """Candidates young enough for the queue."""
    return Window(start=now - timedelta(days=settings.age_limit_days), end=now)


def _on(frame: Frame, columns: SignalColumns) -> Signals:
    """The signals whose traces are in the frame, by row."""
    row = np.minimum(np.searchsorted(frame.trace_id, columns.trace_id), len(frame) - 1)
    there = frame.trace_id[row] == columns.trace_id
    return Signals(
        row=row[there],
        name=columns.name.codes[there].astype(np.int64),
        names=columns.name.table,
        value=columns.value[there],
        label=columns.label.codes[there].astype(np.int64),
        labels=columns.label.table,
    )


def _with_judgements(frame: Frame, judged: Risks) -> Frame:
    """What goldloop's own judge said goes first; a judge's score in Langfuse stands in for it, or beside it."""
    row = np.minimum(np.searchsorted(frame.trace_id, judged.trace_id), len(frame) - 1)
    there = frame.trace_id[row] == judged.trace_id
    if not there.any():
        return frame
    risk, risk2 = frame.risk.copy(), frame.risk2.copy()
    rows, dissent = row[there], judged.dissent[there]
    # Both right sides are read before either is written.
    risk2[rows] = np.where(np.isnan(dissent), risk[rows], dissent)
    risk[rows] = judged.risk[there]
    return replace(frame, risk=risk, risk2=risk2)


def _must(frame: Frame, plan: DrawPlan) -> Bools:
    """Fresh rows that a must-review slice names."""
    must = np.zeros(len(frame), dtype=np.bool_)
    if len(frame) and plan.must_traces:
        wanted = np.array([trace_id.encode() for trace_id in plan.must_traces])
        row = np.minimum(np.searchsorted(frame.trace_id, wanted), len(frame) - 1)
        must[row[frame.trace_id[row] == wanted]] = True
    for part in plan.must_slices:
        must |= in_slice(frame, part)
    return np.asarray(must & frame.fresh, dtype=np.bool_)
