"""A judge's answer for each drawn trace, before anyone sees it; or for candidates of history, drawn or not.

What is to be judged is handed out in pages, made as they are asked for: a million candidates take no memory. Spent
money is no error: no further page is handed out, and the summary says what is left.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice
from math import ceil

from goldloop.codebook.schema import Codebook
from goldloop.errors import ConfigError
from goldloop.pipeline.prelabel_pages import PARKED_PRELABEL, VERB, PageSummary, PrelabelPage, Work
from goldloop.ports import Judge, Progress, Selection, Store
from goldloop.records import Record, State

PAGE = 50
"""Traces on a page where nobody says otherwise."""

HandOut = Callable[[Work, Iterable[PrelabelPage]], Iterator[PageSummary]]
"""Has each page worked on, here or elsewhere, and gives the summaries as they come; it asks for pages one by one."""


class PrelabelSummary(Record):
    judged: int
    abstained: int
    parked: int
    gone: int = 0
    left: int = 0
    calls: int = 0
    cached: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0
    state: str = "done"


@dataclass(frozen=True)
class Wanted:
    """What is to be judged by now: how many at most, and lists of ids, each with the version that asks them."""

    total: int
    lists: Iterable[tuple[str, Sequence[str]]]
    history: bool = False

    def pages(self, queue: str, size: int) -> Iterator[PrelabelPage]:
        for version, group in groupby(self.lists, key=lambda one: one[0]):
            ids = chain.from_iterable(some for _, some in group)
            while page := tuple(islice(ids, size)):
                yield PrelabelPage(queue=queue, codebook_version=version, trace_ids=page, history=self.history)


def one_by_one(work: Work, pages: Iterable[PrelabelPage]) -> Iterator[PageSummary]:
    return map(work, pages)


def prelabel(  # noqa: PLR0913 - what it takes to judge, and how it is handed out
    codebook: Codebook,
    selection: Selection,
    judge: Judge,
    store: Store,
    work: Work,
    progress: Progress,
    *,
    page_size: int = PAGE,
    most_pages: int | None = None,
    hand_out: HandOut = one_by_one,
) -> PrelabelSummary:
    """Judge what the selection names and this judge, in this version, has not judged.

    Drawn traces are asked by the version that they were drawn for, those of history by the codebook's own.

    `work` judges a page, as `judge_page` does, and `hand_out` has it done. A page holds `page_size` traces, or more
    where there would be more than `most_pages` of them.
    """
    wanted = wanted_of(codebook, selection, judge, store)
    size = max(page_size, ceil(wanted.total / most_pages)) if most_pages else page_size
    made = PageSummary()
    stopped = False

    def pages() -> Iterator[PrelabelPage]:
        for page in wanted.pages(codebook.name, size):
            if stopped:
                return
            yield page

    progress(0, wanted.total, 0.0)
    for summary in hand_out(work, pages()):
        made += summary
        stopped |= summary.stops
        progress(made.traces, wanted.total, made.usd)
    return _summary(made, max(0, wanted.total - made.traces) if stopped else 0, history=selection.history)


def refuse_filters(selection: Selection) -> None:
    """`ConfigError` for filters that what was drawn does not have."""
    if not selection.history and (selection.since or selection.until or selection.categories):
        raise ConfigError("times and categories choose among all candidates: name them together with --history")


def wanted_of(codebook: Codebook, selection: Selection, judge: Judge, store: Store) -> Wanted:
    """What is to be judged. A prelabel that was parked is not asked for again until it is retried."""
    refuse_filters(selection)
    aside = _aside(codebook.name, store)
    if selection.history:
        asked = (codebook.name, codebook.version, judge.name, judge.version(codebook))
        # The limit is kept here: what is aside must not use it up.
        found = store.unjudged_candidates(*asked, selection.model_copy(update={"limit": None}))
        ids = (trace_id for some in found for trace_id in some if trace_id not in aside)
        one_each = ((codebook.version, (trace_id,)) for trace_id in islice(ids, selection.limit))
        return Wanted(store.count_unjudged_candidates(*asked, selection), one_each, history=True)
    drawn = sorted(store.draws(codebook.name, State.DRAWN), key=lambda draw: draw.codebook_version)  # stable
    todo: list[tuple[str, str]] = []
    for version, group in groupby(drawn, key=lambda draw: draw.codebook_version):
        known = store.judged(codebook.name, version, judge.name, judge.version(store.codebook(codebook.name, version)))
        known |= aside
        todo += [(version, one.trace_id) for one in group if one.trace_id not in known]
    todo = todo[: selection.limit]
    return Wanted(len(todo), [(version, (trace_id,)) for version, trace_id in todo])


def _aside(queue: str, store: Store) -> set[str]:
    rows = (row.subject for row in store.parked(queue) if row.verb == VERB)
    return {subject.removeprefix(PARKED_PRELABEL) for subject in rows if subject.startswith(PARKED_PRELABEL)}


def _summary(made: PageSummary, unasked: int, *, history: bool) -> PrelabelSummary:
    """`unasked` traces were on no page, for what stopped the pages before them."""
    over_budget = made.over_budget + (unasked if made.over_budget else 0)
    later = made.later + (0 if made.over_budget else unasked)
    whys = {"budget spent": over_budget, "the judge's server is away": later, "the workers died": made.lost}
    left = " and ".join(f"{why}: {count:,} left for another run" for why, count in whys.items() if count)
    if left and not history:
        left += ", and without a prelabel if enqueued before"
    return PrelabelSummary(
        judged=made.judged,
        abstained=made.abstained,
        parked=made.parked,
        gone=made.gone,
        left=over_budget + later + made.lost,
        calls=made.calls,
        cached=made.cached,
        input_tokens=made.input_tokens,
        output_tokens=made.output_tokens,
        usd=round(made.usd, 9),
        state=left or "done",
    )
