"""A store that was lost comes back as it was, and one of before is brought up to date; nothing is sent twice."""

from datetime import timedelta

import pytest

from builders import QUEUE, codebook
from goldloop.codebook.schema import Codebook
from goldloop.errors import ConfigError
from goldloop.pipeline.inclusion import combined_inclusion
from goldloop.records import State
from pipeline.loop import ADA, Loop, killed_at
from pipeline.lost import Lost, as_before, draws, everything, rebuilt, worked

pytestmark = pytest.mark.simulation


def labelled_once() -> Codebook:
    return codebook(annotations_per_trace=1, blind_share=0.4, double_label_share=0.0)


def test_a_lost_store_comes_back_as_it_was(loop: Loop, lost: Lost) -> None:
    loop.use(labelled_once())
    worked(loop)
    before = everything(loop)
    sent, deleted, writes = len(loop.scores.sent), len(loop.scores.deleted), loop.datasets.writes
    lost.store(loop)
    told = rebuilt(loop)
    assert (told.draw_runs, told.draws, told.tasks) == (2, 7, 7)
    assert told.left_alone == []
    assert (told.scores_due, told.scores_withdrawn, told.eval_rows_withdrawn) == (0, 0, 0)
    assert told.scores_confirmed == len(loop.shown())
    loop.fetch_annotations()
    assert (len(loop.scores.sent), len(loop.scores.deleted), loop.datasets.writes) == (sent, deleted, writes)
    as_before(loop, before)


def test_a_failure_that_is_taken_back_right_after_leaves_the_golden_set(loop: Loop, lost: Lost) -> None:
    """Its row was not written by this store, and stands all the same."""
    loop.use(labelled_once())
    loop.publish_codebook(loop.codebook)
    loop.queue("t1", "t2")
    failures = [loop.annotate(trace_id, "fail", error_type=["ungrounded"]) for trace_id in ("t1", "t2")]
    loop.fetch_annotations()
    assert loop.gold() == {"t1", "t2"}
    lost.store(loop)
    rebuilt(loop)
    loop.edit(failures[0], "pass")
    loop.tasks.delete_annotation(failures[1])
    loop.fetch_annotations()
    assert loop.gold() == set()


def test_a_second_rebuild_adds_nothing(loop: Loop, lost: Lost) -> None:
    worked(loop)
    lost.store(loop)
    rebuilt(loop)
    loop.fetch_annotations()
    before = everything(loop)
    told = rebuilt(loop)
    counts = told.model_dump(exclude={"queue", "dry_run", "codebook_versions", "left_alone", "not_held"})
    assert {name: count for name, count in counts.items() if count} == {}
    assert told.codebook_versions == []
    assert everything(loop) == before


def test_a_backup_of_before_is_brought_up_to_date(loop: Loop, lost: Lost) -> None:
    """What was drawn since then has a task: it gets no second one, and what was said of it counts."""
    loop.use(labelled_once())
    loop.publish_codebook(loop.codebook)
    loop.queue("t1", "t2")
    loop.annotate("t1", "fail", error_type=["ungrounded"])
    loop.fetch_annotations()
    backup = lost.backup(loop)
    loop.queue("t3", "t4")
    loop.annotate("t3", "fail", error_type=["ungrounded"])
    loop.annotate("t2", "pass")
    loop.fetch_annotations()
    before = everything(loop)
    tasks = loop.traces_with_tasks()
    sent = len(loop.scores.sent)

    lost.restore(loop, backup)
    loop.gather()  # as somebody does who knows nothing of a rebuild
    assert set(loop.parked().values()) == {"foreign_task"}
    told = rebuilt(loop)
    assert (told.draw_runs, told.draws, told.tasks, told.left_alone) == (1, 2, 2, [])
    assert loop.parked() == {}
    loop.run()
    assert loop.traces_with_tasks() == tasks
    assert len(loop.scores.sent) == sent
    as_before(loop, before)


def test_what_was_drawn_anew_after_a_restore_gets_no_second_task(loop: Loop, lost: Lost) -> None:
    loop.queue("t1")
    backup = lost.backup(loop)
    loop.queue("t2")
    lost.restore(loop, backup)
    loop.pull()
    assert loop.draw().drawn == 1
    assert rebuilt(loop).tasks == 1
    loop.run()
    assert loop.traces_with_tasks() == ["t1", "t2"]
    assert loop.state("t2") is State.QUEUED


