"""Enqueue: every drawn trace is one task, whatever breaks on the way."""

import json
from collections.abc import Callable, Sequence

import pytest

from builders import QUEUE, trace
from fakes.task_queue import FakeTaskQueue
from goldloop.codebook.task import TEXT_LIMIT, TaskData
from goldloop.errors import FatalError, RejectedError, RetryableError
from goldloop.pipeline import drafts as drafting
from goldloop.ports import TaskDraft
from goldloop.records import Document, Message, State, Step
from pipeline.loop import ADA, MINUTE, Loop, revised

THREE = ("t1", "t2", "t3")


class PickyTaskQueue(FakeTaskQueue):
    """Refuses every batch that holds one of these traces."""

    def __init__(self, *refused: str) -> None:
        super().__init__()
        self.refused = set(refused)
        self.attempts = 0

    def import_tasks(self, project_id: int, drafts: Sequence[TaskDraft]) -> list[int]:
        self.attempts += 1
        if self.refused & {draft.trace_id for draft in drafts}:
            raise RejectedError("Label Studio", "it refuses this task: look into its log", reason="refused")
        return super().import_tasks(project_id, drafts)


def drawn(loop: Loop, *trace_ids: str, **fields: object) -> None:
    loop.log(*trace_ids, **fields)
    for step in (loop.pull, loop.draw, loop.prelabel):
        step()


def drafts(loop: Loop) -> dict[str, TaskDraft]:
    return {task.draft.trace_id: task.draft for task in loop.tasks._tasks.values()}


def test_each_drawn_trace_is_one_task_with_its_prelabel(loop: Loop) -> None:
    drawn(loop, "t1", "t2")
    drawn(loop, "t3", output="I am unsure.")
    made = loop.enqueue()
    assert (made.queued, made.with_prelabel, made.already_there, made.parked) == (3, 2, 0, 0)
    assert loop.traces_with_tasks() == list(THREE)
    assert {loop.state(trace_id) for trace_id in THREE} == {State.QUEUED}
    (project,) = loop.tasks.projects.values()
    assert (project.title, project.annotations_per_task) == ("answer-quality 1.0.0", 3)
    assert loop.store.task_ids(1) == loop.tasks.task_ids(1)
    shown = drafts(loop)
    assert shown["t1"].prediction
    assert shown["t3"].prediction is None
    assert TaskData.model_validate(shown["t3"].data).prelabel.startswith("No suggestion")

    again = loop.enqueue()
    assert (again.queued, again.project_urls) == (0, [])
    assert loop.traces_with_tasks() == list(THREE)


def test_without_a_judgement_nothing_hints_at_one(loop: Loop) -> None:
    loop.log("t1")
    loop.pull()
    loop.draw()
    assert loop.enqueue().with_prelabel == 0
    assert drafts(loop)["t1"].data["prelabel"] == ""


def test_annotators_get_the_tasks_by_priority(loop: Loop) -> None:
    drawn(loop, *(f"t{number}" for number in range(9)))
    order = [one.trace_id for one in loop.store.draws(QUEUE, State.DRAWN)]
    loop.enqueue()
    assert [task.draft.trace_id for _, task in sorted(loop.tasks._tasks.items())] == order
    assert order != sorted(order)


def test_an_answer_that_was_lost_doubles_nothing(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafting, "_BATCH", 2)
    drawn(loop, *THREE)
    loop.tasks.lose_next_answer = True
    with pytest.raises(RetryableError):
        loop.enqueue()
    assert len(loop.traces_with_tasks()) == 2
    made = loop.enqueue()
    assert (made.queued, made.already_there) == (3, 2)
    assert loop.traces_with_tasks() == list(THREE)
    assert loop.store.task_ids(1) == loop.tasks.task_ids(1)


class TestAnImportThatBrokeOff:
    """The server works on, though nobody waits: its tasks are seen when it is done, or never."""

    @pytest.fixture
    def held(self, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[int]]:
        """Three traces were sent to be imported, and the connection broke off; what lets the server end that."""
        drawn(loop, *THREE)
        ending: list[Callable[[], list[int]]] = []
        real = loop.tasks.import_tasks

        def broke_off(project_id: int, drafts: Sequence[TaskDraft]) -> list[int]:
            ending.append(lambda: real(project_id, drafts))
            raise RetryableError("Label Studio", "it broke off: try again later")

        with monkeypatch.context() as patch:
            patch.setattr(loop.tasks, "import_tasks", broke_off)
            with pytest.raises(RetryableError):
                loop.enqueue()
        return ending[0]

    def test_is_waited_for_and_found(self, loop: Loop, held: Callable[[], list[int]]) -> None:
        loop.clock.turn(MINUTE)
        made = loop.enqueue()
        assert (made.queued, made.waiting) == (0, 3)
        held()
        made = loop.enqueue()
        assert (made.queued, made.already_there, made.waiting) == (3, 3, 0)
        assert loop.traces_with_tasks() == list(THREE)

    def test_is_made_again_when_it_has_had_its_time(self, loop: Loop, held: Callable[[], list[int]]) -> None:
        del held  # it never ends: the server died
        loop.clock.turn(2 * MINUTE)
        made = loop.enqueue()
        assert (made.queued, made.already_there, made.waiting) == (3, 0, 0)
        assert loop.traces_with_tasks() == list(THREE)

    def test_is_waited_for_no_longer_where_the_clock_was_set_back(
        self, loop: Loop, held: Callable[[], list[int]]
    ) -> None:
        del held
        loop.clock.turn(-60 * MINUTE)
        assert loop.enqueue().waiting == 3
        loop.clock.turn(2 * MINUTE)
        assert loop.enqueue().queued == 3


