"""The automations that find dead runs and start them again. `python -m flows.automations` makes or renews them.

Prefect has no such detection by itself: a run whose process and worker died is Running for ever. It takes some 90 s
here. A run that dies is started again with the same id, so that it takes its own lock over, three times at most.

A server forgets what it waited for while it was down. So each call also has it look anew at every unfinished run, and
with `--nothing-runs`, where the caller knows that no process of such a run is alive, they are Crashed at once.
"""

import argparse
from datetime import timedelta

from prefect.automations import AutomationCore
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.events import emit_event
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.states import Crashed
from rich.console import Console

TAG = "goldloop"
"""What marks goldloop's deployments in prefect.yaml, and by it their runs."""

HEARTBEAT = timedelta(seconds=30)
"""`PREFECT_FLOWS_HEARTBEAT_FREQUENCY` in prefect.yaml."""

MISSED = 3
TO_BEGIN = timedelta(minutes=10)  # a container's image may have to be fetched
RESTARTS = 3
REPORTED = timedelta(seconds=10)  # by then all have said that it died; the shortest that Prefect takes
ENDED = ("Completed", "Failed", "Cancelled", "Skipped", "TimedOut")  # states' names, as the events have them
FINAL = (*ENDED, "Crashed")


_TAGGED: dict[str, str | list[str]] = {"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"}
_SIGN_OF_LIFE = {StateType.PENDING: "Pending", StateType.RUNNING: "heartbeat", StateType.CANCELLING: "heartbeat"}


def _trigger(
    posture: Posture, after: str, expect: tuple[str, ...], within: timedelta, starts: range | None = None
) -> EventTrigger:
    """A trigger for each run of goldloop's deployments, and for nobody else's; only in these of its `starts`."""
    run: dict[str, str | list[str]] = {"prefect.resource.id": "prefect.flow-run.*"}
    if starts is not None:
        run["prefect.run-count"] = [str(number) for number in starts]
    return EventTrigger(
        posture=posture,
        match=ResourceSpecification(run),
        match_related=ResourceSpecification(_TAGGED),
        for_each={"prefect.resource.id"},
        after={_event(after)},
        expect={_event(name) for name in expect},
        threshold=1,
        within=within,
    )


def _event(name: str) -> str:
    return f"prefect.flow-run.{name}"


AUTOMATIONS = (
    AutomationCore(
        name="goldloop: find dead runs",
        description="A run without a heartbeat for 90 seconds is Crashed.",
        trigger=_trigger(Posture.Proactive, "heartbeat", ("heartbeat", *FINAL), MISSED * HEARTBEAT),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="No heartbeat for 90 seconds: its process died.")],
    ),
    AutomationCore(
        name="goldloop: find runs that never began",
        description="A run that a worker took and did not begin within 10 minutes is Crashed.",
        trigger=_trigger(Posture.Proactive, "Pending", ("Running", *FINAL), TO_BEGIN),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="It did not begin: its worker died.")],
    ),
    AutomationCore(
        name="goldloop: start dead runs again",
        description="A run that crashed after it had begun is scheduled again, three times at most.",
        # Not at once: a process that died is reported by its runner and, a second or so later, by the worker, and the
        # second report would undo a restart that the first has led to. A run that cannot even begin, for a broken
        # image, say, has no start, and would come back for ever: it stays as it is.
        trigger=_trigger(Posture.Proactive, "Crashed", ("Running", *ENDED), REPORTED, starts=range(1, RESTARTS + 1)),
        actions=[ChangeFlowRunState(state=StateType.SCHEDULED, message="It died and is started again.")],
    ),
)


def install(client: SyncPrefectClient) -> dict[str, str]:
    """Make each automation, or renew the one of its name; what was done, by name.

    One that is as wanted is left alone, for with a new trigger Prefect forgets which runs it waits for. One that an
    operator switched off stays off.
    """
    done = {}
    for automation in AUTOMATIONS:
        there = client.read_automations_by_name(automation.name)
        if not there:
            client.create_automation(automation)
            done[automation.name] = "made"
            continue
        wanted = automation.model_copy(update={"enabled": there[0].enabled})
        stale = there[0].model_dump(exclude={"id"}) != wanted.model_dump()
        if stale:
            client.update_automation(there[0].id, wanted)
        done[automation.name] = "renewed" if stale else "kept"
    return done


def unfinished(client: SyncPrefectClient) -> list[FlowRun]:
    """The runs of goldloop's deployments that a process works on, or should."""
    types = FlowRunFilterStateType(any_=list(_SIGN_OF_LIFE))
    return client.read_flow_runs(
        flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=[TAG]), state=FlowRunFilterState(type=types))
    )


def look_anew(run: FlowRun) -> None:
    """Start the server's wait for this run's next sign of life."""
    emit_event(
        event=_event(_SIGN_OF_LIFE[run.state_type or StateType.RUNNING]),
        resource={"prefect.resource.id": f"prefect.flow-run.{run.id}"},
        related=[{name: str(value) for name, value in _TAGGED.items()}],
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m flows.automations", description="Make or renew the automations.")
    parser.add_argument(
        "--nothing-runs", action="store_true", help="no process of an unfinished run is alive: start them again now"
    )
    nothing_runs = parser.parse_args().nothing_runs
    with get_client(sync_client=True) as client:
        for name, what in install(client).items():
            Console().print(f"{what}: {name}", highlight=False)
        for run in unfinished(client):
            if nothing_runs:
                client.set_flow_run_state(run.id, Crashed(message="The stack was stopped while it ran."), force=True)
            else:
                look_anew(run)
            Console().print(f"{'crashed' if nothing_runs else 'watched'}: run {run.name}", highlight=False)


if __name__ == "__main__":
    main()
