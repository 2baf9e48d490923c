"""What polling cannot see: servers that forget, that are restored, or that somebody writes to. Reconcile mends it."""

from datetime import timedelta

import hypothesis.strategies as st
from hypothesis.stateful import precondition, rule

from builders import QUEUE
from properties.mishaps import Mishaps
from properties.stage import FOREIGN, MILLISECOND, PICK, SAID


class Tampering(Mishaps):
    """Until it is mended nobody may count on what was read back: `tampered` says so.

    Only a part of the examples sees any of it (`tampering`): reconcile would mend in the others what has to come right
    without it.
    """

    @precondition(lambda self: self.tampering and self.loop.shown())
    @rule(pick=PICK, other=st.sampled_from(["pass", "fail"]), how=st.sampled_from(["lost", "written"]))
    def a_score_is_tampered_with(self, pick: int, other: str, how: str) -> None:
        """It is gone, or somebody wrote another value; also one that was restored, of an older time."""
        self.tampered = True
        score = self.loop.shown()[pick % len(self.loop.shown())]
        if how == "lost":
            self.loop.scores.lose(score.score_id)
        else:
            at = score.event_at + (pick % 3 - 1) * MILLISECOND
            self.loop.scores.write(score.model_copy(update={"value": other, "event_at": at}))

    @precondition(lambda self: self.tampering and self.loop.scores.deleted)
    @rule(pick=PICK)
    def a_deleted_score_stands_again(self, pick: int) -> None:
        self.tampered = True
        gone = self.loop.scores.deleted[pick % len(self.loop.scores.deleted)]
        sent = [score for score in self.loop.scores.sent if score.score_id == gone]
        if sent and gone not in self.loop.scores.shown():
            self.loop.scores.write(sent[-1])

    @precondition(lambda self: self.tampering and self.loop.datasets.rows(QUEUE))
    @rule(pick=PICK, in_file=st.booleans())
    def an_eval_row_is_lost(self, pick: int, *, in_file: bool) -> None:
        self.tampered = True
        row_ids = sorted(self.loop.datasets.rows(QUEUE))
        row_id = row_ids[pick % len(row_ids)]
        path = self.folder / "evals" / f"{QUEUE}.jsonl"
        if not in_file:
            self.loop.datasets.lose(QUEUE, row_id)
        elif path.exists():
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            path.write_text("".join(line for line in lines if row_id not in line), encoding="utf-8")

    @precondition(lambda self: self.tampering and self.annotations())
    @rule(pick=PICK, said=SAID.filter(lambda said: said is not None))
    def label_studio_goes_back(self, pick: int, said: str) -> None:
        """An annotation is as it was before the last poll, of a time of then: a backup was restored."""
        self.tampered = True
        one = self.annotation(pick)
        task = self.loop.tasks._holder(one.annotation_id)
        before = max(one.created_at, one.updated_at - timedelta(minutes=10))
        task.annotations[one.annotation_id] = one.model_copy(
            update={"result": self.result(said), "updated_at": before, "skipped": False}
        )
        self.remember()

    @precondition(lambda self: self.tampering and FOREIGN in self.loop.traces_with_tasks() and self.ours())
    @rule(pick=PICK)
    def remove_duplicates(self, pick: int) -> None:
        """A task goes, and another one has its annotations: nothing tells that it has."""
        self.tampered = True
        (other,) = (task for task in self.tasks() if task.draft.trace_id == FOREIGN)
        same = [task for task in self.ours() if task.project_id == other.project_id]
        if same:
            same[pick % len(same)].annotations.update(other.annotations)
            self.loop.tasks.delete_task(other.task_id)
            self.remember()

    @rule()
    def rehearse(self) -> None:
        """It writes nothing at all."""
        with self.loop.store._db.read() as connection:
            before = list(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr] # SQLite's own
        seen = self.what_stands()
        self.loop.rehearse_reconcile()
        with self.loop.store._db.read() as connection:
            assert list(connection.connection.driver_connection.iterdump()) == before  # type: ignore[union-attr] # the same
        assert self.what_stands() == seen

    @precondition(lambda self: self.tampering)
    @rule()
    def reconcile(self) -> None:
        self.verb("reconcile")

    def what_stands(self) -> list[object]:
        loop = self.loop
        standing = {task.task_id: task.draft.trace_id for task in self.tasks()}
        written = [len(loop.scores.sent), len(loop.scores.deleted), loop.datasets.writes]
        return [standing, loop.shown(), written]
