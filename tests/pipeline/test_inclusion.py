"""The probability of being drawn at all, over draws on overlapping windows."""

from datetime import timedelta

import pytest

from builders import QUEUE
from goldloop.pipeline.draw import draw
from goldloop.pipeline.inclusion import combined_inclusion, inclusion_in
from goldloop.records import Signal, State
from pipeline.loop import ADA, FixedJudge, Loop, revised

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
    # One that came first would have had the second chance as well: all ten count for the same.
    both = 1 - 0.6 * 0.5
    assert found == pytest.approx({min(first): both, left: both, "new0": 0.5, "unknown": 0})


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


def test_a_later_judgement_leaves_a_past_draw_as_it_was(loop: Loop) -> None:
    loop.use(revised(budget=4, mix={"random": 0.5, "risk": 0.5}))
    loop.log(*FIRST[:5], output="This is wrong.")
    loop.log(*FIRST[5:])
    loop.pull()
    loop.prelabel(history=True, limit=5)
    loop.clock.turn(timedelta(seconds=1))
    loop.draw()
    (run,) = loop.store.draw_runs(QUEUE)
    assert run.frame["judged"] == 5
    drawn = {one.trace_id: one.pi for one in loop.store.draws(QUEUE, State.DRAWN)}
    loop.prelabel()  # at the very time of the draw
    loop.clock.turn(DAY)
    loop.judge = FixedJudge("2")
    assert loop.prelabel(history=True).judged == 10
    again = inclusion_in(loop.store, run, FIRST)
    assert again.exact
    assert {trace_id: again.pi[trace_id] for trace_id in drawn} == pytest.approx(drawn)


@pytest.mark.simulation
def test_counts_over_three_draws_are_right_on_average(loop: Loop) -> None:
    loop.log(*(f"t{place:02}" for place in range(30)))
    for place in range(6):
        loop.click(f"t{place:02}")
    loop.pull()
    counts = []
    for number in range(40):  # a queue of its own each time, so that nothing was drawn before
        book = revised(budget=6, mix={"random": 0.5, "negative": 0.5}).model_copy(update={"name": f"queue-{number}"})
        for day in range(3):
            draw(book, loop.store, 3 * number + day, loop.clock() + day * DAY)
        drawn = [one.trace_id for one in loop.store.draws(book.name, State.DRAWN)]
        assert len(drawn) == 18
        counts.append(sum(1 / pi for pi in combined_inclusion(loop.store, book.name, drawn).values()))
    # Horvitz & Thompson's count of the 30; one of them has a standard deviation of 1.6, their mean one of 0.25.
    assert sum(counts) / len(counts) == pytest.approx(30, abs=0.75)


def test_what_went_to_second_looks_is_not_given_to_first_ones(loop: Loop) -> None:
    loop.use(revised(budget=4, mix={"random": 1.0}, annotations_per_trace=1, age_limit_days=90))
    loop.log(*FIRST[:4])
    loop.pull()
    loop.draw()
    loop.prelabel()
    loop.enqueue()
    for trace_id in FIRST[:4]:
        loop.annotate(trace_id, by=ADA)
    loop.fetch_annotations()
    loop.clock.turn(40 * DAY)
    loop.log(*FIRST[4:])
    loop.pull()
    loop.use(revised(budget=4, mix={"random": 1.0}, relabel_share=0.5, age_limit_days=90))
    loop.draw()
    run = loop.store.draw_runs(QUEUE)[-1]
    # Two of the four answers are judged again, so two of the six others are drawn; all of it stays so afterwards.
    # A first look at one of the four, had none been taken before, would have been as probable as one of the six.
    again = inclusion_in(loop.store, run, FIRST)
    assert again.exact
    assert again.pi == pytest.approx(dict.fromkeys(FIRST, 2 / 6))
    assert combined_inclusion(loop.store, QUEUE, FIRST) == pytest.approx(
        dict.fromkeys(FIRST[:4], 1) | dict.fromkeys(FIRST[4:], 2 / 6)
    )


def test_nobody_was_drawn_by_no_draw(loop: Loop) -> None:
    assert combined_inclusion(loop.store, QUEUE, ["t1"]) == {"t1": 0}
    assert combined_inclusion(loop.store, QUEUE, []) == {}
