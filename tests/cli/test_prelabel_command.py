"""`goldloop prelabel`: its options, what it prints, and its pages on a real Dask cluster of two workers."""

import json
import sys
import traceback
from collections.abc import Sequence
from datetime import timedelta
from typing import Self

import pytest
from pytest_httpserver import HTTPServer
from rich.console import Console

from builders import QUEUE, candidate
from cli.terminal import Goldloop
from goldloop import settings
from goldloop.adapters.store import SqlStore, open_store
from goldloop.bootstrap import Goldloop as Wired
from goldloop.bootstrap import Run, utc_now, worker
from goldloop.bootstrap.prelabels import Prelabelling
from goldloop.cli import output
from goldloop.codebook.schema import Codebook
from goldloop.errors import ConfigError, GoldloopError
from goldloop.judge.lexical import LexicalJudge
from goldloop.pipeline.prelabel import PrelabelSummary
from goldloop.pipeline.prelabel_pages import PrelabelPage
from goldloop.ports import Selection
from goldloop.records import Estimate, Trace
from langfuse_traces import GONE, serve_traces

_STORE = "sqlite:///.goldloop/goldloop.db"
_HOURS_AGO = 5


@pytest.fixture(autouse=True)
def servers(goldloop: Goldloop, langfuse: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    serve_traces(langfuse)
    monkeypatch.setenv("GOLDLOOP_JUDGE__MEMBERS", "lexical")


@pytest.fixture
def candidates(goldloop: Goldloop) -> list[str]:
    """Twelve, of three categories; one is gone from Langfuse."""
    names = [*(f"t{number:02}" for number in range(11)), GONE]
    now = utc_now()
    found = [
        candidate(name, category=f"c{place % 3}", user=name).model_copy(
            update={"timestamp": now - timedelta(hours=_HOURS_AGO, minutes=place)}
        )
        for place, name in enumerate(names)
    ]
    with open_store(_STORE) as store:
        store.save_candidates(found, now)
    return names


PAGE = PrelabelPage(queue=QUEUE, codebook_version="1.0.0", trace_ids=("t00",))


def who_judges() -> worker.WhoJudges:
    """By the judge that this process has, too."""
    with Wired(settings.load()) as wired:
        codebook = wired.codebook(QUEUE)
        wired.store.save_codebook(codebook, utc_now())
        with wired.judge(QUEUE, "run") as judge:
            return worker.WhoJudges(run="run", judge=judge.name, judge_version=judge.version(codebook))


def judged(names: Sequence[str]) -> set[str]:
    with open_store(_STORE) as store:
        return set(store.predictions(QUEUE, "1.0.0", names))


def test_what_was_drawn_is_judged_and_counted(goldloop: Goldloop, candidates: list[str]) -> None:
    goldloop("draw")
    ended = goldloop("prelabel", "--page-size", "5")
    assert ended.code == 0
    assert ended.out.split("\n")[0].split() == ["prelabel", "judged", "11", "parked", "1"]
    assert "Next: goldloop enqueue" in ended.out
    again = json.loads(goldloop("prelabel", "--json").out)
    assert (again["judged"], again["state"], again["usd"]) == (0, "done", 0)


def test_a_long_summary_keeps_each_name_with_its_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "out", Console(width=80, highlight=False))
    many = {"gone": 2, "left": 5120, "calls": 12348, "cached": 230, "input_tokens": 23123456, "usd": 12.5}
    output.print_summary("prelabel", PrelabelSummary(judged=12345, abstained=230, parked=3, **many))
    lines = [line.rstrip() for line in capsys.readouterr().out.rstrip().split("\n")]
    assert lines == [
        "prelabel  judged 12,345  abstained 230  parked 3  gone 2  left 5,120",
        "          calls 12,348  cached 230  input tokens 23,123,456  cost $12.50",
    ]


