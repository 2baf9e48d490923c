"""The flows on a real Prefect server: deployed, run by a worker, collided, killed and found again.

The runs need no other server: `report` and `resolve` ask the store alone. What makes a run wait is the test's own
write lock on the run's SQLite file.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from flows.alarms import NEVER_APPEARED
from flows.automations import AUTOMATIONS, HEARTBEAT, MISSED, RESTARTS
from goldloop.adapters.store import open_store
from goldloop.bootstrap import VERBS
from goldloop.codebook.load import load
from goldloop.ports import TraceResolution
from goldloop.records import Candidate, Draw, DrawRun, Project, Score, ScoreType, State
from langfuse_traces import serve_traces

pytestmark = pytest.mark.servers

ROOT = Path(__file__).resolve().parents[2]
CODEBOOK = load(ROOT / "label_configs" / "answer-quality.yaml")
FINAL = {"COMPLETED", "FAILED", "CANCELLED", "CRASHED"}
PATIENCE_S = 240  # a deadline for what must come; a busy machine is slow
FoundT = TypeVar("FoundT")


class RunningPrefect(Protocol):
    """The fixture `prefect_server`: a server, and a process worker on the pool `goldloop`."""

    @property
    def api_url(self) -> str: ...
    @property
    def auth_string(self) -> SecretStr: ...
    def environment(self) -> dict[str, str]: ...


def until(found: Callable[[], FoundT | None], what: str, every_s: float = 0.2) -> FoundT:
    """What `found` gives as soon as it gives something."""
    deadline = time.monotonic() + PATIENCE_S
    while (value := found()) is None:
        assert time.monotonic() < deadline, f"no {what} within {PATIENCE_S} s"
        time.sleep(every_s)
    return value


class Deployed:
    """The deployments on the server, and their runs."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, path: str) -> Any:
        return self._client.get(path).raise_for_status().json()

    def post(self, path: str, body: Any, method: str = "POST") -> Any:
        def answered() -> httpx.Response | None:
            answer = self._client.request(method, path, json=body)
            # On SQLite the server refuses a write beside another one: its own clients try again too.
            return None if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else answer

        answer = until(answered, f"answer of {path}").raise_for_status()
        return answer.json() if answer.content else None

    def start(self, verb: str, store: str, *, at: datetime | None = None, **variables: str) -> str:
        """Ask for a run of `verb` on this store with these variables; its id."""
        deployment = self.get(f"/deployments/name/{verb}/{verb}")
        details = {"scheduled_time": at.isoformat()} if at else {}
        run = self.post(
            f"/deployments/{deployment['id']}/create_flow_run",
            {
                "state": {"type": "SCHEDULED", "state_details": details},
                "job_variables": {"env": {"GOLDLOOP_STORE_URL": store, **variables}},
            },
        )
        return str(run["id"])

    def set_state(self, run_id: str, state: str) -> None:
        self.post(f"/flow_runs/{run_id}/set_state", {"state": {"type": state}, "force": True})

    def when(self, run_id: str, states: set[str]) -> dict[str, Any]:
        """The run once it is in one of these states."""

        def found() -> dict[str, Any] | None:
            run: dict[str, Any] = self.get(f"/flow_runs/{run_id}")
            return run if run["state"]["type"] in states else None

        return until(found, f"state {states} of {run_id}")

    def states(self, run_id: str) -> list[str]:
        return [state["name"] for state in self.get(f"/flow_run_states/?flow_run_id={run_id}")]

    def log(self, run_id: str) -> str:
        """What the run logged; logs come in some seconds after they were written."""
        wanted = {"logs": {"flow_run_id": {"any_": [run_id]}}, "sort": "TIMESTAMP_ASC"}

        def found() -> str | None:
            text = "\n".join(line["message"] for line in self.post("/logs/filter", wanted))
            return text if "Finished in state" in text else None

        return until(found, f"log of {run_id}")

    def evaluate_automations(self) -> None:
        """Have the server look for missing events now: it does so every 90 s, and when an automation is changed."""
        for automation in self.post("/automations/filter", {}):
            self.post(f"/automations/{automation['id']}", {"enabled": True}, method="PATCH")

    def artifact(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/artifacts/{key}/latest")
        return found


def run_module(prefect_server: RunningPrefect, *module_and_arguments: str) -> str:
    environment = os.environ | prefect_server.environment() | {"GOLDLOOP_SCHEDULES_ACTIVE": "false"}
    command = [sys.executable, "-m", *module_and_arguments]
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, timeout=120, stdout=subprocess.PIPE, text=True
    )
    return ended.stdout


