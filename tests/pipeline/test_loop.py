"""The whole loop under whatever people, apps and servers do: once all is still, everything stands where it should."""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import product
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from builders import QUEUE
from fakes.task_queue import _Task
from goldloop.codebook.result import from_result
from goldloop.errors import RetryableError
from goldloop.ports import TaskDraft
from goldloop.records import AnnotationSnapshot, State
from pipeline.loop import ADA, BEN, CLEO, MINUTE, Loop, revised

PEOPLE = [ADA, BEN, CLEO]
VERDICTS = st.sampled_from(["pass", "fail"])
PICK = st.integers(0, 10**6)
FOREIGN = "foreign"
CODEBOOK = revised(annotations_per_trace=3, budget=50)


def decided(verdicts: list[str | None], wanted: int) -> str | None:
    """The verdict that no outstanding voice could change, by trying all that they could say; None is a skip."""
    outstanding = max(0, wanted - len(verdicts))
    winners = set()
    for more in product(["pass", "fail"], repeat=outstanding):
        votes = [*verdicts, *more]
        passed, failed = votes.count("pass"), votes.count("fail")
        winners.add("pass" if passed > failed else "fail" if failed > passed else None)
    (winner, *others) = winners
    return winner if not others and any(verdicts) else None


def verdict_of(one: AnnotationSnapshot) -> str | None:
    return None if one.skipped else str(from_result(CODEBOOK, one.result)["verdict"])


