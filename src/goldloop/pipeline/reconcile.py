"""Label Studio, the store and Langfuse held against each other, both ways; what differs is mended, or told.

Every verb goes by what changed. This one goes by what is there: it reads all of it, and so takes its time. What is on
its way (due, or sent and not read back) is not a difference, and neither is what is parked.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import Field

from goldloop.codebook.schema import Codebook
from goldloop.pipeline.gather import GatherSummary, gather
from goldloop.pipeline.publish import PublishSummary, publish
from goldloop.pipeline.read_back import ReadBack
from goldloop.pipeline.resolve import resolve
from goldloop.pipeline.standing import ScoreDifferences, compare_rows, compare_scores, marked
from goldloop.ports import Progress, ScoreSink, Shelf, Store, TaskQueue, TraceSource
from goldloop.records import Record, Value
from goldloop.resolution.eval_rows import labels_of

_PAGE = 1000


class Difference(Record):
    """So many things differ in one way, in one place. `remedy` is what is done about it; one that is `open` stays."""

    where: str
    what: str
    number: int
    remedy: str
    open: bool = False


class ReconcileSummary(Record):
    """What differed. In a dry run nothing was mended, and `published` is None."""

    tasks: int = Field(description="compared with the store")
    scores: int = Field(description="that should stand or should not, compared with the store")
    eval_rows: int = Field(description="that should stand or should not, compared with each sink")
    differing: int
    left: int = Field(description="of the differing: what was not mended")
    parked: int = 0
    never_appeared: int = 0
    dry_run: bool = False
    differences: list[Difference] = Field(default_factory=list)
    published: PublishSummary | None = None


@dataclass(frozen=True)
class Sides:
    """What is held against what, for one queue; `progress` is told by the verb that is at work."""

    codebook: Codebook
    tasks: TaskQueue
    scores: ScoreSink
    shelves: Sequence[Shelf]
    store: Store
    progress: Callable[[str], Progress]


def reconcile(sides: Sides, source: TraceSource, read_back: ReadBack) -> ReconcileSummary:
    """Read every side, mend what differs, and send what became due by it.

    What annotators did since the last poll is gathered first, as usual: so what is told of Label Studio is what polling
    had missed.
    """
    codebook, store, now = sides.codebook, sides.store, read_back.clock()
    gather(codebook, sides.tasks, store, now, sides.progress("gather"))
    gathered = gather(codebook, sides.tasks, store, now, sides.progress("gather"), everything=True)
    resolve(codebook, store, now, sides.progress("resolve"))
    made = _compared(sides, gathered, dry_run=False)
    published = publish(codebook, source, sides.scores, sides.shelves, store, read_back, sides.progress("publish"))
    return made.model_copy(
        update={
            "published": published,
            "parked": made.parked + published.parked,
            "never_appeared": published.never_appeared,
        }
    )


def rehearse(sides: Sides, now: datetime) -> ReconcileSummary:
    """What a reconcile would find, without changing anything; what annotators did since the last poll counts too."""
    gathered = gather(
        sides.codebook, sides.tasks, sides.store, now, sides.progress("gather"), everything=True, dry_run=True
    )
    return _compared(sides, gathered, dry_run=True)


def _compared(sides: Sides, gathered: GatherSummary, *, dry_run: bool) -> ReconcileSummary:
    scores, rows = Scores(sides, dry_run=dry_run), Rows(sides, dry_run=dry_run)
    differences = [*with_label_studio(gathered), *scores.differences(), *rows.differences()]
    found = [one for one in differences if one.number]
    return ReconcileSummary(
        tasks=gathered.tasks_changed,
        scores=scores.compared,
        eval_rows=rows.compared,
        differing=sum(one.number for one in found),
        left=sum(one.number for one in found if one.open or dry_run),
        parked=gathered.parked,
        dry_run=dry_run,
        differences=found,
    )


def with_label_studio(gathered: GatherSummary) -> list[Difference]:
    """What a gather of everything found: it has mended what it could."""
    place = "Label Studio"
    return [
        Difference(where=place, what="annotations that were missed", number=gathered.new, remedy="gathered"),
        Difference(where=place, what="annotations that changed", number=gathered.changed, remedy="gathered"),
        Difference(
            where=place,
            what="annotations that are gone",
            number=gathered.annotations_deleted,
            remedy="deleted in the store",
        ),
        Difference(where=place, what="tasks that are gone", number=gathered.tasks_gone, remedy="their traces parked"),
        Difference(
            where=place,
            what="tasks that the store lacks",
            number=gathered.unknown,
            remedy="left: goldloop rebuild",
            open=True,
        ),
    ]


class Scores:
    """The comparison of a queue's scores; with `dry_run` nothing becomes due."""

    def __init__(self, sides: Sides, *, dry_run: bool) -> None:
        self._queue, self._sink, self._store, self._dry_run = sides.codebook.name, sides.scores, sides.store, dry_run
        self._progress = sides.progress("reconcile")
        self.compared = 0

    def differences(self) -> list[Difference]:
        """By id what the store knows; then by name what it does not. A page at a time, each way."""
        missing = different = back = 0
        after = ""
        while page := self._store.settled_scores(self._queue, after, _PAGE):
            found = compare_scores(page, self._sink.read([score.score_id for score, _ in page]))
            self._mend(found)
            missing, different = missing + len(found.missing), different + len(found.different)
            back += len(found.back)
            after = page[-1][0].score_id
            self.compared += len(page)
            self._progress(self.compared, None)
        unknown = self._unknown()
        return [
            _score("scores that are missing", missing, "sent again"),
            _score("scores that differ", different, "sent again"),
            _score("scores that were deleted and stand", back, "deleted again"),
            _score("scores that the store lacks", unknown, "left: goldloop rebuild", left=True),
        ]

    def _mend(self, found: ScoreDifferences) -> None:
        if not self._dry_run:
            if again := found.missing | found.different:
                self._store.send_again(again)
            if found.back:
                self._store.delete_again(found.back)

    def _unknown(self) -> int:
        """They may be of a newer store, of which this one is a backup: so they are not deleted."""
        unknown = 0
        for page in marked(self._sink, self._store.lineage(self._queue), self._queue):
            shown = {score.score_id for score in page}
            unknown += len(shown - self._store.known_scores(sorted(shown)))
        return unknown


