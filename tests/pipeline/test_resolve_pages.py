"""Resolve works by the page: the pages' size, and a run that dies between two, make no difference."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import RowMapping

from builders import NOW, QUEUE
from goldloop.adapters.store import SqlStore, open_store, tables
from goldloop.errors import RejectedError
from goldloop.pipeline.parking import parked_row
from goldloop.pipeline.resolve import ResolveSummary, resolve
from goldloop.ports import TraceResolution
from goldloop.records import Candidate, State
from pipeline.loop import ADA, BEN, CLEO, MINUTE, Loop, progress

TRACES = [f"t{number}" for number in range(1, 6)]
_numbers = count()

verdicts = st.sampled_from(["pass", "fail", None])
said = st.tuples(st.sampled_from(TRACES), st.sampled_from([ADA, BEN, CLEO]), verdicts)
rounds = st.tuples(st.lists(said, max_size=8), st.integers(0, 3), st.booleans(), st.integers(1, 6))


def rows(store: SqlStore) -> dict[str, list[RowMapping]]:
    """All that resolve can change."""
    found = {}
    with store._db.read() as connection:
        for table in (tables.answers, tables.scores, tables.eval_rows, tables.draws, tables.parked):
            query = table.select().order_by(*table.primary_key)
            found[table.name] = [*connection.execute(query).mappings()]
    return found


@contextmanager
def copied(loop: Loop, folder: Path) -> Iterator[SqlStore]:
    file = folder / f"copy-{next(_numbers)}.db"
    with sqlite3.connect(loop.store._db.place) as one, sqlite3.connect(file) as other:
        one.backup(other)
    one.close()
    other.close()
    with open_store(f"sqlite:///{file}") as store:
        yield store


def resolved(loop: Loop, store: SqlStore, page_size: int) -> ResolveSummary:
    return resolve(loop.codebook, store, loop.clock(), progress, page_size=page_size)


def dies_at(store: SqlStore, number: int, patch: pytest.MonkeyPatch) -> None:
    """Before it saves this page, counted from 1."""
    save, pages = store.save_resolutions, count(1)

    def saved(queue: str, resolutions: Sequence[TraceResolution], at: datetime) -> int:
        if next(pages) == number:
            raise KeyboardInterrupt
        return save(queue, resolutions, at)

    patch.setattr(store, "save_resolutions", saved)


@pytest.mark.simulation
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happened=st.lists(rounds, min_size=1, max_size=3))
def test_the_size_of_a_page_makes_no_difference(
    tmp_path: Path, template: Path, happened: list[tuple[list[tuple[str, str, str | None]], int, bool, int]]
) -> None:
    folder = tmp_path / f"{next(_numbers)}"
    folder.mkdir()
    with Loop(folder, template) as loop:
        loop.queue(*TRACES)
        for annotations, taken_back, set_aside, page_size in happened:
            made = [loop.annotate(trace_id, verdict, by) for trace_id, by, verdict in annotations]
            loop.gather()
            loop.clock.turn(MINUTE)
            for annotation_id in made[:taken_back]:
                loop.tasks.delete_annotation(annotation_id, at=loop.clock())
            loop.gather()
            if set_aside:
                row = parked_row("draw", "trace:t1", "expired", "", loop.clock(), queue=QUEUE, trace_id="t1")
                loop.store.set_aside([row])
            with copied(loop, folder) as one_by_one:
                assert resolved(loop, one_by_one, 1) == resolved(loop, loop.store, page_size)
                assert rows(one_by_one) == rows(loop.store)
            loop.publish()


@pytest.fixture
def annotated(loop: Loop) -> Loop:
    """Five traces to resolve: two of them failed, one is not decided yet."""
    loop.queue(*TRACES, environment="production")
    for trace_id, verdict in zip(TRACES, ("fail", "pass", "pass", "fail", "pass"), strict=True):
        loop.annotate(trace_id, verdict, ADA)
        if trace_id != "t3":
            loop.annotate(trace_id, verdict, BEN)
    loop.gather()
    return loop


@pytest.mark.parametrize("page_size", [1, 2, 4, 5, 6])
def test_pages_edges(annotated: Loop, page_size: int) -> None:
    told: list[tuple[int, int | None]] = []
    made = resolve(
        annotated.codebook,
        annotated.store,
        annotated.clock(),
        lambda done, total, _usd=None: told.append((done, total)),
        page_size=page_size,
    )
    # 9 annotations, 4 answers, 2 eval rows
    assert made == ResolveSummary(traces=5, decided=4, failures=2, outbox=15)
    assert told == [(min(start + page_size, 5), 5) for start in range(0, 5, page_size)]
    assert annotated.store.due_for_resolve(QUEUE) == []
    assert resolved(annotated, annotated.store, page_size) == ResolveSummary(traces=0, decided=0, failures=0, outbox=0)


@pytest.mark.parametrize("page", [1, 2, 3])
def test_killed_between_pages(annotated: Loop, tmp_path: Path, page: int) -> None:
    row = parked_row("draw", "trace:t4", "expired", "", NOW, queue=QUEUE, trace_id="t4")
    annotated.store.set_aside([row])  # and judged all the same
    with copied(annotated, tmp_path) as undisturbed:
        resolved(annotated, undisturbed, 2)
        wanted = rows(undisturbed)
    with pytest.MonkeyPatch.context() as patch:
        dies_at(annotated.store, page, patch)
        with pytest.raises(KeyboardInterrupt):
            resolved(annotated, annotated.store, 2)
    done = 2 * (page - 1)
    assert annotated.store.due_for_resolve(QUEUE) == TRACES[done:]
    assert [annotated.store.answers(QUEUE, trace_id) == [] for trace_id in TRACES] == [
        trace_id == "t3" or place >= done for place, trace_id in enumerate(TRACES)
    ]
    assert resolved(annotated, annotated.store, 2).traces == 5 - done
    assert rows(annotated.store) == wanted


class TestOneBadTrace:
    def test_one_that_was_never_pulled_is_parked_until_it_is(self, annotated: Loop) -> None:
        # As in a store that was rebuilt after Langfuse had lost the trace.
        with annotated.store._db.write() as connection:
            connection.execute(tables.candidates.delete().where(tables.candidates.c.trace_id == "t1"))
        made = annotated.resolve()
        assert (made.traces, made.decided, made.parked) == (5, 3, 1)
        assert annotated.parked() == {"trace:t1": "never_pulled"}
        annotated.publish()
        assert {trace_id for trace_id, _, _ in annotated.values()} == {"t2", "t3", "t4", "t5"}
        assert annotated.gold() == {"t4"}
        assert annotated.resolve().parked == 1, "it stays due"

        annotated.store.save_candidates([Candidate(trace_id="t1", category="c", timestamp=NOW)], NOW)
        made = annotated.resolve()
        assert (made.traces, made.decided, made.parked) == (1, 1, 0)
        assert (annotated.parked(), annotated.state("t1")) == ({}, State.RESOLVED)
        annotated.publish()
        assert annotated.gold() == {"t1", "t4"}
        assert annotated.state("t1") == State.PUBLISHED

    def test_one_that_the_store_refuses_is_parked_alone(self, annotated: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
        save = annotated.store.save_resolutions

        def picky(queue: str, resolutions: Sequence[TraceResolution], at: datetime) -> int:
            if any(one.trace_id == "t2" for one in resolutions):
                raise RejectedError("the store", "it cannot hold this record", reason="refused by the store")
            return save(queue, resolutions, at)

        with monkeypatch.context() as patch:
            patch.setattr(annotated.store, "save_resolutions", picky)
            made = annotated.resolve()
        assert (made.decided, made.failures, made.parked) == (3, 2, 1)
        assert annotated.parked() == {"trace:t2": "refused by the store"}
        assert annotated.store.due_for_resolve(QUEUE) == ["t2"]
        assert annotated.resolve().decided == 1
        assert annotated.parked() == {}

    def test_what_stops_the_run_leaves_those_before_it_done(
        self, annotated: Loop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(trace_id: str, *_: object) -> str:
            if trace_id == "t4":
                raise ValueError("a bug")
            return f"row-{trace_id}"

        with monkeypatch.context() as patch:
            patch.setattr("goldloop.ids.eval_row_id", lambda _queue, trace_id, _since: broken(trace_id))
            with pytest.raises(ValueError, match="a bug"):
                annotated.resolve()
        assert annotated.store.due_for_resolve(QUEUE) == ["t4", "t5"]
        assert annotated.resolve().decided == 2
