"""How a flow runs verbs: under the queue's lock, a task each, retried where that can help, ended in one sentence.

Nothing is raised into Prefect, which would log a traceback with its causes, and those can quote a trace's payload: an
error becomes a state with a message instead.
"""

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from prefect import State, Task, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import StateType, TaskRun
from prefect.futures import PrefectFuture, as_completed, wait
from prefect.runtime import flow_run, task_run
from prefect.states import Completed, Failed

from flows.alarms import differing, never_appeared, raise_alarm
from flows.artifacts import show
from flows.logs import PacedLog, keep_to_the_news
from goldloop import settings
from goldloop.bootstrap import VERBS, Goldloop, Run
from goldloop.bootstrap.prelabels import Prelabelling
from goldloop.errors import GoldloopError, LockedError, RetryableError
from goldloop.pipeline.prelabel import PrelabelSummary
from goldloop.pipeline.prelabel_pages import PageSummary, PrelabelPage, Work
from goldloop.records import Record

RETRY_DELAYS_S = (10.0, 60.0, 300.0)
JITTER = 0.3
RECONCILE = "reconcile"  # beside the verbs, and never among them: it reads all that there is
MOST_WAIT_S = 900.0  # a server that wishes for more gets the next scheduled run
MOST_PAGES = 200  # task runs that Prefect's server takes well in one flow run: larger pages for more traces


