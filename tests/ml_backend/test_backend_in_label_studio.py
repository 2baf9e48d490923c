"""The backend, connected to a real Label Studio."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from builders import NOW, QUEUE, ROOT, codebook, draw, trace
from conftest import LabelStudioServer
from goldloop.adapters.labelstudio import connect
from goldloop.adapters.labelstudio.webhooks import ANNOTATED
from goldloop.adapters.store import open_store
from goldloop.bootstrap.backends import MlBackend
from goldloop.cli.app import app
from goldloop.codebook.render import render
from goldloop.codebook.result import MODEL_VERSION
from goldloop.codebook.task import task_data
from goldloop.errors import ConfigError
from goldloop.judge.lexical import LexicalJudge
from goldloop.pipeline.drafts import prelabel_of
from goldloop.records import Document, DrawRun, Judgement, Prediction, Project
from ml_backend_server import BAD_JUDGE, LOGIN, SECRET, running

pytestmark = pytest.mark.servers

TASKS = 500
BLOCKED_SECONDS = 2.0


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
    with httpx.Client(base_url=label_studio.url, headers=headers, timeout=240, trust_env=False) as client:
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
        judge_version="1",
        answers={"verdict": verdict},
        probability=0.9,
        method="lexical",
    )
    return Prediction(queue=QUEUE, codebook_version="1.0.0", trace_id=trace_id, judged_at=NOW, judgement=judgement)


def task(number: int, trace_id: str | None = None) -> dict[str, Any]:
    """0 has its prediction from the import, 1 one in the store, every third nothing to be judged by, 5 is foreign."""
    backed = (Document(title="Returns", text="Returns are accepted within 30 days."),) if number % 3 else ()
    name = trace_id or str(number)
    data = task_data(codebook(), trace(name, documents=backed), draw(name), [], None, "https://example.com").model_dump(
        mode="json"
    )
    if number == 5:
        data["format"] = "another/1"
    return {"data": data, "predictions": [prelabel_of(codebook(), prediction("0", "fail"))] if number == 0 else []}


@pytest.fixture(scope="module")
def project(label_studio: LabelStudioServer, api: httpx.Client, backend: httpx.Client, stored: None) -> Iterator[int]:
    """A project with the backend connected, and tasks in it."""
    project = made(api, render(codebook()), [task(number) for number in range(TASKS)])
    assert connected(label_studio, backend, project).served
    yield project
    api.delete(f"/api/projects/{project}/")


def made(api: httpx.Client, label_config: str, tasks: list[dict[str, Any]]) -> int:
    body = {"title": "ML backend test", "label_config": label_config, "show_collab_predictions": True}
    created = api.post("/api/projects/", json=body)
    assert created.status_code == 201, created.text
    project = int(created.json()["id"])
    imported = api.post(f"/api/projects/{project}/import", json=tasks)
    assert imported.status_code == 201, imported.text
    return project


def connected(label_studio: LabelStudioServer, backend: httpx.Client, project: int, purpose: Any = "review") -> Any:
    """As `goldloop backend connect` does it."""
    known = Project(queue=QUEUE, codebook_version="1.0.0", purpose=purpose, project_id=project, url="")
    ours = MlBackend(str(backend.base_url).rstrip("/"), LOGIN[0], SecretStr(LOGIN[1]), SecretStr(SECRET))
    queue = connect(label_studio.url, label_studio.api_key)
    try:
        (one,) = ours.connect(queue, [known])
    finally:
        queue.close()
    return one


def tasks_of(api: httpx.Client, project: int) -> dict[str, dict[str, Any]]:
    """Tasks, with predictions, by trace id."""
    wanted: dict[str, str | int] = {"project": project, "fields": "all", "page_size": 1000}
    wanted["include"] = "id,data,predictions"
    listed = api.get("/api/tasks/", params=wanted).json()["tasks"]
    return {one["data"]["trace_id"]: one for one in listed}


@pytest.fixture(scope="module")
def numbers(api: httpx.Client, project: int) -> dict[str, int]:
    """The tasks' ids by trace id."""
    return {name: one["id"] for name, one in tasks_of(api, project).items()}


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


