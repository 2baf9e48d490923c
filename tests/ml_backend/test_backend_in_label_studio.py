"""The backend, connected to a real Label Studio."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from builders import NOW, QUEUE, codebook, draw, trace
from conftest import LabelStudioServer
from goldloop.adapters.store import open_store
from goldloop.codebook.render import render
from goldloop.codebook.result import MODEL_VERSION
from goldloop.codebook.task import task_data
from goldloop.judge.lexical import LexicalJudge
from goldloop.pipeline.enqueue import prelabel_of
from goldloop.records import Document, DrawRun, Judgement, Prediction
from ml_backend_server import running

pytestmark = pytest.mark.servers

TASKS = 30


@pytest.fixture(scope="module")
def backend_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the backend has its store, its log and its pid."""
    return tmp_path_factory.mktemp("backend")


@pytest.fixture(scope="module")
def backend(backend_folder: Path) -> Iterator[httpx.Client]:
    with running(backend_folder) as client:
        yield client


@pytest.fixture(scope="module")
def api(label_studio: LabelStudioServer) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Token {label_studio.api_key.get_secret_value()}"}
    with httpx.Client(base_url=label_studio.url, headers=headers, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def stored(backend_folder: Path) -> None:
    """Trace 1 was judged by this judge in this version, as no live judge would."""
    run = DrawRun(
        run_id="run",
        queue=QUEUE,
        codebook_version="1.0.0",
        drawn_at=NOW,
        window_start=NOW - timedelta(days=1),
        window_end=NOW,
        frame_size=1,
        budget=1,
        seed=1,
        mix={"random": 1.0},
        settings_hash="",
        code_version="",
    )
    with open_store(f"sqlite:///{backend_folder / 'goldloop.db'}") as store:
        store.save_codebook(codebook(), NOW)
        store.save_draw(run, [draw("1")])
        store.save_predictions([prediction("1", "fail")])


def prediction(trace_id: str, verdict: str) -> Prediction:
    judgement = Judgement(
        judge=LexicalJudge.name,
        judge_version=LexicalJudge.version,
        answers={"verdict": verdict},
        probability=0.9,
        method="lexical",
    )
    return Prediction(queue=QUEUE, codebook_version="1.0.0", trace_id=trace_id, judged_at=NOW, judgement=judgement)


def task(number: int) -> dict[str, Any]:
    """0 has its prediction from the import, 1 one in the store, every third nothing to be judged by, 5 is foreign."""
    backed = (Document(title="Returns", text="Returns are accepted within 30 days."),) if number % 3 else ()
    of = trace(str(number), documents=backed)
    data = task_data(codebook(), of, draw(str(number)), [], None, "https://example.com").model_dump(mode="json")
    if number == 5:
        data["format"] = "another/1"
    return {"data": data, "predictions": [prelabel_of(codebook(), prediction("0", "fail"))] if number == 0 else []}


@pytest.fixture(scope="module")
def project(api: httpx.Client, backend: httpx.Client, stored: None) -> Iterator[int]:
    """A project with the backend connected, and tasks in it."""
    with_projects = made(api, render(codebook()), backend)
    yield with_projects
    api.delete(f"/api/projects/{with_projects}/")


def made(api: httpx.Client, label_config: str, backend: httpx.Client) -> int:
    body = {"title": "ML backend test", "label_config": label_config, "show_collab_predictions": True}
    created = api.post("/api/projects/", json=body)
    assert created.status_code == 201, created.text
    project = int(created.json()["id"])
    imported = api.post(f"/api/projects/{project}/import", json=[task(number) for number in range(TASKS)])
    assert imported.status_code == 201, imported.text
    connection = {
        "project": project,
        "url": str(backend.base_url).rstrip("/"),
        "title": "goldloop",
        "auth_method": "BASIC_AUTH",
        "basic_auth_user": "goldloop",
        "basic_auth_pass": "pass-1",
    }
    connected = api.post("/api/ml/", json=connection)
    assert connected.status_code == 201, connected.text
    return project


def tasks_of(api: httpx.Client, project: int) -> dict[str, dict[str, Any]]:
    """Tasks, with predictions, by trace id."""
    listed = api.get("/api/tasks/", params={"project": project, "fields": "all", "page_size": 200})
    tasks = {one["data"]["trace_id"]: one for one in listed.json()["tasks"]}
    assert len(tasks) == TASKS
    return tasks


def retrieve(api: httpx.Client, project: int) -> None:
    answer = api.post(
        "/api/dm/actions/",
        params={"id": "retrieve_tasks_predictions", "project": project},
        json={"selectedItems": {"all": True, "excluded": []}},
    )
    assert answer.status_code == 200, answer.text


def verdicts(one: dict[str, Any]) -> list[Any]:
    """Of each prediction of the task: its choice, or None for an empty one."""
    return [
        made["result"][0]["value"]["choices"][0] if made["result"] else None
        for made in one["predictions"]
        if made["model_version"] == MODEL_VERSION
    ]


def expected(number: int) -> str | None:
    if number < 2:
        return "fail"
    return "pass" if number % 3 and number != 5 else None


def test_label_studio_reaches_it_and_knows_its_version(api: httpx.Client, project: int) -> None:
    (connection,) = api.get("/api/ml/", params={"project": project}).json()
    assert (connection["state"], connection["model_version"]) == ("CO", MODEL_VERSION)
    versions = api.get(f"/api/ml/{connection['id']}/versions")
    assert versions.json() == {"versions": [MODEL_VERSION]}


def test_opening_a_task_brings_its_prediction_once(api: httpx.Client, project: int) -> None:
    number = tasks_of(api, project)["4"]["id"]
    for _ in range(2):
        assert verdicts(api.get(f"/api/tasks/{number}/", params={"project": project}).json()) == ["pass"]


def test_retrieving_twice_drops_none_and_duplicates_none(api: httpx.Client, project: int) -> None:
    for _ in range(2):
        retrieve(api, project)
        found = {trace_id: verdicts(one) for trace_id, one in tasks_of(api, project).items()}
        assert found == {str(number): [expected(number)] for number in range(TASKS)}
        assert all(len(one["predictions"]) == 1 for one in tasks_of(api, project).values())


def test_a_blind_project_gets_nothing_to_see(api: httpx.Client, backend: httpx.Client, stored: None) -> None:
    blind = made(api, render(codebook(), blind=True), backend)
    try:
        retrieve(api, blind)
        predictions = {trace_id: verdicts(one) for trace_id, one in tasks_of(api, blind).items() if trace_id != "0"}
        assert set(map(tuple, predictions.values())) == {(None,)}
    finally:
        api.delete(f"/api/projects/{blind}/")


def test_the_access_token_is_not_kept(label_studio: LabelStudioServer, project: int, backend_folder: Path) -> None:
    """Label Studio has sent it in each setup by now."""
    token = label_studio.api_key.get_secret_value().encode()
    assert not [path for path in backend_folder.iterdir() if token in path.read_bytes()]
