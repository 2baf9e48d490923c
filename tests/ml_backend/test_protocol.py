"""Label Studio's protocol, spoken to the backend as gunicorn serves it."""

import json
import statistics
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
from goldloop.pipeline.drafts import prelabel_of
from goldloop.records import Document, DrawRun, Judgement, Prediction, Project
from ml_backend_server import BAD_JUDGE, SECRET, running, running_process, settings, started

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
        store.save_project(Project(queue=QUEUE, codebook_version="1.0.0", project_id=71, url=""))
        store.save_predictions([predicted("stored", "fail", judge.name, judge.version(codebook()))])


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


def test_health_is_open_and_tells_those_with_credentials_more(backend: httpx.Client) -> None:
    everyone = {"status": "UP", "model_version": MODEL_VERSION}
    assert httpx.get(f"{backend.base_url}/health", trust_env=False).json() == everyone
    assert httpx.get(f"{backend.base_url}/health", auth=("goldloop", "wrong"), trust_env=False).json() == everyone
    give_up = time.monotonic() + 10
    while QUEUE not in (known := backend.get("/health").json())["queues"] and time.monotonic() < give_up:
        time.sleep(0.05)
    assert (known["store"], known["fit"]["last"], known["judging"]) == ("reachable", None, 0)
    of_queue = known["queues"][QUEUE]
    assert (of_queue["state"], of_queue["fits"], of_queue["blind_labels"]) == ("uncalibrated", [], {})
    assert of_queue["members"] == [LexicalJudge.name]
    assert not [secret for secret in ("pass-1", SECRET) if secret in json.dumps(known)]


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
    stored = prelabel_of(codebook(), predicted("t1", "pass", LexicalJudge.name, "1"))
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
        ("/predict", b"[" * 200_000, 400),
        ("/setup", b'{"project": 5}', 400),
        ("/setup", b'{"extra_params": {"liv": true}}', 400),
        ("/setup", b'{"extra_params": "no JSON"}', 400),
        ("/setup", b" " * 5_000_000, 413),
        ("/webhook", b" " * 5_000_000, 413),
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


def test_what_setup_refuses_stands_in_the_status_line(backend: httpx.Client) -> None:
    """Which is all that Label Studio shows."""
    answer = backend.post("/setup", json={"extra_params": {"liv": TOKEN}, "access_token": TOKEN})
    assert answer.status_code == 400
    assert "liv" in answer.reason_phrase
    assert "live, deadline_seconds" in answer.json()["detail"]
    assert TOKEN not in answer.reason_phrase + answer.text


def test_a_project_s_parameters_hold_for_it_alone(backend: httpx.Client) -> None:
    def ask_for(project: str) -> Any:
        body = {"tasks": [task(1, "never seen"), task(2, "stored")], "project": project, "label_config": XML}
        return [verdict(one) for one in backend.post("/predict", json=body).json()["results"]]

    setup = {"project": "71.1", "schema": XML, "extra_params": {"live": False}}
    assert backend.post("/setup", json=setup).status_code == 200
    assert ask_for("71.1") == [None, ["fail"]]
    assert ask_for("72.1") == [["pass"], ["fail"]]
    assert backend.post("/setup", json=setup | {"extra_params": None}).status_code == 200
    assert ask_for("71.1") == [["pass"], ["fail"]]


def test_a_webhook_is_counted_at_once_and_starts_no_process(backend: httpx.Client, backend_folder: Path) -> None:
    before = _processes(backend_folder)
    first = backend.post("/webhook", json={"action": "START_TRAINING"}).json()["webhooks"]
    took = []
    for _ in range(20):
        begun = time.monotonic()
        answer = backend.post("/webhook", json={"action": "ANNOTATION_CREATED", "annotation": {"id": 1}})
        took.append(time.monotonic() - begun)
        assert answer.status_code == 200
    assert answer.json() == {"webhooks": first + 20}
    assert statistics.median(took) < 0.1
    assert backend.post("/webhook", json={"action": "WHATEVER"}).status_code == 200
    assert backend.get("/health").json()["webhooks"]["other"] >= 1
    assert _processes(backend_folder) == before


def test_a_webhook_may_show_the_secret_and_nothing_else_may(backend: httpx.Client) -> None:
    def post(path: str, secret: str) -> int:
        body = {"action": "ANNOTATION_CREATED", "tasks": []}
        headers = {"X-Goldloop-Secret": secret}
        return httpx.post(f"{backend.base_url}{path}", json=body, headers=headers, trust_env=False).status_code

    assert post("/webhook", SECRET) == 200
    assert [post("/webhook", wrong) for wrong in ("", "webhook-secret", "pass-1")] == [401] * 3
    assert [post(path, SECRET) for path in ("/predict", "/setup", "/versions")] == [401] * 3


def test_start_training_fits_the_project_s_queue(backend: httpx.Client) -> None:
    backend.post("/webhook", json={"action": "START_TRAINING", "project": {"id": 71, "title": ANSWER}})
    give_up = time.monotonic() + 20
    while (last := backend.get("/health").json()["fit"]["last"]) is None or last["state"] == "running":
        assert time.monotonic() < give_up
        time.sleep(0.1)
    assert (last["queue"], last["state"], last["error"]) == (QUEUE, "done", None)


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


def test_at_its_end_requests_under_way_are_answered(tmp_path: Path) -> None:
    (tmp_path / "fit").write_text("hangs", encoding="utf-8")
    with open_store(f"sqlite:///{tmp_path / 'goldloop.db'}") as store:
        store.save_codebook(codebook(), NOW)
        store.save_project(Project(queue=QUEUE, codebook_version="1.0.0", project_id=71, url=""))
    with running_process(tmp_path, BAD_JUDGE) as (client, process), ThreadPoolExecutor(2) as pool:
        client.post("/webhook", json={"action": "START_TRAINING", "project": {"id": 71}})
        slow = pool.submit(ask, client, [task(1, "slow-1")])
        hung = pool.submit(ask, client, [task(1, "stuck-1")])
        give_up = time.monotonic() + 10
        while client.get("/health").json()["judging"] < 2 and time.monotonic() < give_up:
            time.sleep(0.02)
        process.terminate()
        assert verdict(slow.result()[0]) == ["pass"]
        assert hung.result() == [EMPTY]
        assert process.wait(15) == 0
    log = (tmp_path / "backend.log").read_text(encoding="utf-8")
    assert "a fit was left unfinished" in log
    assert "Traceback" not in log


def test_whatever_the_judge_does_the_rest_is_served(tmp_path: Path) -> None:
    kinds = ["dies", "quits", "budget", "nothing", "none", "many", "label", "nan", "hangs"]
    with running(tmp_path, BAD_JUDGE) as client:
        begun = time.monotonic()
        predictions = ask(
            client, [task(place, f"{kind}-1") for place, kind in enumerate([*kinds, "fine", *kinds, "fine"])]
        )
        took = time.monotonic() - begun
        expected: list[Any] = [*[None] * len(kinds), ["pass"]] * 2
        assert [verdict(one) for one in predictions] == expected
        assert took < 2 * 1.5 + 1  # both that hang are waited for at once, but for an unlucky order
        begun = time.monotonic()
        assert client.get("/health").json()["judging"] >= 1
        assert time.monotonic() - begun < 1
    assert "Traceback" not in (tmp_path / "backend.log").read_text(encoding="utf-8")
