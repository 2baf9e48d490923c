"""Gather: when it reads, how much of it, and that nothing gets by."""

from datetime import datetime, timedelta

import pytest

from builders import QUEUE
from goldloop.pipeline.gather import GatherSummary, gather
from goldloop.ports import TaskDraft
from pipeline.loop import ADA, BEN, MINUTE, Loop, progress

SECOND = timedelta(seconds=1)


@pytest.fixture
def queued(loop: Loop) -> Loop:
    """t1, t2 and t3 are tasks; twice looked at, for the first time may have come too early for a late commit."""
    loop.queue("t1", "t2", "t3")
    loop.gather()
    loop.gather()
    return loop


@pytest.fixture
def reads(queued: Loop, monkeypatch: pytest.MonkeyPatch) -> list[datetime | None]:
    """Since when each poll read on, and "ids" for each reading of all ids; empty while polls are idle."""
    made: list[datetime | None] = []
    read = queued.tasks.changed_tasks

    def changed_tasks(project_id: int, since: datetime | None) -> object:
        made.append(since)
        return read(project_id, since)

    monkeypatch.setattr(queued.tasks, "changed_tasks", changed_tasks)
    return made


def polled(loop: Loop, **how: bool) -> GatherSummary:
    return gather(loop.codebook, loop.tasks, loop.store, loop.clock(), progress, **how)


def verdicts(loop: Loop, trace_id: str) -> list[object]:
    return [one.answers["verdict"] for one in loop.store.annotations(QUEUE, trace_id) if not one.deleted]


def dump(loop: Loop) -> list[str]:
    """All that the store holds."""
    with loop.store._db.read() as connection:
        raw = connection.connection.dbapi_connection
        assert raw is not None
        return [*raw.iterdump()]


def a_copy_of(loop: Loop, trace_id: str) -> int:
    """A task with the same data, made by somebody else."""
    draft = loop.tasks._tasks[loop.task_id(trace_id)].draft
    (task_id,) = loop.tasks.import_tasks(1, [TaskDraft(trace_id="copy", data=draft.data)])
    return task_id


