"""What a rebuild adds to a store, and what it leaves as it is."""

from contract.store_samples import MINUTE, NOON, QUEUE, VERSION, draw, draw_run, eval_due, have_drawn, resolve, score
from goldloop.adapters.store import SqlStore
from goldloop.ports import EvalDue
from goldloop.records import ShownScore, State, Task

pytest_plugins = ["contract.store_fixtures"]


def test_draws_are_added_where_they_are_not_there(store: SqlStore) -> None:
    have_drawn(store, "t1")
    before = store.draw(QUEUE, "t1")
    run = draw_run(run_id="another", drawn_at=NOON + MINUTE, frame={"rebuilt": True})
    made = [draw(name, run, pi=0.25, kept=0.5) for name in ("t1", "t2")]
    second = draw("t1", run, policy="relabel", mixture={"relabel": 1.0}, blind=True, blind_probability=1.0)
    queued = {"t1": NOON + MINUTE, "t2": NOON + MINUTE}
    for _ in range(2):
        store.bring_back(run, made, queued)
        store.bring_back(run, [second], queued)
    assert store.draw(QUEUE, "t1") == before
    assert store.draws(QUEUE, State.QUEUED) == [made[1]]
    assert store.counts(QUEUE).oldest_open == NOON + MINUTE
    assert store.relabels(QUEUE) == []
    assert [one.rebuilt for one in store.draw_runs(QUEUE)] == [False, True]


def test_the_tasks_that_stand(store: SqlStore) -> None:
    have_drawn(store, "t1", "t2")
    tasks = [
        Task(queue=QUEUE, codebook_version=VERSION, trace_id=f"t{number}", project_id=1, task_id=number)
        for number in (1, 2)
    ]
    store.save_tasks(tasks, NOON)
    assert store.standing_tasks(QUEUE) == tasks
    store.mark_tasks_deleted(1, [2], NOON)
    assert store.standing_tasks(QUEUE) == tasks[:1]
    assert store.standing_tasks("another-queue") == []


def test_what_stands_in_langfuse_is_not_sent_and_what_differs_comes_after_it(store: SqlStore) -> None:
    have_drawn(store, "t1")
    scores = [score(f"s{number}", "t1") for number in (1, 2, 3)]
    resolve(store, *scores)
    assert [one.score_id for one in store.waiting_scores(QUEUE)] == ["s1", "s2", "s3"]
    later = scores[0].event_at + 5 * MINUTE
    store.stand({"s1": later, "s2": None}, NOON)
    store.outrun({"s3": later, "unknown": later})
    (due,) = store.due_scores(QUEUE, 10)
    assert due.score_id == "s3"
    assert due.event_at > later
    assert set(store.score_ids(QUEUE)) == {"s1", "s2"}
    # The server knows what stood: taking it back takes a deletion, and its next revision is a later one.
    resolve(store, scores[0].model_copy(update={"value": "other"}))
    assert sorted(store.due_deletions(QUEUE)) == ["s2", "s3"]
    (again,) = store.due_scores(QUEUE, 10)
    assert again.event_at > later


def test_what_the_store_never_knew_is_taken_down(store: SqlStore) -> None:
    have_drawn(store, "t1")
    resolve(store, score("s1", "t1"))
    shown = [
        ShownScore(score_id=name, trace_id="t1", name="human_verdict", value=None, metadata={"goldloop": "q@1"})
        for name in ("s1", "lost")
    ]
    row = EvalDue(row_id="r1", queue=QUEUE, codebook_version=VERSION, trace_id="t1", remove=True, tried=True)
    for count in (1, 0):
        assert store.take_back_scores(QUEUE, shown, NOON) == count
        assert store.take_back_rows(QUEUE, [row]) == count
    assert store.due_deletions(QUEUE) == ["lost"]
    assert store.due_eval_rows(QUEUE, 10) == [row]
    assert [one.score_id for one in store.waiting_scores(QUEUE)] == ["s1"]


def test_a_row_that_a_sink_shows_was_handed_out(store: SqlStore) -> None:
    have_drawn(store, "t1", "t2")
    for trace_id, row_id in (("t1", "e1"), ("t2", "e2")):
        resolve(store, trace_id=trace_id, eval_row=eval_due(trace_id, row_id))
    store.were_written(QUEUE, {"e1", "elsewhere"})
    store.were_written("another", {"e2"})
    assert {one.row_id: one.tried for one in store.due_eval_rows(QUEUE, 10)} == {"e1": True, "e2": False}
