"""The outbox -> Langfuse scores, dataset items, lines of the golden set. A repeated run sends nothing new.

A score that Langfuse took is not yet there: it drops some silently, after a 200. So each is read back once the
server's lag has passed, and only then counts as published; so is each deletion.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cached_property

from goldloop.codebook.lineage import CodebookVersion
from goldloop.codebook.schema import Codebook
from goldloop.errors import RejectedError, RetryableError
from goldloop.pipeline.parking import park
from goldloop.pipeline.payload import fetch_all
from goldloop.pipeline.read_back import Doomed, Looking, ReadBack
from goldloop.ports import EvalDue, Progress, ScoreSink, Shelf, Store, TraceSource
from goldloop.records import EvalRow, Receipt, Record, Score
from goldloop.resolution.eval_rows import eval_row

_PAGE = 2500
"""Scores that are handed out, and noted, at once: many, for the store changes a row among many with less effort."""
_EVAL_BATCH = 50
_LATE = timedelta(hours=1)
"""So long after its deletion a score is looked for again: a creation that was held up may come after it."""


class PublishSummary(Record):
    """`deleted` are scores that were seen to be gone; `unconfirmed` counts what the next run looks for."""

    sent: int
    deleted: int
    confirmed: int
    unconfirmed: int
    eval_rows: int
    eval_rows_removed: int
    parked: int
    traces_published: int
    never_appeared: int = 0


def publish(
    codebook: Codebook,
    source: TraceSource,
    scores: ScoreSink,
    shelves: Sequence[Shelf],
    store: Store,
    read_back: ReadBack,
    progress: Progress,
) -> PublishSummary:
    """Send what is due of this queue, of every codebook version, and read it back.

    Raises: RetryableError, which says what is left; the next run goes on with it.
    """
    run = _Publish(codebook, scores, store, read_back, progress)
    try:
        run.send()
        run.delete()
        run.eval_rows(source, shelves)
        run.confirm()
    except RetryableError as error:
        raise _with_what_is_left(error, store, codebook.name) from error
    return PublishSummary(
        sent=run.sent,
        deleted=run.looking.deleted,
        confirmed=run.looking.confirmed,
        unconfirmed=run.looking.left,
        eval_rows=run.rows_put,
        eval_rows_removed=run.rows_removed,
        parked=run.parked,
        traces_published=store.mark_published(codebook.name),
        never_appeared=len(run.looking.dropped),
    )


def waiting(scores_by_state: dict[str, int], eval_rows: int) -> str:
    """What is in the outbox, in words; "" where nothing is."""
    scores = scores_by_state.get
    told = {
        "scores to send": scores("due", 0),
        "scores to read back": scores("sent", 0),
        "scores to delete": scores("delete_due", 0),
        "eval rows to write": eval_rows,
    }
    return ", ".join(f"{number:,} {what}" for what, number in told.items() if number)


def _with_what_is_left(error: RetryableError, store: Store, queue: str) -> RetryableError:
    counts = store.counts(queue)
    left = waiting(counts.scores_by_state, counts.eval_rows_waiting)
    said = f"{str(error).rstrip('.')}; left for the next run: {left}." if left else str(error)
    return RetryableError(error.server, said, retry_after=error.retry_after)


class _Publish:
    def __init__(
        self, codebook: Codebook, sink: ScoreSink, store: Store, read_back: ReadBack, progress: Progress
    ) -> None:
        self.queue, self.sink, self.store = codebook.name, sink, store
        self.clock, self.progress = read_back.clock, progress
        self.looking = Looking(codebook.name, sink, store, read_back)
        self.doomed = Doomed()
        self.sent = self.rows_put = self.rows_removed = self.parked = 0

    @cached_property
    def asked(self) -> CodebookVersion:
        """What eval rows are written by: whoever publishes a version has to take the queue's lock first."""
        return self.store.lineage(self.queue).newest

    def send(self) -> None:
        """A page is noted, and the next one read, while the server works on the one between: here alone is written."""
        sent: tuple[list[Score], list[Receipt]] | None = None
        due = self.store.due_scores(self.queue, _PAGE)
        with ThreadPoolExecutor(1, thread_name_prefix="send") as thread:
            while due:
                under_way = thread.submit(self.sink.send, due)
                if sent:
                    self._note(*sent)
                coming = self.store.due_scores(self.queue, _PAGE, due[-1])
                sent, due = (due, under_way.result()), coming
        if sent:
            self._note(*sent)

    def _note(self, due: Sequence[Score], receipts: Sequence[Receipt]) -> None:
        now = self.clock()
        taken = [receipt.key for receipt in receipts if receipt.accepted]
        self.store.mark_scores_sent(taken, now)
        refused = {receipt.key: receipt.reason for receipt in receipts if not receipt.accepted}
        for score in due:
            if score.score_id in refused:
                self._park_score(score, "rejected", refused[score.score_id])
        self.looking.note([score for score in due if score.score_id not in refused], now)
        self.sent += len(taken)
        self.progress(self.sent, None)

    def delete(self) -> None:
        """They stay due until they were seen to be gone; what is shown again since an earlier run goes again."""
        back = self.store.deleted_since(self.queue, self.clock() - _LATE)
        if back and (shown := self.sink.read(back)):
            self.store.delete_again(sorted(shown))
        if gone := self.store.due_deletions(self.queue):
            self.doomed = Doomed(set(gone), self.sink.read(gone).keys(), self.clock())
            self.sink.delete(gone)
            self.progress(self.sent + len(gone), None)

    def confirm(self) -> None:
        self.looking.look(self.doomed, self.send)
        for score in self.looking.dropped:
            self._park_score(score, "never_appeared", "Langfuse took it and does not show it: it was dropped there")

    def _park_score(self, score: Score, reason: str, detail: str) -> None:
        error = RejectedError("Langfuse", detail, reason=reason)
        subject = f"score:{score.score_id}"
        park(self.store, "publish", subject, error, self.clock(), queue=self.queue, trace_id=score.trace_id)
        self.parked += 1

    def eval_rows(self, source: TraceSource, shelves: Sequence[Shelf]) -> None:
        while due := self.store.due_eval_rows(self.queue, _EVAL_BATCH):
            gone = [one.row_id for one in due if one.remove]
            new = {one.row_id for one in due if not one.tried}
            rows = self._rows(source, [one for one in due if not one.remove])
            refused: set[str] = set()
            for shelf in shelves:
                sink = shelf.sink
                sink.remove(shelf.dataset, gone)
                for receipt in sink.put(shelf.dataset, [row for row in rows if row.row_id not in refused], new):
                    if not receipt.accepted:
                        refused.add(receipt.key)
                        trace_id = next(row.trace_id for row in rows if row.row_id == receipt.key)
                        self._park_row(receipt.key, trace_id, RejectedError(sink.name, receipt.reason))
            put = [row.row_id for row in rows if row.row_id not in refused]
            self.store.mark_eval_rows_done([*put, *gone])
            self.rows_put += len(put)
            self.rows_removed += len(gone)
            self.progress(self.rows_put + self.rows_removed, None)

    def _rows(self, source: TraceSource, due: Sequence[EvalDue]) -> list[EvalRow]:
        """Those whose traces Langfuse still has; the others are parked."""
        trace_ids = [one.trace_id for one in due]
        draws = {draw.trace_id: draw for draw in self.store.drawn(self.queue, trace_ids)}
        answers = self.store.answers_of(self.queue, trace_ids)
        annotations = self.store.annotations_by_trace(self.queue, trace_ids)
        rows: list[EvalRow] = []
        for one, trace in zip(due, fetch_all(source, trace_ids), strict=True):
            if isinstance(trace, RejectedError):
                self._park_row(one.row_id, one.trace_id, trace)
                continue
            said, given = answers.get(one.trace_id, []), annotations.get(one.trace_id, [])
            rows.append(eval_row(self.asked, one.row_id, trace, draws[one.trace_id], said, given))
        return rows

    def _park_row(self, row_id: str, trace_id: str, error: RejectedError) -> None:
        park(self.store, "publish", f"eval-row:{row_id}", error, self.clock(), queue=self.queue, trace_id=trace_id)
        self.parked += 1
