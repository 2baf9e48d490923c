"""What a run leaves: artifacts and log lines; and what stands in prefect.yaml and the automations."""

import logging
import typing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.exceptions import CancelledRun, FailedRun

from flows import artifacts, sync
from flows.automations import AUTOMATIONS, HEARTBEAT, MISSED
from flows.logs import PacedLog, is_news
from goldloop.bootstrap import VERBS
from goldloop.pipeline.enqueue import EnqueueSummary
from goldloop.pipeline.prelabel import PrelabelSummary
from goldloop.pipeline.reconcile import Difference, ReconcileSummary
from goldloop.pipeline.report import Report
from goldloop.pipeline.resolve import ResolveSummary
from goldloop.ports import QueueCounts
from goldloop.records import Project

ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENTS: dict[str, dict[str, Any]] = {
    deployment["name"]: deployment
    for deployment in yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
}
RESOLVED = ResolveSummary(traces=3, decided=2, failures=1, outbox=5)


# -- what a run leaves ---------------------------------------------------------------------------------------------


def a_report() -> Report:
    counts = QueueCounts(
        queue="answer-quality",
        by_state={"queued": 4, "published": 2},
        by_policy={"uniform": {"queued": 4, "published": 2}},
        parked_by_reason={},
        scores_by_state={},
        eval_rows=1,
        oldest_open=datetime(2026, 1, 31, tzinfo=UTC),
        annotations=5,
        skips=1,
        predictions=6,
    )
    return Report(counts=counts, codebook_version="1.0.0", annotations_wanted=1, oldest_open_hours=2.0, project_urls=[])


def test_the_table_has_a_row_for_each_count() -> None:
    judged = PrelabelSummary(judged=4, abstained=0, parked=0, calls=4, usd=0.04)
    queued = EnqueueSummary(queued=4, with_prelabel=3, already_there=0, parked=0, project_urls=["http://ls/4"])
    rows = artifacts.count_rows({"prelabel": judged})
    assert [row["number"] for row in rows if row["count"] in {"calls", "usd"}] == [4, 0.04]
    assert artifacts.count_rows({"enqueue": queued, "report": a_report()}) == [
        {"verb": "enqueue", "count": "queued", "number": 4},
        {"verb": "enqueue", "count": "with prelabel", "number": 3},
        {"verb": "enqueue", "count": "already there", "number": 0},
        {"verb": "enqueue", "count": "parked", "number": 0},
        {"verb": "enqueue", "count": "waiting", "number": 0},
        {"verb": "report", "count": "queued", "number": 4},
        {"verb": "report", "count": "published", "number": 2},
    ]


def test_each_run_leaves_table_report_and_links(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, dict[str, Any]] = {}
    for kind in ("table", "markdown", "link"):
        monkeypatch.setattr(artifacts, f"create_{kind}_artifact", lambda key, **rest: made.update({key: rest}))
    projects = [
        Project(queue="q", codebook_version="1.0.0", purpose=purpose, project_id=number, url=f"http://ls/{number}")
        for number, purpose in enumerate(typing.get_args(Project.model_fields["purpose"].annotation)[:2], start=4)
    ]
    artifacts.show("q", {"resolve": RESOLVED, "report": a_report()}, projects, "publish: no.")
    assert list(made) == ["goldloop-counts-q", "goldloop-report-q", "label-studio-q", "label-studio-q-2"]
    assert made["goldloop-counts-q"]["description"] == "publish: no."
    assert made["goldloop-report-q"]["markdown"].startswith("## answer-quality 1.0.0")
    assert made["label-studio-q-2"]["link"] == "http://ls/5"


def test_a_reconcile_leaves_what_differed(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, dict[str, Any]] = {}
    monkeypatch.setattr(artifacts, "create_table_artifact", lambda key, **rest: made.update({key: rest}))
    missing = Difference(where="Langfuse", what="scores that are missing", number=3, remedy="sent again")
    summary = ReconcileSummary(tasks=1, scores=9, eval_rows=2, differing=3, left=0, differences=[missing])
    artifacts.show("q", {"reconcile": summary}, [], None)
    assert made["goldloop-reconcile-q"] == {
        "table": [{"where": "Langfuse", "what": "scores that are missing", "how many": 3, "done": "sent again"}],
        "description": "3 differed, 0 of them left",
    }
    assert {"verb": "reconcile", "count": "differing", "number": 3} in made["goldloop-counts-q"]["table"]


def test_progress_is_logged_every_few_seconds(caplog: pytest.LogCaptureFixture) -> None:
    times = iter([0.0, 1.0, 5.0, 6.0, 11.0, 16.0])
    with caplog.at_level(logging.INFO):
        progress = PacedLog(logging.getLogger("a run"), "pull", every_s=5, clock=lambda: next(times))
        for done, total in [(100, None), (200, None), (300, None), (1400, 2000)]:
            progress(done, total)
        progress(1500, 2000, 0.04)
    assert caplog.messages == ["pull: 200", "pull: 1,400 of 2,000", "pull: 1,500 of 2,000, $0.0400"]


@pytest.mark.parametrize(
    ("raised", "logged"), [(FailedRun("no"), False), (CancelledRun("no"), False), (KeyError("k"), True), (None, True)]
)
def test_a_returned_state_is_not_logged_again_as_a_traceback(raised: Exception | None, logged: bool) -> None:
    exc_info = (type(raised), raised, None) if raised else None
    assert is_news(logging.LogRecord("prefect.flow_runs", logging.ERROR, "", 1, "ended", (), exc_info)) is logged


# -- deployments and automations -----------------------------------------------------------------------------------


def test_there_is_a_flow_and_a_deployment_for_each_verb_and_for_all() -> None:
    assert typing.get_args(sync.Verb) == VERBS
    assert set(DEPLOYMENTS) == {*VERBS, "run", "reconcile"}
    for name, deployment in DEPLOYMENTS.items():
        assert deployment["entrypoint"] == f"flows.sync:{name}"
        assert getattr(sync, name).name == name
        assert not getattr(sync, name).log_prints
        assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}
        assert deployment["work_pool"]["name"] == "goldloop"
        assert deployment["tags"] == ["goldloop"]


def test_heartbeats_come_as_often_as_the_automation_counts_on() -> None:
    for deployment in DEPLOYMENTS.values():
        environment = deployment["work_pool"]["job_variables"]["env"]
        assert environment["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == str(int(HEARTBEAT.total_seconds()))
    assert MISSED >= 3


def test_automations_are_about_goldloops_own_runs() -> None:
    assert len({automation.name for automation in AUTOMATIONS}) == len(AUTOMATIONS)
    for automation in AUTOMATIONS:
        trigger = automation.trigger.model_dump(mode="json")
        assert trigger["match_related"] == {
            "prefect.resource.id": "prefect.tag.goldloop",
            "prefect.resource.role": "tag",
        }
        assert trigger["for_each"] == ["prefect.resource.id"]
        assert trigger["match"]["prefect.resource.id"] == "prefect.flow-run.*"