def test_opening_a_task_brings_its_prediction_once(api: httpx.Client, project: int, numbers: dict[str, int]) -> None:
    number = numbers["4"]
    for _ in range(2):
        assert verdicts(api.get(f"/api/tasks/{number}/", params={"project": project}).json()) == ["pass"]


def test_retrieving_twice_drops_none_and_duplicates_none(api: httpx.Client, project: int) -> None:
    for _ in range(2):
        retrieve(api, project)
        tasks = tasks_of(api, project)
        found = {trace_id: verdicts(one) for trace_id, one in tasks.items()}
        assert found == {str(number): [expected(number)] for number in range(TASKS)}
        assert len(found) == TASKS
        assert all(len(one["predictions"]) == 1 for one in tasks.values())


def test_a_blind_project_is_heard_of_and_never_served(
    label_studio: LabelStudioServer, api: httpx.Client, backend: httpx.Client, stored: None
) -> None:
    blind = made(api, render(codebook(), blind=True), [task(number) for number in range(1, 5)])
    try:
        one = connected(label_studio, backend, blind, "blind")
        assert (one.served, one.heard) == (False, True)
        assert api.get("/api/ml/", params={"project": blind}).json() == []
        # Connected by hand all the same:
        body = {"project": blind, "url": str(backend.base_url).rstrip("/"), "auth_method": "BASIC_AUTH"}
        login = {"basic_auth_user": LOGIN[0], "basic_auth_pass": LOGIN[1]}
        assert api.post("/api/ml/", json=body | login).status_code == 201
        retrieve(api, blind)
        assert {tuple(verdicts(one)) for one in tasks_of(api, blind).values()} == {(None,)}
    finally:
        api.delete(f"/api/projects/{blind}/")


def webhooks(api: httpx.Client, project: int) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = api.get("/api/webhooks/", params={"project": project}).json()
    return listed


def test_connected_anew_it_is_one_backend_and_one_webhook_that_tells_of_annotations(
    label_studio: LabelStudioServer, api: httpx.Client, backend: httpx.Client, project: int
) -> None:
    assert connected(label_studio, backend, project).heard
    assert len(api.get("/api/ml/", params={"project": project}).json()) == 1
    (webhook,) = webhooks(api, project)
    assert webhook["url"] == f"{str(backend.base_url).rstrip('/')}/webhook"
    assert (webhook["send_payload"], webhook["send_for_all_actions"], webhook["is_active"]) == (False, False, True)
    assert set(webhook["actions"]) == {*ANNOTATED}
    assert webhook["headers"] == {"X-Goldloop-Project": str(project), "X-Goldloop-Secret": SECRET}


def test_connected_at_another_address_it_has_left_the_first(
    label_studio: LabelStudioServer, api: httpx.Client, backend: httpx.Client, bad: httpx.Client
) -> None:
    project = made(api, render(codebook()), [task(1)])
    try:
        for one in (backend, bad, backend):
            assert connected(label_studio, one, project).heard
            url = str(one.base_url).rstrip("/")
            assert [known["url"] for known in api.get("/api/ml/", params={"project": project}).json()] == [url]
            assert [known["url"] for known in webhooks(api, project)] == [f"{url}/webhook"]
    finally:
        api.delete(f"/api/projects/{project}/")


def test_parameters_that_are_wrong_are_refused_where_they_are_saved(
    api: httpx.Client, backend: httpx.Client, project: int
) -> None:
    (known,) = api.get("/api/ml/", params={"project": project}).json()
    body = {"url": known["url"], "project": project, "extra_params": {"liv": False}}
    login = {"auth_method": "BASIC_AUTH", "basic_auth_user": LOGIN[0], "basic_auth_pass": LOGIN[1]}
    refused = api.patch(f"/api/ml/{known['id']}", json=body | login)
    assert refused.status_code == 400
    assert "wrong or unknown: liv" in refused.text
    taken = api.patch(f"/api/ml/{known['id']}", json=body | login | {"extra_params": {"deadline_seconds": 1}})
    assert taken.status_code == 200, taken.text


