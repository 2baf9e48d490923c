"""Label Studio's protocol, spoken to the backend as gunicorn serves it."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from builders import NOW, QUEUE, codebook, draw, trace
from goldloop.adapters.store import open_store
from goldloop.codebook.render import render
from goldloop.codebook.result import MODEL_VERSION
from goldloop.codebook.task import task_data
from goldloop.judge.lexical import LexicalJudge
from goldloop.pipeline.enqueue import prelabel_of
from goldloop.records import Document, DrawRun, Judgement, Prediction
from ml_backend_server import running, settings, started

pytestmark = pytest.mark.servers

EMPTY = {"result": [], "score": 0.0, "model_version": MODEL_VERSION}
TOKEN = "a-token-that-nobody-may-keep"
ANSWER = "a phrase that nobody may log"
XML = render(codebook())


@pytest.fixture(scope="module")
def backend_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the backend has its store, its log and its pid."""
    return tmp_path_factory.mktemp("backend")


@pytest.fixture(scope="module")
def backend(backend_folder: Path) -> Iterator[httpx.Client]:
    with running(backend_folder) as client:
        yield client


@pytest.fixture(scope="module", autouse=True)
def stored(backend_folder: Path) -> None:
    """The trace `stored` was judged by this judge, which said what no live judge would: its answer is well backed."""
    judge = LexicalJudge()
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
        store.save_draw(run, [draw("stored")])
        store.save_predictions([predicted("stored", "fail", judge.name, judge.version)])


def predicted(trace_id: str, verdict: str, judge: str, version: str) -> Prediction:
    judgement = Judgement(
        judge=judge, judge_version=version, answers={"verdict": verdict}, probability=0.9, method="lexical"
    )
    return Prediction(queue=QUEUE, codebook_version="1.0.0", trace_id=trace_id, judged_at=NOW, judgement=judgement)


def task(number: int, trace_id: str) -> dict[str, Any]:
    backed = Document(title="Returns", text="Returns are accepted within 30 days.")
    of = trace(trace_id, documents=(backed, Document(title="Note", text=ANSWER)))
    data = task_data(codebook(), of, draw(trace_id), [], None, "https://example.com").model_dump(mode="json")
    return {"id": number, "data": data, "meta": {}, "annotations": [], "predictions": []}


def ask(backend: httpx.Client, tasks: list[Any], label_config: str = XML) -> list[dict[str, Any]]:
    context = {"login": None, "password": None, "context": None}
    body = {"tasks": tasks, "project": "2.1795242269", "label_config": label_config, "params": context}
    # By the standard library, as Label Studio does: it escapes lone surrogates, where httpx cannot send them.
    answer = backend.post("/predict", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["model_version"] == MODEL_VERSION
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def verdict(prediction: dict[str, Any]) -> Any:
    return prediction["result"][0]["value"]["choices"] if prediction["result"] else None


def test_health_is_open_and_says_who_it_is(backend: httpx.Client) -> None:
    answer = httpx.get(f"{backend.base_url}/health", trust_env=False)
    assert answer.json() == {"status": "UP", "judge": "lexical-grounding", "version": "1"}


@pytest.mark.parametrize("auth", [None, ("goldloop", "wrong"), ("wrong", "pass-1"), ("goldloop", "")])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/predict"),
        ("POST", "/setup"),
        ("GET", "/versions"),
        ("POST", "/versions"),
        ("POST", "/webhook"),
        ("POST", "/train"),
        ("GET", "/is_training"),
        ("GET", "/metrics"),
        ("GET", "/static/secret"),
        ("GET", "/nothing-here"),
    ],
)
def test_everything_else_asks_for_credentials(
    backend: httpx.Client, auth: tuple[str, str] | None, method: str, path: str
) -> None:
    answer = httpx.request(method, f"{backend.base_url}{path}", auth=auth, json={}, trust_env=False)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert answer.json()["status"] == 401


def test_setup_gives_the_version_that_predictions_carry(backend: httpx.Client) -> None:
    setup = {"project": "2.1795242269", "schema": XML, "hostname": "", "access_token": TOKEN, "extra_params": None}
    assert backend.post("/setup", json=setup).json() == {"model_version": MODEL_VERSION}
    stored = prelabel_of(codebook(), predicted("t1", "pass", LexicalJudge.name, LexicalJudge.version))
    assert stored is not None
    assert stored["model_version"] == MODEL_VERSION
    assert {prediction["model_version"] for prediction in ask(backend, [task(1, "t1"), None])} == {MODEL_VERSION}


def test_versions_are_given_both_ways(backend: httpx.Client) -> None:
    assert backend.get("/versions").json() == {"versions": [MODEL_VERSION]}
    assert backend.post("/versions", json={"project": "2.1"}).json() == {"versions": [MODEL_VERSION]}


def test_the_stored_prediction_comes_before_a_live_one(backend: httpx.Client) -> None:
    stored, live = ask(backend, [task(1, "stored"), task(2, "never seen")])
    assert (verdict(stored), stored["score"]) == (["fail"], 0.9)
    assert verdict(live) == ["pass"]
    assert set(live["result"][0]) == {"id", "from_name", "to_name", "type", "value"}


