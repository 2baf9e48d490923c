"""Whatever happens in between, crashes among it, Langfuse ends up with what was resolved last, and nothing else."""

from datetime import datetime, timedelta
from itertools import count

import hypothesis.strategies as st
from hypothesis import Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from contract.store_samples import NOON, VERSION, draw, draw_run, parked, score
from goldloop.adapters.store import SqlStore
from goldloop.ports import EvalDue, TraceResolution
from goldloop.records import Answer, Score, State

pytest_plugins = ["contract.store_fixtures"]

NAMES = ("a", "b", "c")
contents = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["pass", "fail"]))
_numbers = count()


class Delivery(RuleBasedStateMachine):
    """One trace of a queue of its own, and a server that keeps of each score the event with the latest time."""

    store: SqlStore

    def __init__(self) -> None:
        super().__init__()
        self.queue = f"queue-{next(_numbers)}"
        run = draw_run(self.queue)
        self.store.save_draw(run, [draw("t1", run)])
        self.now = NOON
        self.wanted: dict[str, str] = {}
        self.golden = False
        self.server: dict[str, Score] = {}
        self.tombstones: dict[str, datetime] = {}
        self.sink: set[str] = set()
        self.parked: set[str] = set()

    def _name(self, name: str) -> str:
        return f"{self.queue}-{name}"

    def _receive(self, due: Score) -> None:
        known = self.server.get(due.score_id)
        latest = known.event_at if known else self.tombstones.get(due.score_id)
        if latest is None or due.event_at > latest:
            self.server[due.score_id] = due

    def _delete(self, score_id: str) -> None:
        gone = self.server.pop(score_id, None)
        if gone:
            self.tombstones[score_id] = gone.event_at

    @rule(wanted=contents, golden=st.booleans(), minutes=st.integers(-1, 1))
    def resolve(self, wanted: dict[str, str], minutes: int, *, golden: bool) -> None:
        scores = [
            score(self._name(name), value=value, event_at=NOON + timedelta(minutes=minutes))
            for name, value in sorted(wanted.items())
        ]
        said = Answer(
            queue=self.queue,
            codebook_version=VERSION,
            trace_id="t1",
            question="verdict",
            value="fail",
            votes=1,
            voters=1,
            annotators=("ada",),
            method="majority",
            revised_at=NOON,
        )
        row = EvalDue(row_id=self._name("row"), queue=self.queue, codebook_version=VERSION, trace_id="t1", remove=False)
        changes = self.store.save_resolutions(
            self.queue,
            [
                TraceResolution(
                    "t1", state=State.RESOLVED, answers=[said], scores=scores, eval_row=row if golden else None
                )
            ],
            self.now,
        )
        differs = {name for name in NAMES if wanted.get(name) != self.wanted.get(name)}
        assert changes == len(differs) + (golden != self.golden)
        self.wanted, self.golden = wanted, golden
        # A change, or a disappearance, frees what was parked.
        self.parked -= differs

    @initialize(wanted=contents)
    def resolve_first(self, wanted: dict[str, str]) -> None:
        self.resolve(wanted, 0, golden=True)

    @rule(limit=st.integers(1, 3), survives=st.booleans())
    def send(self, limit: int, *, survives: bool) -> None:
        due = self.store.due_scores(self.queue, limit)
        for one in due:
            self._receive(one)
        if survives:
            self.store.mark_scores_sent([one.score_id for one in due], self.now)

    @rule(survives=st.booleans())
    def delete(self, *, survives: bool) -> None:
        due = self.store.due_deletions(self.queue)
        for score_id in due:
            self._delete(score_id)
        if survives:
            self.store.mark_scores_deleted(due, self.now)

    @rule()
    def confirm(self) -> None:
        sent = [one for one, _ in self.store.unconfirmed_scores(self.queue)]
        there = [one.score_id for one in sent if self.server.get(one.score_id) == one]
        assert len(there) == len(sent)
        self.store.mark_scores_confirmed(there)

    @rule(survives=st.booleans())
    def write_eval_rows(self, *, survives: bool) -> None:
        due = self.store.due_eval_rows(self.queue, 10)
        for row in due:
            (self.sink.discard if row.remove else self.sink.add)(row.row_id)
        if survives:
            self.store.mark_eval_rows_done([row.row_id for row in due])

    @rule(name=st.sampled_from(NAMES))
    def park(self, name: str) -> None:
        if name in self.wanted:
            self.store.park(parked(f"score:{self._name(name)}", queue=self.queue))
            self.parked.add(name)

    @precondition(lambda self: self.parked)
    @rule()
    def unpark(self) -> None:
        rows = self.store.parked(self.queue)
        assert len(rows) == len(self.parked)
        assert self.store.unpark([row.parked_id for row in rows]) == len(rows)
        self.parked.clear()

    @invariant()
    def what_counts_as_standing_stands(self) -> None:
        assert set(self.store.score_ids(self.queue)) <= self.server.keys()

    @invariant()
    def published_means_all_of_it_arrived(self) -> None:
        if self.store.mark_published(self.queue):
            self._all_arrived()

    def _all_arrived(self) -> None:
        assert {one.score_id: one.value for one in self.server.values()} == {
            self._name(name): value for name, value in self.wanted.items()
        }
        assert self.sink == ({self._name("row")} if self.golden else set())

    def teardown(self) -> None:
        if self.parked:
            self.unpark()
        self.send(10, survives=True)
        self.delete(survives=True)
        self.confirm()
        self.write_eval_rows(survives=True)
        self.store.mark_published(self.queue)
        assert [one.trace_id for one in self.store.draws(self.queue, State.PUBLISHED)] == ["t1"]
        self._all_arrived()


def test_every_delivery_ends_well(store: SqlStore) -> None:
    machine = type("Delivery", (Delivery,), {"store": store})
    # Twenty steps can be read as they are; shrinking them over a database would take minutes.
    without_shrinking = settings(
        max_examples=25,
        stateful_step_count=20,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
    )
    run_state_machine_as_test(machine, settings=without_shrinking)
