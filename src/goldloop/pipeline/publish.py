"""The outbox -> Langfuse scores, dataset items, lines of the golden set. A repeated run sends nothing new.

A score that Langfuse took is not yet there: it drops some silently, after a 200. So each is read back once the
server's lag has passed, and only then counts as published.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from goldloop.codebook.lineage import CodebookVersion
from goldloop.codebook.schema import Codebook
from goldloop.errors import RejectedError
from goldloop.pipeline.parking import park
from goldloop.pipeline.payload import fetch
from goldloop.ports import Clock, EvalDue, Progress, ScoreSink, Shelf, Store, TraceSource
from goldloop.records import EvalRow, Record, Score
from goldloop.resolution.eval_rows import eval_row

_BATCH = 500
_EVAL_BATCH = 50
_NEVER = timedelta(minutes=15)
"""A score that was taken this long ago and is still not readable was dropped."""


class PublishSummary(Record):
    sent: int
    deleted: int
    confirmed: int
    unconfirmed: int
    eval_rows: int
    eval_rows_removed: int
    parked: int
    traces_published: int


@dataclass(frozen=True)
class ReadBack:
    """How long a run waits for what it sent to become readable; what is not by then is looked for in the next."""

    clock: Clock
    sleep: Callable[[float], None]
    patience: timedelta = timedelta(seconds=30)
    pause: timedelta = timedelta(seconds=1)


def publish(
    codebook: Codebook,
    source: TraceSource,
    scores: ScoreSink,
    shelves: Sequence[Shelf],
    store: Store,
    read_back: ReadBack,
    progress: Progress,
) -> PublishSummary:
    """Send what is due of this queue, of every codebook version, and read it back."""
    run = _Publish(codebook, store, read_back.clock)
    run.scores(scores, progress)
    run.eval_rows(source, shelves, progress)
    unconfirmed = run.confirm(scores, read_back)
    return PublishSummary(
        sent=run.sent,
        deleted=run.deleted,
        confirmed=run.confirmed,
        unconfirmed=unconfirmed,
        eval_rows=run.rows_put,
        eval_rows_removed=run.rows_removed,
        parked=run.parked,
        traces_published=store.mark_published(codebook.name),
    )


class _Publish:
    def __init__(self, codebook: Codebook, store: Store, clock: Clock) -> None:
        self.queue, self.store, self.clock = codebook.name, store, clock
        self.sent = self.deleted = self.confirmed = self.rows_put = self.rows_removed = self.parked = 0

    @cached_property
    def asked(self) -> CodebookVersion:
        """What eval rows are written by: whoever publishes a version has to take the queue's lock first."""
        return self.store.lineage(self.queue).newest

    def scores(self, sink: ScoreSink, progress: Progress) -> None:
        while due := self.store.due_scores(self.queue, _BATCH):
            receipts = sink.send(due)
            taken = [receipt.key for receipt in receipts if receipt.accepted]
            self.store.mark_scores_sent(taken, self.clock())
            refused = {receipt.key: receipt.reason for receipt in receipts if not receipt.accepted}
            for score in due:
                if score.score_id in refused:
                    self._park_score(score, "rejected", refused[score.score_id])
            self.sent += len(taken)
            progress(self.sent, None)
        while gone := self.store.due_deletions(self.queue, _BATCH):
            for score_id in gone:
                sink.delete(score_id)
            self.store.mark_scores_deleted(gone)
            self.deleted += len(gone)
            progress(self.sent + self.deleted, None)

    def confirm(self, sink: ScoreSink, read_back: ReadBack) -> int:
        """Read back until all is there or patience ends; how many are still open."""
        deadline = self.clock() + read_back.patience
        while open_scores := self.store.unconfirmed_scores(self.queue):
            shown = sink.read([score.score_id for score, _ in open_scores])
            there = [score.score_id for score, _ in open_scores if shown.get(score.score_id) == score.value]
            self.store.mark_scores_confirmed(there)
            self.confirmed += len(there)
            if len(there) == len(open_scores):
                break
            if self.clock() >= deadline:
                return self._give_up([pair for pair in open_scores if pair[0].score_id not in there])
            read_back.sleep(read_back.pause.total_seconds())
        return 0

    def _give_up(self, missing: Sequence[tuple[Score, datetime]]) -> int:
        dropped = [score for score, sent_at in missing if self.clock() - sent_at > _NEVER]
        for score in dropped:
            self._park_score(score, "never_appeared", "Langfuse took it and does not show it: it was dropped there")
        return len(missing) - len(dropped)

    def _park_score(self, score: Score, reason: str, detail: str) -> None:
        error = RejectedError("Langfuse", detail, reason=reason)
        subject = f"score:{score.score_id}"
        park(self.store, "publish", subject, error, self.clock(), queue=self.queue, trace_id=score.trace_id)
        self.parked += 1

    def eval_rows(self, source: TraceSource, shelves: Sequence[Shelf], progress: Progress) -> None:
        while due := self.store.due_eval_rows(self.queue, _EVAL_BATCH):
            gone = [one.row_id for one in due if one.remove]
            rows = [row for one in due if not one.remove and (row := self._row(source, one))]
            refused: set[str] = set()
            for shelf in shelves:
                sink = shelf.sink
                sink.remove(shelf.dataset, gone)
                for receipt in sink.put(shelf.dataset, [row for row in rows if row.row_id not in refused]):
                    if not receipt.accepted:
                        refused.add(receipt.key)
                        trace_id = next(row.trace_id for row in rows if row.row_id == receipt.key)
                        self._park_row(receipt.key, trace_id, RejectedError(sink.name, receipt.reason))
            put = [row.row_id for row in rows if row.row_id not in refused]
            self.store.mark_eval_rows_done([*put, *gone])
            self.rows_put += len(put)
            self.rows_removed += len(gone)
            progress(self.rows_put + self.rows_removed, None)

    def _row(self, source: TraceSource, due: EvalDue) -> EvalRow | None:
        try:
            trace = fetch(source, due.trace_id)
        except RejectedError as error:
            self._park_row(due.row_id, due.trace_id, error)
            return None
        return eval_row(
            self.asked,
            due.row_id,
            trace,
            self.store.draw(due.queue, due.trace_id),
            self.store.answers(due.queue, due.trace_id),
            self.store.annotations(due.queue, due.trace_id),
        )

    def _park_row(self, row_id: str, trace_id: str, error: RejectedError) -> None:
        park(self.store, "publish", f"eval-row:{row_id}", error, self.clock(), queue=self.queue, trace_id=trace_id)
        self.parked += 1