def submit(api: httpx.Client, number: int) -> float:
    """An annotator's answer to a task; how long they wait for it to be taken."""
    part = {"from_name": "verdict", "to_name": "output", "type": "choices", "value": {"choices": ["pass"]}}
    begun = time.monotonic()
    answer = api.post(f"/api/tasks/{number}/annotations/", json={"result": [part], "lead_time": 3})
    assert answer.status_code == 201, answer.text
    return time.monotonic() - begun


def test_an_annotation_is_heard_of(api: httpx.Client, backend: httpx.Client, numbers: dict[str, int]) -> None:
    before = backend.get("/health").json()["webhooks"].get("ANNOTATION_CREATED", 0)
    submit(api, numbers["7"])
    assert backend.get("/health").json()["webhooks"]["ANNOTATION_CREATED"] == before + 1


def test_train_starts_a_fit(api: httpx.Client, backend: httpx.Client, project: int) -> None:
    (known,) = api.get("/api/ml/", params={"project": project}).json()
    before = backend.get("/health").json()["webhooks"].get("START_TRAINING", 0)
    assert api.post(f"/api/ml/{known['id']}/train").status_code == 200
    assert backend.get("/health").json()["webhooks"]["START_TRAINING"] == before + 1


KINDS = ["dies", "quits", "nothing", "none", "many", "label", "nan", "hangs"]


@pytest.fixture(scope="module")
def bad_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bad backend")


@pytest.fixture(scope="module")
def bad(bad_folder: Path) -> Iterator[httpx.Client]:
    with open_store(f"sqlite:///{bad_folder / 'goldloop.db'}") as store:
        store.save_codebook(codebook(), NOW)
    with running(bad_folder, BAD_JUDGE) as client:
        yield client


@pytest.fixture(scope="module")
def badly_served(
    label_studio: LabelStudioServer, api: httpx.Client, bad: httpx.Client, bad_folder: Path
) -> Iterator[int]:
    names = [f"{kind}-{place}" for kind in [*KINDS, "fine"] for place in range(2)]
    project = made(api, render(codebook()), [task(1, name) for name in names])
    assert connected(label_studio, bad, project).served
    with open_store(f"sqlite:///{bad_folder / 'goldloop.db'}") as store:
        store.save_project(Project(queue=QUEUE, codebook_version="1.0.0", project_id=project, url=""))
    yield project
    api.delete(f"/api/projects/{project}/")


def test_whatever_the_judge_does_the_task_opens(api: httpx.Client, badly_served: int) -> None:
    tasks = tasks_of(api, badly_served)
    opened: dict[str, tuple[list[Any], float]] = {}
    for kind in [*KINDS, "fine"]:
        begun = time.monotonic()
        answer = api.get(f"/api/tasks/{tasks[f'{kind}-0']['id']}/", params={"project": badly_served})
        opened[kind] = verdicts(answer.json()), time.monotonic() - begun
    assert {kind: said for kind, (said, _) in opened.items()} == {kind: [None] for kind in KINDS} | {"fine": ["pass"]}
    usual = opened["fine"][1]
    assert [kind for kind, (_, took) in opened.items() if took > usual + BLOCKED_SECONDS] == []


def test_a_judge_that_dies_in_the_middle_costs_nobody_else_a_prediction(api: httpx.Client, badly_served: int) -> None:
    for _ in range(2):
        retrieve(api, badly_served)
        found = {name: verdicts(one) for name, one in tasks_of(api, badly_served).items()}
        assert found == {name: ["pass" if name.startswith("fine") else None] for name in found}


