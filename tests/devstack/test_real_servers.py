"""The real servers come up, are ours, are found by the stack's variables, and end with it."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from devstack.process_trees import is_gone
from goldloop.devstack.flows import call
from goldloop.devstack.local_ports import is_free
from goldloop.devstack.places import CHECKOUT, Places
from goldloop.devstack.processes import StartError
from goldloop.devstack.stack import ExternalLabelStudio, ExternalServers, Part, Stack
from goldloop.errors import ConfigError

pytestmark = [pytest.mark.servers, pytest.mark.enable_socket]

FLOW = """
import os, time
from pathlib import Path
from prefect import flow

@flow
def linger(folder: str) -> None:
    (Path(folder) / "draft").write_text(f"{os.getpid()} {os.environ['LANGFUSE_HOST']}")
    (Path(folder) / "draft").rename(Path(folder) / "flow.pid")
    time.sleep(600)
"""
DEPLOYMENT = """
name: checkout
deployments:
  - name: test
    entrypoint: lingering.py:linger
    work_pool: {name: goldloop}
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with a flow of its own, and with this one's environments."""
    folder = tmp_path_factory.mktemp("checkout")
    for shared in ("environments", "ml_backend", "label_configs"):
        (folder / shared).symlink_to(CHECKOUT / shared)
    (folder / ".goldloop").symlink_to(CHECKOUT / ".goldloop")
    (folder / "lingering.py").write_text(FLOW, encoding="utf-8")
    (folder / "prefect.yaml").write_text(DEPLOYMENT, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Iterator[Stack]:
    with Stack(Places(tmp_path_factory.mktemp("state"), checkout)) as stack:
        stack.start()
        yield stack


@pytest.fixture
def project(stack: Stack) -> Iterator[tuple[httpx.Client, int]]:
    """A Label Studio project, with a client of its owner."""
    variables = stack.environment()
    headers = {"Authorization": f"Token {variables['LABEL_STUDIO_API_KEY']}"}
    with httpx.Client(base_url=variables["LABEL_STUDIO_URL"], headers=headers, trust_env=False, timeout=30.0) as client:
        number = client.post("/api/projects/", json={"title": "for one test"}).json()["id"]
        yield client, number
        client.delete(f"/api/projects/{number}/")


def test_label_studio_takes_the_token_and_nothing_else(stack: Stack) -> None:
    variables = stack.environment()
    with httpx.Client(base_url=variables["LABEL_STUDIO_URL"], trust_env=False, timeout=30.0) as client:
        assert client.get("/api/projects/").status_code == 401
        client.headers["Authorization"] = f"Token {variables['LABEL_STUDIO_API_KEY']}"
        assert client.get("/api/projects/").json()["count"] == 0
        assert client.get("/api/current-user/whoami").json()["email"] == stack.credentials.label_studio_username
        assert client.get("/api/version").json()["release"] == "1.23.2"


def test_label_studio_takes_the_password(stack: Stack) -> None:
    assert stack.label_studio is not None
    with httpx.Client(base_url=stack.label_studio.url, trust_env=False, timeout=30.0) as client:
        client.get("/user/login/")
        form = {
            "email": stack.label_studio.username,
            "password": stack.label_studio.password.get_secret_value(),
            "csrfmiddlewaretoken": client.cookies["csrftoken"],
        }
        assert client.post("/user/login/", data=form).status_code == 302


def test_label_studio_refuses_signups_without_a_link(stack: Stack) -> None:
    assert stack.label_studio is not None
    with httpx.Client(base_url=stack.label_studio.url, trust_env=False, timeout=30.0) as client:
        client.get("/user/signup/")
        form = {
            "email": "stranger@example.org",
            "password": "a-long-password",
            "csrfmiddlewaretoken": client.cookies.get("csrftoken", ""),
        }
        assert client.post("/user/signup/", data=form).status_code == 403


@pytest.mark.parametrize(
    ("url", "status", "reason"),
    [
        ("http://127.0.0.1:9", 400, "Can't connect"),  # nothing listens there: it was allowed to try
        ("http://169.254.169.254/latest", 403, "reserved network address"),
    ],
)
def test_label_studio_reaches_local_backends_and_no_cloud_metadata(
    project: tuple[httpx.Client, int], url: str, status: int, reason: str
) -> None:
    client, number = project
    answer = client.post("/api/ml/", json={"project": number, "url": url})
    assert answer.status_code == status
    assert reason in answer.text


def test_label_studio_and_the_ml_backend_meet(stack: Stack, project: tuple[httpx.Client, int]) -> None:
    client, number = project
    assert stack.ml_backend is not None
    account = {
        "auth_method": "BASIC_AUTH",
        "basic_auth_user": stack.ml_backend.username,
        "basic_auth_pass": stack.ml_backend.password.get_secret_value(),
    }
    body = {"project": number, "url": stack.environment()["GOLDLOOP_ML_BACKEND__URL"], "title": "judge"}
    assert client.post("/api/ml/", json=body).status_code == 400  # no password
    assert client.post("/api/ml/", json=body | account).status_code == 201


def test_prefect_wants_its_password(stack: Stack) -> None:
    assert stack.prefect is not None
    assert httpx.get(f"{stack.prefect.api_url}/admin/version", trust_env=False).status_code == 401
    with stack.prefect.client() as client:
        assert client.get("/work_pools/goldloop").json()["type"] == "process"
        settings = client.get("/admin/settings").json()
    assert settings["server"]["analytics_enabled"] is False
    assert settings["server"]["concurrency"]["lease_storage"].endswith("filesystem")
    ui = httpx.get(f"{stack.prefect.url}/ui-settings", trust_env=False).json()
    assert ui["api_url"] == stack.prefect.api_url


def test_the_stand_in_takes_its_keys(stack: Stack) -> None:
    variables = stack.environment()
    keys = (variables["LANGFUSE_PUBLIC_KEY"], variables["LANGFUSE_SECRET_KEY"])
    url = f"{variables['LANGFUSE_HOST']}/api/public/projects"
    assert httpx.get(url, auth=keys, trust_env=False).status_code == 200
    assert httpx.get(url, auth=(keys[0], "wrong"), trust_env=False).status_code == 401


def test_no_secret_is_in_a_log(stack: Stack) -> None:
    secrets = [
        value
        for name, value in json.loads((stack.places.state / "credentials.json").read_text(encoding="utf-8")).items()
        if not name.endswith(("username", "public_key"))
    ]
    secrets += [base64.b64encode(secret.encode()).decode() for secret in secrets]
    for log in stack.places.logs.iterdir():
        text = log.read_text(encoding="utf-8", errors="replace")
        assert not [secret for secret in secrets if secret in text], log


def test_a_flow_run_ends_with_its_worker(stack: Stack, tmp_path: Path) -> None:
    worker = stack.start_worker()
    stack.deploy(schedules=False)
    assert stack.prefect is not None
    with stack.prefect.client() as client:
        deployment = call(client, "GET", "/deployments/name/linger/test")["id"]
        wanted = {"state": {"type": "SCHEDULED"}, "parameters": {"folder": str(tmp_path)}}
        call(client, "POST", f"/deployments/{deployment}/create_flow_run", wanted)
    deadline = time.monotonic() + 240
    while not (tmp_path / "flow.pid").exists():
        assert time.monotonic() < deadline, worker.log.read_text(encoding="utf-8")
        time.sleep(0.2)
    pid, langfuse = (tmp_path / "flow.pid").read_text(encoding="utf-8").split()
    assert langfuse == stack.environment()["LANGFUSE_HOST"]
    assert not is_gone(int(pid))
    worker.stop()
    assert is_gone(int(pid))


def test_what_is_external_is_not_started(tmp_path: Path) -> None:
    outside = ExternalServers(label_studio=ExternalLabelStudio("http://label-studio.example", SecretStr("token")))
    with Stack(Places(tmp_path), external=outside) as stack:
        stack.start({Part.LABEL_STUDIO})
        assert stack.label_studio is None
        assert stack.environment()["LABEL_STUDIO_URL"] == "http://label-studio.example"


def test_a_failing_part_ends_the_others(tmp_path: Path) -> None:
    empty_checkout = tmp_path / "checkout"
    with Stack(Places(tmp_path / "state", empty_checkout)) as stack:
        with pytest.raises(ConfigError, match=r"label-studio/pyproject\.toml is missing"):
            stack.start({Part.LABEL_STUDIO, Part.LANGFUSE})
        assert all(is_free(port) for port in json.loads((stack.places.state / "ports.json").read_text()).values())
        with pytest.raises(StartError, match="being stopped"):
            stack.start({Part.LANGFUSE})