def test_what_changed_while_there_was_no_store_is_sent_and_taken_down(loop: Loop, lost: Lost) -> None:
    loop.use(labelled_once())
    for trace_id in ("t1", "t2", "t3"):
        loop.queue(trace_id)
    edited, deleted, _ = (loop.annotate(one, "fail", error_type=["ungrounded"]) for one in ("t1", "t2", "t3"))
    loop.fetch_annotations()
    assert loop.gold() == {"t1", "t2", "t3"}
    lost.store(loop)
    loop.edit(edited, "pass")
    loop.tasks.delete_annotation(deleted)
    told = rebuilt(loop)
    # t1: its annotation's score and its verdict's are others, that of its error types is gone; t2: all three are gone.
    assert (told.scores_due, told.scores_confirmed, told.scores_withdrawn, told.eval_rows_withdrawn) == (2, 3, 4, 2)
    loop.publish()
    assert loop.values("annotation_") == [("t1", "annotation_verdict", "pass"), ("t3", "annotation_verdict", "fail")]
    assert loop.values("human_verdict") == [("t1", "human_verdict", "pass"), ("t3", "human_verdict", "fail")]
    assert loop.gold() == {"t3"}


@pytest.mark.parametrize(
    "method", ["save_codebook", "save_project", "bring_back", "save_tasks", "save_annotations", "stand"]
)
def test_a_rebuild_that_dies_is_made_good_by_the_next(loop: Loop, lost: Lost, method: str) -> None:
    loop.use(labelled_once())
    worked(loop)
    before, sent = everything(loop), len(loop.scores.sent)
    lost.store(loop)
    with killed_at(loop.store, method):
        rebuilt(loop)
    rebuilt(loop)
    loop.fetch_annotations()
    assert len(loop.scores.sent) == sent
    as_before(loop, before)


def test_a_dry_run_writes_nothing(loop: Loop, lost: Lost) -> None:
    worked(loop)
    lost.store(loop)
    told = rebuilt(loop, dry_run=True)
    assert (told.draw_runs, told.draws, told.tasks, told.codebook_versions) == (2, 7, 7, ["1.0.0"])
    assert told.dry_run
    assert (loop.store.candidate_count(), loop.store.projects(QUEUE), loop.store.lineage(QUEUE).versions) == (0, [], ())


def test_traces_of_before_the_lookback_are_read_one_by_one(loop: Loop, lost: Lost) -> None:
    loop.queue("old", "gone", category="billing")
    loop.annotate("old", "pass")
    loop.source.delete("gone")
    loop.clock.turn(timedelta(days=30))
    lost.store(loop)
    told = rebuilt(loop)
    assert (told.candidates, told.tasks) == (1, 1)
    assert [(one.what, one.tasks) for one in told.left_alone] == [("trace gone", 1)]
    assert "Langfuse has it no more" in told.left_alone[0].why
    assert loop.store.draw(QUEUE, "old").stratum == "billing"
    assert len(loop.store.annotations(QUEUE, "old")) == 1


def test_a_rebuilt_run_says_what_it_cannot_tell(loop: Loop, lost: Lost) -> None:
    worked(loop)
    lost.store(loop)
    rebuilt(loop)
    assert [run.rebuilt for run in loop.store.draw_runs(QUEUE)] == [True, True]
    with pytest.raises(ConfigError, match="was rebuilt from its tasks"):
        combined_inclusion(loop.store, QUEUE, ["t1"])


def test_tasks_of_before_are_taken_with_what_they_say(loop: Loop, lost: Lost) -> None:
    worked(loop)
    before = draws(loop)
    fields = ["format", "trace_id", "queue", "codebook", "draw_run", "policy", "pi", "stratum", "blind", "output"]
    for task in loop.tasks._tasks.values():
        data = {name: task.draft.data[name] for name in fields}
        task.draft = task.draft.model_copy(update={"data": data})
    lost.store(loop)
    assert rebuilt(loop).tasks == 7
    for trace_id, made in draws(loop).items():
        said = before[trace_id]
        assert (made.run_id, made.policy, made.pi, made.stratum) == (said.run_id, said.policy, said.pi, said.stratum)
        assert (made.mixture, made.annotators) == ({}, None)


def test_second_tasks_and_second_projects_are_told_and_left_alone(loop: Loop, lost: Lost) -> None:
    loop.queue("t1", "t2")
    first = loop.tasks._tasks[loop.task_id("t1")]
    loop.tasks.import_tasks(first.project_id, [first.draft])
    twin = loop.tasks.projects[first.project_id]
    second = max(loop.tasks.projects) + 1
    loop.tasks.projects[second] = twin
    loop.tasks.import_tasks(second, [first.draft])
    loop.annotate("t2")
    lost.store(loop)
    told = rebuilt(loop)
    assert told.tasks == 2
    assert sorted((one.what, one.tasks) for one in told.left_alone) == [
        (f"project {first.project_id} ({twin.title})", 1),
        (f"project {second} ({twin.title})", 1),
    ]
    assert {task.project_id for task in loop.store.standing_tasks(QUEUE)} == {first.project_id}