class TestIdle:
    def test_where_nothing_changed_only_a_glance_is_taken(self, queued: Loop, reads: list[object]) -> None:
        assert queued.gather().tasks_changed == 0
        assert reads == []
        queued.annotate("t1")
        assert queued.gather().annotations == 1
        assert len(reads) == 1

    def test_until_no_late_commit_can_come_the_overlap_is_read_again(self, queued: Loop, reads: list[object]) -> None:
        """The watermark is the annotation's time; two minutes later the server's clock is just not beyond overlap."""
        queued.annotate("t1")
        for turn in (timedelta(0), 2 * MINUTE, SECOND):
            queued.clock.turn(turn)
            queued.gather()
        assert len(reads) == 3
        queued.gather()
        assert len(reads) == 3

    def test_a_late_commit_below_the_watermark_is_found(self, queued: Loop) -> None:
        early = queued.clock()
        queued.annotate("t1")
        queued.gather()
        queued.clock.turn(MINUTE)
        queued.tasks.annotate(queued.task_id("t2"), queued.answer(verdict="fail"), at=early)
        queued.clock.turn(90 * SECOND)
        assert queued.gather().annotations == 1

    def test_a_deleted_task_is_missed_by_number(self, queued: Loop) -> None:
        queued.tasks.delete_task(queued.task_id("t1"))
        assert queued.gather().tasks_gone == 1
        assert polled(queued) == GatherSummary(tasks_changed=0, annotations=0, deleted=0, parked=0)

    def test_an_empty_project_that_was_one_is_idle(self, queued: Loop, reads: list[object]) -> None:
        for trace_id in ("t1", "t2", "t3"):
            queued.tasks.delete_task(queued.task_id(trace_id))
        assert queued.gather().tasks_gone == 3
        del reads[:]
        queued.gather()
        assert reads == []

    def test_strangers_are_counted_and_told_of(self, queued: Loop, reads: list[object]) -> None:
        a_copy_of(queued, "t1")
        assert queued.gather().foreign == 1
        queued.gather()
        del reads[:]
        assert queued.gather().foreign == 1
        assert reads == []

    def test_a_server_that_does_not_tell_the_time_is_always_read(
        self, queued: Loop, reads: list[object], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        peek = queued.tasks.peek
        monkeypatch.setattr(queued.tasks, "peek", lambda one: peek(one).model_copy(update={"at": None}))
        queued.annotate("t1")
        for _ in range(3):
            queued.clock.turn(10 * MINUTE)
            queued.gather()
        assert len(reads) == 3


class TestClockSetBack:
    def test_what_is_older_than_the_watermark_is_read(self, queued: Loop) -> None:
        queued.annotate("t1")
        queued.gather()
        queued.clock.turn(-timedelta(hours=1))
        queued.annotate("t2", "fail")
        assert queued.gather().annotations == 1
        queued.annotate("t3", "fail")
        assert queued.gather().annotations == 1, "the watermark follows the clock"
        queued.clock.turn(timedelta(hours=2))
        queued.gather()
        queued.annotate("t3", "pass", by=BEN)
        assert queued.gather().annotations == 1

    def test_servers_that_differ_by_seconds_are_no_reason_to_read_all(self, queued: Loop, reads: list[object]) -> None:
        queued.clock.turn(-5 * SECOND)
        queued.gather()
        assert reads == []


class TestEverything:
    def test_all_is_read_and_what_differed_is_told(self, queued: Loop) -> None:
        kept = queued.annotate("t1", "fail", by=ADA)
        gone = queued.annotate("t2", "fail", by=ADA)
        queued.gather()
        queued.clock.turn(10 * MINUTE)
        queued.gather()
        # Behind the poll's back: none of it moves a task's time.
        queued.tasks._tasks[queued.task_id("t1")].annotations[kept] = (
            queued.tasks._holder(kept).annotations[kept].model_copy(update={"annotator": BEN})
        )
        del queued.tasks._holder(gone).annotations[gone]
        assert polled(queued).annotations == 0
        queued.tasks.delete_task(queued.task_id("t3"))
        a_copy_of(queued, "t1")
        expected = GatherSummary(
            tasks_changed=3,  # t1, t2 and the copy
            annotations=1,
            deleted=2,  # an annotation and a task
            parked=2,  # t3 and the copy
            new=0,
            changed=1,
            annotations_deleted=1,
            tasks_gone=1,
            foreign=1,
            unknown=1,  # the copy's data says that goldloop made it, for a trace that was never drawn
        )
        before = dump(queued)
        assert polled(queued, everything=True, dry_run=True) == expected
        assert dump(queued) == before
        assert polled(queued, everything=True) == expected
        assert [one.annotator for one in queued.store.annotations(QUEUE, "t1")] == [BEN]
        again = polled(queued, everything=True)
        assert (again.annotations, again.deleted, again.parked, again.foreign) == (0, 0, 0, 1)

    def test_a_dry_run_of_a_project_that_is_gone_changes_nothing(self, queued: Loop) -> None:
        queued.annotate("t1", "fail")
        queued.gather()
        queued.tasks.delete_project(1)
        before = dump(queued)
        assert polled(queued, everything=True, dry_run=True).tasks_gone == 3
        assert dump(queued) == before
        assert polled(queued, everything=True).tasks_gone == 3

    def test_tasks_of_a_store_that_is_newer_are_unknown(self, queued: Loop) -> None:
        data = {"format": "goldloop.task/1", "queue": QUEUE, "output": "x"}
        known = queued.tasks._tasks[queued.task_id("t1")].draft.data
        queued.tasks.import_tasks(1, [TaskDraft(trace_id="of-another-store", data=dict(known) | data)])
        made = queued.gather()
        assert (made.foreign, made.unknown) == (1, 1)


class TestMoved:
    @pytest.mark.parametrize("size", [1, 500])
    @pytest.mark.parametrize("first", ["t1", "t2"])
    def test_an_annotation_goes_with_its_task(self, queued: Loop, size: int, first: str) -> None:
        """Whichever of the two tasks comes first, on one page or on two."""
        queued.tasks = queued.tasks.with_pages(size)
        one = queued.annotate("t1", "fail")
        queued.fetch_annotations()
        queued.clock.turn(10 * MINUTE)
        queued.tasks.move(one, queued.task_id("t2"), at=queued.clock())
        queued.tasks._tasks[queued.task_id(first)].updated_at -= SECOND
        queued.fetch_annotations()
        assert (verdicts(queued, "t1"), verdicts(queued, "t2")) == ([], ["fail"])
        assert queued.values("annotation") == [("t2", "annotation_verdict", "fail")]
        assert queued.gather().annotations == 0

    def test_what_removing_duplicates_gives_to_another_task_is_found(self, queued: Loop) -> None:
        """The server deletes the copy, gives its annotations to ours, and moves no time."""
        copy = a_copy_of(queued, "t1")
        one = queued.tasks.annotate(copy, queued.answer(verdict="fail"), at=queued.clock())
        queued.gather()
        queued.clock.turn(10 * MINUTE)
        queued.annotate("t2")
        queued.gather()
        ours = queued.tasks._tasks[queued.task_id("t1")]
        ours.annotations[one] = queued.tasks._holder(one).annotations[one]
        queued.tasks.delete_task(copy)
        queued.gather()
        assert verdicts(queued, "t1") == ["fail"]
        assert queued.parked() == {}


def test_a_deleted_task_that_is_there_again_is_read_and_taken_up_once(queued: Loop) -> None:
    """As after a backup of Label Studio's was restored."""
    queued.annotate("t1", "fail")
    queued.fetch_annotations()
    task_id = queued.task_id("t1")
    held = queued.tasks._tasks.pop(task_id)
    queued.fetch_annotations()
    assert (queued.values(), queued.parked()) == ([], {"trace:t1": "task_deleted"})
    queued.tasks._tasks[task_id] = held
    for _ in range(2):
        queued.fetch_annotations()
        assert queued.values() == [("t1", "annotation_verdict", "fail")]
        assert queued.parked() == {"trace:t1": "task_deleted"}
    queued.retry()
    queued.enqueue()
    queued.fetch_annotations()
    assert (queued.task_id("t1"), queued.parked()) == (task_id, {})
    assert queued.values() == [("t1", "annotation_verdict", "fail")]


def test_what_label_studio_says_now_counts_even_if_it_is_older(queued: Loop) -> None:
    """Two edits at once: the one with the earlier time is committed last."""
    one = queued.annotate("t1", "fail")
    queued.edit(one, "pass")
    queued.fetch_annotations()
    queued.tasks.edit(one, queued.answer(verdict="fail"), at=queued.clock() - SECOND)
    queued.fetch_annotations()
    assert queued.values() == [("t1", "annotation_verdict", "fail")]
