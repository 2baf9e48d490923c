"""The frame, slices and what waits: the same columns, and the same draw, from every database."""

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from builders import NOW
from contract.store_samples import (
    MINUTE,
    NOON,
    QUEUE,
    TODAY,
    annotation,
    candidate,
    codebook,
    draw,
    draw_run,
    have_drawn,
    have_queued,
    parked,
    resolve,
)
from goldloop import ids
from goldloop.adapters.store import SqlStore, open_store
from goldloop.errors import RetryableError
from goldloop.pipeline.draw import DrawSummary
from goldloop.pipeline.draw import draw as draw_now
from goldloop.ports import Store, Window
from goldloop.records import Draw, DrawRun, NamedSlice, Parked, Signal, State
from goldloop.sampling.frame import TAG_JOIN, Names
from goldloop.signals.judges import JudgeScore, SignalSettings

pytest_plugins = ["contract.store_fixtures"]

DAY = timedelta(days=1)


def named(column: Names) -> list[str | None]:
    return [column.at(row) for row in range(len(column))]


def test_the_frame_is_the_window_without_what_the_queue_drew(store: SqlStore) -> None:
    have_drawn(store, "drawn")
    store.save_candidates(
        [
            candidate("b", user_id="ada", category="refund"),
            candidate("B"),
            candidate("a", user_id=""),
            candidate("start", timestamp=TODAY.start),
            candidate("end", timestamp=TODAY.end),
            candidate("before", timestamp=TODAY.start - timedelta(microseconds=1)),
        ],
        NOON,
    )
    frame = store.frame(QUEUE, TODAY)
    # By the ids' bytes, on every database and in every locale: capitals come first.
    assert frame.ids() == ["B", "a", "b", "start"]
    assert named(frame.user) == [None, None, "ada", None]
    assert named(frame.stratum) == ["billing", "billing", "refund", "billing"]
    assert frame.fresh.all()
    assert "drawn" in store.frame("another-queue", TODAY).ids()


def test_names_of_drawn_traces_alone_leave_no_trace(store: SqlStore) -> None:
    store.save_candidates([candidate("a"), candidate("drawn", category="only", user_id="u")], NOON)
    store.save_draw(draw_run(), [draw("drawn")])
    frame = store.frame(QUEUE, TODAY)
    assert (frame.stratum.table, frame.user.table) == (("billing",), ())


def test_an_empty_frame_has_all_its_columns(store: SqlStore) -> None:
    frame = store.frame(QUEUE, TODAY, columns=["session", "time", "tags", "sketch"])
    assert (len(frame), len(frame.session), len(frame.time), len(frame.sketch)) == (0, 0, 0, 0)


def test_ids_of_any_length_and_script_keep_their_order(store: SqlStore) -> None:
    unsorted = ["ß", "a" * 40, "aaaaaaaaz", "aaaaaaaab", "aaaaaaaa", "z", "日本", "0"]
    store.save_candidates([candidate(one, user_id=one) for one in unsorted], NOON)
    frame = store.frame(QUEUE, TODAY)
    assert frame.ids() == sorted(unsorted, key=str.encode)
    assert named(frame.user) == frame.ids()


def test_a_frame_has_the_columns_that_it_is_asked_for(store: SqlStore) -> None:
    store.save_candidates(
        [
            candidate(
                "a",
                session_id="s1",
                model="m",
                release="r",
                prompt="p@3",
                tags=("x", "y z"),
                cluster="c",
                sketch=-(2**63),
                timestamp=NOON + timedelta(microseconds=1),
            ),
            candidate("b"),
        ],
        NOON,
    )
    every = store.frame(
        QUEUE, TODAY, columns=["session", "time", "model", "release", "prompt", "tags", "cluster", "sketch"]
    )
    assert named(every.session) == ["s1", None]
    assert named(every.model) == ["m", None]
    assert named(every.release) == ["r", None]
    assert named(every.prompt) == ["p@3", None]
    assert named(every.cluster) == ["c", None]
    assert named(every.tags) == [f"x{TAG_JOIN}y z", ""]
    assert every.sketch.tolist() == [-(2**63), -1]
    assert every.time.tolist() == [(NOON + timedelta(microseconds=1)).timestamp(), NOON.timestamp()]
    few = store.frame(QUEUE, TODAY)
    assert named(few.session) == [None, None]
    assert few.sketch.tolist() == [-1, -1]


@pytest.mark.parametrize("others", [0, 30])
def test_a_narrow_window_finds_the_same_as_a_wide_one(store: SqlStore, others: int) -> None:
    """One is looked up by the index, the other reads the table through."""
    store.save_candidates([candidate(f"old{place}", timestamp=NOON - 9 * DAY) for place in range(others)], NOON)
    store.save_candidates([candidate("a"), candidate("b", timestamp=NOON + MINUTE)], NOON)
    assert store.frame(QUEUE, Window(start=NOON, end=NOON + MINUTE)).ids() == ["a"]


