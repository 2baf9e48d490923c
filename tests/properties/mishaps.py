"""The verbs, what goes wrong in them, and turns of events that chance alone would seldom bring about."""

from contextlib import suppress
from datetime import timedelta
from typing import Literal

import hypothesis.strategies as st
from hypothesis.stateful import precondition, rule

from fakes.task_queue import _Task
from goldloop.errors import RetryableError
from pipeline.loop import ADA, BEN, CLEO
from properties.people import People
from properties.stage import FOREIGN, PEOPLE, PICK, SAID, SCORE_LAG
from properties.trouble import KilledError, Kind

VERBS = ["pull", "draw", "prelabel", "enqueue", "gather", "resolve", "publish", "fetch_annotations", "run"]
# After these the world and the store know different things, until a later run has looked.
EDGES = [
    "import_tasks",
    "save_tasks",
    "save_annotations",
    "save_resolutions",
    "send",
    "mark_scores_sent",
    "delete",
    "put",
    "mark_eval_rows_done",
    "candidates",
    "changed_tasks",
]
Change = Literal["severity", "other", "person", "again", "deleted", "skipped"]
CHANGES: list[Change] = ["severity", "other", "person", "again", "deleted", "skipped"]


class Mishaps(People):
    # -- the verbs

    @rule(verb=st.sampled_from(VERBS))
    def verb(self, verb: str) -> None:
        self.loop.clock.turn(timedelta(seconds=1))
        try:
            with suppress(RetryableError, KilledError):
                getattr(self.loop, verb)()
        finally:
            self.trouble.spare()

    @rule(
        verb=st.sampled_from(VERBS),
        kind=st.sampled_from(["kill", "kill", "fault"]),
        calls=st.integers(0, 12) | st.integers(0, 60),
        after=st.booleans(),
    )
    def struck_verb(self, verb: str, kind: Kind, calls: int, *, after: bool) -> None:
        self.trouble.strike(kind, calls, after=after)
        self.verb(verb)

    @precondition(lambda self: self.tasks())
    @rule(
        only=st.sampled_from(EDGES),
        calls=st.integers(0, 2),
        after=st.booleans(),
        said=SAID,
        apart=st.sampled_from([0, 3, 90]),
    )
    def struck_at_an_edge(self, only: str, calls: int, said: str | None, apart: int, *, after: bool) -> None:
        """With something to do on both ways, and some of it older than what an overlap reads again."""
        self.log(4, 1)
        self.loop.clock.turn(timedelta(minutes=1))
        for pick in range(3):
            self.agree(pick, said)
            self.loop.clock.turn(timedelta(minutes=min(apart, 3)))
        if apart > 3 and not self.in_flight:
            self.loop.clock.turn(timedelta(minutes=apart))
            self.log(2, 1)
            self.loop.clock.turn(timedelta(minutes=1))
        self.trouble.strike("kill", calls, after=after, only=only)
        self.verb("run")

    # -- people and verbs in an unlucky order

    @precondition(lambda self: self.tasks())
    @rule(first=PICK, said=SAID)
    def commit_out_of_order(self, first: int, said: str | None) -> None:
        """The later one is gathered before the earlier one can be seen."""
        task = self.task(first)
        self.submit(task, ADA, said)
        self.verb("gather")
        others = [one for one in self.tasks() if one.project_id == task.project_id]
        self.submit(min(others, key=lambda one: one.updated_at), BEN, said, 90)

    @precondition(lambda self: self.tasks() and not self.behind)
    @rule(pick=PICK, said=SAID)
    def gather_by_a_clock_ahead(self, pick: int, said: str | None) -> None:
        self.set_the_clock_ahead(4)
        self.a_hook_calls(pick, ADA, said)
        self.set_the_clock_right()
        self.submit(self.task(pick), BEN, said)

    @precondition(lambda self: self.tasks())
    @rule(pick=PICK, said=SAID)
    def skip_and_come_back(self, pick: int, said: str | None) -> None:
        """What was skipped meanwhile says again what it said."""
        task = self.task(pick)
        annotation_id = self.submit(task, ADA, said)
        self.loop.tasks.skip(annotation_id, at=self.moment(task))
        self.verb("fetch_annotations")
        self.loop.tasks.unskip(annotation_id, at=self.moment(task))
        self.remember()

    @rule(minutes=st.integers(2, 55), read_first=st.booleans())
    def show_late(self, minutes: int, *, read_first: bool) -> None:
        """A long trace is to be read only after later ones were."""
        if read_first:
            self.log(1, 1)
        self.loop.clock.turn(timedelta(minutes=1))
        self.verb("pull")
        self.log(2, minutes)

    @rule(
        kind=st.sampled_from(["kill", "fault"]),
        calls=st.integers(0, 2),
        after=st.sampled_from([False, True, True]),
        only=st.sampled_from(["import_tasks", "import_tasks", "save_tasks"]),
    )
    def enqueue_breaks_off(self, kind: Kind, calls: int, only: str, *, after: bool) -> None:
        """With tasks made that nobody has noted."""
        self.log(4, 1)
        self.loop.clock.turn(timedelta(minutes=1))
        for verb in ("pull", "draw"):
            self.verb(verb)
        self.trouble.strike(kind, calls, after=after, only=only)
        self.verb("enqueue")

    @precondition(lambda self: not self.in_flight)
    @rule(
        kind=st.sampled_from(["kill", "fault"]),
        pages=st.integers(0, 3),
        after=st.booleans(),
        minutes=st.sampled_from([0, 90]),
        only=st.sampled_from(["candidates", "candidates", "signals"]),
    )
    def pull_breaks_off(self, kind: Kind, pages: int, minutes: int, only: str, *, after: bool) -> None:
        """And has not read what is older than the overlap."""
        self.log(4, 1)
        for pick in range(4):
            self.click(pick, 0, 1.0)
        self.loop.clock.turn(timedelta(minutes=minutes))
        self.log(3, 1)
        self.loop.clock.turn(timedelta(minutes=1))
        self.trouble.strike(kind, pages, after=after, only=only)
        self.verb("pull")

    @precondition(lambda self: self.tasks())
    @rule(
        said=SAID,
        instead=SAID,
        by=st.sampled_from(["goldloop", "goldloop", "goldloop, killed", "hand"]),
        answered=st.sampled_from([False, False, True]),
    )
    def give_an_id_again(self, said: str | None, instead: str | None, by: str, *, answered: bool) -> None:
        """To a new task, before anyone noticed that the one which had it is gone; and somebody answers that.

        One trace alone, which is most likely of the same project.
        """
        last = self.last_task()
        if answered:
            self.submit(last, ADA, said)
        self.verb("gather")
        self.loop.tasks.delete_task(last.task_id)
        if by == "hand":
            if self.tasks() and FOREIGN not in self.loop.traces_with_tasks():
                self.import_a_task_by_hand(0, instead)
        else:
            self.log(1, 1)
            self.loop.clock.turn(timedelta(minutes=1))
            for verb in ("pull", "draw"):
                self.verb(verb)
            if by == "goldloop, killed":
                self.trouble.strike("kill", 0, after=True, only="import_tasks")
            self.verb("enqueue")
            for task in self.tasks():
                if task.task_id >= last.task_id:
                    self.submit(task, BEN, instead)
        self.verb("fetch_annotations")

    @precondition(lambda self: self.tasks())
    @rule(pick=PICK, goes=st.sampled_from(["task", "annotation", "mended", "project"]))
    def answer_unfitly(self, pick: int, goes: str) -> None:
        """What was parked of it goes as it goes."""
        task = self.task(pick)
        annotation_id = self.submit(task, CLEO, "unfit")
        self.verb("gather")
        if goes == "task":
            self.loop.tasks.delete_task(task.task_id)
        elif goes == "annotation":
            self.loop.tasks.delete_annotation(annotation_id, at=self.moment(task))
        elif goes == "mended":
            self.loop.tasks.edit(annotation_id, self.result("pass"), at=self.moment(task))
            self.remember()
        else:
            self.delete_project(pick, 0, again=False)
        self.verb("fetch_annotations")

    @precondition(lambda self: self.ours())
    @rule(pick=PICK, said=SAID, change=st.sampled_from(CHANGES), pause=st.sampled_from([0, 0, 20]))
    def take_back(self, pick: int, said: str | None, change: Change, pause: int) -> None:
        """What was published changes, and then is as it was."""
        task = self.ours()[pick % len(self.ours())]
        self.agree(self.tasks().index(task), said)
        self.verb("fetch_annotations")
        self.loop.tasks.clear(task.project_id, at=self.moment(max(self.tasks(), key=lambda one: one.updated_at)))
        self.verb("fetch_annotations")
        self.loop.clock.turn(timedelta(minutes=pause))
        self.agree(self.tasks().index(task), said)
        self.change(task, change)
        self.verb("fetch_annotations")

    @precondition(lambda self: self.tasks())
    @rule(
        pick=PICK,
        said=st.sampled_from(["pass", "fail", "fail minor"]),
        kind=st.sampled_from(["kill", "fault"]),
        calls=st.integers(0, 3),
        after=st.booleans(),
        only=st.sampled_from(["send", "send", "delete", "read", "put"]),
    )
    def publish_breaks_off(self, pick: int, said: str, kind: Kind, calls: int, only: str, *, after: bool) -> None:
        self.agree(pick, said)
        self.agree(pick + 1, said)
        self.trouble.strike(kind, calls, after=after, only=only)
        self.verb("fetch_annotations")

    # -- Langfuse

    @precondition(lambda self: self.tasks())
    @rule(pick=PICK, said=SAID, dropping=st.booleans())
    def langfuse_minds(self, pick: int, said: str | None, *, dropping: bool) -> None:
        """It refuses what is said of a trace from now on, or takes it and forgets it."""
        trace_id = self.task(pick).draft.trace_id
        (self.dropping if dropping else self.refusing).add(trace_id)
        self.meddled.add(trace_id)
        self.agree(pick, said)
        self.verb("fetch_annotations")

    @precondition(lambda self: self.ours())
    @rule(
        pick=PICK,
        said=st.sampled_from(["pass", "fail", "fail major"]),
        change=st.sampled_from(CHANGES),
        times=st.integers(1, 8),
        minutes=st.sampled_from([0, 0, 1, 20]),
        shown=st.booleans(),
    )
    def langfuse_forgets(self, pick: int, said: str, change: Change, times: int, minutes: int, *, shown: bool) -> None:
        """It takes some scores, perhaps a revision of what it shows and of the same value, and forgets them."""
        task = self.ours()[pick % len(self.ours())]
        if shown:
            self.agree(self.tasks().index(task), said)
            self.verb("fetch_annotations")
        self.forgetting = times
        if shown:
            self.change(task, change)
        else:
            self.agree(self.tasks().index(task), said)
        self.verb("fetch_annotations")
        self.forgetting = 0
        self.loop.clock.turn(timedelta(minutes=minutes))
        self.verb("publish")

    def change(self, task: _Task, change: Change) -> None:
        """Of one annotation of the task's: its severity, its verdict, whose it is, nothing; or it goes."""
        if not task.annotations:
            return
        one = task.annotations[min(task.annotations)]
        tasks, at = self.loop.tasks, self.moment(task)
        if change in {"severity", "other"}:
            told = {"severity": "fail critical", "other": "pass" if "fail" in str(one.result) else "fail"}[change]
            tasks.edit(one.annotation_id, self.result(told), at=at)
        elif change == "person":
            tasks.reassign(one.annotation_id, CLEO if one.annotator != CLEO else BEN, at=at)
        elif change == "again":
            tasks.touch(one.annotation_id, at=at)
        elif change == "deleted":
            tasks.delete_annotation(one.annotation_id, at=at)
        else:
            tasks.skip(one.annotation_id, at=at)
        self.remember()

    @precondition(lambda self: self.ours() and not self.behind)
    @rule(pick=PICK, said=SAID, minutes=st.sampled_from([1, 10, 30]), change=st.sampled_from(CHANGES))
    def a_request_is_held_up(self, pick: int, said: str | None, minutes: int, change: Change) -> None:
        """It was given up and sent again; the first of the two arrives long after, when much has changed."""
        self.in_flight = True
        before = len(self.loop.scores.sent)
        task = self.ours()[pick % len(self.ours())]
        self.agree(self.tasks().index(task), said)
        self.verb("fetch_annotations")
        for score in self.loop.scores.sent[before:]:
            self.loop.scores.arrives_late(score, self.now() + timedelta(minutes=minutes))
        self.change(task, change)
        self.verb("fetch_annotations")

    @rule(seconds=st.sampled_from([5, 40, 400]))
    def langfuse_is_slow(self, seconds: int) -> None:
        """What it takes from now on shows only so much later: later than what is sent when it is quick again."""
        self.loop.scores.lag = timedelta(seconds=seconds)
        self.in_flight = True

    @rule()
    def langfuse_minds_no_more(self) -> None:
        self.refusing.clear()
        self.dropping.clear()
        self.forgetting = 0
        self.loop.scores.lag = SCORE_LAG

    # -- time

    @rule(minutes=st.sampled_from([1, 5, 20, 90]))
    def wait(self, minutes: int) -> None:
        """No longer than publish looks back, where a creation may come after its deletion."""
        if self.in_flight and minutes > 20:
            self.verb("publish")
            minutes = 20
        self.loop.clock.turn(timedelta(minutes=minutes))
        if self.in_flight:
            self.verb("publish")

    @precondition(lambda self: self.behind < timedelta(minutes=20))
    @rule(minutes=st.integers(1, 30))
    def set_the_clock_back(self, minutes: int) -> None:
        by = timedelta(minutes=minutes)
        self.loop.clock.turn(-by)
        self.behind += by

    @precondition(lambda self: not self.behind)
    @rule(minutes=st.integers(1, 4))
    def set_the_clock_ahead(self, minutes: int) -> None:
        """By less than what the overlap leaves for traces that show late."""
        by = timedelta(minutes=minutes)
        self.loop.clock.turn(by)
        self.behind -= by

    @rule()
    def set_the_clock_right(self) -> None:
        self.loop.clock.turn(self.behind)
        self.behind = timedelta(0)

    # -- operators

    @rule(pick=PICK, every=st.booleans())
    def retry(self, pick: int, *, every: bool) -> None:
        rows = self.loop.store.parked()
        one = rows[pick % len(rows)].parked_id if rows else None
        self.loop.retry(lambda row: every or row.parked_id == one)

    @precondition(lambda self: self.tasks())
    @rule(pick=PICK, who=PEOPLE, said=SAID)
    def a_hook_calls(self, pick: int, who: str, said: str | None) -> None:
        """Label Studio says that something changed: the way back is gone earlier, and nothing else."""
        self.annotate(pick, who, said, 0, shown=False)
        self.verb("fetch_annotations")
