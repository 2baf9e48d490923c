"""Running a deployment and waiting for its end, over Prefect's REST API: this package does not import Prefect."""

import time
from collections.abc import Sequence
from typing import Any

import httpx

from goldloop.adapters.retries import Retries
from goldloop.devstack.processes import StartError
from goldloop.devstack.stack import Stack
from goldloop.errors import GoldloopError, RetryableError

DEPLOYMENT = "run/run"
FLOW_SECONDS = 900.0
QUIET_SECONDS = 180.0
POLL_SECONDS = 0.5
_UNFINISHED = ["RUNNING", "PENDING", "SCHEDULED", "CANCELLING"]
_FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def run_flow(stack: Stack, queue: str, verbs: Sequence[str]) -> None:
    """Run these verbs of a queue as a flow; `StartError` says how it ended where it did not complete.

    A run that the last stack left behind comes first: two cannot overlap, and the second would be cancelled.
    """
    name = f"Flow {verbs[0]} to {verbs[-1]}"
    if stack.prefect is None or stack.worker is None:
        raise GoldloopError("The Prefect server and its worker are not started: start them before a flow.")
    with stack.prefect.client() as client:
        deployment = call(client, "GET", f"/deployments/name/{DEPLOYMENT}")["id"]
        unfinished = {
            "deployments": {"id": {"any_": [deployment]}},
            "flow_runs": {"state": {"type": {"any_": _UNFINISHED}}},
        }
        started = time.monotonic()
        while call(client, "POST", "/flow_runs/count", unfinished):
            elapsed = time.monotonic() - started
            if elapsed > QUIET_SECONDS:
                raise StartError(name, f"another run has not ended within {QUIET_SECONDS:.0f} s", stack.worker.log)
            stack.progress(name, f"waiting for an earlier run ({elapsed:.0f} s)")
            time.sleep(POLL_SECONDS)
        wanted = {"state": {"type": "SCHEDULED"}, "parameters": {"queue": queue, "verbs": list(verbs)}}
        run = call(client, "POST", f"/deployments/{deployment}/create_flow_run", wanted)["id"]
        state = _end_of(stack, client, name, run)
    if state["type"] != "COMPLETED":
        said = f"it ended as {state['name']}: {state.get('message') or 'no reason was given'}"
        raise StartError(name, said, stack.worker.log)
    stack.progress(name, "ready")


def _end_of(stack: Stack, client: httpx.Client, name: str, run: str) -> dict[str, Any]:
    """The state in which the run ends, restarts of a dead one included."""
    assert stack.worker is not None
    started = time.monotonic()
    while True:
        state: dict[str, Any] = call(client, "GET", f"/flow_runs/{run}")["state"]
        if state["type"] in _FINAL:
            return state
        elapsed = time.monotonic() - started
        if elapsed > FLOW_SECONDS:
            raise StartError(name, f"it has not ended within {FLOW_SECONDS:.0f} s", stack.worker.log)
        stack.progress(name, f"{str(state['name']).lower()} ({elapsed:.0f} s)")
        time.sleep(POLL_SECONDS)


def call(client: httpx.Client, method: str, path: str, body: object = None) -> Any:
    """Prefect's answer; a server on SQLite is busy at times, and then asked again."""

    def once() -> Any:
        try:
            answer = client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise RetryableError("Prefect", f"{method} {path} failed: {error.__class__.__name__}") from None
        if answer.is_error:
            raise RetryableError("Prefect", f"{method} {path} was answered with {answer.status_code}")
        return answer.json()

    return Retries()(once)