def test_a_hundred_tasks_get_a_hundred_predictions_in_order(backend: httpx.Client) -> None:
    kinds: list[Callable[[int], Any]] = [
        lambda number: task(number, "stored"),
        lambda number: task(number, f"live {number}"),
        lambda _number: None,
        lambda _number: {"data": "\ud800"},
        lambda number: task(number, "\ud800\x00"),
        lambda number: {"id": number, "data": {"text": "of another project"}},
        lambda number: task(number, "t") | {"data": {**task(number, "t")["data"], "codebook": "a@b@c"}},
        lambda number: [number],
    ]
    predictions = ask(backend, [kinds[number % len(kinds)](number) for number in range(100)])
    assert len(predictions) == 100
    said = {0: ["fail"], 1: ["pass"], 4: ["pass"]}
    for number, prediction in enumerate(predictions):
        kind = number % len(kinds)
        if kind in said:
            assert verdict(prediction) == said[kind]
        else:
            assert prediction == EMPTY


def test_a_blind_label_config_gets_nothing(backend: httpx.Client) -> None:
    assert ask(backend, [task(1, "stored"), task(2, "live")], render(codebook(), blind=True)) == [EMPTY, EMPTY]


def test_what_the_label_config_lacks_is_not_predicted(backend: httpx.Client) -> None:
    assert ask(backend, [task(1, "stored")], XML.replace('alias="fail"', 'alias="bad"')) == [EMPTY]
    assert ask(backend, [task(1, "stored")], "<broken") == [EMPTY]


def test_one_project_s_label_config_never_serves_another(backend: httpx.Client) -> None:
    blind = render(codebook(), blind=True)
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(
            lambda number: verdict(ask(backend, [task(1, "stored")], XML if number % 2 else blind)[0]), range(40)
        )
    assert list(answers) == [["fail"] if number % 2 else None for number in range(40)]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/predict", b"", 400),
        ("/predict", b"{", 400),
        ("/predict", b"[]", 400),
        ("/predict", b'{"tasks": 5}', 400),
        ("/predict", b'{"tasks": [], "label_config": 5}', 400),
        ("/webhook", b"nonsense", 400),
        ("/train", b"{}", 410),
        ("/nothing-here", b"{}", 404),
        ("/health", b"{}", 405),
    ],
)
def test_an_error_is_json_and_shows_no_inside(backend: httpx.Client, path: str, body: bytes, status: int) -> None:
    answer = backend.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert set(answer.json()) == {"status", "detail"}
    assert "Traceback" not in answer.text
    assert ".py" not in answer.text


def test_a_webhook_is_counted_at_once_and_starts_no_process(backend: httpx.Client, backend_folder: Path) -> None:
    before = _processes(backend_folder)
    first = backend.post("/webhook", json={"action": "START_TRAINING"}).json()["webhooks"]
    begun = time.monotonic()
    for _ in range(20):
        answer = backend.post("/webhook", json={"action": "ANNOTATION_CREATED", "annotation": {"id": 1}})
        assert answer.status_code == 200
    assert answer.json() == {"webhooks": first + 20}
    assert (time.monotonic() - begun) / 20 < 0.2
    assert _processes(backend_folder) == before


def _processes(folder: Path) -> set[str]:
    """The ids of gunicorn's workers, and of whatever they have started."""
    found: set[str] = set()
    waiting = [(folder / "backend.pid").read_text(encoding="utf-8").strip()]
    while waiting:
        for children in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            waiting += children.read_text(encoding="utf-8").split()
        found |= set(waiting)
    return found


def test_the_log_tells_what_happened_and_nothing_of_what_was_sent(backend: httpx.Client, backend_folder: Path) -> None:
    backend.post("/setup", json={"access_token": TOKEN})
    ask(backend, [task(1, "stored"), task(2, "live"), {"data": {"text": ANSWER}}])
    backend.post("/webhook", json={"action": ANSWER})
    log = (backend_folder / "backend.log").read_text(encoding="utf-8")
    assert "predict: project 2, 3 tasks (1 live, 1 not goldloop's, 1 stored)" in log
    assert "POST /setup -> 200" in log
    assert TOKEN not in log
    assert ANSWER not in log
    assert "Authorization" not in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"GOLDLOOP_ML_BACKEND__PASSWORD": ""}, "GOLDLOOP_ML_BACKEND__PASSWORD is not set"),
        ({"GOLDLOOP_CODEBOOKS": "no-such-folder"}, "no-such-folder"),
    ],
)
def test_it_refuses_to_start_with_a_wrong_setting_and_says_which(
    tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    with started(tmp_path, settings(tmp_path) | changes) as (_, process):
        assert process.wait(60) == 4  # and does not try again for ever
    log = (tmp_path / "backend.log").read_text(encoding="utf-8")
    assert said in log
    assert "Traceback" not in log
