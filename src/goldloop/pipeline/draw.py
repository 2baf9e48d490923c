"""Candidates -> the day's worth of traces, each with its policy and its inclusion probability."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from pydantic import Field

from goldloop import __version__, ids
from goldloop.codebook.schema import Codebook
from goldloop.pipeline.parking import parked_row
from goldloop.pipeline.plan import DrawPlan, described, plan_of, read_frame, window_of
from goldloop.ports import OpenTrace, Store
from goldloop.records import Draw, DrawRun, Parked, Record
from goldloop.sampling.draw import sample
from goldloop.sampling.explain import Explanation, explain
from goldloop.sampling.frame import Frame
from goldloop.sampling.stamp import arms, keep, stamp
from goldloop.signals.judges import SignalSettings

EXPIRED = "expired"
OVERFLOW = "overflow"
RELABEL = "relabel"


class DrawSummary(Record):
    drawn: int
    overflow: int = Field(default=0, description="parked at once: the queue has no room for them")
    expired: int = Field(default=0, description="parked: they waited longer than the age limit")
    frame_size: int
    left_of_budget: int
    queue_room: int | None = Field(default=None, description="open traces that the queue had room for; None: any")
    by_policy: dict[str, int]
    run_id: str | None
    explanation: Explanation | None = None


@dataclass(frozen=True)
class Chosen:
    """What came of a draw: all draws in the annotators' order, and those of them that the queue has no room for."""

    draws: list[Draw]
    overflow: frozenset[str]
    shares: dict[str, float]
    explanation: Explanation


def draw(
    codebook: Codebook,
    store: Store,
    seed: int,
    now: datetime,
    signals: SignalSettings | None = None,
    *,
    dry_run: bool = False,
) -> DrawSummary:
    """Draw what is left of the day's budget (UTC) from the candidates young enough that were never drawn.

    First it parks what waits for too long, or is more than the queue may hold. With `dry_run` nothing is written: the
    summary says what a draw with this seed would do now.
    """
    settings = codebook.queue
    before = store.open_traces(codebook.name)
    aside = _stale(codebook, before, now)
    if aside and not dry_run:
        store.set_aside(aside)
    gone = {row.trace_id for row in aside}
    expired = sum(row.reason == EXPIRED for row in aside)
    waiting = [one for one in before if one.trace_id not in gone]
    room = None if settings.queue_cap is None else max(0, settings.queue_cap - len(waiting))
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    left = max(0, settings.budget - store.drawn_since(codebook.name, midnight))
    plan = plan_of(settings, store.slices(codebook.name, now), signals or SignalSettings(), room, now)
    window = window_of(settings, now)
    nothing = DrawSummary(
        drawn=0,
        overflow=len(aside) - expired,
        expired=expired,
        frame_size=0,
        left_of_budget=left,
        queue_room=room,
        by_policy={},
        run_id=None,
    )
    if not left or room == 0:
        return nothing
    frame = read_frame(store, codebook.name, window, plan)
    if not len(frame):
        return nothing
    run = DrawRun(
        run_id=ids.draw_run_id(codebook.name, seed, now.isoformat()),
        queue=codebook.name,
        codebook_version=codebook.version,
        drawn_at=now,
        window_start=window.start,
        window_end=window.end,
        frame_size=len(frame),
        budget=left,
        seed=seed,
        mix={name: float(share) for name, share in plan.shares.items()},
        plan=plan.model_dump(mode="json"),
        frame=described(frame),
        settings_hash=_digest(settings.model_dump(mode="json")),
        code_version=__version__,
    )
    chosen = choose(run, frame, expired=expired)
    over = [_no_room(run, one, now) for one in chosen.draws if one.trace_id in chosen.overflow]
    # A second look that finds no room was none: its trace stays what it is, and a later draw may take it.
    made = [one for one in chosen.draws if one.policy != RELABEL or one.trace_id not in chosen.overflow]
    if not dry_run:
        told = {"shares": chosen.shares, "explanation": chosen.explanation.model_dump(mode="json")}
        store.save_draw(run.model_copy(update=told), made, over)
    kept = [one for one in chosen.draws if one.trace_id not in chosen.overflow]
    return nothing.model_copy(
        update={
            "drawn": len(kept),
            "overflow": nothing.overflow + len(over),
            "frame_size": len(frame),
            "left_of_budget": left - len(made),
            "by_policy": _by_policy(chosen, kept),
            "run_id": None if dry_run else run.run_id,
            "explanation": chosen.explanation,
        }
    )


