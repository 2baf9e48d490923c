"""A real Label Studio's webhooks, and the runs that they start on a real Prefect server."""

import json
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send
from typer.testing import CliRunner

from builders import QUEUE, ROOT, codebook
from conftest import LabelStudioServer, PrefectServer
from flows.wakes import EARLY, TAG
from flows.webhook import receiver
from goldloop.adapters.labelstudio import connect
from goldloop.adapters.labelstudio.webhooks import CHANGED
from goldloop.adapters.store import open_store
from goldloop.bootstrap.webhooks import connect_new
from goldloop.cli.app import app
from goldloop.devstack.local_ports import LOOPBACK, LocalPorts
from goldloop.records import Project
from goldloop.settings import WebhookSettings
from webhook_receiver import SECRET, Counting, Running, running, serving

pytestmark = pytest.mark.servers

CONFIG = '<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="a"/></Choices></View>'
ANSWER = {"result": [{"from_name": "c", "to_name": "t", "type": "choices", "value": {"choices": ["a"]}}]}
PATIENCE_S = 120
INTERVAL_S = 3
FoundT = TypeVar("FoundT")


def until(found: Callable[[], FoundT | None], what: str) -> FoundT:
    deadline = time.monotonic() + PATIENCE_S
    while not (value := found()):
        assert time.monotonic() < deadline, f"no {what} within {PATIENCE_S} s"
        time.sleep(0.2)
    return value


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> LocalPorts:
    return LocalPorts(tmp_path_factory.mktemp("ports") / "ports.json", random.Random())  # noqa: S311 - no secret


