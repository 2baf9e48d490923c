"""What goldloop expects of Label Studio: one suite, unchanged, for the fake and for a real server."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from pydantic import JsonValue

from contract.label_studio_server import PEOPLE, Bench, FakeDesk, RealDesk, server_of, unique
from fakes.task_queue import FakeTaskQueue, Result
from goldloop.errors import RejectedError, RetryableError
from goldloop.pipeline.projects import same_config
from goldloop.ports import ProjectDraft, TaskDraft, TaskQueue
from goldloop.records import AnnotationSnapshot, TaskSnapshot

CONFIG = """
<View>
  <Text name="output" value="$output"/>
  <Choices name="verdict" toName="output" choice="single" required="true">
    <Choice value="Pass" alias="pass"/><Choice value="Fail" alias="fail"/>
  </Choices>
  <View visibleWhen="choice-selected" whenTagName="verdict" whenChoiceValue="Fail">
    <Choices name="error_type" toName="output" choice="multiple" required="true">
      <Choice value="Tone" alias="tone"/><Choice value="Format" alias="format"/>
    </Choices>
    <TextArea name="correction" toName="output"/>
  </View>
</View>
"""
BEFORE = datetime(2020, 1, 1, tzinfo=UTC)
MODEL = "lexical-1"


@pytest.fixture(scope="module", params=["fake", pytest.param("real", marks=pytest.mark.servers)])
def shared(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "fake":
        fake = FakeTaskQueue()
        yield Bench(queue=fake, small=fake.with_pages(2), desk=FakeDesk(fake))
        return
    server = server_of(request)
    queue, small, desk = server.connect(), server.connect(page_size=2), RealDesk(server)
    yield Bench(queue=queue, small=small, desk=desk)
    for thing in (queue, small, desk):
        thing.close()


@pytest.fixture
def bench(shared: Bench) -> Iterator[Bench]:
    yield shared
    shared.clean()


@pytest.fixture
def project(bench: Bench) -> int:
    return bench.project(project_draft())[0]


def project_draft(title: str | None = None) -> ProjectDraft:
    return ProjectDraft(
        title=title or unique("contract"),
        description="made by a test",
        instruction="Judge the <b>answer</b>.",
        label_config=CONFIG,
        annotations_per_task=2,
        model_version=MODEL,
    )


def choice(name: str, *labels: str, origin: str | None = None) -> dict[str, JsonValue]:
    part: dict[str, JsonValue] = {
        "id": f"{name}-1",
        "from_name": name,
        "to_name": "output",
        "type": "choices",
        "value": {"choices": [*labels]},
    }
    return part if origin is None else {**part, "origin": origin}


def text(name: str, value: JsonValue) -> dict[str, JsonValue]:
    return {"id": f"{name}-1", "from_name": name, "to_name": "output", "type": "textarea", "value": {"text": value}}


def prediction(*parts: JsonValue) -> dict[str, JsonValue]:
    return {"model_version": MODEL, "score": 0.7, "result": [*parts]}


def draft(trace_id: str, *, predicted: bool = False) -> TaskDraft:
    return TaskDraft(
        trace_id=trace_id,
        data={"output": f"answer of {trace_id}", "trace_id": trace_id},
        prediction=prediction(choice("verdict", "fail")) if predicted else None,
    )


def drafts(number: int) -> list[TaskDraft]:
    return [draft(f"trace-{place:04}") for place in range(number)]


def changed(queue: TaskQueue, project: int, since: datetime | None = None) -> list[TaskSnapshot]:
    pages = list(queue.changed_tasks(project, since))
    assert not any(page.rejected for page in pages)
    return [row for page in pages for row in page.rows]


def one_change(bench: Bench, project: int, since: datetime) -> TaskSnapshot:
    (snapshot,) = changed(bench.queue, project, since)
    assert snapshot.updated_at > since
    return snapshot


def only(snapshot: TaskSnapshot) -> AnnotationSnapshot:
    (annotation,) = snapshot.annotations
    return annotation


PASS: Result = [choice("verdict", "pass")]
FAIL: Result = [choice("verdict", "fail")]


def test_check_gives_the_version(bench: Bench) -> None:
    assert bench.queue.check().startswith("1.")


class TestProjects:
    def test_asked_twice_it_is_one(self, bench: Bench) -> None:
        wanted = project_draft()
        project, url = bench.project(wanted)
        assert url.endswith(f"/projects/{project}/data")
        assert bench.project(wanted) == (project, url)
        assert bench.project(wanted, project) == (project, url)

    def test_the_known_one_wins_over_the_title(self, bench: Bench) -> None:
        first, second = bench.project(project_draft())[0], bench.project(project_draft())[0]
        assert first != second
        assert bench.project(project_draft(), first)[0] == first

    def test_a_known_one_that_is_gone_is_found_by_title(self, bench: Bench) -> None:
        wanted = project_draft()
        project, _ = bench.project(wanted)
        assert bench.project(wanted, 987_654_321)[0] == project

    def test_the_title_has_to_be_the_same_and_not_only_alike(self, bench: Bench) -> None:
        title = unique("Contract")
        longer = bench.project(project_draft(title + " more"))[0]
        assert bench.project(project_draft(title))[0] != longer
        assert bench.project(project_draft(title.upper()))[0] != bench.project(project_draft(title))[0]


class TestAnnotators:
    def test_a_task_may_want_more_people_than_its_project(self, bench: Bench) -> None:
        single = project_draft().model_copy(update={"annotations_per_task": 1})
        project = bench.project(single)[0]
        twice, once = bench.queue.import_tasks(project, [draft("aa"), draft("bb")])
        bench.queue.want_annotators([twice], 2)
        bench.queue.import_tasks(project, [draft("cc")])  # what comes later leaves it as it is
        for task_id in (twice, once):
            bench.desk.annotate(task_id, PASS, person=0)
        assert bench.desk.next_task(project, person=1) == twice
        bench.desk.annotate(twice, FAIL, person=1)
        assert bench.desk.next_task(project, person=1) not in {twice, once}

    def test_tasks_that_are_gone_are_passed_over(self, bench: Bench, project: int) -> None:
        gone, there = bench.queue.import_tasks(project, [draft("aa"), draft("bb")])
        bench.desk.delete_task(gone)
        bench.queue.want_annotators([gone, there], 3)


class TestImport:
    def test_ids_come_in_the_order_of_the_drafts(self, bench: Bench, project: int) -> None:
        sent = [draft("zz"), draft("aa", predicted=True), draft("mm")]
        made = bench.queue.import_tasks(project, sent)
        assert bench.queue.find_tasks(project, ["aa", "mm", "zz"]) == dict(zip(["zz", "aa", "mm"], made, strict=True))

    def test_a_task_shows_its_trace_its_answer_and_how_many_prelabels_it_has(self, bench: Bench, project: int) -> None:
        with_one, without = bench.queue.import_tasks(project, [draft("aa", predicted=True), draft("bb")])
        rows = {row.task_id: row for row in changed(bench.queue, project)}
        assert (rows[with_one].predictions, rows[without].predictions) == (1, 0)
        assert (rows[with_one].trace_id, rows[with_one].shown_output) == ("aa", "answer of aa")
        assert {row.project_id for row in rows.values()} == {project}
        assert all(row.annotations == () and row.updated_at.tzinfo is not None for row in rows.values())

    def test_a_task_after_a_deleted_one_is_known_by_its_trace(self, bench: Bench, project: int) -> None:
        (first,) = bench.queue.import_tasks(project, [draft("aa")])
        bench.desk.delete_task(first)
        (second,) = bench.queue.import_tasks(project, [draft("bb")])  # it may well get the id of the first
        assert bench.queue.find_tasks(project, ["aa", "bb"]) == {"bb": second}
        assert [(row.task_id, row.trace_id) for row in changed(bench.queue, project)] == [(second, "bb")]

    def test_nothing_to_import_is_no_error(self, bench: Bench, project: int) -> None:
        assert bench.queue.import_tasks(project, []) == []

    def test_one_refused_task_refuses_all_of_its_batch(self, bench: Bench, project: int) -> None:
        secret = "what a user wrote"
        wrong = TaskDraft(trace_id="bb", data={"other": secret})
        with pytest.raises(RejectedError) as caught:
            bench.queue.import_tasks(project, [draft("aa"), wrong])
        assert secret not in str(caught.value)
        assert bench.queue.task_count(project) == 0

    def test_a_project_that_is_gone_rejects_who_reads_it(self, bench: Bench) -> None:
        with pytest.raises(RetryableError):  # and no trace is refused for it
            bench.queue.import_tasks(987_654_321, [draft("aa")])
        with pytest.raises(RejectedError):
            list(bench.queue.changed_tasks(987_654_321, None))


class TestFind:
    def test_only_those_that_have_a_task(self, bench: Bench, project: int) -> None:
        made = bench.queue.import_tasks(project, drafts(3))
        assert bench.queue.find_tasks(project, ["trace-0002", "no-such", "trace-0000"]) == {
            "trace-0000": made[0],
            "trace-0002": made[2],
        }
        assert bench.queue.find_tasks(project, ["no-such"]) == {}
        assert bench.queue.find_tasks(project, []) == {}

    def test_an_id_that_is_a_part_of_another_is_another(self, bench: Bench, project: int) -> None:
        bench.queue.import_tasks(project, [draft("trace-10")])
        assert bench.queue.find_tasks(project, ["trace-1", "race-10", "TRACE-10"]) == {}

    @pytest.mark.parametrize("asked", [1, 120])
    def test_few_or_many_over_many_pages(self, bench: Bench, project: int, asked: int) -> None:
        made = bench.queue.import_tasks(project, drafts(7))
        wanted = [f"trace-{place:04}" for place in range(asked)]
        expected = dict(zip([one.trace_id for one in drafts(7)], made, strict=True))
        assert bench.small.find_tasks(project, wanted) == {
            trace_id: task_id for trace_id, task_id in expected.items() if trace_id in wanted
        }

    def test_other_projects_do_not_count(self, bench: Bench, project: int) -> None:
        other = bench.project(project_draft())[0]
        bench.queue.import_tasks(other, [draft("aa")])
        assert bench.queue.find_tasks(project, ["aa"]) == {}


class TestChanges:
    def test_an_annotation_from_its_creation_to_its_end(self, bench: Bench, project: int) -> None:
        task, _ = bench.queue.import_tasks(project, drafts(2))
        since = max(row.updated_at for row in changed(bench.queue, project))

        annotation = bench.desk.annotate(task, FAIL, lead_time_s=12.5)
        made = one_change(bench, project, since)
        first = only(made)
        assert (made.task_id, first.annotation_id, first.annotator) == (task, annotation, PEOPLE[0])
        assert (first.result, first.skipped, first.lead_time_s, first.from_prediction) == (FAIL, False, 12.5, False)

        bench.desk.edit(annotation, PASS)
        edited = one_change(bench, project, made.updated_at)
        assert (only(edited).annotation_id, only(edited).result) == (annotation, PASS)
        assert only(edited).created_at == first.created_at
        assert only(edited).updated_at > first.updated_at

        bench.desk.skip(annotation)
        skipped = one_change(bench, project, edited.updated_at)
        assert only(skipped).skipped

        bench.desk.unskip(annotation)
        unskipped = one_change(bench, project, skipped.updated_at)
        assert not only(unskipped).skipped

        bench.desk.delete_annotation(annotation)
        assert one_change(bench, project, unskipped.updated_at).annotations == ()

    def test_a_skip_is_an_annotation(self, bench: Bench, project: int) -> None:
        (task,) = bench.queue.import_tasks(project, drafts(1))
        bench.desk.annotate(task, [], skipped=True)
        (row,) = changed(bench.queue, project)
        assert (only(row).skipped, only(row).result, only(row).lead_time_s) == (True, [], None)

    def test_several_people_and_two_by_one(self, bench: Bench, project: int) -> None:
        (task,) = bench.queue.import_tasks(project, drafts(1))
        made = [
            bench.desk.annotate(task, FAIL, person=1),
            bench.desk.annotate(task, PASS, person=0),
            bench.desk.annotate(task, PASS, person=1),
        ]
        (row,) = changed(bench.queue, project)
        assert [one.annotation_id for one in row.annotations] == made
        assert [one.annotator for one in row.annotations] == [PEOPLE[1], PEOPLE[0], PEOPLE[1]]

    @pytest.mark.parametrize("origin", ["prediction", "prediction-changed"])
    def test_what_began_as_a_prelabel_says_so(self, bench: Bench, project: int, origin: str) -> None:
        tasks = bench.queue.import_tasks(project, [draft(name, predicted=True) for name in ("aa", "bb", "cc")])
        bench.desk.annotate(tasks[0], PASS, from_prediction=True)
        bench.desk.annotate(tasks[1], [choice("verdict", "pass", origin=origin)])
        bench.desk.annotate(tasks[2], [choice("verdict", "pass", origin="manual")])
        rows = {row.task_id: row for row in changed(bench.queue, project)}
        assert [only(rows[task]).from_prediction for task in tasks] == [True, True, False]

    def test_a_deleted_task_is_missing_from_count_and_ids_alone(self, bench: Bench, project: int) -> None:
        made = bench.queue.import_tasks(project, drafts(3))
        since = max(row.updated_at for row in changed(bench.queue, project))
        bench.desk.delete_task(made[1])
        assert changed(bench.queue, project, since) == []
        assert bench.queue.task_count(project) == 2
        assert bench.queue.task_ids(project) == bench.small.task_ids(project) == {made[0], made[2]}

    def test_a_peek_tells_how_many_and_when_one_changed_last(self, bench: Bench, project: int) -> None:
        empty = bench.queue.peek(project)
        assert (empty.count, empty.newest) == (0, None)
        made = bench.queue.import_tasks(project, drafts(3))
        assert bench.queue.peek(project).newest == max(row.updated_at for row in changed(bench.queue, project))
        bench.desk.annotate(made[1], FAIL)
        peek = bench.queue.peek(project)
        (newest,) = (row.updated_at for row in changed(bench.queue, project) if row.task_id == made[1])
        assert (peek.count, peek.newest) == (3, newest)
        assert peek.at is not None
        assert abs(peek.at - newest) < timedelta(minutes=1), "the server's own time"
        bench.desk.delete_task(made[1])
        assert bench.queue.peek(project).count == 2
        with pytest.raises(RejectedError) as gone:
            bench.queue.peek(987_654_321)
        assert gone.value.reason == "not found"

    def test_who_saved_it_last_and_ground_truth_are_told(self, bench: Bench, project: int) -> None:
        (task,) = bench.queue.import_tasks(project, drafts(1))
        annotation = bench.desk.annotate(task, FAIL, person=0)
        made = only(changed(bench.queue, project)[0])
        assert (made.annotator, made.edited_by, made.ground_truth) == (PEOPLE[0], None, False)
        bench.desk.edit(annotation, PASS, person=1)
        other = changed(bench.queue, project)[0]
        assert (only(other).annotator, only(other).edited_by) == (PEOPLE[0], PEOPLE[1])
        bench.desk.mark_ground_truth(annotation, person=0)
        marked = one_change(bench, project, other.updated_at)
        assert (only(marked).annotator, only(marked).edited_by, only(marked).ground_truth) == (PEOPLE[0], None, True)
        assert only(marked).updated_at > only(other).updated_at
        bench.desk.reassign(annotation, person=1)
        given = one_change(bench, project, marked.updated_at)
        assert (only(given).annotator, only(given).annotation_id) == (PEOPLE[1], annotation)

    def test_one_that_is_moved_changes_both_tasks(self, bench: Bench, project: int) -> None:
        here, there = bench.queue.import_tasks(project, drafts(2))
        annotation = bench.desk.annotate(here, FAIL)
        since = max(row.updated_at for row in changed(bench.queue, project))
        bench.desk.move(annotation, there)
        rows = {row.task_id: row for row in changed(bench.queue, project, since)}
        assert rows[here].annotations == ()
        assert only(rows[there]).annotation_id == annotation

    def test_after_means_later_to_the_microsecond_in_any_zone(self, bench: Bench, project: int) -> None:
        bench.queue.import_tasks(project, drafts(1))
        (row,) = changed(bench.queue, project, BEFORE)
        elsewhere = timezone(timedelta(hours=5, minutes=30))
        assert changed(bench.queue, project, row.updated_at) == []
        assert changed(bench.queue, project, row.updated_at.astimezone(elsewhere)) == []
        just_before = (row.updated_at - timedelta(microseconds=1)).astimezone(elsewhere)
        assert changed(bench.queue, project, just_before) == [row]
        assert changed(bench.queue, project, row.updated_at.replace(microsecond=0)) == [row]

    def test_an_empty_project_has_no_changes(self, bench: Bench, project: int) -> None:
        assert list(bench.queue.changed_tasks(project, None)) == []
        assert (bench.queue.task_count(project), bench.queue.task_ids(project)) == (0, set())


class TestProjectsInPlace:
    def test_one_is_found_by_its_number_or_else_by_its_title(self, bench: Bench) -> None:
        draft = project_draft()
        assert bench.queue.find_project(draft.title, None) is None
        project, url = bench.project(draft)
        found = bench.queue.find_project("another title", project)
        assert found is not None
        assert (found.project_id, found.url, found.title) == (project, url, draft.title)
        assert (found.instruction, found.description) == (draft.instruction, draft.description)
        assert (found.annotations_per_task, found.show_predictions) == (2, True)
        assert same_config(found.label_config, CONFIG)
        assert bench.queue.find_project(draft.title, project + 10_000) == found
        assert bench.queue.find_project(draft.title[:-1], None) is None

    def test_one_without_predictions(self, bench: Bench) -> None:
        project, _ = bench.project(project_draft().model_copy(update={"show_predictions": False}))
        found = bench.queue.find_project("", project)
        assert found is not None
        assert not found.show_predictions

    def test_one_is_changed_and_keeps_its_tasks_and_annotations(self, bench: Bench, project: int) -> None:
        (task,) = bench.queue.import_tasks(project, drafts(1))
        bench.desk.annotate(task, FAIL)
        (before,) = changed(bench.queue, project)
        wider = CONFIG.replace('<Choice value="Fail"', '<Choice value="Both" alias="both"/><Choice value="Fail"')
        draft = project_draft().model_copy(update={"label_config": wider, "instruction": "Judge.", "description": ""})
        bench.queue.check_label_config(project, wider)
        for _ in range(2):
            bench.queue.update_project(project, draft)
            found = bench.queue.find_project("", project)
            assert found is not None
            assert (found.title, found.instruction, found.description) == (draft.title, "Judge.", "")
            assert same_config(found.label_config, wider)
        assert changed(bench.queue, project) == [before], "nothing of it is news"
        assert changed(bench.queue, project, before.updated_at) == []

    @pytest.mark.parametrize(
        "without",
        [CONFIG.replace('alias="fail"', 'alias="failed"'), CONFIG.replace('ame="verdict"', 'ame="mood"')],
        ids=["a choice in use", "a control in use"],
    )
    def test_annotations_have_to_fit(self, bench: Bench, project: int, without: str) -> None:
        bench.queue.check_label_config(project, without)
        (task,) = bench.queue.import_tasks(project, drafts(1))
        bench.desk.annotate(task, FAIL)
        with pytest.raises(RejectedError, match="would not fit") as refused:
            bench.queue.check_label_config(project, without)
        assert refused.value.reason == "label config does not fit"


class TestPages:
    def test_more_than_a_thousand_come_once_each_and_in_order(self, bench: Bench, project: int) -> None:
        made = bench.queue.import_tasks(project, drafts(1_100))
        pages = [page.rows for page in bench.queue.changed_tasks(project, None)]
        rows = [row for page in pages for row in page]
        assert len(pages) >= 3
        assert max(len(page) for page in pages) <= 500
        assert sorted(row.task_id for row in rows) == sorted(made)
        assert all(before.updated_at <= after.updated_at for before, after in pairwise(rows))
        assert bench.queue.task_count(project) == 1_100
        assert bench.queue.task_ids(project) == set(made)

    def test_more_of_one_time_than_a_page_holds_come_once_each(self, bench: Bench, project: int) -> None:
        made = bench.queue.import_tasks(project, drafts(9))
        for task in made[1:6]:
            bench.desk.annotate(task, PASS)
        bench.desk.clear(project)
        bench.desk.annotate(made[8], PASS)
        rows = changed(bench.small, project)
        assert len({row.updated_at for row in rows}) == 9 - 4, "five tasks share one time"
        assert sorted(row.task_id for row in rows) == sorted(made)
        assert [row.task_id for row in rows[-1:]] == [made[8]]
        shared = next(row.updated_at for row in rows if row.task_id == made[1])
        assert [row.task_id for row in changed(bench.small, project, shared)] == [made[8]]

    def test_what_changes_between_two_pages_is_not_lost(self, bench: Bench, project: int) -> None:
        made = bench.queue.import_tasks(project, drafts(8))
        pages = bench.small.changed_tasks(project, None)
        rows = [*next(pages).rows]
        bench.desk.annotate(rows[0].task_id, PASS)  # seen already: it comes again
        bench.desk.annotate(made[5], FAIL)  # not seen yet: it comes late
        rows += [row for page in pages for row in page.rows]
        assert {row.task_id for row in rows} == set(made)
        latest = {row.task_id: row for row in rows}
        assert only(latest[made[0]]).result == PASS
        assert only(latest[made[5]]).result == FAIL

    def test_a_task_deleted_between_two_pages_takes_none_with_it(self, bench: Bench, project: int) -> None:
        made = bench.queue.import_tasks(project, drafts(8))
        pages = bench.small.changed_tasks(project, None)
        rows = [*next(pages).rows]
        bench.desk.delete_task(made[0])
        rows += [row for page in pages for row in page.rows]
        assert {row.task_id for row in rows} >= set(made[1:])


def told(trace_id: str, **fields: JsonValue) -> TaskDraft:
    """A task that says where it comes from."""
    said: dict[str, JsonValue] = {
        "format": "goldloop.task/1",
        "trace_id": trace_id,
        "output": "an answer",
        "queue": "answer-quality",
        "codebook": "answer-quality@1.0.0",
        "draw_run": "run",
        "policy": "random",
        "pi": 0.25,
        "stratum": "returns",
    }
    return TaskDraft(trace_id=trace_id, data={**said, **fields})


class TestOrigins:
    def test_every_project_is_listed_as_it_is_found_alone(self, bench: Bench) -> None:
        made = [bench.project(project_draft())[0] for _ in range(2)]
        found = {one.project_id: one for one in bench.queue.all_projects()}
        assert list(found) == sorted(found)
        for project_id in made:
            alone = bench.queue.find_project("", project_id)
            assert alone is not None
            listed = found[project_id]
            assert same_config(listed.label_config, alone.label_config)
            fixed = {"label_config": ""}
            assert listed.model_copy(update=fixed) == alone.model_copy(update=fixed)

    def test_tasks_say_where_they_come_from(self, bench: Bench, project: int) -> None:
        since: dict[str, JsonValue] = {"verdict": "1.0.0"}
        more = told("more", blind=True, drawn_at="2026-03-02T10:00:00+00:00", since=since, mixture={"random": 1.0})
        before = datetime.now(UTC) - timedelta(minutes=5)
        made = bench.queue.import_tasks(
            project,
            [told("few", drawn_at="", annotators=None), draft("foreign"), more, told("bad", pi=2), told("last")],
        )
        pages = list(bench.small.origins(project))
        rows = [row for page in pages for row in page.rows]
        assert [(row.trace_id, row.task_id) for row in rows] == [("few", made[0]), ("more", made[2]), ("last", made[4])]
        assert [task_id for page in pages for task_id, _ in page.rejected] == [str(made[3])]
        few, full, _ = rows
        assert (few.version, few.pi, few.stratum, few.policy, few.draw_run) == (
            "1.0.0",
            0.25,
            "returns",
            "random",
            "run",
        )
        assert (few.drawn_at, few.since, few.annotators, few.kept, few.blind) == (None, {}, None, 1.0, False)
        assert full.drawn_at == datetime(2026, 3, 2, 10, tzinfo=UTC)
        assert (full.since, full.mixture, full.blind) == (since, {"random": 1.0}, True)
        assert all(row.project_id == project for row in rows)
        if not isinstance(bench.queue, FakeTaskQueue):
            assert few.created_at > before

    def test_a_project_that_is_gone_has_none(self, bench: Bench) -> None:
        with pytest.raises(RejectedError) as refused:
            list(bench.queue.origins(10**9))
        assert refused.value.reason == "not found"


RIGHT: list[list[JsonValue]] = [
    [choice("verdict", "pass")],
    [choice("verdict", "fail"), choice("error_type", "tone", "format"), text("correction", ["better"])],
]
WRONG: dict[str, list[JsonValue]] = {
    "unknown choice": [choice("verdict", "perhaps")],
    "the text and not the alias": [choice("verdict", "Pass")],
    "two of one": [choice("verdict", "pass", "fail")],
    "none": [choice("verdict")],
    "answered twice": [choice("verdict", "pass"), choice("verdict", "fail")],
    "unknown question": [choice("verdict", "pass"), choice("mood", "good")],
    "no list": [{**choice("verdict"), "value": {"choices": "pass"}}],
    "text of a wrong type": [choice("verdict", "fail"), text("correction", "no list")],
    "number as text": [choice("verdict", "fail"), text("correction", [1])],
    "another target": [{**choice("verdict", "pass"), "to_name": "input"}],
    "another type": [{**choice("verdict", "pass"), "type": "rating"}],
    "no id": [{key: value for key, value in choice("verdict", "pass").items() if key != "id"}],
    "required one missing": [choice("error_type", "tone")],
    "nothing": [],
}


class TestPredictions:
    @pytest.mark.parametrize("parts", RIGHT)
    def test_allowed(self, bench: Bench, parts: list[JsonValue]) -> None:
        sent = TaskDraft(trace_id="aa", data={}, prediction=prediction(*parts))
        assert bench.queue.invalid_predictions(CONFIG, [sent, draft("without")]) == {}

    @pytest.mark.parametrize("parts", WRONG.values(), ids=WRONG.keys())
    def test_not_allowed(self, bench: Bench, parts: list[JsonValue]) -> None:
        sent = TaskDraft(trace_id="aa", data={}, prediction=prediction(*parts))
        invalid = bench.queue.invalid_predictions(CONFIG, [draft("fine", predicted=True), sent])
        assert invalid.keys() == {"aa"}
        assert invalid["aa"]

    def test_one_without_a_version_is_never_shown_and_so_not_allowed(self, bench: Bench) -> None:
        sent = TaskDraft(trace_id="aa", data={}, prediction={"result": [choice("verdict", "pass")]})
        assert bench.queue.invalid_predictions(CONFIG, [sent]).keys() == {"aa"}

    def test_the_reason_quotes_no_value(self, bench: Bench) -> None:
        sent = TaskDraft(
            trace_id="aa", data={}, prediction=prediction(choice("verdict", "fail"), text("correction", "a secret"))
        )
        assert "secret" not in bench.queue.invalid_predictions(CONFIG, [sent])["aa"]
