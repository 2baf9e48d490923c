"""What became of each policy's draws."""

from contract.store_samples import QUEUE, answer, draw, draw_run, have_drawn, resolve
from goldloop.adapters.store import SqlStore
from goldloop.quality.yields import PolicyCount
from goldloop.records import State

pytest_plugins = ["contract.store_fixtures"]


def test_nothing_drawn_is_no_row(store: SqlStore) -> None:
    assert store.policy_counts(QUEUE) == []


def test_draws_answers_and_failures_by_policy(store: SqlStore) -> None:
    have_drawn(store, "t1", "t2", "t3", "t4", policy="risk")
    second = draw_run(run_id="another")
    store.save_draw(second, [draw(name, second) for name in ("t5", "t6")])
    # t1 failed by one of its two questions, t2 did not, t3 has no answer left, t4 is still with the annotators.
    failed = [answer(trace_id="t1"), answer(2.0, "t1", question="severity", failure=True)]
    resolve(store, trace_id="t1", answers=failed)
    resolve(store, trace_id="t2", answers=[answer("pass", "t2")], state=State.PUBLISHED)
    resolve(store, trace_id="t3", answers=[])
    resolve(store, trace_id="t5", answers=[answer(trace_id="t5", failure=True)])
    assert store.policy_counts(QUEUE) == [
        PolicyCount(policy="random", drawn=2, answered=1, failures=1),
        PolicyCount(policy="risk", drawn=4, answered=2, failures=1),
    ]
    assert store.policy_counts("another-queue") == []
