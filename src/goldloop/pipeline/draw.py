"""Candidates -> the day's worth of traces, each with its policy and its inclusion probability."""

import hashlib
import json
from datetime import datetime, timedelta

import numpy as np

from goldloop import __version__, ids
from goldloop.codebook.schema import Codebook
from goldloop.ports import FrameRow, Store, Window
from goldloop.records import Draw, DrawRun, Record
from goldloop.sampling import mixture
from goldloop.sampling.draw import systematic


class DrawSummary(Record):
    drawn: int
    frame_size: int
    left_of_budget: int
    by_policy: dict[str, int]
    run_id: str | None


def draw(codebook: Codebook, store: Store, seed: int, now: datetime) -> DrawSummary:
    """Draw what is left of the day's budget (UTC) from the candidates young enough that were never drawn."""
    settings = codebook.queue
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    left = max(0, settings.budget - store.drawn_since(codebook.name, midnight))
    window = Window(start=now - timedelta(days=settings.age_limit_days), end=now)
    frame = store.frame(codebook.name, window) if left else []
    if not frame:
        return DrawSummary(drawn=0, frame_size=len(frame), left_of_budget=left, by_policy={}, run_id=None)
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
        mix=dict(settings.mix),
        settings_hash=_digest(settings.model_dump(mode="json")),
        code_version=__version__,
    )
    draws = choose(codebook, run, frame)
    store.save_draw(run, draws)
    by_policy = {policy: sum(one.policy == policy for one in draws) for policy in sorted(settings.mix)}
    return DrawSummary(
        drawn=len(draws),
        frame_size=len(frame),
        left_of_budget=left - len(draws),
        by_policy=by_policy,
        run_id=run.run_id,
    )


def choose(codebook: Codebook, run: DrawRun, frame: list[FrameRow]) -> list[Draw]:
    """The sample: the same for the same run and frame, whatever machine or store they come from."""
    rng = np.random.default_rng(run.seed)
    strata = [row.stratum for row in frame]
    policies = {
        "random": mixture.random(strata),
        "stratified": mixture.stratified(strata, codebook.queue.stratified_power),
    }
    pi = mixture.inclusion(mixture.mix(policies, run.mix), run.budget)
    sample = systematic(pi, [row.unit for row in frame], rng)
    order = rng.permutation(len(sample))
    draws = []
    for priority, index in zip(order, sample, strict=True):
        stamps = mixture.posterior(policies, run.mix, index)
        draws.append(
            Draw(
                run_id=run.run_id,
                queue=run.queue,
                codebook_version=run.codebook_version,
                trace_id=frame[index].trace_id,
                policy=str(rng.choice(list(stamps), p=list(stamps.values()))),
                mixture=stamps,
                pi=min(1.0, float(pi[index])),
                stratum=frame[index].stratum,
                priority=int(priority),
            )
        )
    return sorted(draws, key=lambda one: one.priority)


def _digest(settings: object) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
