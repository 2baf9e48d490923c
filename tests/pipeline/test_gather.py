"""Gather: whatever happens to annotations and tasks in Label Studio comes back, once, and to the right trace."""

from datetime import timedelta

import pytest

from builders import QUEUE
from goldloop.errors import RejectedError, RetryableError
from goldloop.ports import TaskDraft
from goldloop.records import State
from pipeline.loop import ADA, BEN, MINUTE, Loop, killed_at, revised


@pytest.fixture
def queued(loop: Loop) -> Loop:
    """t1, t2 and t3 are tasks, and were looked at once."""
    loop.queue("t1", "t2", "t3")
    loop.gather()
    return loop


def verdicts(loop: Loop, trace_id: str) -> list[object]:
    """What the annotations of the trace say that count; None for a skip."""
    found = loop.store.annotations(QUEUE, trace_id)
    return [None if one.skipped else one.answers["verdict"] for one in found if not one.deleted]


def foreign(loop: Loop, trace_id: str = "elsewhere") -> int:
    """A task that somebody imported into our project."""
    draft = next(task.draft for task in loop.tasks._tasks.values())
    (task_id,) = loop.tasks.import_tasks(1, [TaskDraft(trace_id=trace_id, data=draft.data)])
    return task_id


def last_task(loop: Loop) -> tuple[str, int]:
    """The trace and the id of the task whose id Label Studio would give again."""
    task_id = max(loop.tasks._tasks)
    return loop.tasks._tasks[task_id].draft.trace_id, task_id


class TestAnnotations:
    def test_from_its_creation_to_its_end(self, queued: Loop) -> None:
        one = queued.annotate("t1", "fail", error_type=["tone"], note="Curt.")
        made = queued.gather()
        assert (made.annotations, made.deleted, made.parked) == (1, 0, 0)
        (found,) = queued.store.annotations(QUEUE, "t1")
        assert found.answers == {"verdict": "fail", "error_type": ["tone"], "note": "Curt."}
        assert (found.annotator, found.created_at, found.updated_at) == (ADA, queued.clock(), queued.clock())

        queued.edit(one, "pass")
        assert queued.gather().annotations == 1
        queued.tasks.skip(one, at=queued.clock() + timedelta(seconds=1))
        queued.gather()
        assert verdicts(queued, "t1") == [None]
        queued.tasks.unskip(one, at=queued.clock() + timedelta(seconds=2))
        queued.gather()
        assert verdicts(queued, "t1") == ["pass"]
        queued.tasks.delete_annotation(one, at=queued.clock() + timedelta(seconds=3))
        assert queued.gather().deleted == 1
        assert verdicts(queued, "t1") == []
        assert len(queued.store.annotations(QUEUE, "t1")) == 1

    def test_what_did_not_change_is_no_news(self, queued: Loop) -> None:
        queued.annotate("t1")
        queued.gather()
        queued.resolve()
        made = queued.gather()
        assert (made.annotations, made.deleted, made.parked) == (0, 0, 0)
        assert queued.store.due_for_resolve(QUEUE) == []

    def test_two_by_one_person_are_two(self, queued: Loop) -> None:
        queued.annotate("t1", "fail")
        queued.annotate("t1", "pass")
        assert queued.gather().annotations == 2
        assert verdicts(queued, "t1") == ["fail", "pass"]

    def test_all_of_a_project_deleted_at_once(self, queued: Loop) -> None:
        for trace_id in ("t1", "t2", "t3"):
            queued.annotate(trace_id, by=ADA)
        queued.annotate("t1", "fail", by=BEN)
        queued.gather()
        queued.tasks.clear(1, at=queued.clock() + MINUTE)
        assert queued.gather().deleted == 4
        assert [verdicts(queued, trace_id) for trace_id in ("t1", "t2", "t3")] == [[], [], []]

    def test_a_correction_that_was_left_as_it_was_prefilled_is_none(self, queued: Loop) -> None:
        output = "Returns are accepted within 30 days."
        queued.annotate("t1", "fail", correction=f"{output}\n")
        queued.annotate("t2", "fail", correction=f"{output} Unworn.")
        queued.gather()
        found = {name: queued.store.annotations(QUEUE, name)[0].answers for name in ("t1", "t2")}
        assert found == {
            "t1": {"verdict": "fail"},
            "t2": {"verdict": "fail", "correction": f"{output} Unworn."},
        }

    def test_what_was_typed_is_made_fit_to_store_and_to_send(self, queued: Loop) -> None:
        queued.annotate("t1", "fail", note="half \ud83d nul \0")
        queued.gather()
        assert queued.store.annotations(QUEUE, "t1")[0].answers["note"] == "half \ufffd nul \u2400"

    def test_where_a_prelabel_was_shown_the_annotation_says_so(self, queued: Loop) -> None:
        task_id = queued.task_id("t1")
        queued.tasks.annotate(task_id, queued.answer(verdict="pass"), from_prediction=True, at=queued.clock())
        queued.gather()
        assert [one.from_prediction for one in queued.store.annotations(QUEUE, "t1")] == [True]


