"""What stands in Langfuse and in the golden set, held against a rebuilt outbox: what is right there is not sent again.

What is there and should not be (its annotation was deleted while there was no store) is taken down like anything else
that goldloop withdraws. That holds for traces that the store knows, and only while every version is known: the scores
of a version whose file is missing are somebody's answers.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from goldloop import ids
from goldloop.codebook.lineage import Lineage
from goldloop.pipeline.standing import marked
from goldloop.ports import EvalDue, Progress, RebuildStore, ScoreSink, Shelf
from goldloop.records import Record, Score, ShownScore

_BATCH: Final = 500


class Standing(Record):
    """Scores that stand as they should, those that are sent by the next publish, and what it takes down."""

    confirmed: int = 0
    due: int = 0
    withdrawn: int = 0
    rows_withdrawn: int = 0


def hold_scores(queue: str, sink: ScoreSink, store: RebuildStore, now: datetime, progress: Progress) -> tuple[int, int]:
    """How many of the due scores stand already, and how many do not."""
    waiting = store.waiting_scores(queue)
    confirmed = 0
    for start in range(0, len(waiting), _BATCH):
        batch = waiting[start : start + _BATCH]
        shown = sink.read([score.score_id for score in batch])
        right = {
            one.score_id: there.event_at for one in batch if (there := shown.get(one.score_id)) and _is(one, there)
        }
        store.stand(right, now)
        # Where it does not say of which time it is, it is not of a time after now.
        store.outrun({one.score_id: one.event_at or now for one in shown.values() if one.score_id not in right})
        confirmed += len(right)
        progress(start + len(batch), len(waiting))
    return confirmed, len(waiting) - confirmed


def hold_rows(queue: str, shelves: Sequence[Shelf], store: RebuildStore) -> set[str]:
    """Ids of all eval rows that stand somewhere. Those of them that are due were written before."""
    there = {row_id for shelf in shelves for row_id in shelf.sink.row_ids(shelf.dataset)}
    store.were_written(queue, there)
    return there


def _is(score: Score, shown: ShownScore) -> bool:
    """Whether it shows what it should; one of a goldloop that wrote no times counts by its value."""
    if shown.name != score.name or shown.value != score.value:
        return False
    return shown.event_at is None or (shown.metadata == score.metadata and shown.comment == (score.comment or None))


def withdraw_scores(
    queue: str, lineage: Lineage, traces: Collection[str], sink: ScoreSink, store: RebuildStore, now: datetime
) -> int:
    """Scores of these traces that carry the queue's mark, and that nothing in the store speaks for."""
    count = 0
    for page in marked(sink, lineage, queue):
        count += store.take_back_scores(queue, [one for one in page if one.trace_id in traces], now)
    return count


def withdraw_rows(
    queue: str, lineage: Lineage, traces: Collection[str], there: Collection[str], store: RebuildStore
) -> int:
    """Eval rows of these traces, by whatever meaning their verdict ever had, that nothing in the store speaks for."""
    meanings = {one.since[one.codebook.verdict.name] for one in lineage.versions}
    rows = [
        EvalDue(row_id=row_id, queue=queue, codebook_version=since, trace_id=trace_id, remove=True)
        for trace_id in sorted(traces)
        for since in sorted(meanings)
        if (row_id := ids.eval_row_id(queue, trace_id, since)) in there
    ]
    return store.take_back_rows(queue, rows)
