"""Nothing lost, nothing twice: whatever people, apps, servers and operators do, the next quiet syncs put it right.

`HYPOTHESIS_PROFILE=long pytest tests/properties/test_sync.py` runs 500 steps an example, `GOLDLOOP_SYNC_EXAMPLES` of
them (10 unless told) from a new seed each time; otherwise it is a few examples of 50 steps, always the same ones.
What failed can be run again: its steps and the seed are printed, and `--hypothesis-seed` takes the seed.
"""

import json
import os
import shutil
import tempfile
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from builders import QUEUE
from fakes.task_queue import Result, _Task
from goldloop.adapters.store import SqlStore, open_store
from goldloop.errors import RetryableError
from goldloop.pipeline import enqueue, publish
from goldloop.ports import TaskDraft
from goldloop.records import AnnotationSnapshot, EvalRow, Score
from pipeline.loop import ADA, BEN, CLEO, Loop, revised
from properties.said import decided, fits, most_named, only_label, verdict_of
from properties.trouble import KilledError, Kind, Trouble

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
CODEBOOK = revised(annotations_per_trace=2, budget=5000, blind_share=0.3, double_label_share=0.3)
FOREIGN = "foreign"
MILLISECOND = timedelta(milliseconds=1)
PICK = st.integers(0, 10**6)
PEOPLE = st.sampled_from([ADA, BEN, CLEO])
VERBS = ["pull", "draw", "prelabel", "enqueue", "gather", "resolve", "publish", "fetch_annotations", "run"]
# After these the world and the store know different things, until a later run has looked.
EDGES = ["import_tasks", "save_tasks", "send", "mark_scores_sent", "delete", "put", "mark_eval_rows_done"]
# What is submitted: a verdict and a severity; None is a skip, "unfit" what the codebook does not allow.
SAID = st.sampled_from(["pass", "pass", "fail", "fail", "fail minor", "fail major", "fail critical", None, "unfit"])