def may_succeed_later(_task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether to try a verb again: only where its server said that it may succeed later."""
    # Prefect counts too, but at its own limit it logs the error again, with a traceback.
    return run.run_count <= len(RETRY_DELAYS_S) and isinstance(_error_in(state), RetryableError)


@task(
    retries=len(RETRY_DELAYS_S) + 1,
    retry_delay_seconds=list(RETRY_DELAYS_S),
    retry_jitter_factor=JITTER,
    retry_condition_fn=may_succeed_later,
    cache_policy=NO_CACHE,
    persist_result=False,
    log_prints=False,
)
def step(work: Callable[[], Record]) -> Record | State[Any]:
    """Do one verb's work: its summary, or a failed state whose data is the error."""
    try:
        return work()
    except GoldloopError as error:
        if isinstance(error, RetryableError) and error.retry_after and task_run.run_count <= len(RETRY_DELAYS_S):
            # Prefect's delays are fixed beforehand: the server's own wish is waited for here, on top.
            time.sleep(min(error.retry_after, MOST_WAIT_S))
        return Failed(message=str(error), data=error)
    except Exception as error:  # noqa: BLE001 -- whatever it is, its text can quote a payload
        get_run_logger().debug("Raised at:\n%s", "".join(traceback.format_tb(error.__traceback__)))
        return Failed(message=unexpected(error), data=GoldloopError(unexpected(error)))


def as_tasks(work: Work, pages: Iterable[PrelabelPage], at_once: int) -> Iterator[PageSummary]:
    """Each page as a task of its own, tried again as a verb is, with so many side by side; a page has ids alone."""
    tasks = (
        (step.with_options(name="prelabel page", task_run_name=f"prelabel page {number}"), partial(work, page))
        for number, page in enumerate(pages, start=1)
    )
    if at_once == 1:
        yield from (_page_of(one(judge)) for one, judge in tasks)
        return
    under_way: list[PrefectFuture[Any]] = []
    try:
        for one, judge in tasks:
            under_way.append(one.submit(judge))
            if len(under_way) >= at_once:
                yield _page_of(_first_of(under_way))
        while under_way:
            yield _page_of(_first_of(under_way))
    except GoldloopError:
        wait(under_way)  # their workers end with this run, and without those they would be tried again for minutes
        raise


def _first_of(under_way: list[PrefectFuture[Any]]) -> object:
    """What the first of them to end came to; it is taken out."""
    ended = next(as_completed(under_way))
    under_way.remove(ended)
    return ended.result(raise_on_failure=False)


def _page_of(outcome: object) -> PageSummary:
    """A page that failed was tried as often as it should be: the verb around it is not to try them all again."""
    error = _error_in(outcome) if isinstance(outcome, State) else outcome
    if isinstance(error, PageSummary):
        return error
    raise GoldloopError(str(error)) if isinstance(error, RetryableError) or not isinstance(error, Exception) else error


def run_verbs(
    verbs: Sequence[str] | None,
    queue: str | None,
    seed: int | None = None,
    prelabelling: Prelabelling = Prelabelling(),  # noqa: B008 - it is frozen
) -> State[None]:
    """Run these verbs (None: all) in their order on the queue; the state in which the flow run ends.

    Completed, also where a budget is spent; Failed with one sentence; or, of type Cancelled, Skipped where another run
    holds the queue.
    """
    keep_to_the_news()
    wanted = [verb for verb in (*VERBS, RECONCILE) if (verb in VERBS if verbs is None else verb in verbs)]
    try:
        with Goldloop(settings.load()) as goldloop:
            run = Run(
                progress=lambda verb: PacedLog(get_run_logger(), verb),
                prelabelling=prelabelling.model_copy(update={"most_pages": MOST_PAGES}),
                hand_out=as_tasks,
            )
            # Started again after its death, a run has the same id: it takes its own lock over at once.
            run = replace(run, owner=flow_run.id or run.owner, seed=run.seed if seed is None else seed)
            return _under_lock(goldloop, wanted, queue, run)
    except LockedError as error:
        get_run_logger().warning(str(error))
        return State(type=StateType.CANCELLED, name="Skipped", message=str(error))
    except GoldloopError as error:
        return _failed(str(error))
    except Exception as error:  # noqa: BLE001 -- as in `step`
        return _failed(unexpected(error))


def _under_lock(goldloop: Goldloop, verbs: Sequence[str], queue: str | None, run: Run) -> State[None]:
    codebook = goldloop.codebook(queue)
    made: dict[str, Record] = {}
    failure: str | None = None
    # Held over all verbs, and while one waits to be tried again; each verb enters it again.
    with goldloop.hold(codebook, run.owner, history=run.prelabelling.selection.history):
        for verb in verbs:
            outcome = step.with_options(name=verb, task_run_name=verb)(_work(goldloop, verb, codebook.name, run))
            if isinstance(outcome, State):
                failure = f"{verb}: {outcome.message}"
                break
            made[verb] = outcome
        projects = goldloop.store.projects(codebook.name)
    show(codebook.name, made, projects, failure)
    raise_alarm(codebook.name, made)
    return Completed(message=_done(verbs, made)) if failure is None else _failed(failure)


def _done(verbs: Sequence[str], made: Mapping[str, Record]) -> str:
    told = made.get("prelabel")
    left = told.state if isinstance(told, PrelabelSummary) and told.state != "done" else ""
    said = [f"{', '.join(verbs)}: done", left, differing(made), never_appeared(made)]
    return "; ".join(part for part in said if part)


def _work(goldloop: Goldloop, verb: str, queue: str, run: Run) -> Callable[[], Record]:
    def work() -> Record:
        [(_, summary)] = goldloop.run([verb], queue, run)
        return summary

    return work


def unexpected(error: Exception) -> str:
    """One sentence on a fault of our own: its class and place, and not its text, which can quote a payload."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}, line {frame.lineno}"
    return (
        f"An unexpected {type(error).__name__} was raised in {place}: "
        "this is a fault in goldloop; the same `goldloop` command prints its traceback with GOLDLOOP_DEBUG=1."
    )


def _failed(message: str) -> State[None]:
    get_run_logger().error(message)
    return Failed(message=message)


def _error_in(state: State[Any]) -> object:
    """What stands in a state's data, however Prefect has wrapped it."""
    return getattr(state.data, "result", state.data)