def test_what_was_annotated_while_the_answer_was_lost_is_gathered(loop: Loop) -> None:
    drawn(loop, *THREE)
    loop.tasks.lose_next_answer = True
    with pytest.raises(RetryableError):
        loop.enqueue()
    loop.annotate("t1", "fail")
    loop.gather()
    assert loop.parked() == {f"task:1/{loop.task_id(name)}": "foreign_task" for name in THREE}
    loop.annotate("t2", "fail")
    loop.clock.turn(10 * MINUTE)
    loop.annotate("t3", "fail")
    loop.gather()  # the first two are far below the overlap now
    loop.enqueue()
    assert loop.gather().annotations == 3
    assert loop.parked() == {}
    assert [one.annotator for one in loop.store.annotations(QUEUE, "t1")] == [ADA]


def test_a_server_that_is_away_ends_the_run_and_the_next_goes_on(loop: Loop) -> None:
    drawn(loop, *THREE)
    loop.tasks.failing = RetryableError("Label Studio", "it is away: try again later")
    with pytest.raises(RetryableError):
        loop.enqueue()
    loop.tasks.failing = FatalError("Label Studio", "the key is wrong: set LABEL_STUDIO_API_KEY")
    with pytest.raises(FatalError):
        loop.enqueue()
    loop.tasks.failing = None
    assert loop.enqueue().queued == 3
    assert loop.parked() == {}


@pytest.mark.parametrize("refused", [("t3",), ("t1", "t6"), tuple(f"t{number}" for number in range(7))])
def test_refused_tasks_are_parked_alone(loop: Loop, refused: tuple[str, ...]) -> None:
    every = {f"t{number}" for number in range(7)}
    picky = PickyTaskQueue(*refused)
    loop.tasks = picky
    drawn(loop, *every)
    made = loop.enqueue()
    assert (made.queued, made.parked) == (7 - len(refused), len(refused))
    assert loop.parked() == {f"trace:{trace_id}": "refused" for trace_id in refused}
    assert set(loop.traces_with_tasks()) == every - set(refused)

    loop.enqueue()
    assert loop.parked().keys() == {f"trace:{trace_id}" for trace_id in refused}
    picky.refused = set()
    loop.retry()
    assert loop.enqueue().queued == len(refused)
    assert loop.traces_with_tasks() == sorted(every)


def test_an_invalid_prelabel_is_left_out_and_its_task_made(loop: Loop) -> None:
    loop.judge.answers["t1"] = {"verdict": "perhaps"}
    drawn(loop, "t1", "t2")
    made = loop.enqueue()
    assert (made.queued, made.with_prelabel, made.parked) == (2, 1, 1)
    assert loop.parked() == {"prediction:t1": "invalid_prelabel"}
    assert drafts(loop)["t1"].prediction is None
    assert loop.state("t1") == State.QUEUED


def test_a_trace_that_is_gone_is_parked_and_the_rest_goes_on(loop: Loop) -> None:
    drawn(loop, *THREE)
    loop.source.delete("t2")
    made = loop.enqueue()
    assert (made.queued, made.parked) == (2, 1)
    assert loop.parked() == {"trace:t2": "trace_gone"}


def test_a_codebook_version_has_its_own_project(loop: Loop) -> None:
    drawn(loop, "t1")
    loop.use(revised())
    drawn(loop, "t2")
    made = loop.enqueue()
    assert (made.queued, len(made.project_urls)) == (2, 2)
    titles = {project_id: project.title for project_id, project in loop.tasks.projects.items()}
    assert set(titles.values()) == {"answer-quality 1.0.0", "answer-quality 1.1.0"}
    by_trace = {task.draft.trace_id: titles[task.project_id] for task in loop.tasks._tasks.values()}
    assert by_trace == {"t1": "answer-quality 1.0.0", "t2": "answer-quality 1.1.0"}
    assert [drafts(loop)[name].data["codebook"] for name in ("t1", "t2")] == [
        "answer-quality@1.0.0",
        "answer-quality@1.1.0",
    ]
    loop.annotate("t1", "fail")
    loop.annotate("t2", "pass")
    assert loop.gather().annotations == 2


