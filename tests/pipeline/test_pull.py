"""Pull: nothing is lost at the edges of its windows, and nothing that can't be read stops it."""

from datetime import timedelta

import pytest

from builders import NOW, trace
from fakes.langfuse import FakeTraceSource
from goldloop.errors import RetryableError
from goldloop.ports import Window
from goldloop.records import Signal
from pipeline.loop import LAG, MINUTE, REACH, Loop

AWAY = RetryableError("Langfuse", "it is away: try again later")


def pulled(loop: Loop) -> set[str]:
    everything = Window(start=NOW - timedelta(days=365), end=NOW + timedelta(days=365))
    return set(loop.store.frame("any", everything).ids())


def test_the_first_pull_looks_back_as_far_as_it_may(loop: Loop) -> None:
    loop.log("old", timestamp=REACH.since - MINUTE)
    loop.log("first", timestamp=REACH.since)
    loop.log("last", timestamp=NOW - LAG - timedelta(microseconds=1))
    loop.click("last")
    made = loop.pull()
    assert made.window == Window(start=REACH.since, end=NOW - LAG)
    assert (made.new_traces, made.signals, made.parked) == (2, 1, 0)
    assert pulled(loop) == {"first", "last"}
    assert loop.store.watermark("traces") == loop.store.watermark("signals") == NOW - LAG
    assert [signal.name for signal in loop.store.signals("last")] == ["thumbs"]


def test_the_next_pull_begins_an_overlap_before_the_last_one_ended(loop: Loop) -> None:
    loop.pull()
    loop.clock.turn(timedelta(hours=2))
    assert loop.pull().window == Window(start=NOW - LAG - REACH.overlap, end=NOW + timedelta(hours=2) - LAG)


def test_a_trace_that_showed_late_is_found_by_the_overlap(loop: Loop) -> None:
    loop.log("long", timestamp=NOW - timedelta(minutes=50))
    hidden = loop.source._roots.pop()
    assert loop.pull().new_traces == 0
    loop.source._roots.append(hidden)  # it ended, and shows now
    loop.clock.turn(timedelta(minutes=5))
    assert loop.pull().new_traces == 1
    assert loop.pull().new_traces == 0


def test_what_is_younger_than_the_lag_waits(loop: Loop) -> None:
    loop.log("fresh", timestamp=NOW - LAG)
    assert loop.pull().new_traces == 0
    loop.clock.turn(timedelta(seconds=1))
    assert loop.pull().new_traces == 1


def test_a_trace_from_the_future_comes_in_its_time(loop: Loop) -> None:
    loop.log("skewed", timestamp=NOW + timedelta(hours=3))
    assert loop.pull().new_traces == 0
    loop.clock.turn(timedelta(hours=4))
    assert loop.pull().new_traces == 1


def test_a_clock_that_was_set_back_loses_nothing(loop: Loop) -> None:
    loop.clock.turn(timedelta(hours=5))
    loop.pull()
    loop.clock.turn(-timedelta(hours=5))
    loop.log("now")
    loop.pull()
    loop.clock.turn(timedelta(hours=5))
    loop.log("later", timestamp=NOW + timedelta(hours=2))
    loop.pull()
    assert pulled(loop) == {"now", "later"}


def test_since_holds_for_every_pull(loop: Loop) -> None:
    loop.pull()
    later = REACH.model_copy(update={"since": NOW - MINUTE})
    loop.log("before", timestamp=NOW - 2 * MINUTE)
    loop.log("after", timestamp=NOW - MINUTE)
    assert loop.pull(later).new_traces == 1
    in_the_future = REACH.model_copy(update={"since": NOW + timedelta(days=1)})
    assert loop.pull(in_the_future).window == Window(start=NOW - LAG, end=NOW - LAG)