def test_traces_that_are_named_come_however_old_they_are(store: SqlStore) -> None:
    have_drawn(store, "drawn")
    store.save_candidates([candidate("a"), candidate("old", timestamp=NOON - 99 * DAY)], NOON)
    assert store.frame(QUEUE, TODAY, also=["old", "drawn", "unknown"]).ids() == ["a", "old"]
    assert store.unknown_traces(["old", "drawn", "unknown"]) == ["unknown"]


def test_what_has_an_answer_for_long_may_come_again_once(store: SqlStore) -> None:
    have_queued(store, "t1", "t2", "t3")
    for trace_id in ("t1", "t2"):
        resolve(store, trace_id=trace_id)  # at NOON + MINUTE
    store.save_candidates([candidate("fresh")], NOON)
    again = store.frame(QUEUE, TODAY, resolved_before=NOON + MINUTE)
    assert again.ids() == ["fresh", "t1", "t2"]
    assert np.isnan(again.resolved[0])
    assert again.resolved[1:].tolist() == [(NOON + MINUTE).timestamp()] * 2
    assert store.frame(QUEUE, TODAY, resolved_before=NOON).ids() == ["fresh"]
    second = draw_run(drawn_at=NOON + DAY)
    store.save_draw(second, [draw("t1", second, policy="relabel")])
    assert store.frame(QUEUE, TODAY, resolved_before=NOON + MINUTE).ids() == ["fresh", "t2"]
    assert store.draw(QUEUE, "t1").run_id == draw_run().run_id
    assert store.drawn_since(QUEUE, NOON) == 4
    third = draw_run(drawn_at=NOON + 2 * DAY)
    with pytest.raises(RetryableError, match="draw again"):
        store.save_draw(third, [draw("t1", third, policy="relabel")])


def test_signals_come_as_columns_oldest_first(store: SqlStore) -> None:
    def signal(number: int, trace_id: str, name: str, **more: object) -> Signal:
        at = NOON - number * MINUTE
        return Signal.model_validate({"signal_id": f"g{number}", "trace_id": trace_id, "name": name, "at": at, **more})

    store.save_signals(
        [
            signal(1, "a", "thumbs", value=0.1),
            signal(2, "b", "verdict", label="bad"),
            signal(3, "a", "other", value=1.0),
            signal(4, "a", "thumbs", value=1 / 3),
        ]
    )
    assert store.signal_names() == ["other", "thumbs", "verdict"]
    found = store.signal_columns(TODAY, ["thumbs", "verdict"])
    assert found.trace_id.tolist() == [b"a", b"b", b"a"]
    assert named(found.name) == ["thumbs", "verdict", "thumbs"]
    assert named(found.label) == [None, "bad", None]
    assert found.value[[0, 2]].tolist() == [1 / 3, 0.1]
    assert np.isnan(found.value[1])
    assert len(store.signal_columns(TODAY, []).value) == 0
    early = Window(start=NOON - 5 * MINUTE, end=NOON - 3 * MINUTE)
    assert store.signal_columns(early, ["thumbs"]).value.tolist() == [1 / 3]


def a_slice(name: str = "s", **changes: object) -> NamedSlice:
    fields = {"queue": QUEUE, "name": name, "where": {"tags": ["a"]}, "made_at": NOON, "expires_at": NOON + DAY}
    return NamedSlice.model_validate(fields | changes)


def test_slices_are_replaced_by_name_and_end(store: SqlStore) -> None:
    must = a_slice("must", must_review=True, where={}, traces=("t1", "t2"), note="an alert", weight=2.0)
    store.save_slice(a_slice("s", where={"tags": ["b"]}))
    for part in (must, a_slice(), a_slice("over", expires_at=NOON), a_slice(queue="another-queue")):
        store.save_slice(part)
    assert store.slices(QUEUE) == [must, a_slice("over", expires_at=NOON), a_slice()]
    assert [part.name for part in store.slices(QUEUE, NOON)] == ["must", "s"]
    assert store.remove_slice(QUEUE, "s")
    assert not store.remove_slice(QUEUE, "s")
    assert [part.name for part in store.slices("another-queue")] == ["s"]


def test_a_run_and_its_draws_come_back_as_they_were_saved(store: SqlStore) -> None:
    run = draw_run(
        seed=2**90,
        shares={"random": 1.0},
        plan={"caps": {"user": 3}, "shares": {"random": 0.1 + 0.2}},
        frame={"digest": "d", "candidates": 4},
        explanation={"size": 1},
    )
    made = draw(
        "t1",
        run,
        certain=True,
        capped=True,
        blind=True,
        blind_probability=0.3,
        double=True,
        double_probability=0.1,
        annotators=2,
    )
    store.save_candidates([candidate("t1")], NOON)
    store.save_draw(run, [made])
    assert store.draw_runs(QUEUE) == [run]
    assert store.draw_runs("another-queue") == []
    assert store.draw(QUEUE, "t1") == made


def aside(trace_id: str, minutes: int, reason: str = "expired") -> Parked:
    subject = f"trace:{trace_id}"
    return parked(
        subject,
        parked_id=ids.parked_id("draw", f"{QUEUE}|{subject}"),
        verb="draw",
        trace_id=trace_id,
        queue=QUEUE,
        reason=reason,
        parked_at=NOON + minutes * MINUTE,
    )


