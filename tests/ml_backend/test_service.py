import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from builders import NOW, QUEUE, ROOT, codebook, draw, trace
from goldloop.adapters.store import SqlStore
from goldloop.bootstrap import Goldloop
from goldloop.codebook.render import render
from goldloop.codebook.schema import Codebook
from goldloop.codebook.task import task_data
from goldloop.errors import ConfigError
from goldloop.records import DrawRun, JudgeFit, Judgement, JudgeQuality, Project, Trace, Unjudged
from goldloop.settings import Settings
from ml_backend.extra_params import ExtraParams
from ml_backend.fitting import Debounce
from ml_backend.project_model import project_model
from ml_backend.service import Service

BLIND, REVIEW = 72, 71


class Versioned:
    """A judge that says `pass`, in the version that it was made as."""

    name = "stub"

    def __init__(self, run: str, version: int) -> None:
        self.run, self._version, self.closed = run, str(version), False

    def version(self, _codebook: Codebook) -> str:
        return self._version

    def judge(self, _codebook: Codebook, traces: Sequence[Trace]) -> list[Judgement | Unjudged]:
        said = {"judge": "stub", "judge_version": self._version, "answers": {"verdict": "pass"}, "method": "lexical"}
        return [Judgement.model_validate(said) for _ in traces]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def goldloop(tmp_path: Path) -> Iterator[Goldloop]:
    """With trace t1 drawn, t2 drawn blind, and a project of each kind."""
    settings = Settings.model_validate(
        {"store_url": f"sqlite:///{tmp_path / 'goldloop.db'}", "codebooks": ROOT / "label_configs"}
    )
    run = DrawRun(
        run_id="run",
        queue=QUEUE,
        codebook_version="1.0.0",
        drawn_at=NOW,
        window_start=NOW,
        window_end=NOW,
        frame_size=2,
        budget=2,
        seed=1,
        mix={"random": 1.0},
        settings_hash="",
        code_version="",
    )
    with Goldloop(settings, clock=lambda: NOW) as wired:
        wired.store.save_codebook(codebook(), NOW)
        wired.store.save_draw(run, [draw("t1"), draw("t2").model_copy(update={"blind": True})])
        wired.store.save_project(Project(queue=QUEUE, codebook_version="1.0.0", project_id=REVIEW, url=""))
        wired.store.save_project(
            Project(queue=QUEUE, codebook_version="1.0.0", purpose="blind", project_id=BLIND, url="")
        )
        yield wired


def save_fit(store: SqlStore) -> None:
    quality = JudgeQuality(labels={"pass": 60, "fail": 50}, groups=9, auroc=0.9, kappa=0.5, ece=0.04, accuracy=0.8)
    store.save_fits(
        [
            JudgeFit(
                queue=QUEUE,
                question="verdict",
                since="1.0.0",
                judge="learned",
                version="v1",
                body={},
                quality=quality,
                fitted_at=NOW,
            )
        ]
    )


def until(done: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 20
    while not done():
        assert time.monotonic() < give_up
        time.sleep(0.01)


@pytest.fixture
def service(goldloop: Goldloop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Each judge that is made has the next version; a fit finds labels enough, and holds without them."""
    monkeypatch.setattr("ml_backend.service.current_fits", lambda store, queue, _floor: store.fits(queue))
    versions = iter(range(1, 100))
    made = Service(
        goldloop,
        judge=lambda _queue, run: Versioned(run, next(versions)),
        learn=lambda _queue: save_fit(goldloop.store),
        debounce=Debounce(quiet=0.05, longest=0.2),
    )
    until(lambda: QUEUE in of(made, "queues"))
    yield made
    made.stop()


def of(service: Service, part: str) -> Any:
    return service.health()[part]


@pytest.mark.parametrize(("action", "project"), [("START_TRAINING", REVIEW), ("ANNOTATIONS_DELETED", BLIND)])
def test_what_is_heard_of_is_fitted_and_the_judge_made_anew(service: Service, action: str, project: int) -> None:
    before = of(service, "queues")[QUEUE]
    assert (before["state"], before["fits"]) == ("uncalibrated", [])
    assert service.heard(action, project) == 1
    until(lambda: (last := of(service, "fit")["last"]) is not None and last["state"] == "done")
    after = of(service, "queues")[QUEUE]
    assert after["state"] == "calibrated"
    assert [(one["judge"], one["auroc"], one["labels"]) for one in after["fits"]] == [
        ("learned", 0.9, {"pass": 60, "fail": 50})
    ]
    assert after["version"] != before["version"]
    assert of(service, "webhooks") == {action: 1}


def test_what_says_nothing_of_annotations_is_counted_and_no_more(service: Service) -> None:
    service.heard("PROJECT_UPDATED", REVIEW)
    service.heard("x" * 1000, REVIEW)
    service.heard("ANNOTATION_CREATED", None)
    assert of(service, "webhooks") == {"other": 2, "ANNOTATION_CREATED": 1}
    assert of(service, "fit") == {"waiting": 0, "last": None}


def test_a_live_judgement_is_saved_but_of_no_blind_trace_and_none_that_was_never_drawn(
    goldloop: Goldloop, service: Service
) -> None:
    tasks = [
        {"data": task_data(codebook(), trace(name), draw(name), [], None, "").model_dump(mode="json")}
        for name in ("t1", "t2", "t3")
    ]
    model = project_model(REVIEW, render(codebook()), ExtraParams())
    assert [bool(one["result"]) for one in service.prelabels.predict(tasks, model)] == [True] * 3
    service.stop()
    saved = goldloop.store.predictions(QUEUE, "1.0.0", ["t1", "t2", "t3"])
    assert {name: one.judgement.judge for name, one in saved.items()} == {"t1": "stub"}
    assert of(service, "predictions") == {"live": 3}


def test_a_blind_project_s_tasks_get_nothing(service: Service) -> None:
    task = {"data": task_data(codebook(), trace("t1"), draw("t1"), [], None, "").model_dump(mode="json")}
    model = project_model(BLIND, render(codebook()), ExtraParams())
    assert [one["result"] for one in service.prelabels.predict([task], model)] == [[]]


def test_calls_are_counted_by_the_day(service: Service) -> None:
    runs = {judge.run for judge in service.judges.known().values() if isinstance(judge, Versioned)}
    assert runs == {"ml-backend:2026-03-02"}


def test_a_judge_that_cannot_be_made_ends_the_start(goldloop: Goldloop) -> None:
    def refuse(_queue: str, _run: str) -> Versioned:
        raise ConfigError("GOLDLOOP_JUDGE__MODEL is wrong")

    with pytest.raises(ConfigError, match="GOLDLOOP_JUDGE__MODEL"):
        Service(goldloop, judge=refuse)


def test_at_the_end_judges_are_closed_for_they_may_hold_traces_of_calls_that_are_not_sent_yet(service: Service) -> None:
    judge = service.judges.of(QUEUE)
    assert isinstance(judge, Versioned)
    assert not judge.closed
    service.stop()
    assert judge.closed


def test_a_judge_that_takes_long_to_close_does_not_keep_the_server_from_ending(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = threading.Event()
    monkeypatch.setattr("ml_backend.service.STOP_SECONDS", 0.1)
    monkeypatch.setattr(service.judges, "close", lambda: free.wait(30))
    begun = time.monotonic()
    service.stop()
    assert time.monotonic() - begun < 5
    free.set()