@pytest.fixture(scope="module")
def deployed(prefect_server: RunningPrefect) -> Iterator[Deployed]:
    """Everything deployed twice, as a second start of the stack does."""
    for _ in range(2):
        run_module(prefect_server, "prefect", "--no-prompt", "deploy", "--all")
        told = run_module(prefect_server, "flows.automations")
    assert told.count("kept: goldloop") == len(AUTOMATIONS)
    user, _, password = prefect_server.auth_string.get_secret_value().partition(":")
    with httpx.Client(base_url=prefect_server.api_url, auth=(user, password), timeout=30) as client:
        yield Deployed(client)


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The URL of an empty store that has all its tables."""
    url = f"sqlite:///{tmp_path / 'goldloop.db'}"
    open_store(url).close()
    return url


def test_deploying_twice_makes_everything_once(deployed: Deployed) -> None:
    deployments = deployed.post("/deployments/filter", {"deployments": {"tags": {"all_": ["goldloop"]}}})
    assert sorted(deployment["name"] for deployment in deployments) == sorted([*VERBS, "run", "reconcile"])
    for deployment in deployments:
        assert deployment["global_concurrency_limit"]["limit"] == 1
        assert deployment["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    schedules = [schedule for deployment in deployments for schedule in deployment["schedules"]]
    assert {schedule["slug"]: schedule["active"] for schedule in schedules} == {
        "every-15-minutes": False,
        "nightly": False,
        "every-night": False,
    }
    automations = [found["name"] for found in deployed.post("/automations/filter", {})]
    assert all(automations.count(wanted.name) == 1 for wanted in AUTOMATIONS)


def test_a_schedule_plans_runs(deployed: Deployed) -> None:
    """Only the server's scheduler shows that it works: each run that a test asks for goes past it."""
    deployment = deployed.get("/deployments/name/draw/draw")
    schedules = f"/deployments/{deployment['id']}/schedules"
    [schedule] = deployed.post(schedules, [{"active": True, "schedule": {"interval": 86_400}}])
    try:
        wanted = {"flow_runs": {"deployment_id": {"any_": [deployment["id"]]}}}
        planned = until(
            lambda: [run for run in deployed.post("/flow_runs/filter", wanted) if run["auto_scheduled"]] or None,
            "planned run",
        )
        assert {run["state"]["type"] for run in planned} == {"SCHEDULED"}
    finally:
        deployed.post(f"{schedules}/{schedule['id']}", None, method="DELETE")


def test_a_run_leaves_a_report_its_counts_and_a_link(deployed: Deployed, store: str) -> None:
    project = Project(queue=CODEBOOK.name, codebook_version=CODEBOOK.version, project_id=4, url="http://ls/projects/4")
    with open_store(store) as opened:
        opened.save_codebook(CODEBOOK, datetime.now(UTC))
        opened.save_project(project)
    run = deployed.when(deployed.start("report", store), FINAL)
    assert run["state"]["type"] == "COMPLETED", run["state"]["message"]
    report = deployed.artifact(f"goldloop-report-{CODEBOOK.name}")
    assert report["type"] == "markdown"
    assert report["data"].startswith(f"## {CODEBOOK.name} {CODEBOOK.version}")
    assert deployed.artifact(f"goldloop-counts-{CODEBOOK.name}")["type"] == "table"
    assert project.url in deployed.artifact(f"label-studio-{CODEBOOK.name}")["data"]


def test_a_run_that_finds_the_lock_held_is_skipped(deployed: Deployed, store: str) -> None:
    with open_store(store) as opened, opened.lock(f"queue:{CODEBOOK.name}", "goldloop run", timedelta(minutes=1)):
        run = deployed.when(deployed.start("resolve", store), FINAL)
    assert (run["state"]["type"], run["state"]["name"]) == ("CANCELLED", "Skipped")
    assert run["state"]["message"].startswith(f"Another run (goldloop run) has held queue:{CODEBOOK.name}")


def test_an_error_is_one_sentence_without_a_traceback(deployed: Deployed, store: str) -> None:
    run_id = deployed.start("pull", store, LANGFUSE_HOST="")
    run = deployed.when(run_id, FINAL)
    sentence = "LANGFUSE_HOST is not set: set it in the environment or in a .env file here"
    assert (run["state"]["type"], run["state"]["message"]) == ("FAILED", f"pull: {sentence}")
    log = deployed.log(run_id)
    assert sentence in log
    assert "Traceback" not in log


