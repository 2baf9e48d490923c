"""The flows without a server: retry condition, errors as sentences, summaries."""

import typing
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import pytest
from prefect import State
from prefect.client.schemas.objects import StateType, TaskRun
from prefect.logging import disable_run_logger
from prefect.states import Failed

from flows import alarms, sync, verbs
from flows.verbs import may_succeed_later, run_verbs, step, unexpected
from goldloop.bootstrap import VERBS, Run
from goldloop.bootstrap.prelabels import Prelabelling
from goldloop.codebook.load import load_folder
from goldloop.codebook.schema import Codebook
from goldloop.errors import (
    ConfigError,
    FatalError,
    GoldloopError,
    LockedError,
    RejectedError,
    RetryableError,
)
from goldloop.pipeline.prelabel import PrelabelSummary
from goldloop.pipeline.prelabel_pages import PageSummary, PrelabelPage
from goldloop.pipeline.publish import PublishSummary
from goldloop.pipeline.reconcile import ReconcileSummary
from goldloop.pipeline.resolve import ResolveSummary
from goldloop.records import Project, Record
from goldloop.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
CODEBOOK = next(iter(load_folder(ROOT / "label_configs").values()))
RESOLVED = ResolveSummary(traces=3, decided=2, failures=1, outbox=5)
AWAY = RetryableError("Langfuse", "Langfuse answered 503: try again later.")
PAYLOAD = "the customer's own words"


@pytest.fixture(autouse=True)
def no_run_logger() -> Iterator[None]:
    with disable_run_logger():
        yield


# -- retries -------------------------------------------------------------------------------------------------------


def task_run(tries: int) -> TaskRun:
    return TaskRun(task_key="step", dynamic_key=str(uuid4()), run_count=tries)


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (AWAY, True),
        (RejectedError("Langfuse", "no"), False),
        (FatalError("Langfuse", "no"), False),
        (ConfigError("no"), False),
        (LockedError("no"), False),
        (GoldloopError("no"), False),
        (ValueError("no"), False),
    ],
)
def test_only_what_may_succeed_later_is_tried_again(error: Exception, again: bool) -> None:
    assert may_succeed_later(step, task_run(1), Failed(data=error)) is again


def test_it_is_tried_again_as_often_as_there_are_delays() -> None:
    tries = [may_succeed_later(step, task_run(number), Failed(data=AWAY)) for number in range(1, 6)]
    assert tries == [True, True, True, False, False]


def work_that_raises(error: Exception) -> Callable[[], Record]:
    def work() -> Record:
        raise error

    return work


def test_a_step_gives_the_summary_or_a_failed_state_with_the_error() -> None:
    assert step.fn(lambda: RESOLVED) is RESOLVED
    state = step.fn(work_that_raises(AWAY))
    assert isinstance(state, State)
    assert state.is_failed()
    assert state.message == "Langfuse answered 503: try again later."
    assert state.data is AWAY


def test_a_step_waits_as_long_as_the_server_wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("flows.verbs.time.sleep", slept.append)
    for wish in (None, 7.0, 1e6):
        step.fn(work_that_raises(RetryableError("Langfuse", "Later.", retry_after=wish)))
    assert slept == [7.0, verbs.MOST_WAIT_S]


def test_a_fault_of_our_own_is_told_without_its_text() -> None:
    state = step.fn(work_that_raises(ValueError(PAYLOAD)))
    assert isinstance(state, State)
    assert state.message is not None
    assert state.message.startswith("An unexpected ValueError was raised in test_flows.py, line ")
    assert PAYLOAD not in state.message
    assert PAYLOAD not in repr(state)


def test_the_place_of_a_fault_is_where_it_was_raised() -> None:
    with pytest.raises(AttributeError) as raised:
        load_folder(typing.cast("Path", None))
    assert "load.py, line" in unexpected(raised.value)


# -- runs ----------------------------------------------------------------------------------------------------------


class StubStore:
    """A store that knows who holds the lock."""

    def __init__(self) -> None:
        self.holder: str | None = None
        self.taken: list[tuple[str, timedelta]] = []

    @contextmanager
    def lock(self, name: str, owner: str, ttl: timedelta) -> Iterator[None]:
        if self.holder is not None:
            raise LockedError(f"Another run ({self.holder}) has held {name}: wait for its end.")
        self.taken.append((name, ttl))
        self.holder = owner
        try:
            yield
        finally:
            self.holder = None

    def projects(self, queue: str) -> list[Project]:
        return [Project(queue=queue, codebook_version="1.0.0", project_id=4, url="http://ls/projects/4/data")]