class World(RuleBasedStateMachine):
    """What may happen between two moments of rest. The servers' contents are the truth; the store only follows."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.loop = Loop(self.folder, self.template)
        self.loop.use(CODEBOOK)
        self.loop.scores.lag = timedelta(seconds=5)
        self.logged = 0

    @initialize(verdicts=st.lists(VERDICTS, min_size=3, max_size=3))
    def begin(self, verdicts: list[str]) -> None:
        self.log(4)
        self.loop.run()
        for task, verdict in zip(self.tasks(), verdicts, strict=False):
            self.annotate_one(task.task_id, [(ADA, verdict), (BEN, verdict)])

    def teardown(self) -> None:
        try:
            self.settle()
        finally:
            self.close()

    def close(self) -> None:
        self.loop.store.close()
        shutil.rmtree(self.folder)

    # -- apps and annotators

    @rule(number=st.integers(1, 3))
    def log(self, number: int) -> None:
        for _ in range(number):
            self.logged += 1
            self.loop.log(f"t{self.logged:02}", output="wrong" if self.logged % 2 else "right")

    def tasks(self) -> list[_Task]:
        return list(self.loop.tasks._tasks.values())

    def annotations(self) -> list[AnnotationSnapshot]:
        return [one for task in self.tasks() for one in task.annotations.values()]

    @precondition(lambda self: self.tasks())
    @rule(pick=PICK, voices=st.lists(st.tuples(st.sampled_from(PEOPLE), VERDICTS | st.none()), min_size=1, max_size=3))
    def annotate(self, pick: int, voices: list[tuple[str, str | None]]) -> None:
        self.annotate_one(self.tasks()[pick % len(self.tasks())].task_id, voices)

    @precondition(lambda self: self.tasks())
    @rule(pick=PICK, verdict=VERDICTS)
    def agree(self, pick: int, verdict: str) -> None:
        """Two of three: that decides."""
        self.annotate_one(self.tasks()[pick % len(self.tasks())].task_id, [(ADA, verdict), (BEN, verdict)])

    def annotate_one(self, task_id: int, voices: list[tuple[str, str | None]]) -> None:
        for person, verdict in voices:
            self.loop.clock.turn(timedelta(seconds=1))
            result = [] if verdict is None else self.loop.answer(verdict=verdict)
            skipped = verdict is None
            self.loop.tasks.annotate(task_id, result, annotator=person, skipped=skipped, at=self.loop.clock())

    @precondition(lambda self: self.annotations())
    @rule(pick=PICK, verdict=VERDICTS)
    def edit(self, pick: int, verdict: str) -> None:
        self.loop.edit(self.picked(pick), verdict)

    @precondition(lambda self: self.annotations())
    @rule(pick=PICK)
    def skip_or_unskip(self, pick: int) -> None:
        self.loop.clock.turn(timedelta(seconds=1))
        one = next(each for each in self.annotations() if each.annotation_id == self.picked(pick))
        if one.result:  # what was skipped from the start has no answer to come back to
            change = self.loop.tasks.unskip if one.skipped else self.loop.tasks.skip
            change(one.annotation_id, at=self.loop.clock())

    @precondition(lambda self: self.annotations())
    @rule(pick=PICK)
    def delete_annotation(self, pick: int) -> None:
        self.loop.clock.turn(timedelta(seconds=1))
        self.loop.tasks.delete_annotation(self.picked(pick), at=self.loop.clock())

    @precondition(lambda self: len(self.tasks()) > 1)
    @rule(pick=PICK)
    def delete_task(self, pick: int) -> None:
        self.loop.tasks.delete_task(self.tasks()[pick % len(self.tasks())].task_id)

    @precondition(lambda self: len(self.tasks()) > 1)
    @rule(importing=st.booleans())
    def delete_the_last_task_as_a_new_trace_comes(self, *, importing: bool) -> None:
        """Its id is given again, perhaps before the deletion is noticed."""
        self.loop.tasks.delete_task(max(task.task_id for task in self.tasks()))
        self.log(1)
        for verb in (self.loop.pull, self.loop.draw, self.loop.enqueue) if importing else ():
            with suppress(RetryableError):
                verb()

    @precondition(lambda self: self.tasks() and FOREIGN not in self.loop.traces_with_tasks())
    @rule()
    def import_a_task_by_hand(self) -> None:
        task = self.tasks()[0]
        with suppress(RetryableError):
            self.loop.tasks.import_tasks(task.project_id, [TaskDraft(trace_id=FOREIGN, data=task.draft.data)])

    def picked(self, pick: int) -> int:
        found = self.annotations()
        return found[pick % len(found)].annotation_id

    # -- the verbs, and what goes wrong

    @rule(verb=st.sampled_from(["pull", "draw", "prelabel", "enqueue", "gather", "resolve", "publish"]))
    def run_one(self, verb: str) -> None:
        self.loop.clock.turn(timedelta(seconds=1))
        with suppress(RetryableError):
            getattr(self.loop, verb)()

    @rule(verb=st.sampled_from(["run", "fetch_annotations"]))
    def run_some(self, verb: str) -> None:
        self.loop.clock.turn(timedelta(seconds=1))
        with suppress(RetryableError):
            getattr(self.loop, verb)()

    @rule(minutes=st.sampled_from([1, 5, 60 * 24]), retrying=st.booleans())
    def wait(self, minutes: int, *, retrying: bool) -> None:
        self.loop.clock.turn(minutes * MINUTE)
        if retrying:
            self.loop.retry()

    @rule(importing=st.booleans())
    def lose_an_answer(self, *, importing: bool) -> None:
        """The next import, or the next sending, arrives, and nobody hears of it."""
        (self.loop.tasks if importing else self.loop.scores).lose_next_answer = True

    # -- rest

    @rule()
    def settle(self) -> None:
        for _ in range(3):
            self.loop.clock.turn(MINUTE)
            with suppress(RetryableError):
                self.loop.run()
        self.loop.clock.turn(MINUTE)  # nobody waits to see a deletion
        self.every_drawn_trace_is_one_task()
        self.langfuse_shows_what_people_say()
        self.a_further_run_changes_nothing()

    def every_drawn_trace_is_one_task(self) -> None:
        ours = [task.draft.trace_id for task in self.tasks() if task.draft.trace_id != FOREIGN]
        assert len(ours) == len(set(ours))
        store = self.loop.store
        by_state = {state: {one.trace_id for one in store.draws(QUEUE, state)} for state in State}
        assert by_state[State.DRAWN] == set()
        assert by_state[State.RESOLVED] == set()
        deleted = by_state.pop(State.PARKED)
        assert set(ours) == set().union(*by_state.values())
        assert {f"trace:{trace_id}" for trace_id in deleted} == {
            subject for subject, reason in self.loop.parked().items() if reason == "task_deleted"
        }

    def langfuse_shows_what_people_say(self) -> None:
        loop = self.loop
        said: list[tuple[str, str, str]] = []
        failed: set[str] = set()
        for task in self.tasks():
            trace_id = task.draft.trace_id
            if trace_id == FOREIGN:
                continue
            voices: dict[str, str | None] = {}
            for one in sorted(task.annotations.values(), key=lambda each: each.updated_at):
                verdict = voices[one.annotator] = verdict_of(one)
                if verdict:
                    said.append((trace_id, "annotation_verdict", verdict))
            answer = decided(list(voices.values()), loop.codebook.queue.annotations_per_trace)
            if answer:
                said.append((trace_id, "human_verdict", answer))
            if answer == "fail":
                failed.add(trace_id)
        assert loop.values() == sorted(said)
        assert loop.gold() == failed
        for trace_id in failed:
            assert loop.state(trace_id) == State.PUBLISHED

    def a_further_run_changes_nothing(self) -> None:
        loop = self.loop
        before = self.everything()
        made = loop.pull().new_traces, loop.prelabel().judged, loop.enqueue().queued
        assert made == (0, 0, 0)
        gathered = loop.gather()
        assert (gathered.annotations, gathered.deleted, gathered.parked) == (0, 0, 0)
        assert loop.resolve().traces == 0
        published = loop.publish()
        assert (published.sent, published.deleted, published.eval_rows, published.unconfirmed) == (0, 0, 0, 0)
        assert self.everything() == before

    def everything(self) -> list[object]:
        loop = self.loop
        tasks = {task.task_id: task.draft.trace_id for task in self.tasks()}
        return [
            tasks,
            loop.shown(),
            len(loop.scores.sent),
            len(loop.scores.deleted),
            loop.datasets.writes,
            loop.store.parked(),
            loop.store.counts(QUEUE),
        ]


@pytest.mark.simulation
def test_the_loop_comes_to_rest(template: Path) -> None:
    machine = type("World", (World,), {"template": template})
    # No shrinking: over a database it would take minutes, and the steps can be read as they are.
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=settings().max_examples // 2,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
        ),
    )


def test_each_state_is_passed_in_order(loop: Loop) -> None:
    steps: list[tuple[Callable[[], object], State]] = [
        (loop.draw, State.DRAWN),
        (loop.prelabel, State.DRAWN),
        (loop.enqueue, State.QUEUED),
        (lambda: loop.annotate("t1", "fail", ADA), State.QUEUED),
        (lambda: (loop.gather(), loop.resolve()), State.ANNOTATED),
        (lambda: loop.annotate("t1", "fail", BEN), State.ANNOTATED),
        (lambda: (loop.gather(), loop.resolve()), State.RESOLVED),
        (loop.publish, State.PUBLISHED),
    ]
    loop.log("t1")
    loop.pull()
    passed = []
    for step, state in steps:
        step()
        passed.append(loop.state("t1"))
        assert passed[-1] == state
