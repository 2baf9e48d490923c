"""Running a deployment and waiting for its end, by Prefect's own command line: this package does not import Prefect."""

import json
from collections.abc import Sequence

from goldloop.devstack.places import python_with
from goldloop.devstack.prefect_server import flow_environment
from goldloop.devstack.stack import Stack

FLOW_SECONDS = 900.0


def run_flow(stack: Stack, queue: str, verbs: Sequence[str]) -> None:
    """Run the deployment `run` with these verbs and wait for its end; an error names the log."""
    assert stack.prefect
    stack.supervisor.run(
        f"Prefect flow {verbs[0]} to {verbs[-1]}",
        python_with(
            *("-m", "prefect", "deployment", "run", "run/run", "--watch", "--watch-interval", "1"),
            *("--param", f"queue={json.dumps(queue)}", "--param", f"verbs={json.dumps(list(verbs))}"),
        ),
        environment=flow_environment(stack.prefect, stack.environment()),
        folder=stack.places.checkout,
        within_seconds=FLOW_SECONDS,
        progress=stack.progress,
        doing="running",
    )
    stack.progress(f"Prefect flow {verbs[0]} to {verbs[-1]}", "ready")