class StubLoop:
    """What the flows use of `goldloop.bootstrap.Goldloop`."""

    def __init__(self, store: StubStore, errors: dict[str, Exception]) -> None:
        self.store = store
        self.errors = errors
        self.settings = Settings.model_construct(lock_seconds=60)
        self.ran: list[tuple[str, str | None, str | None]] = []
        self.seeds: list[int] = []
        self.prelabellings: list[Prelabelling] = []
        self.summary: Record = RESOLVED

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def codebook(self, queue: str | None) -> Codebook:
        if queue not in (None, CODEBOOK.name):
            raise ConfigError(f"there is no queue {queue!r}: label_configs holds {CODEBOOK.name}")
        return CODEBOOK

    def hold(self, codebook: Codebook, owner: str, *, history: bool = False) -> AbstractContextManager[None]:
        name = f"{'history' if history else 'queue'}:{codebook.name}"
        return self.store.lock(name, owner, timedelta(seconds=self.settings.lock_seconds))

    def run(self, wanted: list[str], queue: str | None, run: Run) -> Iterator[tuple[str, Record]]:
        for verb in wanted:
            self.ran.append((verb, queue, self.store.holder))
            self.seeds.append(run.seed)
            self.prelabellings.append(run.prelabelling)
            assert self.store.holder == run.owner
            if verb in self.errors:
                raise self.errors[verb]
            yield verb, self.summary


class PlainTask:
    """The step as a plain call, without Prefect's engine."""

    def with_options(self, **_: object) -> Callable[[Callable[[], Record]], Record | State[Any]]:
        return step.fn


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> StubLoop:
    made = StubLoop(StubStore(), {})
    monkeypatch.setattr(verbs, "Goldloop", lambda _settings: made)
    monkeypatch.setattr(verbs, "step", PlainTask())
    monkeypatch.setattr(verbs, "show", lambda *_: None)
    return made


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_is_a_flow_that_runs_it_alone(loop: StubLoop, verb: str) -> None:
    state = getattr(sync, verb).fn(queue=CODEBOOK.name)
    assert state.is_completed()
    assert [ran for ran, _, _ in loop.ran] == [verb]


def test_run_does_all_verbs_in_order_under_one_lock(loop: StubLoop) -> None:
    state = sync.run.fn()
    assert state.is_completed()
    assert [verb for verb, _, _ in loop.ran] == list(VERBS)
    assert {queue for _, queue, _ in loop.ran} == {CODEBOOK.name}
    assert loop.store.taken == [(f"queue:{CODEBOOK.name}", timedelta(seconds=60))]
    assert len(set(loop.seeds)) == 1


def test_run_does_the_named_verbs_in_the_order_of_a_traces_way(loop: StubLoop) -> None:
    sync.run.fn(verbs=["publish", "gather"], seed=7)
    assert [verb for verb, _, _ in loop.ran] == ["gather", "publish"]
    assert set(loop.seeds) == {7}