@pytest.fixture
def long_ago(store: str, httpserver: HTTPServer) -> dict[str, str]:
    """The variables of a run on a store with a score that was sent 20 minutes ago; its Langfuse shows none."""
    queue, now = CODEBOOK.name, datetime.now(UTC)
    run = DrawRun(
        run_id="run",
        queue=queue,
        codebook_version=CODEBOOK.version,
        drawn_at=now,
        window_start=now - timedelta(days=1),
        window_end=now,
        frame_size=1,
        budget=1,
        seed=1,
        mix={"random": 1.0},
        settings_hash="s",
        code_version="c",
    )
    drawn = Draw(
        run_id="run",
        queue=queue,
        codebook_version=CODEBOOK.version,
        trace_id="t1",
        policy="random",
        mixture={"random": 1.0},
        pi=1.0,
        stratum="c",
        priority=0,
    )
    score = Score(
        score_id="s1", trace_id="t1", name="human_verdict", data_type=ScoreType.CATEGORICAL, value="pass", event_at=now
    )
    with open_store(store) as opened:
        opened.save_codebook(CODEBOOK, now)
        opened.save_candidates([Candidate(trace_id="t1", category="c", timestamp=now)], now)
        opened.save_draw(run, [drawn])
        opened.save_resolutions(
            queue, [TraceResolution("t1", state=State.RESOLVED, answers=[], scores=[score], eval_row=None)], now
        )
        opened.due_scores(queue, 1)
        opened.mark_scores_sent(["s1"], now - timedelta(minutes=20))
    serve_traces(httpserver)
    httpserver.expect_request("/api/public/v3/scores").respond_with_json({"data": [], "meta": {}})
    return {
        "LANGFUSE_HOST": httpserver.url_for("/").rstrip("/"),
        "LANGFUSE_PUBLIC_KEY": "pk-lf-public",
        "LANGFUSE_SECRET_KEY": "sk-lf-never-to-be-seen",
        "GOLDLOOP_CONFIRM_SECONDS": "0",
    }


def test_a_score_that_never_appeared_is_an_alarm(deployed: Deployed, store: str, long_ago: dict[str, str]) -> None:
    run_id = deployed.start("publish", store, at=None, **long_ago)
    run = deployed.when(run_id, FINAL)
    assert run["state"]["type"] == "COMPLETED"
    told = "publish: done; 1 score never appeared in Langfuse, which had taken them: goldloop parked list"
    assert run["state"]["message"] == told
    wanted = {"event": {"name": [NEVER_APPEARED]}, "resource": {"id": [f"goldloop.queue.{CODEBOOK.name}"]}}
    (event,) = until(lambda: deployed.post("/events/filter", {"filter": wanted})["events"] or None, "alarm")
    assert event["payload"] == {"count": 1}
    assert f"prefect.flow-run.{run_id}" in {one["prefect.resource.id"] for one in event["related"]}


def processes_of(run_id: str) -> list[int]:
    """The processes that Prefect started for this run."""
    marks = (f"PREFECT__FLOW_RUN_ID={run_id}".encode(), f"PREFECT__FLOW_RUN_ID={run_id.replace('-', '')}".encode())
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended, or is somebody else's
            continue
        if any(mark in variables for mark in marks):
            found.append(int(folder.name))
    return found