def test_a_project_with_another_title_is_known_by_its_description(loop: Loop, lost: Lost) -> None:
    loop.queue("t1")
    (project_id,) = loop.tasks.projects
    loop.tasks.projects[project_id] = loop.tasks.projects[project_id].model_copy(update={"title": "Ours"})
    lost.store(loop)
    assert rebuilt(loop).tasks == 1


def test_second_looks_come_back_apart_from_the_first(loop: Loop, lost: Lost) -> None:
    loop.use(codebook(annotations_per_trace=1, mix={"random": 1.0}, budget=3, age_limit_days=90))
    loop.publish_codebook(loop.codebook)
    loop.queue("t1", "t2")
    for trace_id in ("t1", "t2"):
        loop.annotate(trace_id, "pass")
    loop.fetch_annotations()
    loop.clock.turn(timedelta(days=40))
    loop.log("fresh")
    loop.use(codebook(annotations_per_trace=1, mix={"random": 1.0}, budget=3, age_limit_days=90, relabel_share=0.5))
    loop.run()
    again = [
        task for task in loop.tasks._tasks.values() if loop.tasks.projects[task.project_id].title.endswith("again")
    ]
    assert {task.draft.trace_id for task in again} == {"t1", "t2"}
    loop.tasks.annotate(again[0].task_id, loop.answer(verdict="fail"), annotator=ADA, at=loop.clock())
    loop.fetch_annotations()
    before = everything(loop)
    second = {one: loop.store.annotations(QUEUE, one, second=True) for one in ("t1", "t2")}
    lost.store(loop)
    assert rebuilt(loop).left_alone == []
    loop.fetch_annotations()
    as_before(loop, before)
    assert {one: loop.store.annotations(QUEUE, one, second=True) for one in ("t1", "t2")} == second
    assert loop.store.relabels(QUEUE) == []


def test_what_a_draw_had_lost_stays_lost(loop: Loop, lost: Lost) -> None:
    """Of four that one draw took one expired before its task was made, and one after: each stands for 1 / 2."""
    loop.use(codebook(mix={"random": 1.0}, age_limit_days=10))
    for trace_id, age in (("t1", 9), ("t2", 7), ("t3", 1), ("t4", 1)):
        loop.log(trace_id, timestamp=loop.clock() - timedelta(days=age))
    loop.pull()
    assert loop.draw().drawn == 4
    loop.clock.turn(timedelta(days=2))
    assert loop.draw().expired == 1
    loop.enqueue()
    loop.clock.turn(timedelta(days=2))
    assert loop.draw().expired == 1
    before = {name: one.kept for name, one in draws(loop).items()}
    assert before["t3"] == before["t4"] == 0.5
    lost.store(loop)
    rebuilt(loop)
    # t2 is in the queue again until the next draw sees its age; of t1 nothing but its share is left.
    assert {name: one.kept for name, one in draws(loop).items()} == {"t2": 0.75, "t3": 0.75, "t4": 0.75}
    assert loop.draw().expired == 1
    assert {name: one.kept for name, one in draws(loop).items()} == pytest.approx({"t2": 0.5, "t3": 0.5, "t4": 0.5})


def test_an_id_that_was_given_again_is_the_other_trace_s(loop: Loop, lost: Lost) -> None:
    loop.queue("t1")
    backup = lost.backup(loop)
    loop.tasks.delete_task(loop.task_id("t1"))
    loop.queue("t2")
    (task,) = loop.tasks._tasks.values()
    lost.restore(loop, backup)
    assert loop.store.standing_tasks(QUEUE)[0].trace_id == "t1"
    assert rebuilt(loop).left_alone == []
    assert [(one.task_id, one.trace_id) for one in loop.store.standing_tasks(QUEUE)] == [(task.task_id, "t2")]
    assert loop.parked() == {"trace:t1": "task_deleted"}


def test_a_task_that_was_made_anew_takes_the_place_of_the_one_that_is_gone(loop: Loop, lost: Lost) -> None:
    loop.queue("t1", "t2")
    backup = lost.backup(loop)
    loop.tasks.delete_task(loop.task_id("t1"))
    loop.gather()
    loop.retry()
    loop.resolve()
    loop.enqueue()
    made = loop.task_id("t1")
    lost.restore(loop, backup)
    told = rebuilt(loop)
    assert (told.left_alone, told.draws, told.tasks) == ([], 0, 1)
    assert loop.parked() == {}
    assert {one.task_id for one in loop.store.standing_tasks(QUEUE)} == {made, loop.task_id("t2")}
    loop.run()
    assert loop.traces_with_tasks() == ["t1", "t2"]


def test_nothing_is_rebuilt_from_nothing(loop: Loop, lost: Lost) -> None:
    lost.store(loop)
    told = rebuilt(loop)
    assert (told.tasks, told.codebook_versions, told.left_alone) == (0, [], [])
    assert loop.store.lineage(QUEUE).versions == ()
