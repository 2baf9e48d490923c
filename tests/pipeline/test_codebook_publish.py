"""Publishing a codebook: once and in effect, whatever dies on the way; and never over what people changed by hand."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from builders import QUEUE, codebook
from goldloop.codebook.render import render
from goldloop.codebook.schema import Codebook, Label
from goldloop.errors import CodebookError, ConfigError, RejectedError
from goldloop.pipeline.codebooks import admit
from goldloop.pipeline.project_plans import ChangedByHandError
from goldloop.pipeline.projects import Purpose, ensure_project, title_of
from goldloop.pipeline.worklist import relabel, worklist
from goldloop.records import State
from pipeline.loop import ADA, BEN, CLEO, MINUTE, Loop

ONE = codebook(annotations_per_trace=1)


def edited(asked: Codebook, version: str, question: str, **fields: Any) -> Codebook:
    questions = [
        one.model_dump() | (fields if one.name == question else {})
        for one in asked.questions
        if one.name != question or fields
    ]
    return Codebook.model_validate(asked.model_dump() | {"version": version, "questions": questions})


def with_label(asked: Codebook, version: str, name: str) -> Codebook:
    question = asked.question("error_type")
    assert question
    more = Label(name=name, text=name.title(), definition=f"It is {name}.")
    return edited(asked, version, "error_type", labels=[*question.labels, more])


def without_label(asked: Codebook, version: str, name: str) -> Codebook:
    question = asked.question("error_type")
    assert question
    return edited(asked, version, "error_type", labels=[one for one in question.labels if one.name != name])


REWORDED = edited(ONE, "1.0.1", "verdict", text="Would you let it out?")
ADDED = with_label(REWORDED, "1.1.0", "stripes")
BROKEN = without_label(ADDED, "2.0.0", "format")
NEW_VERDICT = edited(
    BROKEN,
    "3.0.0",
    "verdict",
    labels=[
        {**one.model_dump(), "definition": "By other rules entirely."} if one.name == "fail" else one.model_dump()
        for one in BROKEN.verdict.labels
    ],
)


@pytest.fixture
def loop(tmp_path: Path, template: Path) -> Iterator[Loop]:
    with Loop(tmp_path, template, None) as loop:
        loop.publish_codebook(ONE)
        yield loop


def everything(loop: Loop) -> list[object]:
    """What publishing can change, in Label Studio, in Langfuse and in the store."""
    lineage = loop.store.lineage(QUEUE)
    return [
        loop.tasks.projects,
        [(one.codebook.ref, one.since, one.published_at is not None) for one in lineage.versions],
        loop.store.projects(QUEUE),
        sorted((one.config.name, one.archived) for one in loop.scores.configs.listed()),
        {state: [one.codebook_version for one in loop.store.draws(QUEUE, state)] for state in State},
        loop.store.quarantined(QUEUE),
        sorted(loop.store.due_for_resolve(QUEUE)),
    ]


def by_hand(loop: Loop, change: Callable[[str], str], project: int = 1) -> str:
    mine = change(loop.tasks.projects[project].label_config)
    loop.tasks.edit_label_config(project, mine)
    return mine


def wider(config: str) -> str:
    return config.replace("<View ", '<View style="max-width: 90rem" ', 1)


class TestProjects:
    def test_a_first_version_makes_its_project(self, loop: Loop) -> None:
        (project,) = loop.store.projects(QUEUE)
        assert loop.tasks.projects[project.project_id].title == f"{QUEUE} 1.0.0"
        assert project.label_config == render(ONE)
        assert loop.store.lineage(QUEUE).newest.published_at

    def test_where_some_are_judged_blind_there_is_a_project_for_them(self, loop: Loop) -> None:
        made = loop.publish_codebook(codebook(annotations_per_trace=1, blind_share=0.2))
        assert [(step.purpose, step.action) for step in made.projects] == [("review", "none"), ("blind", "create")]
        blind = loop.tasks.projects[2]
        assert blind.title == f"{QUEUE} 1.0.0 blind"
        assert blind.label_config == render(ONE, blind=True)
        assert not blind.show_predictions

    @pytest.mark.parametrize(("before", "after"), [(1, 2), (3, 1)])
    @pytest.mark.parametrize("published", [True, False])
    def test_each_task_is_given_as_many_people_as_its_trace_was_drawn_for(
        self, tmp_path: Path, template: Path, before: int, after: int, published: bool
    ) -> None:
        """Settings of the day change without a version, and what was drawn before is decided as it was drawn."""
        with Loop(tmp_path, template, None) as loop:
            loop.publish_codebook(codebook(annotations_per_trace=before, double_label_share=0.5))
            loop.queue("t1", "t2", "t3", "t4")
            today = codebook(annotations_per_trace=after, double_label_share=0.5)
            loop.use(today)
            if published:
                loop.publish_codebook(today.model_copy(update={"version": "1.0.1"}))
            loop.queue("t5", "t6", "t7", "t8")
            wanted = {one.trace_id: one.annotators for one in loop.store.draws(QUEUE, State.QUEUED)}
            given = {one.draft.trace_id: loop.tasks.annotators_of(one.task_id) for one in loop.tasks._tasks.values()}
            assert given == wanted
            assert {*wanted.values()} == {before, before + 1, after, after + 1}

    def test_a_project_for_second_judgements_goes_with_its_version(self, loop: Loop) -> None:
        ensure_project(ONE, "relabel", loop.tasks, loop.store, loop.clock())
        made = loop.publish_codebook(ADDED)
        assert [(step.purpose, step.action) for step in made.projects] == [("review", "update"), ("relabel", "update")]
        assert loop.tasks.projects[2].label_config == render(ADDED, blind=True)
        assert loop.publish_codebook(BROKEN).projects[1:] == [], "the first of them makes it"

    @pytest.mark.parametrize("asked", [REWORDED, ADDED])
    def test_what_only_rewords_or_adds_goes_on_in_place(self, loop: Loop, asked: Codebook) -> None:
        loop.queue("t1")
        loop.annotate("t1", "fail", error_type=["tone"])
        loop.fetch_annotations()
        before = loop.shown()
        made = loop.publish_codebook(asked)
        assert made.level == ("editorial" if asked is REWORDED else "compatible")
        assert [(step.action, step.project_id) for step in made.projects] == [("update", 1)]
        assert loop.tasks.projects.keys() == {1}
        assert loop.tasks.projects[1].title == f"{QUEUE} {asked.version}"
        assert loop.tasks.projects[1].label_config == render(asked)
        assert [row.codebook_version for row in loop.store.projects(QUEUE)] == ["1.0.0", asked.version]
        published = loop.fetch_annotations()
        assert (published.sent, published.deleted, published.eval_rows) == (0, 0, 0)
        assert loop.shown() == before

    def test_what_breaks_a_question_has_a_project_of_its_own(self, loop: Loop) -> None:
        loop.publish_codebook(ADDED)
        made = loop.publish_codebook(BROKEN)
        assert (made.level, made.breaking, made.before) == ("breaking", ["error_type"], "1.1.0")
        assert [(step.action, step.project_id) for step in made.projects] == [("create", 2)]
        assert loop.tasks.projects[1].label_config == render(ADDED), "the old one stays readable"

    def test_what_was_drawn_and_is_no_task_yet_is_asked_by_the_new_version(self, loop: Loop) -> None:
        loop.log("t1")
        loop.pull()
        loop.draw()
        loop.publish_codebook(BROKEN)
        loop.prelabel()
        loop.enqueue()
        assert loop.tasks._tasks[loop.task_id("t1")].project_id == 2

    def test_one_whose_import_was_never_confirmed_may_be_a_task_already(self, loop: Loop) -> None:
        loop.log("t1")
        loop.pull()
        loop.draw()
        loop.tasks.lose_next_answer = True
        with pytest.raises(Exception, match="broke off"):
            loop.enqueue()
        loop.publish_codebook(BROKEN)
        assert loop.enqueue().already_there == 1
        assert loop.tasks._tasks[loop.task_id("t1")].project_id == 1
        assert [row.why for row in worklist(QUEUE, loop.store)] == ["open"]


class TestAgain:
    @pytest.mark.parametrize("asked", [ONE, REWORDED, ADDED, BROKEN], ids=lambda asked: asked.version)
    def test_a_second_time_changes_nothing(self, loop: Loop, asked: Codebook) -> None:
        loop.publish_codebook(asked)
        before = everything(loop)
        again = loop.publish_codebook(asked)
        assert again.nothing_to_do
        assert everything(loop) == before

    @pytest.mark.parametrize("asked", [REWORDED, BROKEN], ids=lambda asked: asked.version)
    def test_a_dry_run_says_it_and_does_nothing(self, loop: Loop, asked: Codebook) -> None:
        before = everything(loop)
        said = loop.publish_codebook(asked, dry_run=True)
        assert everything(loop) == before
        done = loop.publish_codebook(asked)
        assert (said.level, said.breaking) == (done.level, done.breaking)
        assert [step.action for step in said.projects] == [step.action for step in done.projects]

    @pytest.mark.simulation
    @pytest.mark.parametrize("asked", [REWORDED, BROKEN], ids=lambda asked: asked.version)
    def test_killed_between_any_two_steps_it_ends_in_the_same_state(
        self, tmp_path: Path, template: Path, asked: Codebook
    ) -> None:
        blind = codebook(annotations_per_trace=1, blind_share=0.5).queue
        asked = asked.model_copy(update={"queue": blind})
        first = tmp_path / "first"
        first.mkdir()
        with Loop(first, template, None) as before:
            before.publish_codebook(ONE.model_copy(update={"queue": blind}))
            before.queue("t1", "t2")
            before.annotate("t1", "fail", error_type=["tone"])
            before.fetch_annotations()
            before.log("t3")
            before.pull()
            before.draw()

        def again(name: str) -> Loop:
            folder = tmp_path / name
            folder.mkdir()
            loop = Loop(folder, first / "store.db", None)
            loop.tasks = deepcopy(before.tasks)
            loop.scores.configs = deepcopy(before.scores.configs)
            return loop

        with again("whole") as whole:
            whole.publish_codebook(asked)
            expected = everything(whole)
        for place in range(30):
            with again(f"killed-{place}") as loop:
                with dying_at(loop, place) as died:
                    loop.publish_codebook(asked)
                if died():
                    loop.publish_codebook(asked)
                assert everything(loop) == expected, f"killed at write {place}"
            if not died():
                assert place > 4, "every write was one to die at"
                return
        pytest.fail("it never ended")

    def test_a_project_that_was_deleted_is_made_again(self, loop: Loop) -> None:
        loop.queue("t1")
        loop.tasks.delete_project(1)
        made = loop.publish_codebook(REWORDED)
        assert [step.action for step in made.projects] == ["create"]
        assert {row.project_id for row in loop.store.projects(QUEUE)} == {made.projects[0].project_id}
        assert loop.parked() == {"trace:t1": "task_deleted"}


WRITES = {
    "store": ["save_codebook", "save_project", "publish_codebook", "save_score_config"],
    "tasks": ["ensure_project", "update_project"],
}


@contextmanager
def dying_at(loop: Loop, place: int) -> Iterator[Callable[[], bool]]:
    """The write number `place` is done, and then the run dies before it hears of it; whether it came to that."""
    left = [place]
    dead = [False]

    def wrapped(real: Callable[..., object]) -> Callable[..., object]:
        def write(*args: object, **named: object) -> object:
            made = real(*args, **named)
            if left[0] == 0:
                dead[0] = True
                raise KeyboardInterrupt
            left[0] -= 1
            return made

        return write

    with pytest.MonkeyPatch.context() as patch:
        for holder, names in ((loop.store, WRITES["store"]), (loop.tasks, WRITES["tasks"])):
            for name in names:
                patch.setattr(holder, name, wrapped(getattr(holder, name)))
        patch.setattr(loop.scores.configs, "make", wrapped(loop.scores.configs.make))
        try:
            yield lambda: dead[0]
        except KeyboardInterrupt:
            assert dead[0]


class TestByHand:
    def test_a_label_config_that_was_changed_by_hand_is_left_alone(self, loop: Loop) -> None:
        mine = by_hand(loop, wider)
        for asked in (ONE, REWORDED):
            before = everything(loop)
            with pytest.raises(ChangedByHandError, match="--adopt") as refused:
                loop.publish_codebook(asked)
            assert "+<View class" in refused.value.difference or "max-width" in refused.value.difference
            assert everything(loop) == before
        assert loop.tasks.projects[1].label_config == mine

    def test_so_is_one_of_which_nobody_knows_who_set_it(self, loop: Loop) -> None:
        """As in a store from before label configs were kept, or where people have made a project of that title."""
        (row,) = loop.store.projects(QUEUE)
        loop.store.save_project(row.model_copy(update={"label_config": None}))
        by_hand(loop, wider)
        with pytest.raises(ChangedByHandError, match="nothing tells who set it"):
            loop.publish_codebook(ONE)
        loop.publish_codebook(ONE, "overwrite")
        assert loop.store.projects(QUEUE) == [row]

    def test_white_space_and_comments_are_no_change(self, loop: Loop) -> None:
        by_hand(loop, lambda config: config.replace("\n", "\n  ").replace("-->", "for now -->"))
        assert loop.publish_codebook(ONE).nothing_to_do

    def test_adopted_it_stays_until_the_next_version(self, loop: Loop) -> None:
        mine = by_hand(loop, wider)
        assert [step.action for step in loop.publish_codebook(ONE, "adopt").projects] == ["adopt"]
        assert loop.publish_codebook(ONE).nothing_to_do
        assert loop.tasks.projects[1].label_config == mine
        with pytest.raises(ChangedByHandError):
            loop.publish_codebook(REWORDED)
        loop.publish_codebook(REWORDED, "overwrite")
        assert loop.tasks.projects[1].label_config == render(REWORDED)
        assert loop.publish_codebook(REWORDED).nothing_to_do

    def test_overwritten_it_is_the_codebooks_again(self, loop: Loop) -> None:
        by_hand(loop, wider)
        loop.publish_codebook(ONE, "adopt")
        assert [step.action for step in loop.publish_codebook(ONE, "overwrite").projects] == ["overwrite"]
        assert loop.tasks.projects[1].label_config == render(ONE)
        by_hand(loop, wider)
        assert [step.action for step in loop.publish_codebook(ONE, "overwrite").projects] == ["overwrite"]
        assert loop.publish_codebook(ONE).nothing_to_do

    @pytest.mark.parametrize(
        ("change", "lacks"),
        [
            (lambda config: config.replace('alias="fail"', 'alias="bad"'), "no choice 'fail' for verdict"),
            (lambda config: config.replace('name="note"', 'name="remark"'), "no TextArea for note"),
            (lambda config: config.replace('value="$title"', 'value="$headline"'), r"shows \$headline"),
        ],
    )
    def test_what_cannot_ask_the_codebooks_questions_cannot_be_adopted(
        self, loop: Loop, change: Callable[[str], str], lacks: str
    ) -> None:
        by_hand(loop, change)
        with pytest.raises(ConfigError, match=lacks):
            loop.publish_codebook(ONE, "adopt")

    def test_prelabels_are_held_against_what_is_in_force(self, loop: Loop) -> None:
        loop.queue("t1")
        by_hand(
            loop,
            lambda config: config.replace(
                '<Choice value="Pass"', '<Choice value="Fine" alias="fine"/><Choice value="Pass"'
            ),
        )
        loop.publish_codebook(ONE, "adopt")
        loop.queue("t2")
        assert loop.parked() == {}

    def test_annotations_that_would_not_fit_are_a_refusal(self, loop: Loop) -> None:
        """Such as one by hand, of a label that the codebook never had."""
        loop.queue("t1")
        by_hand(loop, lambda config: config.replace("</Choices>", '<Choice value="Odd" alias="odd"/></Choices>', 1))
        loop.tasks.annotate(
            loop.task_id("t1"),
            [{"from_name": "verdict", "to_name": "output", "type": "choices", "value": {"choices": ["odd"]}}],
        )
        with pytest.raises(RejectedError, match="would not fit"):
            loop.publish_codebook(ONE, "overwrite")

    def test_a_title_that_people_gave_it_is_theirs(self, loop: Loop) -> None:
        mine = loop.tasks.projects[1].model_copy(update={"title": "Support, EMEA"})
        loop.tasks.projects[1] = mine
        loop.publish_codebook(REWORDED)
        assert loop.tasks.projects[1].title == "Support, EMEA"
        assert loop.tasks.projects[1].label_config == render(REWORDED)


def test_a_name_that_is_too_long_for_a_title_is_cut_and_told_apart() -> None:
    long = [ONE.model_copy(update={"name": f"{'long-' * 11}{end}"}) for end in ("a", "b")]
    purposes: list[Purpose] = ["review", "blind"]
    titles = [title_of(one, purpose) for one in long for purpose in purposes]
    assert len(set(titles)) == 4
    assert all(len(title) <= 50 for title in titles)
    assert titles[1].endswith(" 1.0.0 blind")


class TestNumbers:
    def test_one_that_says_too_little_is_refused(self, loop: Loop) -> None:
        with pytest.raises(CodebookError, match=r"set `version: 2\.0\.0`"):
            loop.publish_codebook(without_label(ONE, "1.0.1", "format"))

    def test_one_that_was_used_for_others_is_refused(self, loop: Loop) -> None:
        with pytest.raises(CodebookError, match=r"set `version: 1\.1\.0`"):
            loop.publish_codebook(with_label(ONE, "1.0.0", "stripes"))

    def test_an_older_one_is_refused(self, loop: Loop) -> None:
        loop.publish_codebook(REWORDED)
        with pytest.raises(CodebookError, match=r"older than 1\.0\.1"):
            loop.publish_codebook(ONE)

    def test_a_run_takes_the_settings_of_the_day_and_no_other_version(self, loop: Loop) -> None:
        today = codebook(annotations_per_trace=1, budget=3)
        assert admit(today, loop.store, loop.clock())
        assert loop.store.codebook(QUEUE, "1.0.0").queue.budget == 3
        with pytest.raises(ConfigError, match=r"goldloop codebook publish` \(it would be: breaking for error_type\)"):
            admit(BROKEN, loop.store, loop.clock())

    def test_a_first_version_may_be_drawn_for_before_it_is_published(self, tmp_path: Path, template: Path) -> None:
        with Loop(tmp_path, template, None) as loop:
            assert not admit(ONE, loop.store, loop.clock())
            assert loop.store.lineage(QUEUE).published is None
            loop.codebook = ONE
            loop.log("t1")
            loop.pull()
            loop.draw()
            loop.publish_codebook(ONE)
            assert admit(ONE, loop.store, loop.clock())
            loop.prelabel()
            assert loop.enqueue().queued == 1


@pytest.fixture
def judged(loop: Loop) -> Loop:
    """t1 failed for its tone, t2 passed, t3 waits."""
    loop.queue("t1", "t2", "t3")
    loop.annotate("t1", "fail", error_type=["tone"], note="Rude.")
    loop.annotate("t2", "pass")
    loop.fetch_annotations()
    return loop


def values(loop: Loop, trace_id: str) -> dict[str, object]:
    return {score.name: score.value for score in loop.shown() if score.trace_id == trace_id}


def said(loop: Loop, trace_id: str, *, quarantined: bool) -> dict[str, object]:
    found = loop.store.answers(QUEUE, trace_id)
    return {one.question: one.value for one in found if one.quarantined == quarantined}


class TestQuarantine:
    def test_at_once_and_before_anything_else_runs(self, judged: Loop) -> None:
        made = judged.publish_codebook(BROKEN)
        assert made.quarantined == 1
        assert said(judged, "t1", quarantined=True) == {"error_type": ["tone"]}
        assert judged.store.due_scores(QUEUE, 9) == []

    def test_the_broken_question_loses_its_score_and_the_rest_carries_over(self, judged: Loop) -> None:
        judged.publish_codebook(BROKEN)
        judged.fetch_annotations()
        assert values(judged, "t1") == {
            "annotation_verdict": "fail",
            "human_verdict": "fail",
            "quarantined_human_error_type_1.0.0": "tone",
        }
        assert values(judged, "t2") == {"annotation_verdict": "pass", "human_verdict": "pass"}
        (row,) = judged.datasets.rows(QUEUE).values()
        assert (row.labels, row.note) == ({"verdict": "fail"}, "Rude.")
        assert row.provenance["since"] == {"verdict": "1.0.0", "note": "1.0.0"}
        assert judged.state("t1") == State.PUBLISHED

    def test_a_broken_verdict_takes_the_row_out_of_the_golden_set(self, judged: Loop) -> None:
        judged.publish_codebook(NEW_VERDICT)
        judged.fetch_annotations()
        assert judged.gold() == set()
        assert said(judged, "t1", quarantined=True)["verdict"] == "fail"
        assert said(judged, "t1", quarantined=False) == {"note": "Rude."}
        assert values(judged, "t2") == {
            "quarantined_annotation_verdict_1.0.0": "pass",
            "quarantined_human_verdict_1.0.0": "pass",
        }

    def test_what_is_not_worked_out_again_yet_counts_in_no_yield(self, judged: Loop) -> None:
        """The failure is quarantined, and its note is not: by that alone the trace would be one without a failure."""
        judged.publish_codebook(NEW_VERDICT)
        for _ in range(2):
            counted = judged.store.policy_counts(QUEUE)
            assert (sum(row.answered for row in counted), sum(row.failures for row in counted)) == (0, 0)
            judged.resolve()

    def test_a_name_that_another_question_took_over_is_no_name_of_both(self, judged: Loop) -> None:
        """Each stands under the last name that it had."""
        renamed = Codebook.model_validate(ONE.model_dump() | {"langfuse": {"annotation_score": "each_verdict"}})
        judged.publish_codebook(edited(renamed, "1.1.0", "error_type", score="annotation_verdict"))
        judged.fetch_annotations()
        judged.publish_codebook(NEW_VERDICT)
        judged.fetch_annotations()
        assert values(judged, "t1") == {
            "quarantined_each_verdict_1.0.0": "fail",
            "quarantined_human_verdict_1.0.0": "fail",
            "quarantined_annotation_verdict_1.0.0": "tone",
        }

    def test_the_old_project_is_gathered_still(self, judged: Loop) -> None:
        judged.publish_codebook(NEW_VERDICT)
        judged.codebook = ONE
        judged.annotate("t3", "fail", by=BEN)
        judged.codebook = NEW_VERDICT
        assert judged.gather().annotations == 1
        judged.resolve()
        judged.publish()
        assert values(judged, "t3") == {
            "quarantined_annotation_verdict_1.0.0": "fail",
            "quarantined_human_verdict_1.0.0": "fail",
        }

    def test_an_edit_of_a_quarantined_annotation_revises_what_is_quarantined(self, judged: Loop) -> None:
        judged.publish_codebook(NEW_VERDICT)
        judged.fetch_annotations()
        (one,) = judged.store.annotations(QUEUE, "t2")
        judged.codebook = ONE
        judged.edit(one.annotation_id, "fail")
        judged.codebook = NEW_VERDICT
        judged.fetch_annotations()
        assert values(judged, "t2")["quarantined_human_verdict_1.0.0"] == "fail"
        assert judged.gold() == set()


class TestWorklist:
    def test_it_lists_what_lost_labels_and_what_is_open_in_the_old_project(self, judged: Loop) -> None:
        assert worklist(QUEUE, judged.store) == []
        judged.publish_codebook(BROKEN)
        found = {row.trace_id: (row.why, row.questions) for row in worklist(QUEUE, judged.store)}
        # t2 passed: it was never asked what is wrong with it.
        assert found == {"t1": ("quarantined", ["error_type"]), "t3": ("open", ["error_type"])}

    def test_put_up_again_it_becomes_a_task_of_the_new_version_and_keeps_its_other_votes(self, judged: Loop) -> None:
        judged.publish_codebook(BROKEN)
        assert [row.trace_id for row in relabel(QUEUE, judged.store, 9)] != []
        assert worklist(QUEUE, judged.store) == []
        assert (judged.state("t1"), judged.state("t3")) == (State.DRAWN, State.DRAWN)
        judged.resolve()
        assert judged.state("t1") == State.DRAWN, "what its old annotation decides is no reason to leave it"
        judged.prelabel()
        assert judged.enqueue().queued == 2
        task = max(
            (one for one in judged.tasks._tasks.values() if one.draft.trace_id == "t1"), key=lambda one: one.task_id
        )
        assert task.project_id == max(judged.tasks.projects)
        assert judged.state("t1") == State.QUEUED
        judged.clock.turn(MINUTE)
        judged.tasks.annotate(
            task.task_id, judged.answer(verdict="fail", error_type=["stripes"]), annotator=CLEO, at=judged.clock()
        )
        judged.fetch_annotations()
        answers = {one.question: one for one in judged.store.answers(QUEUE, "t1")}
        assert (answers["verdict"].votes, answers["verdict"].annotators) == (2, (ADA, CLEO))
        assert (answers["error_type"].value, answers["error_type"].annotators) == (["stripes"], (CLEO,))
        assert (answers["note"].value, answers["note"].annotators) == ("Rude.", (ADA,))
        assert judged.store.quarantined(QUEUE) == {}
        assert values(judged, "t1")["human_error_type"] == "stripes"
        assert len(judged.store.annotations(QUEUE, "t1")) == 2
        assert judged.state("t1") == State.PUBLISHED

    def test_where_the_new_annotation_contradicts_the_old_one_the_new_one_decides(self, judged: Loop) -> None:
        judged.publish_codebook(BROKEN)
        relabel(QUEUE, judged.store)
        judged.prelabel()
        judged.enqueue()
        judged.clock.turn(MINUTE)
        task = max(one.task_id for one in judged.tasks._tasks.values() if one.draft.trace_id == "t1")
        judged.tasks.annotate(task, judged.answer(verdict="pass"), annotator=CLEO, at=judged.clock())
        judged.fetch_annotations()
        # One to one, and nobody else is asked: the old fail would leave the trace open for ever.
        assert values(judged, "t1")["human_verdict"] == "pass"
        assert judged.state("t1") == State.PUBLISHED
        assert "t1" not in {row.trace_id for row in judged.datasets.rows(QUEUE).values()}

    def test_a_task_that_was_deleted_comes_back_in_the_version_of_the_day(self, judged: Loop) -> None:
        judged.publish_codebook(BROKEN)
        judged.tasks.delete_task(judged.task_id("t3"))
        judged.gather()
        judged.resolve()
        judged.retry()
        admit(BROKEN, judged.store, judged.clock())
        judged.prelabel()
        judged.enqueue()
        assert judged.tasks._tasks[judged.task_id("t3")].project_id == max(judged.tasks.projects)
        assert [row.trace_id for row in worklist(QUEUE, judged.store)] == ["t1"]

    def test_as_many_as_are_asked_for_in_the_annotators_order(self, judged: Loop) -> None:
        judged.publish_codebook(NEW_VERDICT)
        listed = [row.trace_id for row in worklist(QUEUE, judged.store)]
        assert sorted(listed) == ["t1", "t2", "t3"]
        assert [row.trace_id for row in relabel(QUEUE, judged.store, 1)] == listed[:1]
        assert [row.trace_id for row in worklist(QUEUE, judged.store)] == listed[1:]

    def test_the_old_task_may_be_deleted_then(self, judged: Loop) -> None:
        old = judged.task_id("t3")
        judged.publish_codebook(NEW_VERDICT)
        relabel(QUEUE, judged.store)
        judged.prelabel()
        judged.enqueue()
        judged.tasks.delete_task(old)
        judged.gather()
        assert judged.parked() == {}
        judged.resolve()
        assert judged.state("t3") == State.QUEUED
