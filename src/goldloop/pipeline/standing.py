"""What should stand on the other side against what does: pure comparisons, and how goldloop's own are found there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from goldloop.codebook.lineage import Lineage
from goldloop.pipeline.read_back import is_this
from goldloop.ports import ScoreSink
from goldloop.records import MARK, Score, ShownScore, Value
from goldloop.resolution.scores import quarantined_name

Labels = Mapping[str, Value]


def score_names(lineage: Lineage) -> list[str]:
    """Every name that a score of one of the versions has, or has since it was set aside."""
    names = {version.codebook.annotation_score for version in lineage.versions}
    meant = {since for version in lineage.versions for since in version.since.values()}
    for version in lineage.versions:
        names |= {question.score_name for question in version.codebook.questions if not question.in_words}
    return sorted(names | {quarantined_name(name, since) for name in names for since in meant})


def is_of(shown: ShownScore, queue: str) -> bool:
    """Whether goldloop wrote it for this queue, by its mark: names may be shared by queues, and by other tools."""
    mark = shown.metadata.get(MARK)
    return isinstance(mark, str) and mark.rpartition("@")[0] == queue


def marked(sink: ScoreSink, lineage: Lineage, queue: str) -> Iterator[list[ShownScore]]:
    """Every score that goldloop wrote for this queue, a page at a time; the server lists by name alone."""
    for page in sink.listed(score_names(lineage)):
        yield [shown for shown in page if is_of(shown, queue)]


@dataclass(frozen=True)
class ScoreDifferences:
    """Of some scores: those that should stand and do not, or otherwise, and those that stand and should not.

    `missing` and `different` map to the time that a next revision has to be later than.
    """

    missing: dict[str, datetime]
    different: dict[str, datetime]
    back: list[str]


def compare_scores(settled: Sequence[tuple[Score, bool]], shown: Mapping[str, ShownScore]) -> ScoreDifferences:
    """`settled` are scores with whether each should stand; `shown` is what the server shows of them."""
    found = ScoreDifferences({}, {}, [])
    for score, stands in settled:
        there = shown.get(score.score_id)
        if stands and there is None:
            found.missing[score.score_id] = score.event_at
        elif stands and there is not None and not _same(score, there):
            found.different[score.score_id] = max(score.event_at, there.event_at or score.event_at)
        elif there is not None and not stands:
            found.back.append(score.score_id)
    return found


def _same(score: Score, shown: ShownScore) -> bool:
    where = (score.trace_id, score.name, score.metadata.get(MARK))
    return is_this(score, shown) and where == (shown.trace_id, shown.name, shown.metadata.get(MARK))


@dataclass(frozen=True)
class RowDifferences:
    """Ids of the eval rows that are missing, have other labels, or stand and should not; `others` the store lacks."""

    missing: list[str]
    different: list[str]
    back: list[str]
    others: list[str]


def compare_rows(wanted: Mapping[str, Labels], gone: Sequence[str], shown: Mapping[str, Labels]) -> RowDifferences:
    """`wanted` are labels of the rows that should stand, `gone` are those that should not, `shown` what a sink has."""
    known = wanted.keys() | set(gone)
    return RowDifferences(
        missing=[row_id for row_id in wanted if row_id not in shown],
        different=[row_id for row_id, labels in wanted.items() if row_id in shown and labels != shown[row_id]],
        back=[row_id for row_id in gone if row_id in shown],
        others=[row_id for row_id in shown if row_id not in known],
    )