def a_dead_run(deployed: Deployed, verb: str, store: str, *, starts: int) -> str:
    """A run that the server takes for Running at its `starts`th start, and that has no process."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)  # the worker leaves it alone
    run_id = deployed.start(verb, store, at=tomorrow)
    deployed.set_state(run_id, "PENDING")
    for _ in range(starts):
        deployed.set_state(run_id, "RUNNING")
    return run_id


def test_a_second_run_is_cancelled_and_a_killed_one_starts_again(deployed: Deployed, store: str) -> None:
    exhausted = a_dead_run(deployed, "draw", store, starts=RESTARTS + 1)
    deployed.set_state(exhausted, "CRASHED")
    writer = sqlite3.connect(store.removeprefix("sqlite:///"), isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    try:
        first = deployed.start("report", store)
        deployed.when(first, {"RUNNING"})
        second = deployed.when(deployed.start("report", store), FINAL)
        assert second["state"]["type"] == "CANCELLED"
        assert second["run_count"] == 0
        for process in processes_of(first):
            os.kill(process, signal.SIGKILL)
    finally:
        writer.rollback()
        writer.close()

    def started_again() -> bool | None:
        deployed.evaluate_automations()
        return deployed.get(f"/flow_runs/{first}")["run_count"] > 1 or None

    until(started_again, "restart", every_s=3)
    run = deployed.when(first, {"COMPLETED"})
    assert 2 <= run["run_count"] <= RESTARTS + 1
    states = deployed.states(first)
    assert states.index("Running") < states.index("Crashed") < states.index("Completed")
    # It died before the other, and too often.
    assert deployed.when(exhausted, {"CRASHED"})["run_count"] == RESTARTS + 1


def test_a_run_without_heartbeats_is_found_and_started_again(deployed: Deployed, store: str) -> None:
    run_id = a_dead_run(deployed, "resolve", store, starts=1)
    heartbeat = {
        "id": str(uuid4()),
        "event": "prefect.flow-run.heartbeat",
        "occurred": (datetime.now(UTC) - MISSED * HEARTBEAT).isoformat(),
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run_id}"},
        "related": [{"prefect.resource.id": "prefect.tag.goldloop", "prefect.resource.role": "tag"}],
    }
    deployed.post("/events", [heartbeat])

    def crashed() -> bool | None:
        deployed.evaluate_automations()
        return "Crashed" in deployed.states(run_id) or None

    until(crashed, "crash", every_s=3)
    assert deployed.when(run_id, {"COMPLETED"})["run_count"] == 2


def test_after_a_stop_of_everything_its_unfinished_runs_start_again(
    deployed: Deployed, prefect_server: RunningPrefect, store: str
) -> None:
    run_id = a_dead_run(deployed, "resolve", store, starts=1)
    name = deployed.get(f"/flow_runs/{run_id}")["name"]
    assert f"watched: run {name}" in run_module(prefect_server, "flows.automations")
    wanted = {"event": {"name": ["prefect.flow-run.heartbeat"]}, "resource": {"id": [f"prefect.flow-run.{run_id}"]}}
    until(lambda: deployed.post("/events/filter", {"filter": wanted})["events"] or None, "heartbeat")
    assert f"crashed: run {name}" in run_module(prefect_server, "flows.automations", "--nothing-runs")
    assert deployed.when(run_id, {"COMPLETED"})["run_count"] == 2


def test_the_engine_tries_again_only_what_may_succeed_later(prefect_server: RunningPrefect) -> None:
    ended = subprocess.run(
        [sys.executable, ROOT / "tests" / "flows" / "flaky.py"],
        cwd=ROOT,
        env=os.environ | prefect_server.environment() | {"PYTHONPATH": str(ROOT)},
        check=True,
        timeout=120,
        capture_output=True,
        text=True,
    )
    tries = {work: count for work, (count, _) in json.loads(ended.stdout.splitlines()[-1]).items()}
    assert tries == {"comes_right": 3, "stays_away": 4, "cannot": 1, "is_wrong": 1}
    assert "Traceback" not in ended.stderr
    assert "own words" not in ended.stdout + ended.stderr


@pytest.fixture
def history(store: str, tmp_path: Path, httpserver: HTTPServer) -> dict[str, str]:
    """The variables of a run with 120 candidates that nobody judged, whose payload a Langfuse of the test's has."""
    at = datetime.now(UTC) - timedelta(hours=1)
    found = [
        Candidate(trace_id=f"t{number:03}", category="c", timestamp=at - timedelta(minutes=number))
        for number in range(120)
    ]
    with open_store(store) as opened:
        opened.save_candidates(found, datetime.now(UTC))
    serve_traces(httpserver)
    return {
        "GOLDLOOP_STORE_URL": store,
        "GOLDLOOP_QUEUE": CODEBOOK.name,
        "GOLDLOOP_JUDGE__MEMBERS": "lexical",
        "LANGFUSE_HOST": httpserver.url_for("/").rstrip("/"),
        "LANGFUSE_PUBLIC_KEY": "pk-lf-public",
        "LANGFUSE_SECRET_KEY": "sk-lf-never-to-be-seen",
    }


@pytest.mark.parametrize("where", ["", ", task_runner='dask', workers=2"])
def test_each_page_is_a_task_run(prefect_server: RunningPrefect, history: dict[str, str], where: str) -> None:
    called = f"from flows.sync import prelabel; prelabel(history=True, limit=110{where})"
    ended = subprocess.run(
        [sys.executable, "-c", called],
        cwd=ROOT,
        env=os.environ | prefect_server.environment() | history,
        check=True,
        timeout=180,
        capture_output=True,
        text=True,
    )
    assert "sk-lf-never-to-be-seen" not in ended.stdout + ended.stderr
    with open_store(history["GOLDLOOP_STORE_URL"]) as opened:
        judged = opened.predictions(CODEBOOK.name, CODEBOOK.version, [f"t{number:03}" for number in range(120)])
    assert set(judged) == {f"t{number:03}" for number in range(110)}  # the newest
    user, _, password = prefect_server.auth_string.get_secret_value().partition(":")
    with httpx.Client(base_url=prefect_server.api_url, auth=(user, password), timeout=30) as client:
        deployed = Deployed(client)
        flow_run = deployed.post("/flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 1})[0]
        assert (flow_run["state"]["type"], flow_run["state"]["message"]) == ("COMPLETED", "prelabel: done")
        wanted = {"flow_runs": {"id": {"any_": [flow_run["id"]]}}}

        def completed() -> list[str] | None:
            runs = deployed.post("/task_runs/filter", wanted)
            ended = [run["name"] for run in runs if run["state_type"] == "COMPLETED"]
            return sorted(ended) if len(ended) == 4 else None

        pages = [f"prelabel page {number}" for number in (1, 2, 3)]
        assert until(completed, "four task runs") == ["prelabel", *pages]
