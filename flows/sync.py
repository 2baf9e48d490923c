"""One flow for each verb, `run` for all of them in order, and `reconcile`.

Each does what `goldloop <verb>` does, with the same environment variables, under the same lock on the queue.
"""

from datetime import UTC, datetime
from typing import Literal

from prefect import State, flow
from pydantic import PositiveInt

from flows.verbs import RECONCILE, run_verbs
from goldloop.bootstrap.prelabels import Prelabelling, TaskRunner
from goldloop.ports import Selection

Verb = Literal["pull", "draw", "prelabel", "enqueue", "gather", "resolve", "publish", "report"]
"""`goldloop.bootstrap.VERBS` as a type, so that Prefect's page offers them as choices."""


@flow(log_prints=False)
def pull(queue: str | None = None) -> State[None]:
    """Read new traces and user signals from Langfuse, without their payload."""
    return run_verbs(["pull"], queue)


@flow(log_prints=False)
def draw(queue: str | None = None, seed: int | None = None) -> State[None]:
    """Draw what is left of the day's budget, each trace with its inclusion probability."""
    return run_verbs(["draw"], queue, seed)


@flow(log_prints=False)
def prelabel(
    queue: str | None = None,
    history: bool = False,
    since: datetime | None = None,
    until: datetime | None = None,
    categories: list[str] | None = None,
    limit: PositiveInt | None = None,
    task_runner: TaskRunner = "here",
    workers: PositiveInt | None = None,
) -> State[None]:
    """Have the judge answer for what was drawn, before anyone sees it; with `history` for candidates, drawn or not.

    Each page of traces is a task. The other filters are for history; times are of UTC where they name no zone.
    """
    selection = Selection(
        history=history, since=_utc(since), until=_utc(until), categories=tuple(categories or ()), limit=limit
    )
    asked = Prelabelling(selection=selection, task_runner=task_runner, workers=workers)
    return run_verbs(["prelabel"], queue, prelabelling=asked)


@flow(log_prints=False)
def enqueue(queue: str | None = None) -> State[None]:
    """Make a Label Studio task of each drawn trace, with its prelabel."""
    return run_verbs(["enqueue"], queue)


@flow(log_prints=False)
def gather(queue: str | None = None) -> State[None]:
    """Bring back annotations, edits, skips and deletions from Label Studio."""
    return run_verbs(["gather"], queue)


@flow(log_prints=False)
def resolve(queue: str | None = None) -> State[None]:
    """Turn each trace's annotations into one answer a question."""
    return run_verbs(["resolve"], queue)


@flow(log_prints=False)
def publish(queue: str | None = None) -> State[None]:
    """Send scores, dataset items and eval rows, and read them back."""
    return run_verbs(["publish"], queue)


@flow(log_prints=False)
def report(queue: str | None = None) -> State[None]:
    """Show what stands where: states, policies, the age of the queue, what is parked."""
    return run_verbs(["report"], queue)


@flow(log_prints=False)
def run(queue: str | None = None, verbs: list[Verb] | None = None, seed: int | None = None) -> State[None]:
    """Run the verbs in their order, all of them where none is named: pull to report."""
    return run_verbs(verbs, queue, seed)


@flow(log_prints=False)
def reconcile(queue: str | None = None) -> State[None]:
    """Compare Label Studio, the store and Langfuse, both ways, and mend what differs."""
    return run_verbs([RECONCILE], queue)


def _utc(time: datetime | None) -> datetime | None:
    return time if time is None or time.tzinfo else time.replace(tzinfo=UTC)