def _score(what: str, number: int, remedy: str, *, left: bool = False) -> Difference:
    return Difference(where="Langfuse", what=what, number=number, remedy=remedy, open=left)


class Rows:
    """The comparison of a queue's eval rows with each sink; with `dry_run` nothing becomes due."""

    def __init__(self, sides: Sides, *, dry_run: bool) -> None:
        self._queue, self._shelves, self._store, self._dry_run = (
            sides.codebook.name,
            sides.shelves,
            sides.store,
            dry_run,
        )
        self.compared = 0

    def differences(self) -> list[Difference]:
        """Rows that goldloop did not write are nobody's business here."""
        settled = self._store.settled_eval_rows(self._queue)
        gone = [one.row_id for one in settled if one.remove]
        wanted = self._wanted({one.row_id: one.trace_id for one in settled if not one.remove})
        self.compared = len(settled)
        found: list[Difference] = []
        again: set[str] = set()
        for shelf in self._shelves:
            rows = compare_rows(wanted, gone, shelf.sink.shown(shelf.dataset, self._queue))
            again.update(rows.missing, rows.different, rows.back)
            unknown = len(rows.others) - len(self._store.known_eval_rows(rows.others))
            place = f"eval rows, {shelf.sink.name}"
            found += [
                Difference(where=place, what="rows that are missing", number=len(rows.missing), remedy="written again"),
                Difference(where=place, what="rows that differ", number=len(rows.different), remedy="written again"),
                Difference(
                    where=place,
                    what="rows that were taken out and stand",
                    number=len(rows.back),
                    remedy="taken out again",
                ),
                Difference(
                    where=place,
                    what="rows that the store lacks",
                    number=unknown,
                    remedy="left: goldloop rebuild",
                    open=True,
                ),
            ]
        if again and not self._dry_run:
            self._store.write_eval_rows_again(sorted(again))
        return found

    def _wanted(self, traces: dict[str, str]) -> dict[str, dict[str, Value]]:
        """Labels by row id."""
        asked = self._store.lineage(self._queue).newest
        answers = self._store.answers_of(self._queue, sorted(set(traces.values())))
        return {row_id: labels_of(asked.codebook, answers.get(trace_id, [])) for row_id, trace_id in traces.items()}