class World(RuleBasedStateMachine):
    """What Label Studio holds is what the annotators did; all else has to follow from it and from what was logged.

    The servers' clock only goes forward. The worker's is `behind` it after it was set back.
    """

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.loop = loop = Loop(self.folder, self.template)
        loop.use(CODEBOOK)
        self.behind = timedelta(0)
        self.refusing: set[str] = set()
        self.dropping: set[str] = set()
        self.meddled: set[str] = set()
        self.logged: list[str] = []
        self.hollow: set[str] = set()
        loop.tasks._page_size = loop.source._page_size = 3
        loop.scores.clock, loop.scores.lag = self.now, timedelta(seconds=5)
        loop.scores.refuses = lambda score: "400" if score.trace_id in self.refusing else ""
        loop.scores.drops = lambda score: score.trace_id in self.dropping
        loop.datasets.refuses = lambda row: "400" if row.trace_id in self.refusing else ""
        self.trouble = Trouble()
        store = [name for name in dir(SqlStore) if not name.startswith("_") and name != "close"]
        self.trouble.watch(loop.store, store, server=False)
        self.trouble.watch(loop.file, ["put", "remove"], server=False)
        self.trouble.watch(loop.datasets, ["put", "remove"], server=True)
        self.trouble.watch(loop.scores, ["send", "delete", "read"], server=True)
        self.trouble.watch(loop.source, ["candidates", "signals", "payloads"], server=True)
        calls = ["ensure_project", "find_project", "find_tasks", "import_tasks", "want_annotators", "changed_tasks"]
        self.trouble.watch(loop.tasks, [*calls, "task_count", "task_ids"], server=True)

    @initialize()
    def begin(self) -> None:
        self.log(6, 20)
        self.loop.run()

    def teardown(self) -> None:
        try:
            self.whole_sync(retrying=True)
        finally:
            self.loop.store.close()
            shutil.rmtree(self.folder)

    def now(self) -> datetime:
        """By the servers' clock."""
        return self.loop.clock() + self.behind

    # -- apps

    @rule(number=st.integers(1, 4), minutes=st.sampled_from([0, 1, 20, 55]))
    def log(self, number: int, minutes: int) -> None:
        """Traces of one and the same time, that can be read only now, as late as the overlap allows."""
        at = self.now() - timedelta(minutes=minutes)
        for _ in range(number):
            self.log_one(at)

    @rule()
    def log_hollow(self) -> None:
        """A trace that has nothing to judge."""
        self.hollow.add(self.log_one(self.now(), output="", messages=()))

    def log_one(self, at: datetime, **fields: object) -> str:
        trace_id = f"t{len(self.logged):03}"
        self.logged.append(trace_id)
        self.loop.log(trace_id, timestamp=at, **fields)
        return trace_id

    # -- annotators

    def tasks(self) -> list[_Task]:
        return list(self.loop.tasks._tasks.values())

    def task(self, pick: int) -> _Task:
        return self.tasks()[pick % len(self.tasks())]

    def annotations(self) -> list[AnnotationSnapshot]:
        return [one for task in self.tasks() for one in task.annotations.values()]

    def annotation(self, pick: int) -> AnnotationSnapshot:
        return self.annotations()[pick % len(self.annotations())]

    def moment(self, task: _Task, late: int = 0) -> datetime:
        """Of a transaction that was begun `late` seconds ago and is seen only now."""
        self.loop.clock.turn(MILLISECOND)
        return max(task.updated_at + MILLISECOND, self.now() - timedelta(seconds=late))

    def moment_of(self, one: AnnotationSnapshot, late: int = 0) -> datetime:
        return self.moment(self.loop.tasks._holder(one.annotation_id), late)

    def result(self, said: str | None) -> Result:
        if said is None:
            return []
        if said == "unfit":
            return [*self.loop.answer(verdict="pass"), *self.loop.answer(verdict="fail")]
        verdict, _, severity = said.partition(" ")
        return self.loop.answer(verdict=verdict, **({"severity": severity} if severity else {}))

    @precondition(lambda self: self.tasks())
    @rule(pick=PICK, who=PEOPLE, said=SAID, late=st.sampled_from([0, 0, 90]), shown=st.booleans())
    def annotate(self, pick: int, who: str, said: str | None, late: int, *, shown: bool) -> None:
        """Also a second one by the same person, and one that a script brought in under somebody's name."""
        task = self.task(pick)
        self.loop.tasks.annotate(
            task.task_id,
            self.result(said),
            annotator=who,
            skipped=said is None,
            from_prediction=shown,
            at=self.moment(task, late),
        )

    @precondition(lambda self: self.tasks())
    @rule(pick=PICK, said=SAID)
    def agree(self, pick: int, said: str | None) -> None:
        task = self.task(pick)
        for who in (ADA, BEN, CLEO):
            self.loop.tasks.annotate(
                task.task_id, self.result(said), annotator=who, skipped=said is None, at=self.moment(task)
            )

    @precondition(lambda self: self.tasks())
    @rule(first=PICK, second=PICK, said=SAID)
    def commit_out_of_order(self, first: int, second: int, said: str | None) -> None:
        """The later one is gathered before the earlier one can be seen."""
        self.annotate(first, ADA, said, 0, shown=False)
        self.verb("gather")
        self.annotate(second, BEN, said, 90, shown=False)

    @precondition(lambda self: self.annotations())
    @rule(pick=PICK, said=SAID.filter(lambda said: said is not None), late=st.sampled_from([0, 90]))
    def edit(self, pick: int, said: str, late: int) -> None:
        one = self.annotation(pick)
        self.loop.tasks.edit(one.annotation_id, self.result(said), at=self.moment_of(one, late))

    @precondition(lambda self: self.annotations())
    @rule(pick=PICK)
    def skip_or_unskip(self, pick: int) -> None:
        """What was skipped from the start comes back without an answer, which the codebook does not allow."""
        one = self.annotation(pick)
        change = self.loop.tasks.unskip if one.skipped else self.loop.tasks.skip
        change(one.annotation_id, at=self.moment_of(one))

    @precondition(lambda self: self.annotations())
    @rule(pick=PICK)
    def submit_again(self, pick: int) -> None:
        """Nothing in it changed; making it the ground truth does the same."""
        one = self.annotation(pick)
        self.loop.tasks.touch(one.annotation_id, at=self.moment_of(one))

    @precondition(lambda self: self.annotations())
    @rule(pick=PICK, who=PEOPLE)
    def reassign(self, pick: int, who: str) -> None:
        one = self.annotation(pick)
        self.loop.tasks.reassign(one.annotation_id, who, at=self.moment_of(one))

    @precondition(lambda self: self.annotations())
    @rule(pick=PICK)
    def delete_annotation(self, pick: int) -> None:
        one = self.annotation(pick)
        self.loop.tasks.delete_annotation(one.annotation_id, at=self.moment_of(one))

    # -- whoever may change a project

    @precondition(lambda self: self.tasks())
    @rule(pick=PICK)
    def bulk_delete(self, pick: int) -> None:
        latest = max(self.tasks(), key=lambda task: task.updated_at)
        self.loop.tasks.clear(self.task(pick).project_id, at=self.moment(latest))

    @precondition(lambda self: self.tasks())
    @rule(pick=PICK, last=st.booleans())
    def delete_task(self, pick: int, *, last: bool) -> None:
        """The last one's id is given again to the next that is made."""
        task = max(self.tasks(), key=lambda task: task.task_id) if last else self.task(pick)
        self.loop.tasks.delete_task(task.task_id)

    @precondition(lambda self: self.tasks())
    @rule(said=SAID)
    def give_an_id_again(self, said: str | None) -> None:
        """To a new trace, before anyone noticed that the task which had it is gone."""
        last = max(self.tasks(), key=lambda task: task.task_id)
        self.annotate(self.tasks().index(last), ADA, said, 0, shown=False)
        self.verb("gather")
        self.loop.tasks.delete_task(last.task_id)
        self.log(1, 1)
        self.loop.clock.turn(timedelta(minutes=1))
        for verb in ("pull", "draw", "enqueue"):
            self.verb(verb)

    @precondition(lambda self: self.loop.tasks.projects)
    @rule(pick=PICK, again=st.booleans(), rare=st.integers(0, 3))
    def delete_project(self, pick: int, rare: int, *, again: bool) -> None:
        """And perhaps make one of the same title, by hand."""
        if rare:
            return
        projects = self.loop.tasks.projects
        project_id = sorted(projects)[pick % len(projects)]
        draft = projects[project_id]
        self.loop.tasks.delete_project(project_id)
        if again:
            projects[next(self.loop.tasks._ids)] = draft

    @precondition(lambda self: self.tasks() and FOREIGN not in self.loop.traces_with_tasks())
    @rule(pick=PICK, said=SAID)
    def import_a_task_by_hand(self, pick: int, said: str | None) -> None:
        """With an annotation on it."""
        like = self.task(pick)
        draft = TaskDraft(trace_id=FOREIGN, data=like.draft.data)
        (task_id,) = self.loop.tasks.import_tasks(like.project_id, [draft])
        self.loop.tasks._tasks[task_id].updated_at = self.now()
        self.loop.tasks.annotate(task_id, self.result(said), skipped=said is None, at=self.now())

    # -- the verbs, and what goes wrong

    @rule(verb=st.sampled_from(VERBS))
    def verb(self, verb: str) -> None:
        self.loop.clock.turn(timedelta(seconds=1))
        with suppress(RetryableError, KilledError):
            getattr(self.loop, verb)()
        self.trouble.spare()

    @rule(
        verb=st.sampled_from(VERBS),
        kind=st.sampled_from(["kill", "kill", "fault"]),
        calls=st.integers(0, 12) | st.integers(0, 60),
        after=st.booleans(),
    )
    def struck_verb(self, verb: str, kind: Kind, calls: int, *, after: bool) -> None:
        self.trouble.strike(kind, calls, after=after)
        self.verb(verb)

    @precondition(lambda self: self.tasks())
    @rule(only=st.sampled_from(EDGES), calls=st.integers(0, 2), after=st.booleans(), said=SAID)
    def struck_at_an_edge(self, only: str, calls: int, said: str | None, *, after: bool) -> None:
        """With something to do on both ways."""
        self.log(4, 1)
        self.loop.clock.turn(timedelta(minutes=1))
        for pick in range(3):
            self.agree(pick, said)
        self.trouble.strike("kill", calls, after=after, only=only)
        self.verb("run")

    @precondition(lambda self: self.tasks())
    @rule(pick=PICK, said=SAID, dropping=st.booleans())
    def langfuse_minds(self, pick: int, said: str | None, *, dropping: bool) -> None:
        """It refuses what is said of a trace from now on, or takes it and forgets it."""
        trace_id = self.task(pick).draft.trace_id
        (self.dropping if dropping else self.refusing).add(trace_id)
        self.meddled.add(trace_id)
        self.agree(pick, said)
        self.verb("fetch_annotations")

    @rule()
    def langfuse_minds_no_more(self) -> None:
        self.refusing.clear()
        self.dropping.clear()

    @rule(minutes=st.sampled_from([1, 5, 20, 90]))
    def wait(self, minutes: int) -> None:
        self.loop.clock.turn(timedelta(minutes=minutes))

    @rule(minutes=st.integers(1, 30))
    def set_the_clock_back(self, minutes: int) -> None:
        by = timedelta(minutes=minutes)
        self.loop.clock.turn(-by)
        self.behind += by

    @rule()
    def set_the_clock_right(self) -> None:
        self.loop.clock.turn(self.behind)
        self.behind = timedelta(0)

    @rule(pick=PICK, every=st.booleans())
    def retry(self, pick: int, *, every: bool) -> None:
        rows = self.loop.store.parked()
        one = rows[pick % len(rows)].parked_id if rows else None
        self.loop.retry(lambda row: every or row.parked_id == one)

    # -- a whole sync, and what has to be so after it

    @rule(retrying=st.booleans())
    def whole_sync(self, *, retrying: bool) -> None:
        self.langfuse_minds_no_more()
        self.set_the_clock_right()
        before: list[object] = []
        for number in range(6):
            self.loop.clock.turn(timedelta(minutes=16))  # what Langfuse forgot is noticed
            if retrying and number in {1, 2}:
                self.loop.retry()
            self.loop.run()
            self.loop.clock.turn(timedelta(minutes=1))  # nobody waits to see a deletion
            now = self.everything()
            if now == before and number >= 3:
                break
            before = now
        else:
            raise AssertionError("it does not come to rest")
        unsent = self.traces_held_back(retried=retrying)
        self.every_trace_is_one_task_or_parked(retried=retrying)
        self.what_is_unfit_is_parked()
        self.scores_are_what_people_say(unsent)
        self.failures_are_eval_rows(unsent)
        self.times_of_events_grow()

    def everything(self) -> list[object]:
        loop = self.loop
        tasks = {task.task_id: task.draft.trace_id for task in self.tasks()}
        written = [len(loop.scores.sent), len(loop.scores.deleted), loop.datasets.writes]
        return [tasks, loop.shown(), written, loop.store.parked(), loop.store.counts(QUEUE)]

    def ours(self) -> list[_Task]:
        return [task for task in self.tasks() if task.draft.trace_id != FOREIGN]

    def traces_held_back(self, *, retried: bool) -> set[str | None]:
        """Traces of which something is parked on its way out, for Langfuse would not have it; nothing once retried."""
        held = {row.trace_id for row in self.loop.store.parked() if row.verb == "publish"}
        assert held <= (set() if retried else self.meddled)
        return held

    def every_trace_is_one_task_or_parked(self, *, retried: bool) -> None:
        reasons = {s.removeprefix("trace:"): why for s, why in self.loop.parked().items() if s.startswith("trace:")}
        with_tasks = [task.draft.trace_id for task in self.ours()]
        assert sorted([*with_tasks, *reasons]) == self.logged
        assert {trace_id for trace_id, why in reasons.items() if why == "no_payload"} == self.hollow
        others = set(reasons.values()) - {"no_payload"}
        assert others <= (set() if retried else {"task_deleted"})

    def what_is_unfit_is_parked(self) -> None:
        kinds = ("annotation:", "task:")
        parked = {subject for subject in self.loop.parked() if subject.startswith(kinds)}
        unfit = {
            f"annotation:{task.project_id}/{task.task_id}/{one.annotation_id}"
            for task in self.ours()
            for one in task.annotations.values()
            if not fits(one)
        }
        foreign = {f"task:{task.project_id}/{task.task_id}" for task in self.tasks() if task.draft.trace_id == FOREIGN}
        assert parked == unfit | foreign

    def scores_are_what_people_say(self, unsent: set[str | None]) -> None:
        due: list[tuple[str, str, str, str]] = []
        for task in self.ours():
            trace_id = task.draft.trace_id
            due += [
                (trace_id, "annotation_verdict", said, one.annotator)
                for one in filter(fits, task.annotations.values())
                if (said := verdict_of(one))
            ]
            verdict, severity = self.answers(task)
            due += [(trace_id, "human_verdict", verdict, "")] if verdict else []
            due += [(trace_id, "human_severity", severity, "")] if severity else []
        shown = [
            (one.trace_id, one.name, str(one.value), str(one.metadata.get("annotator", "")))
            for one in self.loop.shown()
        ]
        assert sorted(one for one in shown if one[0] not in unsent) == sorted(
            one for one in due if one[0] not in unsent
        )

    def answers(self, task: _Task) -> tuple[str | None, str | None]:
        """The verdict and the severity that the task's annotators agree on: each one's last word counts."""
        voices = {
            one.annotator: one
            for one in sorted(task.annotations.values(), key=lambda each: (each.updated_at, each.created_at))
            if fits(one)
        }
        verdict = decided([verdict_of(one) for one in voices.values()], self.loop.tasks.annotators_of(task.task_id))
        agreeing = [one for one in voices.values() if verdict and verdict_of(one) == verdict]
        return verdict, most_named(only_label(list(one.result), "severity") for one in agreeing)

    def failures_are_eval_rows(self, unsent: set[str | None]) -> None:
        failed = {task.draft.trace_id for task in self.ours() if self.answers(task)[0] == "fail"}
        in_dataset = list(self.loop.datasets.rows(QUEUE).values())
        path = self.folder / "evals" / f"{QUEUE}.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        in_file = [EvalRow.model_validate(json.loads(line)) for line in lines]
        for rows in (in_dataset, in_file):
            assert sorted(row.trace_id for row in rows if row.trace_id not in unsent) == sorted(failed - unsent)

        def settled(rows: list[EvalRow]) -> list[EvalRow]:
            return sorted((row for row in rows if row.trace_id not in unsent), key=lambda row: row.row_id)

        assert settled(in_file) == settled(in_dataset)
        assert self.loop.datasets._rows.keys() <= {QUEUE}
        assert [one.name for one in (self.folder / "evals").iterdir()] == [f"{QUEUE}.jsonl"] if lines else True

    def times_of_events_grow(self) -> None:
        """Of one score, a later event is of a later time; what is sent again is the same to the letter."""
        last: dict[str, Score] = {}
        for score in self.loop.scores.sent:
            before = last.get(score.score_id)
            assert before is None or score == before or score.event_at > before.event_at
            last[score.score_id] = score


@pytest.fixture
def template(tmp_path: Path) -> Path:
    file = tmp_path / "template.db"
    open_store(f"sqlite:///{file}").close()
    return file


@pytest.mark.simulation
@pytest.mark.timeout(3600 if LONG else 600)
def test_nothing_is_lost_and_nothing_comes_twice(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Batches small enough that a verb has several of them.
    monkeypatch.setattr(publish, "_BATCH", 3)
    monkeypatch.setattr(publish, "_EVAL_BATCH", 2)
    monkeypatch.setattr(enqueue, "_BATCH", 3)
    machine = type("World", (World,), {"template": template})
    # No shrinking: over a database it would take minutes, and the steps can be read as they are.
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=int(os.environ.get("GOLDLOOP_SYNC_EXAMPLES", "10")) if LONG else 5,
            stateful_step_count=500 if LONG else 50,
            deadline=None,
            derandomize=not LONG,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
