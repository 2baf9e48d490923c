"""Flow runs of the deployment `run`, started and watched over Prefect's API."""

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from goldloop.devstack.flows import DEPLOYMENT, call
from goldloop.devstack.guard import descendants
from goldloop.devstack.stack import Stack
from goldloop.errors import GoldloopError

FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


@dataclass
class FlowRun:
    """One run; `name` is its own."""

    stack: Stack
    client: httpx.Client
    queue: str
    run_id: str = field(init=False)
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        deployment = call(self.client, "GET", f"/deployments/name/{DEPLOYMENT}")["id"]
        wanted = {"state": {"type": "SCHEDULED"}, "parameters": {"queue": self.queue}}
        self.run_id = call(self.client, "POST", f"/deployments/{deployment}/create_flow_run", wanted)["id"]

    def state(self) -> dict[str, Any]:
        """Its state now: type, name, message."""
        return dict(call(self.client, "GET", f"/flow_runs/{self.run_id}")["state"])

    def waits_to_try_again(self) -> bool:
        """Whether a verb failed and waits for its next try, ten seconds or a minute."""
        waiting = {
            "flow_runs": {"id": {"any_": [self.run_id]}},
            "task_runs": {"state": {"name": {"any_": ["AwaitingRetry"]}}},
        }
        return bool(call(self.client, "POST", "/task_runs/count", waiting))

    def kill(self) -> bool:
        """Kill -9 its process; False where it has none now."""
        with contextlib.suppress(GoldloopError):
            where = str(call(self.client, "GET", f"/flow_runs/{self.run_id}")["infrastructure_pid"] or "")
            pid = where.rpartition(":")[2]
            worker = self.stack.worker
            if pid.isdigit() and worker and int(pid) in worker.descendants():
                for one in [*descendants(int(pid)), int(pid)]:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(one, signal.SIGKILL)
                return True
        return False

    def declare_dead(self) -> None:
        """What an operator does after a worker died with the run in it: nobody else notices for minutes."""
        dead = {"state": {"type": "CRASHED", "message": "its worker was killed"}, "force": True}
        call(self.client, "POST", f"/flow_runs/{self.run_id}/set_state", dead)