def test_a_row_that_cannot_be_read_is_parked_and_the_rest_goes_on(loop: Loop) -> None:
    loop.log("good", "bad")
    loop.click("good")
    loop.source.unreadable = {"bad", "thumbs-good"}
    made = loop.pull()
    assert (made.new_traces, made.signals, made.parked) == (1, 0, 2)
    assert loop.parked() == {"traces:bad": "unreadable", "signals:thumbs-good": "unreadable"}
    loop.clock.turn(timedelta(days=1))
    loop.pull()
    loop.source.unreadable = set()
    assert loop.pull().parked == 0  # both are far below the overlap now
    assert pulled(loop) == {"good"}

    assert loop.retry() == 2
    assert loop.parked() == {}
    loop.pull()
    assert pulled(loop) == {"good", "bad"}
    assert len(loop.store.signals("good")) == 1
    assert loop.pull().window.start > REACH.since


def test_a_row_that_is_tried_in_vain_is_parked_again(loop: Loop) -> None:
    loop.log("bad")
    loop.source.unreadable = {"bad"}
    loop.pull()
    loop.retry()
    loop.pull()
    (row,) = loop.store.parked()
    assert (row.attempts, row.verb, row.queue) == (2, "pull", "-")


def test_a_source_that_fails_half_way_leaves_its_watermark(loop: Loop) -> None:
    loop.source = FakeTraceSource(page_size=2)
    loop.log("t1", "t2", "t3")
    loop.source.failing, loop.source.fail_after = AWAY, 1
    with pytest.raises(RetryableError):
        loop.pull()
    assert loop.store.watermark("traces") is None
    assert pulled(loop) == {"t1", "t2"}
    loop.source.failing = None
    assert loop.pull().new_traces == 1
    assert pulled(loop) == {"t1", "t2", "t3"}


def test_signals_that_fail_leave_theirs_alone(loop: Loop) -> None:
    loop.source = FakeTraceSource(page_size=1)
    loop.log("t1")
    for name in ("thumbs", "copy"):
        loop.click("t1", name)
    loop.source.failing, loop.source.fail_after = AWAY, 1
    with pytest.raises(RetryableError):
        loop.pull()
    assert (loop.store.watermark("traces"), loop.store.watermark("signals")) == (NOW - LAG, None)
    loop.source.failing = None
    loop.pull()
    assert len(loop.store.signals("t1")) == 2


def test_several_roots_are_one_trace_of_the_earliest(loop: Loop) -> None:
    for minutes, name in ((2, "second"), (0, "first")):
        loop.source.log(trace("t1", name=name, timestamp=NOW - timedelta(hours=1) + minutes * MINUTE), category=name)
    assert loop.pull().new_traces == 1
    loop.pull()
    assert loop.store.candidate_count() == 1
    frame = loop.store.frame("any", Window(start=NOW - timedelta(hours=1), end=NOW))
    assert (frame.ids(), frame.stratum.table) == (["t1"], ("first",))


def test_a_trace_without_a_root_is_completed_by_it(loop: Loop) -> None:
    start = NOW - timedelta(hours=1)
    loop.source.log(trace("t1", timestamp=start), category="unknown", rooted=False)
    assert loop.pull().new_traces == 1
    loop.source.log(trace("t1", timestamp=start + MINUTE), category="returns")
    loop.clock.turn(MINUTE)
    assert loop.pull().new_traces == 0
    frame = loop.store.frame("any", Window(start=start, end=NOW))
    assert (frame.ids(), frame.stratum.table) == (["t1"], ("returns",))


def test_a_row_that_comes_twice_is_one(loop: Loop) -> None:
    loop.log("t1", "t1")
    loop.click("t1")
    loop.click("t1")
    assert loop.pull().new_traces == 1
    assert len(loop.store.signals("t1")) == 1


def test_goldloops_own_scores_are_no_signals(loop: Loop) -> None:
    loop.queue("t1")
    loop.annotate("t1", "fail")
    loop.fetch_annotations()
    assert loop.shown()
    loop.clock.turn(MINUTE)
    loop.pull()
    assert loop.store.signals("t1") == []
    own = {signal.signal_id for signal in loop.scores.signals()}
    assert own == set(loop.store.score_ids("answer-quality"))


def test_a_signal_may_come_before_its_trace(loop: Loop) -> None:
    at = NOW - timedelta(hours=1)
    loop.source.click(Signal(signal_id="s1", trace_id="later", name="copy", at=at))
    loop.pull()
    loop.log("later")
    loop.clock.turn(MINUTE)
    loop.pull()
    assert [signal.name for signal in loop.store.signals("later")] == ["copy"]
