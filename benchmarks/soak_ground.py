"""The ground of a soak: a queue that takes all that comes, people with accounts, schedules quick enough to watch."""

import random
import threading
from collections.abc import Sequence
from datetime import timedelta

import httpx
import yaml

from benchmarks.soak_load import Annotator, Inflow
from goldloop import settings
from goldloop.adapters.labelstudio.accounts import sign_up
from goldloop.bootstrap import Goldloop
from goldloop.bootstrap.backends import MlBackend
from goldloop.devstack import annotators
from goldloop.devstack.demo import IN, QUEUE, Demo
from goldloop.devstack.flows import DEPLOYMENT, call, run_flow
from goldloop.devstack.places import CHECKOUT
from goldloop.devstack.send import Destination
from goldloop.devstack.stack import Stack
from goldloop.devstack.tracefile import FileTrace
from goldloop.errors import GoldloopError, RetryableError

RECONCILE = "reconcile/reconcile"
OVERLAP_MINUTES = 10
"""What pull reads again each time: short enough to be at its full length in the half that is judged."""
_QUEUE_SETTINGS = {
    "budget": 10_000,  # all that comes in is drawn: the inflow sets the pace, and not the day's budget
    "mix": "balanced",
    "annotations_per_trace": 1,
    "double_label_share": 0.2,
    "blind_share": 0.2,
}
_NAMES = ("ada", "bo", "cleo")
_READABLE_AFTER_S = 12.0


def variables(stack: Stack) -> dict[str, str]:
    """What flows and the ML backend get on top of the stack's own; writes the queue's codebook."""
    folder = stack.places.state / "codebooks"
    folder.mkdir(parents=True, exist_ok=True)
    shipped = (CHECKOUT / "label_configs" / f"{QUEUE}.yaml").read_text(encoding="utf-8")
    (folder / f"{QUEUE}.yaml").write_text(
        yaml.safe_dump(yaml.safe_load(shipped) | {"queue": _QUEUE_SETTINGS}, sort_keys=False), encoding="utf-8"
    )
    return Demo.variables(stack) | {
        "GOLDLOOP_CODEBOOKS": str(folder),
        "GOLDLOOP_PULL__OVERLAP_MINUTES": str(OVERLAP_MINUTES),
    }


def send(inflow: Inflow) -> None:
    """The app: its traces go to the Langfuse of the settings, each at its moment."""
    found = settings.load()
    assert found.langfuse_public_key
    assert found.langfuse_secret_key
    with Goldloop(found) as goldloop:
        to = Destination(found.langfuse_host or "", found.langfuse_public_key, found.langfuse_secret_key)
        inflow.send(to, goldloop.langfuse.scores)


def people(stack: Stack, rows: Sequence[FileTrace], chooser: random.Random, stop: threading.Event) -> list[Annotator]:
    """Run the flow in until there are projects, have the ML backend serve them, and sign the annotators up."""
    with Goldloop(settings.load()) as goldloop:
        for _ in range(3):
            stop.wait(_READABLE_AFTER_S)
            run_flow(stack, QUEUE, IN)
            projects = goldloop.store.projects(QUEUE)
            if projects:
                break
        else:
            raise GoldloopError("nothing was drawn in three runs: see the logs of the flows")
        served = MlBackend.of(goldloop.settings.ml_backend).connect(goldloop.label_studio, projects)
        if not any(one.served for one in served):
            raise GoldloopError(f"Label Studio could not reach the ML backend: {served[0].reason}")
        url, key = goldloop.settings.label_studio_url, goldloop.settings.label_studio_api_key
        assert url
        assert key
        codebook = goldloop.codebook(QUEUE)
        ratings = [rating for row in rows for rating in row.human.ratings if not rating.skips]
        password = stack.credentials.annotator_password
        return [
            Annotator(
                codebook,
                ratings,
                url,
                sign_up(url, key, annotators.email(name), password),
                random.Random(chooser.getrandbits(64)),  # noqa: S311 - a load that can be had again, not a secret
            )
            for name in _NAMES
        ]


def quicken(client: httpx.Client, every: timedelta) -> None:
    """Give the schedule of the deployment `run` another interval: what ships is every 15 minutes."""
    deployment = call(client, "GET", f"/deployments/name/{DEPLOYMENT}")
    [schedule] = deployment["schedules"]
    wanted = {"active": True, "schedule": {"interval": every.total_seconds()}}
    answer = client.patch(f"/deployments/{deployment['id']}/schedules/{schedule['id']}", json=wanted)
    if answer.is_error:
        raise RetryableError("Prefect", f"the schedule was not changed, with status {answer.status_code}: run it again")


def deployments(client: httpx.Client) -> dict[str, str]:
    """The deployments whose runs count, id to flow's name: `run`, and `reconcile` where there is one."""
    found = {call(client, "GET", f"/deployments/name/{DEPLOYMENT}")["id"]: "run"}
    answer = client.get(f"/deployments/name/{RECONCILE}")
    if answer.is_success:
        found[answer.json()["id"]] = "reconcile"
    return found