class TestUnreadable:
    def test_an_annotation_is_parked_until_it_is_mended(self, queued: Loop) -> None:
        one = queued.annotate("t1", "maybe")
        queued.annotate("t1", "pass", by=BEN)
        subject = f"annotation:1/{queued.task_id('t1')}/{one}"
        assert queued.gather().parked == 1
        assert queued.parked() == {subject: "unknown_choice"}
        assert verdicts(queued, "t1") == ["pass"]
        assert queued.gather().parked == 0
        assert [row.attempts for row in queued.store.parked()] == [1]
        queued.edit(one, "fail")
        assert queued.gather().parked == 0
        assert queued.parked() == {}
        assert verdicts(queued, "t1") == ["fail", "pass"]

    def test_an_edit_to_nonsense_takes_the_answer_back_till_it_is_mended(self, queued: Loop) -> None:
        one = queued.annotate("t1", "fail")
        queued.fetch_annotations()
        assert queued.values() == [("t1", "annotation_verdict", "fail")]
        queued.edit(one, "maybe")
        queued.fetch_annotations()
        assert queued.values() == []
        queued.edit(one, "fail")
        queued.fetch_annotations()
        assert queued.values() == [("t1", "annotation_verdict", "fail")]
        assert queued.parked() == {}

    def test_one_that_is_deleted_is_parked_no_more(self, queued: Loop) -> None:
        one = queued.annotate("t1", "maybe")
        queued.gather()
        queued.tasks.delete_annotation(one, at=queued.clock() + MINUTE)
        queued.gather()
        assert queued.parked() == {}

    def test_a_task_is_parked_until_it_can_be_read(self, queued: Loop) -> None:
        queued.annotate("t1", "fail")
        task_id = queued.task_id("t1")
        queued.tasks.unreadable = {task_id}
        assert queued.gather().parked == 1
        assert queued.gather().parked == 0
        assert queued.parked() == {f"task:1/{task_id}": "unreadable"}
        queued.clock.turn(10 * MINUTE)
        queued.annotate("t2")
        queued.gather()
        queued.tasks.unreadable = set()
        queued.gather()
        assert verdicts(queued, "t1") == []  # the poll has passed it by
        queued.retry()
        queued.gather()
        assert verdicts(queued, "t1") == ["fail"]
        assert queued.parked() == {}


class TestPolling:
    def test_only_what_changed_is_read_again(self, queued: Loop) -> None:
        queued.clock.turn(10 * MINUTE)
        queued.annotate("t1")
        assert queued.gather().tasks_changed == 3
        assert queued.gather().tasks_changed == 1
        assert queued.store.watermark("tasks:1") == queued.clock()

    def test_what_was_committed_late_is_found_by_the_overlap(self, queued: Loop) -> None:
        queued.clock.turn(10 * MINUTE)
        early, late = queued.clock(), queued.clock() + MINUTE
        queued.tasks.annotate(queued.task_id("t1"), queued.answer(verdict="pass"), at=late)
        queued.gather()
        queued.tasks.annotate(queued.task_id("t2"), queued.answer(verdict="fail"), at=early)
        assert queued.gather().annotations == 1
        assert queued.store.watermark("tasks:1") == late

    def test_changes_of_one_moment_are_all_read(self, queued: Loop) -> None:
        queued.tasks = queued.tasks.with_pages(1)
        moment = queued.clock() + MINUTE
        for trace_id in ("t1", "t2", "t3"):
            queued.tasks.annotate(queued.task_id(trace_id), queued.answer(verdict="pass"), at=moment)
        assert queued.gather().annotations == 3

    def test_a_server_that_goes_away_leaves_the_watermark(self, queued: Loop) -> None:
        before = queued.store.watermark("tasks:1")
        queued.clock.turn(10 * MINUTE)
        queued.annotate("t1")
        queued.tasks.failing = RetryableError("Label Studio", "it is away: try again later")
        with pytest.raises(RetryableError):
            queued.gather()
        assert queued.store.watermark("tasks:1") == before
        queued.tasks.failing = None
        assert queued.gather().annotations == 1

    def test_another_refusal_than_a_missing_project_is_no_deletion(self, queued: Loop) -> None:
        queued.tasks.failing = RejectedError("Label Studio", "bad request: correct it", reason="400")
        with pytest.raises(RejectedError):
            queued.gather()
        assert queued.parked() == {}

    def test_every_version_of_the_codebook_is_polled(self, queued: Loop) -> None:
        queued.use(revised())
        queued.queue("t4")
        queued.annotate("t1", "fail")
        queued.annotate("t4", "pass")
        assert queued.gather().annotations == 2
        versions = [queued.store.annotations(QUEUE, name)[0].codebook_version for name in ("t1", "t4")]
        assert versions == ["1.0.0", "1.1.0"]