def test_a_project_that_was_deleted_is_made_anew(loop: Loop) -> None:
    loop.queue("t1", "t2")
    loop.annotate("t1", "fail")
    loop.fetch_annotations()
    assert loop.values() == [("t1", "annotation_verdict", "fail")]
    loop.tasks.delete_project(1)
    drawn(loop, "t3")
    assert loop.enqueue().queued == 1
    assert loop.traces_with_tasks() == ["t3"]
    assert loop.parked() == {"trace:t1": "task_deleted", "trace:t2": "task_deleted"}

    loop.fetch_annotations()
    assert loop.values() == []
    assert loop.retry() == 2
    assert loop.enqueue().queued == 2
    assert loop.traces_with_tasks() == list(THREE)
    loop.annotate("t1", "pass")
    loop.fetch_annotations()
    assert loop.values() == [("t1", "annotation_verdict", "pass")]
    assert loop.parked() == {}


def test_a_project_that_was_deleted_before_anything_was_found_does_not_lose_the_batch(loop: Loop) -> None:
    drawn(loop, *THREE)
    loop.tasks.lose_next_answer = True
    with pytest.raises(RetryableError):
        loop.enqueue()
    loop.tasks.delete_project(1)
    loop.clock.turn(2 * MINUTE)
    assert loop.enqueue().queued == 3
    assert loop.traces_with_tasks() == list(THREE)


SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (SCRIPT, SCRIPT),
        ("bell \x07 nul \0 escape \x1b[31m", "bell \u2407 nul \u2400 escape \u241b[31m"),
        ("half \ud83d of a pair", "half \ufffd of a pair"),
        ("", "(the assistant answered nothing)"),
        ('{"verdict": ["a", 1], "sure": false}', '{"verdict": ["a", 1], "sure": false}'),
        ("# Not a heading\n[x](javascript:alert(1))", "# Not a heading\n[x](javascript:alert(1))"),
        ("$output {{ 7*7 }}", "$output {{ 7*7 }}"),
    ],
    ids=["script", "controls", "surrogate", "empty", "json", "markdown", "template"],
)
def test_what_strangers_wrote_is_shown_inert(loop: Loop, sent: str, shown: str) -> None:
    odd = trace(
        "t1",
        output=sent,
        name=sent,
        model=sent,
        messages=(Message(role=sent, content=sent), Message(role="user", content="Hello?")),
        documents=(Document(title=sent, text=sent, score=float("nan")),),
        steps=(Step(kind="tool", name=sent, input=sent, output=sent),),
        notes=(sent,),
    )
    drawn(loop, "t1")
    loop.source.traces["t1"] = odd
    assert loop.enqueue().queued == 1
    data = drafts(loop)["t1"].data
    assert json.loads(json.dumps(data, ensure_ascii=False, allow_nan=False).encode()) == data
    typed = TaskData.model_validate(data)
    assert typed.output == shown
    assert typed.documents[0].text == (shown if sent else " ")


def test_a_megabyte_is_cut_in_its_middle(loop: Loop) -> None:
    drawn(loop, "t1", output="begin " + "x" * 1_000_000 + " end", messages=(Message(role="user", content="y" * 10**6),))
    loop.enqueue()
    data = TaskData.model_validate(drafts(loop)["t1"].data)
    for text in (data.output, data.conversation[0].text):
        assert TEXT_LIMIT < len(text) < TEXT_LIMIT + 200
        assert "characters left out here" in text
    assert data.output.startswith("begin ")
    assert data.output.endswith(" end")


def test_the_id_of_a_task_that_is_known_to_be_deleted_is_free(loop: Loop) -> None:
    loop.queue(*THREE)
    trace_of = {task_id: trace_id for trace_id, task_id in loop.tasks.find_tasks(1, THREE).items()}
    _, lower, upper = sorted(trace_of)
    for task_id in (lower, upper):
        loop.tasks.delete_task(task_id)
    loop.gather()
    # Ids are given anew from the lower one on: the traces swap them.
    for task_id in (upper, lower):
        wanted = trace_of[task_id]
        assert loop.retry(lambda row: row.trace_id == wanted) == 1  # noqa: B023 - called at once
        loop.resolve()
        loop.enqueue()
    assert loop.tasks.find_tasks(1, THREE)[trace_of[upper]] == lower
    assert loop.parked() == {}
    assert {loop.state(trace_id) for trace_id in THREE} == {State.QUEUED}
