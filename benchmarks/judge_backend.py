"""The ML backend's `/predict` with tasks that the store has predictions of, against a Flask app that answers constants.

Both under gunicorn in the backend's environment, asked by turns over real HTTP, with the same body.
"""

import json
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from benchmarks.judge_servers import ROOT, serving
from benchmarks.judge_table import Row
from goldloop.adapters.store import open_store
from goldloop.backtest.judging import as_trace
from goldloop.backtest.traces import read
from goldloop.bootstrap import Goldloop
from goldloop.codebook.load import load
from goldloop.codebook.render import render
from goldloop.codebook.task import task_data
from goldloop.devstack.sample import sample_path
from goldloop.records import Draw, DrawRun, Judgement, Prediction, Trace
from goldloop.settings import Settings

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LOGIN = ("goldloop", "bench-pass-1")
TASKS = 100
MEMBERS = "lexical"
PYTHON = ROOT / ".goldloop" / "environments" / "ml-backend" / "bin" / "python"
CODEBOOK = ROOT / "label_configs" / "answer-quality.yaml"


def measure(rounds: int, each: int = 25) -> list[Row]:
    """Rows of the table; `rounds` by turns, `each` requests a round."""
    if not PYTHON.is_file():
        sys.exit(f"{PYTHON} is missing: run make environments")
    with tempfile.TemporaryDirectory(prefix="goldloop-bench-") as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'goldloop.db'}"
        body = _body(url)
        constant = folder / "constant.json"
        variables = {
            "GOLDLOOP_STORE_URL": url,
            "GOLDLOOP_ML_BACKEND__USERNAME": LOGIN[0],
            "GOLDLOOP_ML_BACKEND__PASSWORD": LOGIN[1],
            "GOLDLOOP_JUDGE__MEMBERS": MEMBERS,
            "GOLDLOOP_BENCH_CONSTANT": str(constant),
        }
        with serving(_gunicorn("ml_backend.wsgi:app"), folder / "backend.log", variables) as backend:
            answer = _ask(backend, body)
            given = [one for one in answer.json()["results"] if one["result"]]
            if len(given) != TASKS:
                sys.exit(f"the ML backend served {len(given)} of {TASKS} stored predictions: nothing to measure")
            constant.write_text(json.dumps(answer.json()["results"]), encoding="utf-8")
            with serving(_gunicorn("benchmarks.judge_constant_app:app"), folder / "constant.log", variables) as raw:
                assert len(_ask(raw, body).content) == len(answer.content)
                ours, theirs = _by_turns(backend, raw, body, rounds, each)
    ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
    seconds, ceiling = statistics.median(ours), statistics.median(theirs)
    kilobytes = f"{len(body) // 1024} KB asked, {len(answer.content) // 1024} KB answered"
    return [
        Row.at_most("`/predict`, times a Flask app that answers constants", 1.5, ratio, "x"),
        Row(what=f"`/predict` of {TASKS} cached tasks ({kilobytes})", reached=1000 * seconds, unit="ms"),
        Row(what="the Flask app that answers constants", reached=1000 * ceiling, unit="ms"),
        Row.at_most("a cached task", 20, 1000 * seconds / TASKS, "ms"),
    ]


def _gunicorn(app: str) -> Any:
    options = ("--no-control-socket", "--workers", "1", "--threads", "16")
    return lambda address: [str(PYTHON), "-m", "gunicorn", *options, "--bind", address, app]


def _by_turns(ours: str, raw: str, body: bytes, rounds: int, each: int) -> tuple[list[float], list[float]]:
    """Seconds of one request, the median of each round, once both are warm."""
    seconds: dict[str, list[float]] = {ours: [], raw: []}
    with httpx.Client(auth=LOGIN, timeout=30, trust_env=False) as client:
        for turn in range(rounds + 1):
            for url in (ours, raw):
                took = []
                for _ in range(each):
                    began = time.perf_counter()
                    _post(client, url, body)
                    took.append(time.perf_counter() - began)
                if turn:
                    seconds[url].append(statistics.median(took))
    return seconds[ours], seconds[raw]


def _ask(url: str, body: bytes) -> httpx.Response:
    with httpx.Client(auth=LOGIN, timeout=30, trust_env=False) as client:
        return _post(client, url, body)


def _post(client: httpx.Client, url: str, body: bytes) -> httpx.Response:
    answer = client.post(f"{url}/predict", content=body, headers={"Content-Type": "application/json"})
    answer.raise_for_status()
    return answer


def traces(count: int) -> list[Trace]:
    """The first ones of the sample that ships that differ in what a judge reads."""
    found = [as_trace(one).model_copy(update={"timestamp": NOW}) for one in read(sample_path()).traces]
    return [*{(one.messages, one.output, one.documents): one for one in found}.values()][:count]


def _body(url: str) -> bytes:
    """Fill the store, and give the request that Label Studio makes when it retrieves predictions."""
    codebook = load(CODEBOOK)
    chosen = traces(TASKS)
    run = DrawRun(
        run_id="run",
        queue=codebook.name,
        codebook_version=codebook.version,
        drawn_at=NOW,
        window_start=NOW - timedelta(days=1),
        window_end=NOW,
        frame_size=TASKS,
        budget=TASKS,
        seed=1,
        mix={"random": 1.0},
        settings_hash="",
        code_version="",
    )
    draws = [
        Draw(
            run_id="run",
            queue=codebook.name,
            codebook_version=codebook.version,
            trace_id=trace.trace_id,
            policy="random",
            mixture={"random": 1.0},
            pi=0.5,
            stratum="returns",
            priority=place,
        )
        for place, trace in enumerate(chosen)
    ]
    settings = Settings.model_validate({"store_url": url, "judge": {"members": MEMBERS}, "codebooks": CODEBOOK.parent})
    with Goldloop(settings) as goldloop, open_store(url) as store:
        judge = goldloop.judge(codebook.name, "bench")
        store.save_codebook(codebook, NOW)
        store.save_draw(run, draws)
        judged = [
            Judgement(
                judge=judge.name,
                judge_version=judge.version(codebook),
                answers={codebook.verdict.name: "pass"},
                probability=0.9,
                risk=0.1,
                method="lexical",
            )
            for _ in chosen
        ]
        store.save_predictions(
            [
                Prediction(
                    queue=codebook.name,
                    codebook_version=codebook.version,
                    trace_id=trace.trace_id,
                    judged_at=NOW,
                    judgement=one,
                )
                for trace, one in zip(chosen, judged, strict=True)
            ]
        )
    tasks = [
        {
            "id": place,
            "data": task_data(codebook, trace, one, [], None, "https://langfuse.example.com").model_dump(mode="json"),
            "meta": {},
            "annotations": [],
            "predictions": [],
        }
        for place, (trace, one) in enumerate(zip(chosen, draws, strict=True), start=1)
    ]
    context = {"login": None, "password": None, "context": None}
    asked = {"tasks": tasks, "project": "2.1795242269", "label_config": render(codebook), "params": context}
    return json.dumps(asked).encode()