class TestDeletedTasks:
    def test_its_annotations_go_with_it_and_its_trace_is_parked(self, queued: Loop) -> None:
        queued.annotate("t1", "fail", by=ADA)
        queued.annotate("t1", "fail", by=BEN)
        queued.fetch_annotations()
        assert queued.gold() == {"t1"}
        queued.tasks.delete_task(queued.task_id("t1"))
        made = queued.gather()
        assert (made.deleted, made.parked) == (1, 1)
        queued.resolve()
        queued.publish()
        assert (queued.values(), queued.gold()) == ([], set())
        assert queued.parked() == {"trace:t1": "task_deleted"}
        assert queued.gather().deleted == 0

    def test_tried_again_it_gets_a_new_task(self, queued: Loop) -> None:
        queued.annotate("t1", "fail")
        queued.fetch_annotations()
        queued.tasks.delete_task(queued.task_id("t1"))
        queued.gather()
        queued.retry()
        queued.resolve()
        assert queued.state("t1") == State.DRAWN
        assert queued.enqueue().queued == 1
        queued.annotate("t1", "pass")
        queued.fetch_annotations()
        assert queued.values() == [("t1", "annotation_verdict", "pass")]
        assert len(queued.traces_with_tasks()) == 3

    def test_a_deleted_project_is_all_of_its_tasks(self, queued: Loop) -> None:
        queued.annotate("t1", "fail")
        queued.fetch_annotations()
        queued.tasks.delete_project(1)
        assert queued.gather().deleted == 3
        queued.resolve()
        queued.publish()
        assert queued.values() == []
        assert set(queued.parked().values()) == {"task_deleted"}
        assert queued.gather().deleted == 0

    def test_what_was_parked_of_it_goes_with_it(self, queued: Loop) -> None:
        task_id = queued.task_id("t1")
        queued.tasks.annotate(task_id, [], at=queued.clock())  # no verdict
        queued.gather()
        queued.tasks.unreadable.add(task_id)
        queued.annotate("t1")
        queued.gather()
        assert sorted(queued.parked().values()) == ["no_answer", "unreadable"]
        queued.tasks.delete_task(task_id)
        queued.gather()
        assert queued.parked() == {"trace:t1": "task_deleted"}

    @pytest.mark.parametrize("verb", ["gather", "enqueue"])
    def test_what_was_parked_of_a_project_goes_with_it(self, queued: Loop, verb: str) -> None:
        """Whoever notices first: enqueue makes a new project, and the old one is never polled again."""
        foreign(queued)
        queued.tasks.annotate(queued.task_id("t1"), [], at=queued.clock())
        queued.gather()
        assert sorted(queued.parked().values()) == ["foreign_task", "no_answer"]
        queued.tasks.delete_project(1)
        queued.log("t4")
        queued.pull()
        queued.draw()
        getattr(queued, verb)()
        assert set(queued.parked()) == {"trace:t1", "trace:t2", "trace:t3"}

    def test_a_run_that_was_killed_before_the_deletion_was_noted_finds_it_again(self, queued: Loop) -> None:
        queued.annotate("t1", "fail")
        queued.fetch_annotations()
        queued.tasks.delete_task(queued.task_id("t1"))
        with killed_at(queued.store, "mark_tasks_deleted"):
            queued.gather()
        queued.fetch_annotations()
        assert queued.values() == []
        assert queued.parked() == {"trace:t1": "task_deleted"}


