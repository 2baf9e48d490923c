"""Goldloop with one thing left out: what the sync test has to notice. Each is a patch, by its name in `MUTANTS`."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from goldloop.adapters.evalfile import EvalFile
from goldloop.adapters.store import SqlStore, aside, resolutions, tables, tasks
from goldloop.pipeline import enqueue, gather, gather_aside, parking, publish, read_back
from goldloop.ports import Page
from goldloop.records import Annotation, Score, State, TaskSnapshot
from goldloop.resolution import majority
from pipeline.loop import REACH, Loop

Mutant = Callable[[pytest.MonkeyPatch], None]
MUTANTS: dict[str, Mutant] = {}


def mutant(patch: Mutant) -> Mutant:
    MUTANTS[patch.__name__] = patch
    return patch


def _nothing(*_: object, **__: object) -> None:
    pass


# -- pull


@mutant
def no_overlap_in_pull(patch: pytest.MonkeyPatch) -> None:
    original, reach = Loop.pull, REACH.model_copy(update={"overlap": timedelta(0)})
    patch.setattr(Loop, "pull", lambda self: original(self, reach))


@mutant
def pull_s_watermark_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    original = Loop.pull

    def pulled(self: Loop) -> object:
        try:
            return original(self)
        except BaseException:
            for stream in ("traces", "signals"):
                self.store.set_watermark(stream, self.clock() - REACH.lag)
            raise

    patch.setattr(Loop, "pull", pulled)


# -- enqueue


@mutant
def no_look_up_of_what_was_begun(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SqlStore, "imports_begun", lambda *_: {})


@mutant
def tasks_that_were_found_not_read_from_the_beginning(patch: pytest.MonkeyPatch) -> None:
    for module in (parking, enqueue):
        patch.setattr(module, "poll_from_the_beginning", _nothing)


@mutant
def enqueue_lets_two_traces_have_one_id(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(enqueue._Enqueue, "_give_up_taken_ids", _nothing)


# -- gather


@mutant
def no_overlap_in_gather(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gather, "_OVERLAP", timedelta(0))


@mutant
def idle_before_it_is_settled(patch: pytest.MonkeyPatch) -> None:
    original = gather._Poll._is_idle

    def idle(self: Any, peek: Any, watermark: datetime | None, polled: datetime | None) -> bool:
        long_after = watermark + timedelta(days=1) if watermark and polled else polled
        return original(self, peek.__class__(**{**vars(peek), "at": None}), watermark, long_after)

    patch.setattr(gather._Poll, "_is_idle", idle)


@mutant
def gather_s_watermark_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    original = Loop.gather

    def gathered(self: Loop) -> object:
        try:
            return original(self)
        except BaseException:
            for project_id in self.tasks.projects:
                changes = [task.updated_at for task in self.tasks._of(project_id)]
                if changes:
                    self.store.set_watermark(parking.task_stream(project_id), max(changes))
            raise

    patch.setattr(Loop, "gather", gathered)


@mutant
def gather_s_watermark_by_the_worker_s_clock(patch: pytest.MonkeyPatch) -> None:
    original = Loop.gather

    def gathered(self: Loop) -> object:
        made = original(self)
        for project_id in self.tasks.projects:
            self.store.set_watermark(parking.task_stream(project_id), self.clock())
        return made

    patch.setattr(Loop, "gather", gathered)


@mutant
def gather_takes_a_task_for_the_one_that_had_its_id(patch: pytest.MonkeyPatch) -> None:
    original = gather._Poll._take

    def taken(self: Any, page: Page[TaskSnapshot]) -> None:
        known = self.store.tasks_of(self.project_id, [row.task_id for row in page.rows])
        rows = [
            row.model_copy(update={"trace_id": known[row.task_id].trace_id}) if row.task_id in known else row
            for row in page.rows
        ]
        original(self, Page(rows=rows, rejected=page.rejected))

    patch.setattr(gather._Poll, "_take", taken)


@mutant
def deleted_tasks_not_missed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gather._Poll, "_miss_tasks", lambda *_, **__: False)


@mutant
def deleted_tasks_not_resolved_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tasks, "note_due", _nothing)


@mutant
def free_gone_off(patch: pytest.MonkeyPatch) -> None:
    for module in (parking, gather):
        patch.setattr(module, "free_gone", _nothing)


@mutant
def heal_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gather_aside.Aside, "heal", _nothing)


def _news(patch: pytest.MonkeyPatch, is_news: Callable[[Annotation | None, Annotation], bool]) -> None:
    original = SqlStore.save_annotations

    def saved(self: SqlStore, given: Sequence[Annotation], at: datetime) -> None:
        places = {(one.project_id, one.task_id) for one in given}
        rows = (row for project, task in places for row in self.annotations_of(project, [task]).get(task, ()))
        known = {row.key: row for row in rows}
        original(self, [one for one in given if is_news(known.get(one.key), one)], at)

    patch.setattr(SqlStore, "save_annotations", saved)


@mutant
def edits_ignored(patch: pytest.MonkeyPatch) -> None:
    _news(patch, lambda known, new: known is None or known.deleted != new.deleted or known.skipped != new.skipped)


@mutant
def un_skip_ignored(patch: pytest.MonkeyPatch) -> None:
    _news(patch, lambda known, new: known is None or new.deleted or new.skipped or not known.skipped)


@mutant
def skip_ignored(patch: pytest.MonkeyPatch) -> None:
    _news(patch, lambda known, new: known is None or known.skipped or not new.skipped)


@mutant
def changed_completed_by_ignored(patch: pytest.MonkeyPatch) -> None:
    _news(patch, lambda known, new: known is None or known.answers != new.answers or known.deleted != new.deleted)


@mutant
def deleted_annotations_ignored(patch: pytest.MonkeyPatch) -> None:
    _news(patch, lambda known, new: not new.deleted)


# -- resolve


@mutant
def one_person_counted_twice(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(majority, "latest_by_annotator", list)


@mutant
def event_at_not_bumped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(resolutions, "TICK", timedelta(0))


@mutant
def what_was_handed_out_not_counted_as_tried(patch: pytest.MonkeyPatch) -> None:
    original = SqlStore.due_scores

    def due(self: Any, *given: Any) -> list[Score]:
        handed_out = original(self, *given)
        scores = tables.scores
        these = scores.c.score_id.in_([score.score_id for score in handed_out])
        with self._db.write() as connection:
            connection.execute(update(scores).where(these).values(attempts=scores.c.attempts - 1))
        return handed_out

    patch.setattr(SqlStore, "due_scores", due)


# -- publish


@mutant
def confirmed_without_reading_back(patch: pytest.MonkeyPatch) -> None:
    original = read_back.Looking.look

    def look(self: Any, *given: Any) -> None:
        self._store.mark_scores_confirmed([score.score_id for score, _ in self._store.unconfirmed_scores(self._queue)])
        self._waiting.clear()
        original(self, *given)

    patch.setattr(read_back.Looking, "look", look)


@mutant
def confirmed_by_value(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(read_back, "is_this", lambda score, shown: shown.value == score.value)


@mutant
def never_appeared_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(read_back, "_NEVER", timedelta(days=999))


@mutant
def marked_as_sent_before_it_is(patch: pytest.MonkeyPatch) -> None:
    original = publish._Publish.send

    def sent(self: Any) -> None:
        try:
            original(self)
        except BaseException:
            due = self.store.due_scores(self.queue, publish._PAGE)
            self.store.mark_scores_sent([score.score_id for score in due], self.clock())
            raise

    patch.setattr(publish._Publish, "send", sent)


@mutant
def deletion_not_sent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SqlStore, "due_deletions", lambda *_: [])


@mutant
def deletion_not_read_back(patch: pytest.MonkeyPatch) -> None:
    def gone(self: Any, doomed: read_back.Doomed) -> None:
        self._store.mark_scores_deleted(sorted(doomed.score_ids), self._read_back.clock())
        doomed.score_ids.clear()

    patch.setattr(read_back.Looking, "_find_gone", gone)


@mutant
def what_comes_after_its_deletion_stays(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SqlStore, "deleted_since", lambda *_: [])


@mutant
def marked_as_published_too_early(patch: pytest.MonkeyPatch) -> None:
    def published(self: Any, queue: str) -> int:
        draws = tables.draws.c
        resolved = (draws.queue == queue) & (draws.state == State.RESOLVED.value)
        with self._db.write() as connection:
            done = update(tables.draws).where(resolved).values(state=State.PUBLISHED.value)
            return int(connection.execute(done).rowcount)

    patch.setattr(SqlStore, "mark_published", published)


@mutant
def lines_never_leave_the_eval_file(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(EvalFile, "remove", _nothing)


# -- parked


@mutant
def retry_loses_what_it_tries_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(aside, "_turn_back", _nothing)


@mutant
def retry_forgets_what_a_poll_had_passed_by(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(parking, "poll_from_the_beginning", _nothing)
