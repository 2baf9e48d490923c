"""The probability of being drawn at all, over draws on overlapping windows."""

from datetime import timedelta

import pytest

from builders import QUEUE
from goldloop.pipeline.inclusion import combined_inclusion, inclusion_in
from goldloop.records import Signal, State
from pipeline.loop import Loop, revised

DAY = timedelta(days=1)
FIRST = [f"t{place}" for place in range(10)]


def test_two_draws_are_one_chance_more(loop: Loop) -> None:
    loop.use(revised(budget=4, mix={"random": 1.0}))
    loop.log(*FIRST)
    loop.pull()
    loop.draw()
    first = {one.trace_id for one in loop.store.draws(QUEUE, State.DRAWN)}
    loop.clock.turn(DAY)
    loop.log("new0", "new1")
    loop.pull()
    loop.draw()
    # 4 of 10, then 4 of the 6 that were left and 2 new ones.
    left = next(trace_id for trace_id in FIRST if trace_id not in first)
    found = combined_inclusion(loop.store, QUEUE, [min(first), left, "new0", "unknown"])
    assert found == pytest.approx({min(first): 0.4, left: 1 - 0.6 * 0.5, "new0": 0.5, "unknown": 0})


def test_a_run_is_worked_out_on_the_candidates_of_then(loop: Loop) -> None:
    loop.use(revised(budget=4, mix={"random": 0.5, "negative": 0.5}, caps={"user": 2}))
    loop.log(*FIRST[:5], user_id="ada")
    loop.log(*FIRST[5:])
    loop.click("t7")
    loop.pull()
    loop.draw()
    (run,) = loop.store.draw_runs(QUEUE)
    drawn = {one.trace_id: one.pi for one in loop.store.draws(QUEUE, State.DRAWN)}
    loop.clock.turn(DAY)
    loop.log("later", timestamp=loop.clock() - 25 * timedelta(hours=1))
    loop.pull()
    loop.draw()
    again = inclusion_in(loop.store, run, [*FIRST, "later"])
    assert again.exact
    assert {trace_id: again.pi[trace_id] for trace_id in drawn} == pytest.approx(drawn)
    assert sum(again.pi.values()) == pytest.approx(4)
    assert again.pi["later"] == 0  # it was not pulled by then
    late = Signal(signal_id="late", trace_id="t8", name="thumbs", value=0.0, at=run.drawn_at - timedelta(minutes=5))
    loop.store.save_signals([late])
    assert not inclusion_in(loop.store, run, FIRST).exact


def test_nobody_was_drawn_by_no_draw(loop: Loop) -> None:
    assert combined_inclusion(loop.store, QUEUE, ["t1"]) == {"t1": 0}
    assert combined_inclusion(loop.store, QUEUE, []) == {}