@pytest.mark.parametrize("fit", ["crashes", "hangs"])
def test_submit_works_whatever_a_fit_does(
    api: httpx.Client, bad: httpx.Client, bad_folder: Path, badly_served: int, fit: str
) -> None:
    number = tasks_of(api, badly_served)["fine-1"]["id"]
    (bad_folder / "fit").write_text(fit, encoding="utf-8")
    assert submit(api, number) < BLOCKED_SECONDS
    wanted = {"crashes": "failed", "hangs": "running"}[fit]
    give_up = time.monotonic() + 10
    while (last := bad.get("/health").json()["fit"]["last"]) is None or last["state"] != wanted:
        assert time.monotonic() < give_up, last
        time.sleep(0.1)
    assert submit(api, number) < BLOCKED_SECONDS
    answer = api.get(f"/api/tasks/{number}/", params={"project": badly_served})
    assert verdicts(answer.json()) == ["pass"]


@pytest.fixture
def command(
    label_studio: LabelStudioServer, backend: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """`goldloop backend ...` with a store of its own, in `tmp_path`."""
    variables = {
        "GOLDLOOP_STORE_URL": f"sqlite:///{tmp_path / 'goldloop.db'}",
        "GOLDLOOP_CODEBOOKS": str(ROOT / "label_configs"),
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.api_key.get_secret_value(),
        "GOLDLOOP_ML_BACKEND__URL": str(backend.base_url).rstrip("/"),
        "GOLDLOOP_ML_BACKEND__USERNAME": LOGIN[0],
        "GOLDLOOP_ML_BACKEND__PASSWORD": LOGIN[1],
        "GOLDLOOP_ML_BACKEND__WEBHOOK_SECRET": SECRET,
        "COLUMNS": "200",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app, ["backend", "connect", "--queue", QUEUE, *words])


def test_the_command_connects_what_the_queue_has(
    label_studio: LabelStudioServer, api: httpx.Client, tmp_path: Path, command: Callable[..., Any]
) -> None:
    assert "Next: goldloop run" in command().output
    ids = {purpose: made(api, render(codebook()), [task(1)]) for purpose in ("review", "blind", "relabel")}
    with open_store(f"sqlite:///{tmp_path / 'goldloop.db'}") as store:
        store.save_codebook(codebook(), NOW)
        for purpose, number in ids.items():
            url = f"{label_studio.url}/projects/{number}/data"
            known = {"queue": QUEUE, "codebook_version": "1.0.0", "purpose": purpose, "project_id": number, "url": url}
            store.save_project(Project.model_validate(known))
    try:
        shown = command()
        assert shown.exit_code == 0, shown.output
        assert "Next: open a task" in shown.output
        assert SECRET not in shown.output
        told = json.loads(command("--json").output)["projects"]
        assert {one["purpose"]: (one["served"], one["heard"]) for one in told} == {
            "review": (True, True),
            "blind": (False, True),
        }
        assert [len(webhooks(api, number)) for number in ids.values()] == [1, 1, 0]
        assert [len(api.get("/api/ml/", params={"project": number}).json()) for number in ids.values()] == [1, 0, 0]
    finally:
        for number in ids.values():
            api.delete(f"/api/projects/{number}/")
    gone = command()
    assert gone.exit_code == 1
    assert "not there any more" in gone.output


def test_the_command_says_what_is_not_set(command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOLDLOOP_ML_BACKEND__URL")
    assert isinstance(said := command().exception, ConfigError)
    assert "GOLDLOOP_ML_BACKEND__URL is not set" in str(said)


def test_the_access_token_is_not_kept(label_studio: LabelStudioServer, project: int, backend_folder: Path) -> None:
    """Label Studio has sent it in each setup by now."""
    token = label_studio.api_key.get_secret_value().encode()
    assert not [path for path in backend_folder.iterdir() if token in path.read_bytes()]