def test_a_run_that_is_started_again_owns_the_same_lock(loop: StubLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", "3f2a91c0")
    run_verbs(["report"], None)
    assert [holder for _, _, holder in loop.ran] == ["3f2a91c0"]


def test_the_first_verb_that_fails_ends_the_run_in_one_sentence(loop: StubLoop) -> None:
    loop.errors["enqueue"] = FatalError("Label Studio", "Label Studio refuses the key: set LABEL_STUDIO_API_KEY.")
    state = sync.run.fn()
    assert state.is_failed()
    assert state.message == "enqueue: Label Studio refuses the key: set LABEL_STUDIO_API_KEY."
    assert loop.ran[-1][0] == "enqueue"


def test_a_held_lock_skips_the_run(loop: StubLoop) -> None:
    loop.store.holder = "another"
    state = run_verbs(["pull"], None)
    assert (state.type, state.name) == (StateType.CANCELLED, "Skipped")
    assert state.message == f"Another run (another) has held queue:{CODEBOOK.name}: wait for its end."
    assert not loop.ran


def test_an_unknown_queue_and_a_wrong_setting_are_sentences(loop: StubLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    state = run_verbs(["pull"], "nowhere")
    assert state.is_failed()
    assert state.message == f"there is no queue 'nowhere': label_configs holds {CODEBOOK.name}"
    monkeypatch.setenv("GOLDLOOP_LOCK_SECONDS", "soon")
    state = run_verbs(["pull"], None)
    assert state.is_failed()
    assert state.message is not None
    assert state.message.startswith("these settings are wrong: GOLDLOOP_LOCK_SECONDS:")


def test_a_fault_outside_of_a_verb_is_told_without_its_text(loop: StubLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError(PAYLOAD)

    monkeypatch.setattr(verbs, "show", fail)
    state = run_verbs(["pull"], None)
    assert state.is_failed()
    assert PAYLOAD not in str(state.message)
    assert loop.store.holder is None


def test_reconcile_is_a_flow_beside_the_verbs(loop: StubLoop) -> None:
    loop.summary = ReconcileSummary(tasks=1, scores=9, eval_rows=2, differing=3, left=1)
    state = sync.reconcile.fn()
    assert [verb for verb, _, _ in loop.ran] == ["reconcile"]
    assert state.message == "reconcile: done; 3 differed, 1 of them left: goldloop reconcile --dry-run shows them"
    loop.summary = loop.summary.model_copy(update={"differing": 0, "left": 0})
    assert sync.reconcile.fn().message == "reconcile: done; nothing differs"


@pytest.mark.parametrize(("count", "said"), [(0, ""), (1, "1 score"), (2000, "2,000 scores")])
def test_scores_that_never_appeared_are_told(
    loop: StubLoop, monkeypatch: pytest.MonkeyPatch, count: int, said: str
) -> None:
    emitted: list[tuple[str, dict[str, str], dict[str, int]]] = []
    monkeypatch.setattr(
        alarms, "emit_event", lambda name, *, resource, payload: emitted.append((name, resource, payload))
    )
    loop.summary = PublishSummary.model_validate(
        dict.fromkeys(PublishSummary.model_fields, 0) | {"never_appeared": count, "parked": count}
    )
    state = sync.publish.fn()
    assert state.is_completed()
    alarm = f"; {said} never appeared in Langfuse, which had taken them: goldloop parked list" if count else ""
    assert state.message == f"publish: done{alarm}"
    resource = {
        "prefect.resource.id": f"goldloop.queue.{CODEBOOK.name}",
        "prefect.resource.name": CODEBOOK.name,
    }
    assert emitted == ([("goldloop.score.never-appeared", resource, {"count": count})] if count else [])


# -- the pages of a prelabel ---------------------------------------------------------------------------------------

PAGES = [PrelabelPage(queue=CODEBOOK.name, codebook_version="1.0.0", trace_ids=(f"t{number}",)) for number in range(3)]


def test_each_page_is_a_task_with_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    named: list[object] = []

    class Named(PlainTask):
        def with_options(self, **options: object) -> Callable[[Callable[[], Record]], Record | State[Any]]:
            named.append(options["task_run_name"])
            return super().with_options()

    monkeypatch.setattr(verbs, "step", Named())
    made = list(verbs.as_tasks(lambda page: PageSummary(traces=len(page.trace_ids)), PAGES, 1))
    assert made == [PageSummary(traces=1)] * 3
    assert named == ["prelabel page 1", "prelabel page 2", "prelabel page 3"]


def test_a_page_that_failed_was_tried_often_enough(loop: StubLoop) -> None:
    def fail(_page: PrelabelPage) -> PageSummary:
        raise AWAY

    with pytest.raises(GoldloopError, match="503") as raised:
        list(verbs.as_tasks(fail, PAGES, 1))
    assert not isinstance(raised.value, RetryableError)  # the verb around the pages would try them all again


def test_prelabel_takes_what_its_form_asks_for(loop: StubLoop) -> None:
    state = sync.prelabel.fn(
        history=True,
        since=datetime(2026, 3, 2, 12),  # noqa: DTZ001 - so a form may give it
        categories=["returns"],
        limit=7,
        task_runner="dask",
        workers=2,
    )
    assert state.is_completed()
    (asked,) = loop.prelabellings
    assert asked.selection.model_dump() == {
        "history": True,
        "since": datetime(2026, 3, 2, 12, tzinfo=UTC),
        "until": None,
        "categories": ("returns",),
        "limit": 7,
    }
    assert (asked.task_runner, asked.workers, asked.most_pages) == ("dask", 2, verbs.MOST_PAGES)
    # The loop goes on beside it: its lock is another.
    assert [name for name, _ in loop.store.taken] == [f"history:{CODEBOOK.name}"]


def test_a_spent_budget_completes_the_run_and_is_told(loop: StubLoop) -> None:
    loop.summary = PrelabelSummary(judged=3, abstained=0, parked=0, left=2, state="budget spent: 2 left")
    state = sync.prelabel.fn()
    assert state.is_completed()
    assert state.message == "prelabel: done; budget spent: 2 left"
