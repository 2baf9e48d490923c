"""What apps, annotators and whoever may change a project do."""

from datetime import datetime, timedelta

import hypothesis.strategies as st
from hypothesis.stateful import precondition, rule

from fakes.task_queue import Result, _Task
from goldloop.ports import TaskDraft
from goldloop.records import AnnotationSnapshot, Signal
from pipeline.loop import ADA, BEN, CLEO
from properties.stage import FOREIGN, MILLISECOND, PEOPLE, PICK, SAID, Stage

# As late as the overlap allows, which is an hour, where the worker's clock is some minutes ahead.
LATE = st.sampled_from([0, 1, 20, 55])


class People(Stage):
    # -- apps

    @rule(number=st.integers(1, 4), minutes=LATE)
    def log(self, number: int, minutes: int) -> None:
        """Traces of one and the same time, that can be read only now."""
        at = self.now() - timedelta(minutes=minutes)
        for _ in range(number):
            self.log_one(at)

    @rule()
    def log_hollow(self) -> None:
        """A trace that has nothing to judge."""
        self.hollow.add(self.log_one(self.now(), output="", messages=()))

    def log_one(self, at: datetime, **fields: object) -> str:
        trace_id = f"t{len(self.logged):03}"
        self.logged.append(trace_id)
        self.loop.log(trace_id, timestamp=at, **fields)
        self.roots[trace_id] = [self.loop.source._roots[-1]]
        return trace_id

    @precondition(lambda self: self.logged)
    @rule(pick=PICK, minutes=LATE, other=st.sampled_from(["returns", "refunds", "delivery"]))
    def send_again(self, pick: int, minutes: int, other: str) -> None:
        """The same trace by one more root, of another user and category, earlier or later than the first."""
        trace_id = self.logged[pick % len(self.logged)]
        self.loop.clock.turn(MILLISECOND)
        made = self.loop.source.traces[trace_id].model_copy(
            update={"timestamp": self.now() - timedelta(minutes=minutes)}
        )
        self.loop.source.log(made, category=other, user=f"user-of-{other}")
        self.roots[trace_id].append(self.loop.source._roots[-1])

    @precondition(lambda self: self.logged)
    @rule(pick=PICK, minutes=LATE, value=st.sampled_from([0.0, 1.0]))
    def click(self, pick: int, minutes: int, value: float) -> None:
        trace_id = self.logged[pick % len(self.logged)]
        signal_id = f"click-{len(self.loop.source.clicks)}"
        at = self.now() - timedelta(minutes=minutes)
        self.loop.source.click(Signal(signal_id=signal_id, trace_id=trace_id, name="thumbs", value=value, at=at))
        self.clicks.setdefault(trace_id, set()).add(signal_id)

    # -- annotators

    def moment(self, task: _Task, late: int = 0) -> datetime:
        """Of a transaction that was begun `late` seconds ago and is seen only now."""
        self.loop.clock.turn(MILLISECOND)
        return max(task.updated_at + MILLISECOND, self.now() - timedelta(seconds=late))

    def moment_of(self, one: AnnotationSnapshot, late: int = 0) -> datetime:
        return self.moment(self.loop.tasks._holder(one.annotation_id), late)

    def result(self, said: str | None) -> Result:
        if said is None:
            return []
        if said == "unfit":
            return [*self.loop.answer(verdict="pass"), *self.loop.answer(verdict="fail")]
        verdict, _, severity = said.partition(" ")
        return self.loop.answer(verdict=verdict, **({"severity": severity} if severity else {}))

    def submit(self, task: _Task, who: str, said: str | None, late: int = 0, *, shown: bool = False) -> int:
        made = self.loop.tasks.annotate(
            task.task_id,
            self.result(said),
            annotator=who,
            skipped=said is None,
            from_prediction=shown,
            at=self.moment(task, late),
        )
        self.remember()
        return made

    @precondition(lambda self: self.tasks())
    @rule(pick=PICK, who=PEOPLE, said=SAID, late=st.sampled_from([0, 0, 90]), shown=st.booleans())
    def annotate(self, pick: int, who: str, said: str | None, late: int, *, shown: bool) -> None:
        """Also a second one by the same person, and one that a script brought in under somebody's name."""
        self.submit(self.task(pick), who, said, late, shown=shown)

    @precondition(lambda self: self.tasks())
    @rule(pick=PICK, said=SAID)
    def agree(self, pick: int, said: str | None) -> None:
        task = self.task(pick)
        for who in (ADA, BEN, CLEO):
            self.submit(task, who, said)

    @precondition(lambda self: self.tasks())
    @rule(pick=PICK, who=PEOPLE, first=SAID, second=SAID, other=SAID)
    def contradict_oneself(self, pick: int, who: str, first: str | None, second: str | None, other: str | None) -> None:
        """Two annotations by one person, and then one by another: only the last word of each counts."""
        task = self.task(pick)
        self.submit(task, who, first)
        self.submit(task, who, second)
        self.submit(task, BEN if who == ADA else ADA, other)

    @precondition(lambda self: self.annotations())
    @rule(pick=PICK, said=SAID.filter(lambda said: said is not None), late=st.sampled_from([0, 90]))
    def edit(self, pick: int, said: str, late: int) -> None:
        one = self.annotation(pick)
        self.loop.tasks.edit(one.annotation_id, self.result(said), at=self.moment_of(one, late))
        self.remember()

    @precondition(lambda self: self.annotations())
    @rule(pick=PICK, who=PEOPLE, said=SAID.filter(lambda said: said is not None))
    def edit_by(self, pick: int, who: str, said: str) -> None:
        """Whoever saves it, it stays its annotator's."""
        one = self.annotation(pick)
        by = None if who == one.annotator else who
        self.loop.tasks.edit(one.annotation_id, self.result(said), by=by, at=self.moment_of(one))
        self.remember()

    @precondition(lambda self: self.annotations())
    @rule(pick=PICK)
    def skip_or_unskip(self, pick: int) -> None:
        """What was skipped from the start comes back without an answer, which the codebook does not allow."""
        one = self.annotation(pick)
        change = self.loop.tasks.unskip if one.skipped else self.loop.tasks.skip
        change(one.annotation_id, at=self.moment_of(one))
        self.remember()

    @precondition(lambda self: self.annotations())
    @rule(pick=PICK, late=st.sampled_from([0, 90]))
    def submit_again(self, pick: int, late: int) -> None:
        """Nothing in it changed."""
        one = self.annotation(pick)
        self.loop.tasks.touch(one.annotation_id, at=self.moment_of(one, late))

    @precondition(lambda self: self.annotations())
    @rule(pick=PICK)
    def ground_truth(self, pick: int) -> None:
        """It is made the ground truth, or is that no more."""
        one = self.annotation(pick)
        self.loop.tasks._change(one.annotation_id, {"ground_truth": not one.ground_truth}, self.moment_of(one))

    @precondition(lambda self: self.annotations())
    @rule(pick=PICK, who=PEOPLE)
    def reassign(self, pick: int, who: str) -> None:
        one = self.annotation(pick)
        self.loop.tasks.reassign(one.annotation_id, who, at=self.moment_of(one))
        self.remember()

    @precondition(lambda self: self.annotations() and self.ours())
    @rule(pick=PICK, to=PICK)
    def move(self, pick: int, to: int) -> None:
        """Label Studio lets an annotation change its task."""
        one = self.annotation(pick)
        holder = self.loop.tasks._holder(one.annotation_id)
        same = [task for task in self.ours() if task.project_id == holder.project_id and task is not holder]
        if same:
            task = same[to % len(same)]
            self.loop.tasks.move(one.annotation_id, task.task_id, at=max(self.moment(holder), self.moment(task)))
            self.remember()

    @precondition(lambda self: self.annotations())
    @rule(pick=PICK)
    def delete_annotation(self, pick: int) -> None:
        one = self.annotation(pick)
        self.loop.tasks.delete_annotation(one.annotation_id, at=self.moment_of(one))

    # -- whoever may change a project. What wipes out too much is rare: nothing would be left to go wrong

    @precondition(lambda self: self.tasks())
    @rule(pick=PICK, rare=st.integers(0, 3))
    def bulk_delete(self, pick: int, rare: int) -> None:
        if rare:
            return
        latest = max(self.tasks(), key=lambda task: task.updated_at)
        self.loop.tasks.clear(self.task(pick).project_id, at=self.moment(latest))

    @precondition(lambda self: self.tasks())
    @rule(pick=PICK, last=st.booleans())
    def delete_task(self, pick: int, *, last: bool) -> None:
        """The last one's id is given again to the next that is made."""
        task = self.last_task() if last else self.task(pick)
        self.loop.tasks.delete_task(task.task_id)

    @precondition(lambda self: self.loop.tasks.projects)
    @rule(pick=PICK, again=st.booleans(), rare=st.integers(0, 9))
    def delete_project(self, pick: int, rare: int, *, again: bool) -> None:
        """And perhaps make one of the same title, by hand."""
        if rare:
            return
        projects = self.loop.tasks.projects
        project_id = sorted(projects)[pick % len(projects)]
        draft = projects[project_id]
        self.loop.tasks.delete_project(project_id)
        if again:
            projects[next(self.loop.tasks._ids)] = draft

    @precondition(lambda self: self.tasks() and FOREIGN not in self.loop.traces_with_tasks())
    @rule(pick=PICK, said=SAID)
    def import_a_task_by_hand(self, pick: int, said: str | None) -> None:
        """With an annotation on it."""
        like = self.task(pick)
        draft = TaskDraft(trace_id=FOREIGN, data={**like.draft.data, "trace_id": FOREIGN})
        (task_id,) = self.loop.tasks.import_tasks(like.project_id, [draft])
        self.loop.tasks._tasks[task_id].updated_at = self.now()
        self.submit(self.loop.tasks._tasks[task_id], ADA, said)
