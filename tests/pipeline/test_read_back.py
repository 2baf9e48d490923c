"""What counts as arrived, and what as gone: by revision, after the server's lag, whatever comes late."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast

import pytest

from builders import NOW, QUEUE
from goldloop.errors import RetryableError
from goldloop.pipeline.read_back import Doomed, Looking, ReadBack, is_over, is_this
from goldloop.ports import ScoreSink, Store
from goldloop.records import Score, ScoreType, ShownScore, State
from pipeline.loop import ADA, BEN, MINUTE, HandTurnedClock, Loop, killed_at

TICK = timedelta(milliseconds=1)
AWAY = RetryableError("Langfuse", "it is away: try again later.")


@pytest.fixture
def queued(loop: Loop) -> Loop:
    loop.queue("t1", "t2")
    return loop


def score(number: int = 1, value: str | float = "pass", event_at: datetime = NOW) -> Score:
    return Score(
        score_id=f"s{number:05}",
        trace_id="t1",
        name="human_verdict",
        data_type=ScoreType.CATEGORICAL,
        value=value,
        event_at=event_at,
    )


def shown(value: str | float | None = "pass", event_at: datetime | None = NOW) -> ShownScore:
    return ShownScore(score_id="s00001", trace_id="t1", name="human_verdict", value=value, event_at=event_at)


class TestRevisions:
    @pytest.mark.parametrize(
        ("there", "this", "over"),
        [
            (shown(), True, False),
            (shown(event_at=NOW - timedelta(microseconds=900)), False, False),
            (shown(event_at=NOW + timedelta(microseconds=900)), True, False),
            (shown(event_at=NOW - TICK), False, False),
            (shown(event_at=NOW + TICK), False, True),
            (shown("fail"), False, True),
            (shown("fail", NOW - TICK), False, False),
            (shown(event_at=None), True, False),
            (shown("fail", None), False, False),
        ],
    )
    def test_one_is_told_by_its_time_in_milliseconds(self, there: ShownScore, this: bool, over: bool) -> None:
        assert (is_this(score(), there), is_over(score(), there)) == (this, over)

    def test_text_may_come_back_cleaned(self) -> None:
        assert is_this(score(value="a\x00b"), shown("a␀b"))

    def test_an_equal_old_value_is_no_confirmation(self, queued: Loop) -> None:
        one = queued.annotate("t1", "fail", error_type=["tone"])
        queued.fetch_annotations()
        queued.scores.drops = lambda _score: True
        queued.edit(one, "fail", error_type=["format"])
        made = queued.fetch_annotations()
        assert (made.sent, made.confirmed, made.unconfirmed) == (1, 0, 1)

    def test_what_a_newer_store_wrote_is_written_over(self, queued: Loop) -> None:
        one = queued.annotate("t1", "pass")
        queued.fetch_annotations()
        (standing,) = queued.shown()
        queued.scores.write(standing.model_copy(update={"value": "fail", "event_at": queued.clock() + MINUTE}))
        queued.edit(one, "pass")
        made = queued.fetch_annotations()
        assert (made.sent, made.confirmed, made.unconfirmed) == (2, 1, 0)
        assert queued.values() == [("t1", "annotation_verdict", "pass")]


class TestDeletions:
    def withdrawn(self, queued: Loop, lag: timedelta) -> int:
        """A score stands, its annotation is deleted, and from now on the server is slow."""
        one = queued.annotate("t1", "pass")
        queued.fetch_annotations()
        queued.scores.lag = lag
        queued.tasks.delete_annotation(one, at=queued.clock() + MINUTE)
        return one

    def test_it_is_read_back(self, queued: Loop) -> None:
        self.withdrawn(queued, timedelta(seconds=6))
        before = queued.clock()
        made = queued.fetch_annotations()
        assert (made.deleted, made.unconfirmed, queued.values()) == (1, 0, [])
        assert queued.clock() - before == timedelta(seconds=6)

    def test_what_is_still_shown_is_deleted_again_by_the_next_run(self, queued: Loop) -> None:
        self.withdrawn(queued, timedelta(minutes=2))
        made = queued.fetch_annotations()
        assert (made.deleted, made.unconfirmed, len(queued.scores.deleted)) == (0, 1, 1)
        assert queued.store.counts(QUEUE).scores_by_state == {"delete_due": 1}
        queued.clock.turn(2 * MINUTE)
        made = queued.publish()
        assert (made.deleted, made.unconfirmed, len(queued.scores.deleted)) == (1, 0, 2)
        assert queued.publish().deleted == 0

    def test_one_that_was_lost_is_sent_again(self, queued: Loop) -> None:
        self.withdrawn(queued, timedelta(0))
        with killed_at(queued.store, "mark_scores_deleted"):
            queued.fetch_annotations()
        assert queued.publish().deleted == 1

    @pytest.mark.parametrize("late", [timedelta(seconds=5), timedelta(minutes=2), timedelta(minutes=50)])
    def test_a_creation_that_comes_after_it_leaves_nothing(self, queued: Loop, late: timedelta) -> None:
        held_up = self.held_up(queued)
        queued.scores.arrives_late(held_up, queued.clock() + late)
        queued.fetch_annotations()
        queued.clock.turn(late + MINUTE)
        for _ in range(2):
            queued.publish()
        assert (queued.values(), queued.publish().unconfirmed) == ([], 0)
        assert queued.store.counts(QUEUE).scores_by_state == {"deleted": 1}

    def test_one_that_comes_hours_after_it_is_found_by_a_reconcile(self, queued: Loop) -> None:
        held_up = self.held_up(queued)
        queued.scores.arrives_late(held_up, queued.clock() + timedelta(hours=3))
        queued.fetch_annotations()
        queued.clock.turn(timedelta(hours=4))
        queued.publish()
        assert len(queued.values()) == 1
        made = queued.reconcile()
        assert [(one.what, one.number) for one in made.differences] == [("scores that were deleted and stand", 1)]
        assert (queued.values(), made.left) == ([], 0)

    def held_up(self, queued: Loop) -> Score:
        """A score whose request is on its way still when its run dies; then its annotation is deleted."""
        one = queued.annotate("t1", "pass")
        queued.scores.drops = lambda _score: True
        with killed_at(queued.store, "mark_scores_sent"):
            queued.fetch_annotations()
        queued.scores.drops = lambda _score: False
        queued.tasks.delete_annotation(one, at=queued.clock() + MINUTE)
        (held_up,) = queued.scores.sent
        return held_up


class TestWhatIsLeft:
    def test_a_server_that_goes_away_leaves_it_in_sight(self, queued: Loop) -> None:
        queued.annotate("t1", "fail", ADA)
        queued.annotate("t1", "fail", BEN)
        queued.scores.failing = AWAY
        with pytest.raises(RetryableError, match="left for the next run: 3 scores to send, 1 eval rows to write"):
            queued.fetch_annotations()
        assert queued.store.counts(QUEUE).scores_by_state == {"due": 3}
        queued.scores.failing = None
        assert queued.publish().traces_published == 1

    def test_what_never_appeared_is_counted(self, queued: Loop) -> None:
        queued.scores.drops = lambda _score: True
        queued.annotate("t1", "pass")
        assert queued.fetch_annotations().never_appeared == 0
        queued.clock.turn(16 * MINUTE)
        made = queued.publish()
        assert (made.never_appeared, made.parked, made.unconfirmed) == (1, 1, 0)
        assert queued.publish().never_appeared == 0


class Remembered:
    """The outbox of a store and a server, as far as reading back looks at them."""

    def __init__(self, number: int, dropped: Sequence[int] = ()) -> None:
        self.scores = [score(one) for one in range(number)]
        self.dropped = {score(one).score_id for one in dropped}
        self.asked = self.requests = 0
        self.confirmed: set[str] = set()

    def unconfirmed_scores(self, _queue: str) -> list[tuple[Score, datetime]]:
        return [(one, NOW) for one in self.scores]

    def mark_scores_confirmed(self, score_ids: Sequence[str]) -> None:
        assert not self.confirmed & set(score_ids), "confirmed twice"
        self.confirmed.update(score_ids)

    def read(self, score_ids: Sequence[str]) -> dict[str, ShownScore]:
        self.asked, self.requests = self.asked + len(score_ids), self.requests + 1
        return {one: shown().model_copy(update={"score_id": one}) for one in score_ids if one not in self.dropped}


def looked(sides: Remembered) -> Looking:
    clock = HandTurnedClock(NOW)
    looking = Looking(QUEUE, cast("ScoreSink", sides), cast("Store", sides), ReadBack(clock, clock.sleep))
    looking.look(Doomed(), lambda: None)
    return looking


class TestReading:
    def test_what_is_there_is_read_once(self) -> None:
        sides = Remembered(5000)
        assert looked(sides).confirmed == 5000
        assert (sides.asked, sides.requests) == (5000, 3)  # 2 of 2,400 and one of 200

    def test_what_is_missing_alone_is_read_again(self) -> None:
        sides = Remembered(5000, dropped=[7, 2500, 4999])
        looking = looked(sides)
        assert (looking.confirmed, looking.left) == (4997, 3)
        # Once each second of the 30 that it waits, and once at their end.
        assert sides.asked == 5000 + 30 * 3

    def test_scores_that_never_come_do_not_hide_the_others(self) -> None:
        sides = Remembered(5000, dropped=range(1000))
        assert looked(sides).confirmed == 4000


def test_a_trace_whose_score_is_sent_again_is_published_once_more(queued: Loop) -> None:
    queued.annotate("t1", "pass", ADA)
    queued.annotate("t1", "pass", BEN)
    queued.fetch_annotations()
    assert queued.state("t1") == State.PUBLISHED
    (answer,) = queued.shown("human_verdict")
    queued.store.send_again({answer.score_id: answer.event_at})
    assert queued.state("t1") == State.RESOLVED
    assert queued.publish().traces_published == 1
    (again,) = queued.shown("human_verdict")
    assert again == answer.model_copy(update={"event_at": answer.event_at + TICK})
