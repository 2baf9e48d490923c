"""What a worker of a Dask or Ray cluster does with a page.

It reads the settings from its own environment (or the `.env` file where it was started): give every worker the same
variables as the one that hands out the pages. No secret is ever sent to it.
"""

import threading
import traceback
from functools import cache
from pathlib import Path

from goldloop import settings
from goldloop.bootstrap import Goldloop
from goldloop.errors import ConfigError, GoldloopError
from goldloop.judge.panel import Panel
from goldloop.pipeline.prelabel_pages import Meter, PageSummary, PrelabelPage, judge_page
from goldloop.records import Record

_ONE_AT_A_TIME = threading.Lock()  # a worker may have several threads; a page's calls are counted by the process


class WhoJudges(Record):
    """Who is to judge, as the run has it.

    A worker that starts hours later may make the judge of newer fits, and so in another version: its name has to be
    the same. A run that is tried again with another version has its workers make the judge anew.
    """

    run: str
    judge: str
    judge_version: str


class _Worker:
    """What the process keeps from page to page: its connections, and the judge of the run that it works for."""

    def __init__(self) -> None:
        self.goldloop = Goldloop(settings.load())
        self.meter = Meter(self.goldloop.store)
        self._judge: tuple[tuple[str, WhoJudges], Panel] | None = None

    def work(self, page: PrelabelPage, who: WhoJudges) -> PageSummary:
        goldloop = self.goldloop
        if goldloop.store.unknown_traces(page.trace_ids[:1]):
            raise ConfigError(
                "a worker has another store than this run: start it with the same GOLDLOOP_STORE_URL, and with a full "
                "path in that of a SQLite one"
            )
        judge = self._judge_of(page.queue, who)
        return judge_page(page, goldloop.langfuse.source, judge, goldloop.store, goldloop.clock, self.meter)

    def _judge_of(self, queue: str, who: WhoJudges) -> Panel:
        if self._judge is None or self._judge[0] != (queue, who):
            if self._judge:
                self._judge[1].close()
                self._judge = None
            judge = self.goldloop.judge(queue, who.run, self.meter)
            if judge.name != who.judge:
                judge.close()
                raise ConfigError(
                    f"a worker has another judge ({judge.name}) than this run ({who.judge}): start it with the same "
                    "GOLDLOOP_JUDGE__... variables"
                )
            self._judge = (queue, who), judge
        return self._judge[1]


@cache
def _worker() -> _Worker:
    return _Worker()


def judge_on_worker(page: PrelabelPage, who: WhoJudges) -> PageSummary:
    """Judge the page in this process, for that run.

    Raises:
        ConfigError: this process has another store, or another judge, than the one that handed out the page.
        GoldloopError: also for a fault of our own, without its text, which can quote a payload.
    """
    try:
        with _ONE_AT_A_TIME:
            return _worker().work(page, who)
    except GoldloopError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, its text can quote a payload
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise GoldloopError(
            f"a fault in goldloop itself on a worker ({type(error).__name__} in {Path(place.filename).name}, line "
            f"{place.lineno}): the same page judged here, without --task-runner, shows more with GOLDLOOP_DEBUG=1"
        ) from None