def test_history_takes_filters(goldloop: Goldloop, candidates: list[str]) -> None:
    until = (utc_now() - timedelta(hours=_HOURS_AGO - 1)).strftime("%Y-%m-%dT%H:%M:%S")
    call = ("prelabel", "--history", "--category", "c0", "--category", "c1", "--json")
    assert json.loads(goldloop(*call, "--since", until).out)["judged"] == 0
    assert json.loads(goldloop(*call, "--until", until, "--limit", "3").out)["judged"] == 3
    assert judged(candidates) == {"t00", "t01", "t03"}
    rest = json.loads(goldloop("prelabel", "--history", "--json").out)
    assert (rest["judged"], rest["gone"], rest["parked"]) == (8, 1, 0)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (["--category", "c0"], "--history"),
        (["--since", "2026-01-01", "--task-runner", "dask", "--dry-run"], "--history"),
        (["--workers", "2"], "--task-runner dask or ray"),
        (["--task-runner", "ray"], "the extra `ray`"),
    ],
)
def test_what_does_not_fit_together_is_a_sentence(
    goldloop: Goldloop, monkeypatch: pytest.MonkeyPatch, call: list[str], told: str
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    ended = goldloop("prelabel", *call)
    assert ended.code == 2
    assert told in ended.sentence


def test_history_is_judged_while_a_run_holds_the_queue(goldloop: Goldloop, candidates: list[str]) -> None:
    goldloop("draw")
    with open_store(_STORE) as store, store.lock(f"queue:{QUEUE}", "a run", timedelta(minutes=1)):
        assert goldloop("prelabel").code == 5
        assert goldloop("prelabel", "--history", "--limit", "2").code == 0
    with open_store(_STORE) as store, store.lock(f"history:{QUEUE}", "another", timedelta(minutes=1)):
        assert goldloop("prelabel", "--history").code == 5


def test_history_is_judged_by_prelabel_alone(goldloop: Goldloop) -> None:
    asked = Run(prelabelling=Prelabelling(selection=Selection(history=True)))
    with Wired(settings.load()) as wired, pytest.raises(ConfigError, match="prelabel alone"):
        list(wired.run(["prelabel", "enqueue"], None, asked))


class Priced(LexicalJudge):
    """What is asked of a model, without one."""

    def estimate(self, codebook: Codebook, traces: Sequence[Trace]) -> Estimate:
        return Estimate(calls=len(traces), cached=1, input_tokens=1000 * len(traces), usd=0.5 * len(traces))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def test_a_dry_run_estimates_and_leaves_nothing(
    goldloop: Goldloop, candidates: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    free = goldloop("prelabel", "--history", "--dry-run")
    assert "No model is asked: it costs nothing." in free.out
    monkeypatch.setattr("goldloop.bootstrap.judge_of", lambda *_, **__: Priced())
    monkeypatch.setenv("GOLDLOOP_JUDGE__USD_PER_RUN", "5")
    told = goldloop("prelabel", "--history", "--dry-run", "--page-size", "5").out
    told = " ".join(told.split())
    # The payload of one of the twelve is gone: 11 were read, and what they cost is scaled to 12.
    assert "traces 12 pages 3 calls to models 12 answered before 1 tokens in, out 12,000, 0 cost $6.00" in told
    assert "USD that the budget leaves $5.00" in told
    assert "By the payload of 11 of them. Nothing was judged. The budget is smaller" in told
    found = json.loads(goldloop("prelabel", "--history", "--dry-run", "--json").out)
    assert (found["calls"], found["input_tokens"], found["within_budget"]) == (12, 12000, False)
    assert judged(candidates) == set()


def test_pages_are_judged_by_two_workers(goldloop: Goldloop, candidates: list[str]) -> None:
    goldloop("draw")
    ended = goldloop("prelabel", "--task-runner", "dask", "--workers", "2", "--page-size", "2", "--json")
    assert ended.code == 0, ended.err
    made = json.loads(ended.out)
    assert (made["judged"], made["parked"], made["state"]) == (11, 1, "done")
    assert judged(candidates) == {*candidates} - {GONE}


def test_a_fault_on_a_worker_is_told_without_its_text(
    goldloop: Goldloop, candidates: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("the customer's own words")

    monkeypatch.setattr(worker, "judge_page", fail)
    worker._worker.cache_clear()
    with pytest.raises(GoldloopError, match=r"KeyError in test_prelabel_command\.py") as raised:
        worker.judge_on_worker(PAGE, who_judges())
    assert "own words" not in "".join(traceback.format_exception(raised.value))
    worker._worker.cache_clear()


def test_a_worker_with_another_store_judges_nothing(
    goldloop: Goldloop, candidates: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = SqlStore.unknown_traces
    monkeypatch.setattr(SqlStore, "unknown_traces", lambda self, names: found(self, names) or list(names))
    worker._worker.cache_clear()
    with pytest.raises(ConfigError, match="a worker has another store"):
        worker.judge_on_worker(PAGE, who_judges())
    worker._worker.cache_clear()


def test_a_worker_with_another_judge_judges_nothing(
    goldloop: Goldloop, candidates: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    by = who_judges()
    monkeypatch.setenv("GOLDLOOP_JUDGE__MEMBERS", "learned")  # as where the worker was started without the variable
    worker._worker.cache_clear()
    with pytest.raises(ConfigError, match=r"another judge \(learned\) than this run \(lexical-grounding\)"):
        worker.judge_on_worker(PAGE, by)
    monkeypatch.setenv("GOLDLOOP_JUDGE__MEMBERS", "lexical")
    worker._worker.cache_clear()
    assert worker.judge_on_worker(PAGE, by).judged == 1
    worker._worker.cache_clear()


def test_what_was_asked_wrongly_is_told_before_any_server_is_asked(
    goldloop: Goldloop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LANGFUSE_HOST")
    assert "--history" in goldloop("prelabel", "--since", "2026-01-01").sentence
    assert "--task-runner dask or ray" in goldloop("prelabel", "--workers", "2").sentence


def test_a_sample_that_cannot_be_read_is_not_called_free(
    goldloop: Goldloop, monkeypatch: pytest.MonkeyPatch, langfuse: HTTPServer
) -> None:
    now = utc_now()
    with open_store(_STORE) as store:
        gone = candidate(GONE).model_copy(update={"timestamp": now - timedelta(hours=_HOURS_AGO)})
        store.save_candidates([gone], now)
    monkeypatch.setattr("goldloop.bootstrap.judge_of", lambda *_, **__: Priced())
    told = goldloop("prelabel", "--history", "--dry-run").out
    assert "What it costs is not known" in told
    assert "costs nothing" not in told