@pytest.fixture(scope="module")
def api(label_studio: LabelStudioServer) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Token {label_studio.api_key.get_secret_value()}"}
    with httpx.Client(base_url=label_studio.url, headers=headers, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture
def project(api: httpx.Client) -> Iterator[int]:
    made = api.post("/api/projects/", json={"title": "Webhooks", "label_config": CONFIG}).raise_for_status()
    number = int(made.json()["id"])
    yield number
    api.delete(f"/api/projects/{number}/")


@pytest.fixture
def tasks(api: httpx.Client, project: int) -> list[int]:
    """Their ids."""
    api.post(f"/api/projects/{project}/import", json=[{"t": str(number)} for number in range(30)]).raise_for_status()
    listed = api.get("/api/tasks/", params={"project": project, "page_size": 100}).json()["tasks"]
    return [int(task["id"]) for task in listed]


@pytest.fixture
def store(tmp_path: Path, label_studio: LabelStudioServer, project: int) -> str:
    """The URL of one that knows the project."""
    url = f"sqlite:///{tmp_path / 'goldloop.db'}"
    with open_store(url) as opened:
        opened.save_codebook(codebook(), datetime.now(UTC))
        opened.save_project(known(label_studio, project, "1.0.0"))
    return url


def known(label_studio: LabelStudioServer, project: int, version: str) -> Project:
    url = f"{label_studio.url}/projects/{project}/data"
    return Project(queue=QUEUE, codebook_version=version, project_id=project, url=url)


@pytest.fixture
def command(
    label_studio: LabelStudioServer, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """`goldloop webhook ...`, with the receiver's address first."""
    variables = {
        "GOLDLOOP_STORE_URL": store,
        "GOLDLOOP_CODEBOOKS": str(ROOT / "label_configs"),
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.api_key.get_secret_value(),
        "GOLDLOOP_WEBHOOK__SECRET": SECRET,
        "COLUMNS": "200",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def call(url: str, *words: str) -> Any:
        monkeypatch.setenv("GOLDLOOP_WEBHOOK__URL", url)
        return CliRunner().invoke(app, ["webhook", *words, "--queue", QUEUE])

    return call


def webhooks(api: httpx.Client, project: int) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = api.get("/api/webhooks/", params={"project": project}).json()
    return listed


def test_a_project_has_one_webhook_and_disconnected_none(
    api: httpx.Client, project: int, command: Callable[..., Any]
) -> None:
    body = {"project": project, "url": "http://127.0.0.1:9/theirs", "actions": [], "send_for_all_actions": False}
    foreign = api.post("/api/webhooks/", json=body).raise_for_status()
    for url in ("http://127.0.0.1:9/", "http://127.0.0.1:9", "http://127.0.0.1:10"):
        shown = command(url, "connect")
        assert shown.exit_code == 0, shown.output
        assert SECRET not in shown.output
        (other, webhook) = sorted(webhooks(api, project), key=lambda one: int(one["id"]))
        assert other["id"] == foreign.json()["id"]
        assert webhook["url"] == f"{url.rstrip('/')}/label-studio"
        assert webhook["headers"] == {"X-Goldloop-Queue": QUEUE, "X-Goldloop-Secret": SECRET}
        assert (webhook["send_payload"], webhook["send_for_all_actions"], webhook["is_active"]) == (False, False, True)
        assert set(webhook["actions"]) == {*CHANGED}
    for _ in range(2):
        told = json.loads(command("http://127.0.0.1:9", "disconnect", "--json").output)
        assert [one["told"] for one in told["projects"]] == [False]
        assert [one["id"] for one in webhooks(api, project)] == [foreign.json()["id"]]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://nowhere.invalid", "does not know the host"),
        ("http://169.254.169.254", "protection blocks this address"),
    ],
)
def test_an_address_that_label_studio_does_not_call_is_told(command: Callable[..., Any], url: str, why: str) -> None:
    shown = command(url, "connect")
    assert shown.exit_code == 1
    assert why in shown.output


def test_a_project_that_is_gone_is_named(api: httpx.Client, project: int, command: Callable[..., Any]) -> None:
    api.delete(f"/api/projects/{project}/").raise_for_status()
    for verb in ("connect", "disconnect"):
        shown = command("http://127.0.0.1:9", verb)
        assert shown.exit_code == 1
        assert f"Project {project}: the project is not there any more" in shown.output


@pytest.mark.parametrize("connected", [True, False])
def test_a_new_version_s_project_is_told_of_where_the_queue_is(
    label_studio: LabelStudioServer,
    api: httpx.Client,
    project: int,
    store: str,
    command: Callable[..., Any],
    connected: bool,
) -> None:
    if connected:
        assert command("http://127.0.0.1:9", "connect").exit_code == 0
    new = api.post("/api/projects/", json={"title": "Webhooks 2", "label_config": CONFIG}).raise_for_status()
    number = int(new.json()["id"])
    settings = WebhookSettings(url="http://127.0.0.1:9", secret=SecretStr(SECRET))
    queue = connect(label_studio.url, label_studio.api_key)
    try:
        with open_store(store) as opened:
            version = codebook().model_copy(update={"version": "2.0.0"})
            opened.save_codebook(version, datetime.now(UTC))
            opened.save_project(known(label_studio, number, "2.0.0"))
            for _ in range(2):
                connect_new(settings, lambda: queue, opened, version)
                assert len(webhooks(api, number)) == int(connected)
                connect_new(WebhookSettings(), lambda: pytest.fail("nothing is to be asked"), opened, version)
    finally:
        queue.close()
        api.delete(f"/api/projects/{number}/")


class Timed(Starlette):
    """How long the app took for each request, in seconds."""

    def __init__(self, inner: Starlette) -> None:
        super().__init__()
        self._inner = inner
        self.took: list[float] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        await self._inner(scope, receive, send)
        if scope["type"] == "http":
            self.took.append(time.perf_counter() - begun)


def test_what_annotators_do_is_heard_and_answered_at_once(
    api: httpx.Client, project: int, tasks: list[int], ports: LocalPorts, command: Callable[..., Any]
) -> None:
    port, counting = ports.take("counting"), Counting()
    timed = Timed(receiver(SecretStr(SECRET), [(QUEUE, counting)]))

    def act(method: str, path: str, **sent: Any) -> httpx.Response:
        before = counting.hints
        answer = api.request(method, path, **sent).raise_for_status()
        assert counting.hints == before + 1, f"{method} {path}"  # it is sent before Label Studio answers
        return answer

    with serving(timed, port):
        assert command(f"http://{LOOPBACK}:{port}", "connect").exit_code == 0
        for task in tasks[:20]:
            act("POST", f"/api/tasks/{task}/annotations/", json=ANSWER)
        edited = act("POST", f"/api/tasks/{tasks[20]}/annotations/", json=ANSWER).json()["id"]
        act("PATCH", f"/api/annotations/{edited}/", json=ANSWER | {"was_cancelled": True})
        act("DELETE", f"/api/annotations/{edited}/")
        chosen = {"selectedItems": {"all": False, "included": [tasks[21], tasks[22]]}}
        act("POST", f"/api/dm/actions/?id=delete_tasks&project={project}", json=chosen)
        api.delete(f"/api/projects/{project}/")
    assert len(timed.took) == 24
    ordered = sorted(timed.took)
    print(f"answered in ms: median {ordered[12] * 1e3:.2f}, longest {ordered[-1] * 1e3:.2f}")  # noqa: T201 - a figure
    assert ordered[12] < 0.05


@pytest.fixture(scope="module")
def receiving(
    tmp_path_factory: pytest.TempPathFactory, ports: LocalPorts, prefect_server: PrefectServer
) -> Iterator[Running]:
    variables = {"GOLDLOOP_WEBHOOK__QUIET_SECONDS": "1", "GOLDLOOP_WEBHOOK__INTERVAL_SECONDS": str(INTERVAL_S)}
    folder = tmp_path_factory.mktemp("webhook")
    with running(folder, ports, prefect_server.environment() | variables) as one:
        yield one


class Woken:
    """The runs of `run/run` that a hint started."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def runs(self) -> list[dict[str, Any]]:
        """From the first to the last."""
        wanted = {"flow_runs": {"tags": {"all_": [TAG]}}, "sort": "EXPECTED_START_TIME_ASC"}
        found: list[dict[str, Any]] = self.client.post("/flow_runs/filter", json=wanted).raise_for_status().json()
        return found

    def ended(self, run: str) -> dict[str, Any] | None:
        read = self.client.get(f"/flow_runs/{run}").raise_for_status().json()
        return read if read["state"]["type"] in ("COMPLETED", "FAILED", "CANCELLED", "CRASHED") else None


@pytest.fixture
def woken(prefect_server: PrefectServer) -> Iterator[Woken]:
    user, _, password = prefect_server.auth_string.get_secret_value().partition(":")
    with httpx.Client(base_url=prefect_server.api_url, auth=(user, password), timeout=30) as client:
        yield Woken(client)


def test_submits_in_a_row_start_one_run_early(
    api: httpx.Client, tasks: list[int], command: Callable[..., Any], receiving: Running, woken: Woken
) -> None:
    """No schedule is on here: without the webhooks there would be no run."""
    before = len(woken.runs())
    assert command(receiving.url, "connect").exit_code == 0
    begun = time.monotonic()
    for task in tasks[:3]:
        api.post(f"/api/tasks/{task}/annotations/", json=ANSWER).raise_for_status()
    run = until(lambda: woken.runs()[before:], "run")[0]
    asked_after = time.monotonic() - begun
    assert run["parameters"] == {"verbs": [*EARLY]}
    assert {TAG, "goldloop"} <= set(run["tags"])
    ended = until(lambda: woken.ended(run["id"]), "end")
    print(f"asked for after {asked_after:.1f} s, ended after {time.monotonic() - begun:.1f} s")  # noqa: T201 - figures
    assert ended["state"]["type"] == "COMPLETED", ended["state"]["message"]
    assert "gather, resolve, publish: done" in ended["state"]["message"]
    until(lambda: len(woken.runs()) - before <= 2, "rest")  # a submit that came after the quiet time leads to another
    assert SECRET not in receiving.told()


def test_while_another_run_has_the_deployment_it_waits_and_loses_nothing(
    receiving: Running, woken: Woken, tmp_path: Path
) -> None:
    settled(woken)
    before = len(woken.runs())
    url = f"sqlite:///{tmp_path / 'busy.db'}"
    open_store(url).close()
    deployment = woken.client.get("/deployments/name/run/run").json()["id"]
    body = {
        "state": {"type": "SCHEDULED"},
        "parameters": {"verbs": ["report"]},
        "job_variables": {"env": {"GOLDLOOP_STORE_URL": url}},
    }
    writer = sqlite3.connect(tmp_path / "busy.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    try:
        other = woken.client.post(f"/deployments/{deployment}/create_flow_run", json=body).raise_for_status().json()
        path = f"/flow_runs/{other['id']}"
        until(lambda: woken.client.get(path).json()["state"]["type"] == "RUNNING" or None, "start")
        assert receiving.hint(woken.client) == 204
        until(lambda: "is under way: another is asked for" in receiving.told(), "wait")
        time.sleep(2 * INTERVAL_S)
        assert len(woken.runs()) == before
    finally:
        writer.rollback()
        writer.close()
    run = until(lambda: woken.runs()[before:], "run")[0]
    assert until(lambda: woken.ended(other["id"]), "end of the other")["end_time"] <= run["created"]
    assert until(lambda: woken.ended(run["id"]), "end")["state"]["type"] == "COMPLETED"


def settled(woken: Woken) -> None:
    """Return when no run that was woken is under way, and none is about to be."""
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < INTERVAL_S + 3:
        if any(woken.ended(run["id"]) is None for run in woken.runs()):
            quiet_since = time.monotonic()
        time.sleep(0.5)
