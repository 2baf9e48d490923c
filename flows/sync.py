"""One flow for each verb, and `run` for all of them in order.

Each does what `goldloop <verb>` does, with the same environment variables, under the same lock on the queue.
"""

from typing import Literal

from prefect import State, flow

from flows.verbs import run_verbs

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
def prelabel(queue: str | None = None) -> State[None]:
    """Have the judge answer for what was drawn, before anyone sees it."""
    return run_verbs(["prelabel"], queue)


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