def choose(run: DrawRun, frame: Frame, *, expired: int = 0) -> Chosen:
    """The sample: the same for the same run and frame, whatever machine or store they come from.

    `expired` goes into the explanation alone.
    """
    plan = DrawPlan.model_validate(run.plan)
    rng = np.random.default_rng(run.seed)
    made = plan.design(run, frame)
    taken = sample(made, rng)
    stamps = stamp(made, taken, rng)
    policy = stamps.policy
    # An audit, and a second look, are worth something only where nobody was shown a suggestion.
    unshown = np.array([name in {"audit", RELABEL} for name in policy], dtype=np.bool_)
    arm = arms(len(taken), {"blind": plan.blind_share, "double": plan.double_share}, rng, {"blind": unshown})
    fits = keep(stamps, taken.pi, len(taken) if plan.room is None else plan.room, plan.floor)
    trace_ids = frame.ids(taken.index)
    capped = made.capped_users[made.units.user[taken.index]] | made.capped_sessions[made.units.session[taken.index]]
    # What is double-labelled is blind too: its annotators must not agree because they saw the same suggestion.
    unseen = 1 - (1 - arm.probability["blind"]) * (1 - arm.probability["double"])
    draws = [
        Draw(
            run_id=run.run_id,
            queue=run.queue,
            codebook_version=run.codebook_version,
            trace_id=trace_ids[place],
            policy=policy[place],
            mixture=stamps.mixture_of(place),
            pi=min(1.0, float(fits.pi[place])),
            stratum=frame.stratum.at(int(taken.index[place])) or "",
            priority=int(stamps.priority[place]),
            certain=bool(frame.must[taken.index[place]] and taken.pi[place] >= 1),
            capped=bool(capped[place]),
            blind=bool(arm.member["blind"][place] or arm.member["double"][place]),
            blind_probability=float(unseen[place]),
            double=bool(arm.member["double"][place]),
            double_probability=float(arm.probability["double"][place]),
            annotators=plan.annotators + int(arm.member["double"][place]),
            drawn_at=run.drawn_at,
        )
        for place in range(len(taken))
    ]
    over = frozenset(trace_id for trace_id, fit in zip(trace_ids, fits.kept, strict=True) if not fit)
    told = explain(made, taken, stamps, overflow=len(over), expired=expired, moved=plan.moved)
    return Chosen(sorted(draws, key=lambda one: one.priority), over, made.shares, told)


def _stale(codebook: Codebook, waiting: Sequence[OpenTrace], now: datetime) -> list[Parked]:
    """What is older than the age limit, and then what is over the queue's cap, from the end of the annotators' order.

    Which of them wait is a matter of their place in that order, and that of the policy that each is stamped with. So
    what is left of a run's draws of one policy stands for all of them (`Draw.kept`).
    """
    settings = codebook.queue
    limit = now - timedelta(days=settings.age_limit_days)
    old = [one for one in waiting if one.timestamp < limit]
    young = [one for one in waiting if one.timestamp >= limit]
    over = young[settings.queue_cap :] if settings.queue_cap is not None else []
    days = settings.age_limit_days
    return [
        *(_aside(codebook.name, one, EXPIRED, f"nobody answered before it was {days} days old", now) for one in old),
        *(_aside(codebook.name, one, OVERFLOW, "the queue holds more than its cap", now) for one in over),
    ]


def _aside(queue: str, one: OpenTrace | Draw, reason: str, detail: str, now: datetime) -> Parked:
    kind = "relabel" if isinstance(one, Draw) and one.policy == RELABEL else "trace"
    return parked_row("draw", f"{kind}:{one.trace_id}", reason, detail, now, queue=queue, trace_id=one.trace_id)


def _no_room(run: DrawRun, one: Draw, now: datetime) -> Parked:
    return _aside(run.queue, one, OVERFLOW, "the queue had no room for it when it was drawn", now)


def _by_policy(chosen: Chosen, kept: Sequence[Draw]) -> dict[str, int]:
    return {line.policy: sum(one.policy == line.policy for one in kept) for line in chosen.explanation.policies}


def _digest(settings: object) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
