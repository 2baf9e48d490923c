"""Many resolutions at once come to the same as one after another, whatever happened to the outbox in between."""

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from contract.store_samples import (
    MINUTE,
    NOON,
    QUEUE,
    VERSION,
    answer,
    draw,
    draw_run,
    have_queued,
    parked,
    score,
    state_of,
)
from goldloop.adapters.store import SqlStore, tables
from goldloop.errors import RejectedError
from goldloop.ports import EvalDue, TraceResolution
from goldloop.records import State, Task

pytest_plugins = ["contract.store_fixtures"]

TRACES = ("t1", "t2", "t3")
_numbers = count()

wanted = st.fixed_dictionaries(
    {},
    optional={
        trace_id: st.tuples(
            st.sampled_from([State.QUEUED, State.ANNOTATED, State.RESOLVED]),
            st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["pass", "fail"])),
            st.integers(-1, 1),
            st.booleans(),
        )
        for trace_id in TRACES
    },
)
acts = st.sampled_from(["hand out", "send", "confirm", "delete", "write", "publish", "park", "retry", "lose tasks"])
steps = st.lists(st.one_of(wanted, acts), min_size=2, max_size=12)


class Queue:
    """Three traces with tasks, in a queue of their own; names of rows begin with the queue's."""

    def __init__(self, store: SqlStore, name: str, project_id: int) -> None:
        self.store, self.name, self.project_id = store, name, project_id
        run = draw_run(name)
        store.save_draw(run, [draw(trace_id, run) for trace_id in TRACES])
        tasks = [
            Task(queue=name, codebook_version=VERSION, trace_id=trace_id, project_id=project_id, task_id=number)
            for number, trace_id in enumerate(TRACES, start=1)
        ]
        store.save_tasks(tasks, NOON)

    def resolution(self, trace_id: str, said: tuple[State, dict[str, str], int, bool]) -> TraceResolution:
        state, values, minutes, golden = said
        own = f"{self.name}|{trace_id}"
        row = EvalDue(row_id=own, queue=self.name, codebook_version=VERSION, trace_id=trace_id, remove=False)
        return TraceResolution(
            trace_id,
            state=state,
            answers=[answer(value, trace_id, queue=self.name, question=name) for name, value in values.items()],
            scores=[
                score(f"{own}|{name}", trace_id, value=value, minutes=minutes) for name, value in sorted(values.items())
            ],
            eval_row=row if golden else None,
        )

    def do(self, act: str) -> None:
        store, one = self.store, f"{self.name}|t1"
        match act:
            case "hand out":
                store.due_scores(self.name, 1)
                store.due_eval_rows(self.name, 1)
            case "send":
                store.mark_scores_sent([due.score_id for due in store.due_scores(self.name, 10)], NOON)
            case "confirm":
                store.mark_scores_confirmed([sent.score_id for sent, _ in store.unconfirmed_scores(self.name)])
            case "delete":
                store.mark_scores_deleted(store.due_deletions(self.name), NOON)
            case "write":
                store.mark_eval_rows_done([due.row_id for due in store.due_eval_rows(self.name, 10)])
            case "publish":
                store.mark_published(self.name)
            case "park":
                for subject in (f"score:{one}|a", f"eval-row:{one}", "trace:t2"):
                    row = parked(subject, queue=self.name)
                    store.park(row.model_copy(update={"parked_id": f"{self.name}|{subject}"}))
            case "retry":
                store.unpark([row.parked_id for row in store.parked(self.name)])
            case _:
                store.mark_tasks_deleted(self.project_id, [3], NOON)

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """All that a resolution can change, without what tells queues apart."""
        found = {}
        with self.store._db.read() as connection:
            for table in (tables.answers, tables.scores, tables.eval_rows, tables.draws, tables.parked):
                query = table.select().where(table.c.queue == self.name).order_by(*table.primary_key)
                found[table.name] = [
                    {
                        name: value.replace(self.name, "") if isinstance(value, str) else value
                        for name, value in row.items()
                        if name not in {"queue", "run_id", "digest"}
                    }
                    for row in connection.execute(query).mappings()
                ]
        return found


@settings(
    max_examples=25,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # each example costs many transactions
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=steps)
def test_many_at_once_are_as_one_after_another(store: SqlStore, steps: list[Any]) -> None:
    number = next(_numbers)
    together, apart = (Queue(store, f"{kind}-{number}", 2 * number + place) for place, kind in enumerate("ab"))
    for step in steps:
        if isinstance(step, str):
            together.do(step)
            apart.do(step)
        else:
            changes = store.save_resolutions(
                together.name, [together.resolution(*one) for one in step.items()], NOON + MINUTE
            )
            one_by_one = [
                store.save_resolutions(apart.name, [apart.resolution(*one)], NOON + MINUTE) for one in step.items()
            ]
            assert changes == sum(one_by_one)
        assert together.rows() == apart.rows()


def resolution(trace_id: str, state: State = State.RESOLVED) -> TraceResolution:
    return TraceResolution(trace_id, state, [answer(trace_id=trace_id)], [score(f"s-{trace_id}", trace_id)], None)


def test_none_is_no_error(store: SqlStore) -> None:
    assert store.save_resolutions(QUEUE, [], NOON) == 0


def test_what_cannot_be_held_saves_none_of_them(store: SqlStore) -> None:
    have_queued(store, "t1", "t2")
    with pytest.raises(RejectedError, match="cannot hold this record"):
        store.save_resolutions(QUEUE, [resolution("t1"), resolution("never-drawn"), resolution("t2")], NOON)
    assert (state_of(store, "t1"), store.answers(QUEUE, "t1")) == (State.QUEUED, [])
    assert store.due_scores(QUEUE, 10) == []


def test_each_of_many_gets_its_own_state(store: SqlStore) -> None:
    have_queued(store, "t1", "t2", "t3", "t4")
    store.mark_tasks_deleted(1, [4], NOON)
    store.park(parked("trace:t3"))
    states = (State.ANNOTATED, State.RESOLVED, State.RESOLVED, State.QUEUED)
    made = [resolution(f"t{number}", state) for number, state in enumerate(states, start=1)]
    assert store.save_resolutions(QUEUE, made, NOON) == 4
    found = [state_of(store, f"t{number}") for number in range(1, 5)]
    assert found == [State.ANNOTATED, State.RESOLVED, State.PARKED, State.DRAWN]  # the fourth waits for another task
    assert store.due_for_resolve(QUEUE) == []


@pytest.mark.parametrize("read", [SqlStore.annotations_by_trace, SqlStore.answers_of])
def test_reading_of_no_traces(store: SqlStore, read: Callable[[SqlStore, str, Sequence[str]], object]) -> None:
    assert read(store, QUEUE, []) == {}


def test_thousands_fit(store: SqlStore) -> None:
    trace_ids = [f"t{number:04}" for number in range(2100)]  # beyond what one statement names
    have_queued(store, *trace_ids)
    assert store.save_resolutions(QUEUE, [resolution(trace_id) for trace_id in trace_ids], NOON) == 2100
    assert store.counts(QUEUE).by_state == {State.RESOLVED: 2100}
    gone = [TraceResolution(trace_id, State.QUEUED, [], [], None) for trace_id in trace_ids]
    assert store.save_resolutions(QUEUE, gone, NOON) == 2100
    assert store.counts(QUEUE).scores_by_state == {}