class TestForeignTasks:
    def test_it_is_parked_once_and_never_read(self, queued: Loop) -> None:
        task_id = foreign(queued)
        queued.tasks.annotate(task_id, queued.answer(verdict="fail"), at=queued.clock())
        assert queued.gather().parked == 1
        assert queued.gather().parked == 0
        queued.tasks.annotate(task_id, queued.answer(verdict="pass"), at=queued.clock() + MINUTE)
        assert queued.gather().parked == 0
        (row,) = queued.store.parked()
        assert (row.subject, row.reason, row.attempts) == (f"task:1/{task_id}", "foreign_task", 1)

    def test_a_copy_of_one_of_ours_is_foreign_too(self, queued: Loop) -> None:
        task_id = foreign(queued, "t1")
        queued.tasks.annotate(task_id, queued.answer(verdict="fail"), at=queued.clock())
        queued.gather()
        assert verdicts(queued, "t1") == []
        assert queued.parked() == {f"task:1/{task_id}": "foreign_task"}

    def test_as_many_foreign_ones_as_deleted_ones_hide_no_deletion(self, queued: Loop) -> None:
        task_id = foreign(queued)
        queued.gather()
        queued.tasks.delete_task(queued.task_id("t1"))
        assert queued.gather().deleted == 1
        assert queued.parked() == {f"task:1/{task_id}": "foreign_task", "trace:t1": "task_deleted"}

    def test_it_is_parked_no_more_when_it_is_gone(self, queued: Loop) -> None:
        task_id = foreign(queued)
        queued.gather()
        queued.tasks.delete_task(task_id)
        queued.gather()
        assert queued.parked() == {}


class TestGivenAgainIds:
    """Label Studio gives the id of its last task again once that was deleted."""

    @pytest.fixture
    def old(self, queued: Loop) -> tuple[str, int]:
        """The trace whose task, annotated and published, was deleted, and the id that is free now."""
        trace_id, task_id = last_task(queued)
        queued.annotate(trace_id, "fail", by=ADA)
        queued.annotate(trace_id, "fail", by=BEN)
        queued.fetch_annotations()
        assert queued.gold() == {trace_id}
        queued.tasks.delete_task(task_id)
        return trace_id, task_id

    def expect(self, loop: Loop, old: tuple[str, int]) -> None:
        """The old trace is parked and nothing of it stands; the new one has what was said of it."""
        trace_id, task_id = old
        assert loop.task_id("new") == task_id
        assert loop.parked() == {f"trace:{trace_id}": "task_deleted"}
        assert loop.values() == [("new", "annotation_verdict", "pass")]
        assert loop.gold() == set()
        assert verdicts(loop, trace_id) == []
        assert loop.state("new") == State.ANNOTATED

    def test_by_a_trace_that_was_enqueued_before_the_deletion_was_seen(
        self, queued: Loop, old: tuple[str, int]
    ) -> None:
        queued.queue("new")
        queued.annotate("new", "pass")
        queued.fetch_annotations()
        self.expect(queued, old)

    def test_by_a_trace_whose_import_lost_its_answer(self, queued: Loop, old: tuple[str, int]) -> None:
        queued.tasks.lose_next_answer = True
        with pytest.raises(RetryableError):
            queued.queue("new")
        queued.annotate("new", "pass")
        queued.gather()
        assert verdicts(queued, old[0]) == []
        assert verdicts(queued, "new") == []
        queued.enqueue()
        queued.fetch_annotations()
        self.expect(queued, old)

    def test_after_the_deletion_was_seen(self, queued: Loop, old: tuple[str, int]) -> None:
        queued.fetch_annotations()
        queued.queue("new")
        queued.annotate("new", "pass")
        queued.fetch_annotations()
        self.expect(queued, old)

    def test_by_a_foreign_task(self, queued: Loop, old: tuple[str, int]) -> None:
        trace_id, task_id = old
        assert foreign(queued) == task_id
        queued.tasks.annotate(task_id, queued.answer(verdict="fail"), at=queued.clock() + MINUTE)
        queued.fetch_annotations()
        queued.fetch_annotations()
        assert queued.parked() == {f"trace:{trace_id}": "task_deleted", f"task:1/{task_id}": "foreign_task"}
        assert queued.values() == []
        assert [row.attempts for row in queued.store.parked()] == [1, 1]

    def test_by_the_same_trace(self, queued: Loop, old: tuple[str, int]) -> None:
        trace_id, task_id = old
        queued.fetch_annotations()
        queued.retry()
        queued.enqueue()
        assert queued.task_id(trace_id) == task_id
        queued.annotate(trace_id, "pass")
        queued.fetch_annotations()
        assert queued.values() == [(trace_id, "annotation_verdict", "pass")]
        assert queued.parked() == {}

    def test_the_old_trace_tried_again_has_a_task_of_its_own(self, queued: Loop, old: tuple[str, int]) -> None:
        queued.queue("new")
        queued.fetch_annotations()
        queued.retry()
        queued.enqueue()
        assert queued.task_id(old[0]) != queued.task_id("new") == old[1]
        assert queued.state(old[0]) == State.QUEUED
