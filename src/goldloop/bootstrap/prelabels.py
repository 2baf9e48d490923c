"""A prelabel by the settings: who judges, where its pages are worked on, and what it would take."""

# ruff: noqa: PLC0415 - the worker's module imports the package above this one

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from pydantic import Field

from goldloop.adapters.spread import Here, Runner
from goldloop.adapters.spread.dask import Dask
from goldloop.adapters.spread.ray import Ray
from goldloop.codebook.schema import Codebook
from goldloop.errors import ConfigError
from goldloop.pipeline.prelabel import PAGE, PrelabelSummary, prelabel, refuse_filters
from goldloop.pipeline.prelabel_estimate import PrelabelEstimate, estimate
from goldloop.pipeline.prelabel_pages import Meter, PageSummary, PrelabelPage, Work, judge_page
from goldloop.ports import Selection
from goldloop.records import Record
from goldloop.settings import Settings

if TYPE_CHECKING:
    from goldloop.bootstrap import Goldloop, Run

TaskRunner = Literal["here", "dask", "ray"]
HandOut = Callable[[Work, Iterable[PrelabelPage], int], Iterator[PageSummary]]
"""`as_they_come`, or what a scheduler does in its place: so many pages side by side."""

_LOCAL = {"127.0.0.1", "::1", "localhost"}


class Prelabelling(Record):
    """What is to be judged, and where."""

    selection: Selection = Selection()
    task_runner: TaskRunner = "here"
    workers: int | None = Field(default=None, ge=1)
    page_size: int = Field(default=PAGE, ge=1)
    most_pages: int | None = Field(default=None, ge=1)


def run_prelabel(goldloop: "Goldloop", codebook: Codebook, run: "Run") -> PrelabelSummary:
    """Learn from what people said since, then judge what is to be judged, under whatever lock the caller holds."""
    asked = run.prelabelling
    # First what was asked wrongly, then a wrong key: before any page, and before any worker is started.
    refuse_filters(asked.selection)
    runners = runner_of(goldloop.settings, asked)
    source = goldloop.langfuse.source
    goldloop.learn(codebook.name)
    meter = Meter(goldloop.store)
    with goldloop.judge(codebook.name, run.owner, meter) as judge, runners as runner:
        if asked.task_runner == "here":

            def work(page: PrelabelPage) -> PageSummary:
                return judge_page(page, source, judge, goldloop.store, goldloop.clock, meter)
        else:
            from goldloop.bootstrap.worker import WhoJudges, judge_on_worker

            by = WhoJudges(run=run.owner, judge=judge.name, judge_version=judge.version(codebook))
            there = partial(judge_on_worker, who=by)

            def work(page: PrelabelPage) -> PageSummary:
                lost = PageSummary(traces=len(page.trace_ids), lost=len(page.trace_ids))
                return runner.do(there, page) or lost

        return prelabel(
            codebook,
            asked.selection,
            judge,
            goldloop.store,
            work,
            run.progress("prelabel"),
            page_size=asked.page_size,
            most_pages=asked.most_pages,
            hand_out=lambda work, pages: run.hand_out(work, pages, runner.at_once),
        )


def estimate_prelabel(goldloop: "Goldloop", codebook: Codebook, asked: Prelabelling) -> PrelabelEstimate:
    """What this prelabel would take by now: without a lock, and without leaving anything."""
    refuse_filters(asked.selection)
    settings = goldloop.settings.judge
    with goldloop.judge(codebook.name, "estimate") as judge:
        return estimate(
            codebook,
            asked.selection,
            judge,
            goldloop.langfuse.source,
            goldloop.store,
            settings.limits,
            goldloop.clock(),
            at_once=settings.concurrency * (1 if asked.task_runner == "here" else asked.workers or 1),
            page_size=asked.page_size,
        )


def runner_of(settings: Settings, asked: Prelabelling) -> Runner:
    """`ConfigError` where its extra is missing, or workers elsewhere could not reach the store."""
    if asked.task_runner == "here":
        if asked.workers is not None:
            raise ConfigError("pages are spread over workers by --task-runner dask or ray: name it beside --workers")
        return Here()
    address = settings.judge.cluster
    if address and not _is_here(address) and settings.store_url.startswith("sqlite"):
        raise ConfigError(
            "workers on other machines cannot reach a SQLite store: set GOLDLOOP_STORE_URL to a PostgreSQL one, here "
            "and on the workers"
        )
    return (Dask if asked.task_runner == "dask" else Ray)(address, asked.workers)


def _is_here(address: str) -> bool:
    return urlsplit(address if "://" in address else f"//{address}").hostname in _LOCAL