def test_what_waits_is_what_nobody_has_answered(store: SqlStore) -> None:
    have_queued(store, "t1", "t2", "t3")
    later = draw_run(drawn_at=NOON + MINUTE)
    store.save_candidates([candidate("t4", timestamp=NOON - DAY)], NOON)
    store.save_draw(later, [draw("t4", later, priority=-1)])
    store.save_annotations([annotation(1, "t2", task_id=2), annotation(2, "t3", task_id=3, deleted=True)], NOON)
    waiting = store.open_traces(QUEUE)
    assert [one.trace_id for one in waiting] == ["t4", "t1", "t3"]
    assert [one.state for one in waiting] == [State.DRAWN, State.QUEUED, State.QUEUED]
    assert (waiting[0].timestamp, waiting[0].run_id) == (NOON - DAY, later.run_id)
    assert store.open_traces("another-queue") == []


def test_what_is_left_of_a_draw_stands_for_what_was_set_aside(store: SqlStore) -> None:
    run = draw_run()
    traces = [f"t{place}" for place in range(6)]
    store.save_candidates([candidate(one) for one in traces], NOON)
    policies = ["random"] * 4 + ["negative"] * 2
    draws = [draw(one, run, policy=policy) for one, policy in zip(traces, policies, strict=True)]
    store.save_draw(run, draws, [aside("t3", 0, "overflow")])
    assert {one.trace_id for one in store.draws(QUEUE, State.PARKED)} == {"t3"}
    assert {store.draw(QUEUE, one).kept for one in traces} == {1.0}
    store.set_aside([aside("t2", 5)])
    # t3 never had a place: of three random ones two are left, and of the negative ones all.
    assert [store.draw(QUEUE, one).kept for one in ("t0", "t1", "t4")] == pytest.approx([2 / 3, 2 / 3, 1])
    (row,) = [row for row in store.parked(QUEUE) if row.trace_id == "t2"]
    store.unpark([row.parked_id])
    store.set_aside([aside("t4", 9)])
    assert [store.draw(QUEUE, one).kept for one in ("t0", "t5")] == pytest.approx([1, 1 / 2])


# -- the same draw


@pytest.fixture
def reference(sqlite_template: Path, tmp_path: Path) -> Iterator[SqlStore]:
    """A second store, always SQLite, filled in another order."""
    file = tmp_path / "reference.db"
    shutil.copyfile(sqlite_template, file)
    with open_store(f"sqlite:///{file}") as store:
        yield store


def _fill(store: Store, order: Callable[[list[int]], list[int]]) -> None:
    places = order(list(range(400)))
    rng = np.random.default_rng(5)
    key = [rng.bytes(16).hex() for _ in places]
    value = rng.random(400)
    store.save_candidates(
        [
            candidate(
                key[place],
                category=f"c{place % 7}",
                user_id=f"u{place % 90}" if place % 11 else None,
                session_id=f"s{place % 130}",
                tags=("a",) if place % 3 else ("b", "c"),
                timestamp=NOW - timedelta(minutes=place),
                sketch=place * 2**40,
            )
            for place in places
        ],
        NOW,
    )
    store.save_signals(
        [
            Signal(
                signal_id=f"g{place}",
                trace_id=key[place],
                name=("dwell_s", "thumbs", "judged")[place % 3],
                value=float(value[place] * (60 if place % 3 == 0 else 1)),
                at=NOW - timedelta(minutes=place),
            )
            for place in places
        ]
    )
    store.save_slice(
        a_slice(where={"tags": ["b"], "start": (NOW - DAY).isoformat()}, made_at=NOW, expires_at=NOW + DAY)
    )


def _drawn(store: SqlStore) -> tuple[DrawSummary, list[DrawRun], list[Draw], list[str]]:
    queue = {
        "budget": 60,
        "mix": {
            "random": 0.2,
            "stratified": 0.2,
            "negative": 0.2,
            "uncertainty": 0.1,
            "targeted": 0.2,
            "diversity": 0.1,
        },
        "caps": {"user": 1, "session": 1},
        "queue_cap": 50,
        "double_label_share": 0.1,
        "blind_share": 0.1,
    }
    asked = codebook(queue=queue)
    store.save_codebook(asked, NOW)
    signals = SignalSettings(judges=(JudgeScore(name="judged"),))
    made = draw_now(asked, store, 11, NOW, signals)
    return (
        made,
        store.draw_runs(QUEUE),
        store.draws(QUEUE, State.DRAWN),
        sorted(row.subject for row in store.parked(QUEUE)),
    )


def test_the_same_seed_gives_the_same_draw_on_every_database(store: SqlStore, reference: SqlStore) -> None:
    _fill(store, lambda places: places)
    _fill(reference, lambda places: places[::-1])
    one, other = _drawn(store), _drawn(reference)
    assert one[0].drawn == 50
    assert one == other
