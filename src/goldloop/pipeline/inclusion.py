"""How probable it was that a trace would be drawn at all, by every draw that could have taken it.

A trace that one draw passed by may come in a later one. Its inclusion probability over draws 1..R is
1 - prod_r (1 - pi_r), where pi_r is that of draw r given that no earlier one took it: each draw's own design, on the
candidates that were left. What a draw gave a trace that it passed by, or would have given one that was gone, stands
nowhere; it is worked out here from the run's plan and the candidates of then.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from goldloop.errors import ConfigError
from goldloop.numeric import Floats
from goldloop.pipeline.plan import DrawPlan, digest, read_frame
from goldloop.ports import Store, Window
from goldloop.records import DrawRun, Record
from goldloop.sampling.frame import Frame
from goldloop.sampling.mixture import combined


class RunInclusion(Record):
    """One run's probabilities, by trace id: what it gave, or would have given a trace that an earlier run had taken.

    0 for a trace that was no candidate of it. A second look is no inclusion. `exact` says whether the candidates are
    known as they were: signals that came since may have changed them.
    """

    run_id: str
    pi: dict[str, float]
    exact: bool


def inclusion_in(store: Store, run: DrawRun, trace_ids: Sequence[str]) -> RunInclusion:
    """What this run gave each of the traces, before the cut of a queue that was too full; it needs the run's plan.

    `ConfigError` for a run that was rebuilt: what its own traces had stands with them, what others had nobody knows.

    Traces that were gone by then are put back, all at once, and their probabilities taken at the level that the others
    had without them: a trace's chance in a later draw is that of its likes, or those that came early would count for
    less. That is right but for what one trace more changes in a draw, some 1 / n of its probability.
    """
    _refuse_rebuilt(run)
    plan = DrawPlan.model_validate(run.plan)
    window = Window(start=run.window_start, end=run.window_end)
    frame = read_frame(store, run.queue, window, plan, as_of=run.drawn_at)
    given = _pi(run, plan, frame)
    wanted = np.array([trace_id.encode() for trace_id in trace_ids], dtype="S")
    found = _looked_up(frame, given, wanted)
    gone = np.isnan(found)
    if gone.any():
        even = [trace_id for trace_id, missing in zip(trace_ids, gone.tolist(), strict=True) if missing]
        back = read_frame(store, run.queue, window, plan, as_of=run.drawn_at, even=even)
        anew = _pi(run, plan, back)
        with_them = _looked_up(back, anew, frame.trace_id)
        both = (given > 0) & (given < 1) & (with_them > 0) & (with_them < 1)
        level = float(np.median(given[both] / with_them[both])) if both.any() else 1.0
        put_back = np.nan_to_num(_looked_up(back, anew, wanted))
        found = np.where(gone, np.minimum(1.0, level * put_back), found)
    return RunInclusion(
        run_id=run.run_id,
        pi=dict(zip(trace_ids, found.tolist(), strict=True)),
        exact=run.frame.get("digest") == digest(frame),
    )


def _refuse_rebuilt(run: DrawRun) -> None:
    if run.rebuilt:
        raise ConfigError(
            f"draw {run.run_id} of queue {run.queue} was rebuilt from its tasks, and what it gave the traces that it "
            "passed by is lost: estimate from each draw by itself, or from a store that made its draws"
        )


def _pi(run: DrawRun, plan: DrawPlan, frame: Frame) -> Floats:
    """The design of the run on these candidates, (n,)."""
    if not len(frame):
        return np.zeros(0)
    return np.minimum(plan.design(run, frame).pi, 1.0)


def _looked_up(frame: Frame, pi: Floats, wanted: NDArray[np.bytes_]) -> Floats:
    """The pi of these traces, (k,); NaN for one that is no candidate, or only for a second look."""
    if not len(frame):
        return np.full(len(wanted), np.nan)
    row = np.minimum(np.searchsorted(frame.trace_id, wanted), len(frame) - 1)
    return np.where((frame.trace_id[row] == wanted) & frame.fresh[row], pi[row], np.nan)


def combined_inclusion(store: Store, queue: str, trace_ids: Sequence[str]) -> dict[str, float]:
    """1 - prod(1 - pi) over the queue's runs, by trace id; each run costs as much as its draw.

    Runs of before plans were kept are left out; one that was rebuilt is a `ConfigError`. A trace that was drawn counts
    with the probability that its own draw has kept, the cut of a full queue in it.
    """
    if not trace_ids:
        return {}
    drawn = {one.trace_id: one for one in store.drawn(queue, trace_ids)}
    rows: list[Floats] = []
    for run in store.draw_runs(queue):
        _refuse_rebuilt(run)
        if run.plan:
            found = inclusion_in(store, run, trace_ids).pi
            own = {trace_id: one.pi for trace_id, one in drawn.items() if one.run_id == run.run_id}
            rows.append(np.array([own.get(trace_id, found[trace_id]) for trace_id in trace_ids]))
    together = combined(np.stack(rows)) if rows else np.zeros(len(trace_ids))
    return dict(zip(trace_ids, together.tolist(), strict=True))
