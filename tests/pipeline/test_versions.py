"""Whatever becomes of a codebook, nothing mixes two meanings of a question, and what did not change carries over."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from builders import QUEUE
from builders_codebooks import answers_for, codebooks
from builders_edits import successors
from goldloop.codebook.controls import swapped
from goldloop.codebook.diff import diff
from goldloop.codebook.lineage import Lineage
from goldloop.codebook.result import to_result
from goldloop.codebook.schema import Codebook
from goldloop.pipeline.worklist import relabel
from goldloop.records import Answer, State
from pipeline.loop import ADA, BEN, MINUTE, Loop

TRACES = ("t1", "t2", "t3")


def answers(loop: Loop) -> dict[tuple[str, str], Answer]:
    return {(one.trace_id, one.question): one for trace in TRACES for one in loop.store.answers(QUEUE, trace)}


def annotate(loop: Loop, data: st.DataObject) -> None:
    """Some people judge some of the tasks, by the version in force; older versions' projects are left alone."""
    lineage = loop.store.lineage(QUEUE)
    family = {one.codebook.version for one in lineage.family(loop.codebook.version)}
    here = {row.project_id for row in loop.store.projects(QUEUE) if row.codebook_version in family}
    for task in list(loop.tasks._tasks.values()):
        people = data.draw(st.sampled_from([[], [ADA], [BEN], [ADA, BEN]])) if task.project_id in here else []
        for person in people:
            loop.clock.turn(MINUTE)
            swap = loop.codebook.pairwise and swapped(QUEUE, task.draft.trace_id)
            result = to_result(loop.codebook, data.draw(answers_for(loop.codebook)), swap=swap)
            loop.tasks.annotate(task.task_id, result, annotator=person, at=loop.clock())


def come_to_rest(loop: Loop) -> None:
    for verb in (loop.prelabel, loop.enqueue, loop.gather, loop.resolve, loop.publish):
        loop.clock.turn(MINUTE)
        verb()


def nothing_mixes(loop: Loop) -> None:
    lineage = loop.store.lineage(QUEUE)
    newest = lineage.newest
    for (_, question), answer in answers(loop).items():
        assert (newest.since.get(question) == answer.codebook_version) != answer.quarantined
    scores_keep_apart(loop, lineage)
    for row in loop.datasets.rows(newest.codebook.dataset).values():
        since = row.provenance["since"]
        assert isinstance(since, dict)
        assert since == {question: newest.since[question] for question in since}
        assert set(row.labels) <= set(newest.since)


def scores_keep_apart(loop: Loop, lineage: Lineage) -> None:
    newest = lineage.newest
    question_of = {question.score_name: question.name for question in newest.codebook.questions}
    question_of[newest.codebook.annotation_score] = newest.codebook.verdict.name
    made = {one.key: one for trace in TRACES for one in loop.store.annotations(QUEUE, trace)}
    by = {(one.annotator, one.updated_at.isoformat()): one for one in made.values()}
    set_aside: dict[str, object] = {}
    for score in loop.shown():
        if score.name.startswith("quarantined_"):
            assert set_aside.setdefault(score.name, score.metadata["goldloop"]) == score.metadata["goldloop"]
            continue
        assert score.metadata["goldloop"] == f"{QUEUE}@{newest.since[question_of[score.name]]}"
        if score.name == newest.codebook.annotation_score:
            said = by[str(score.metadata["annotator"]), str(score.metadata["annotated_at"])]
            meant = lineage.since(said.codebook_version)
            assert all(meant[name] == newest.since[name] for name in said.answers if name in score.metadata)


def what_changed_is_set_aside_and_the_rest_carries_over(
    before: dict[tuple[str, str], Answer], after: dict[tuple[str, str], Answer], lineage: Lineage
) -> None:
    since = lineage.newest.since
    for key, answer in before.items():
        assert after[key].value == answer.value
        assert after[key].codebook_version == answer.codebook_version
        assert after[key].quarantined == (since.get(key[1]) != answer.codebook_version)
    assert after.keys() == before.keys()


def each_question_dates_from_its_last_break(loop: Loop, old: Codebook, before: Mapping[str, str]) -> None:
    new, broken = loop.codebook, diff(old, loop.codebook).breaking
    assert loop.store.lineage(QUEUE).newest.since == {
        question.name: new.version if question.name in broken else before.get(question.name, new.version)
        for question in new.questions
    }


def names(codebook: Codebook) -> object:
    scores = {question.name: question.score_name for question in codebook.questions}
    return scores, codebook.annotation_score


assert settings.default


# No shrinking: over a database it would take minutes.
@settings(
    max_examples=settings.default.max_examples // 6,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.generate],
    derandomize=True,
    database=None,
)
@given(st.data())
def test_over_random_edits(template: Path, data: st.DataObject) -> None:
    asked = data.draw(codebooks(max_questions=4))
    settings_of_the_day = asked.queue.model_copy(update={"annotations_per_trace": data.draw(st.integers(1, 2))})
    asked = asked.model_copy(update={"name": QUEUE, "queue": settings_of_the_day})
    with tempfile.TemporaryDirectory() as folder, Loop(Path(folder), template, None) as loop:
        loop.publish_codebook(asked)
        loop.log(*TRACES, alternative="Another answer.")
        loop.pull()
        loop.draw()
        come_to_rest(loop)
        for _ in range(data.draw(st.integers(1, 3))):
            annotate(loop, data)
            come_to_rest(loop)
            nothing_mixes(loop)
            before, old, dates = answers(loop), loop.codebook, loop.store.lineage(QUEUE).newest.since
            made = loop.publish_codebook(data.draw(successors(old)))
            each_question_dates_from_its_last_break(loop, old, dates)
            loop.resolve()
            sent = loop.publish().sent
            nothing_mixes(loop)
            what_changed_is_set_aside_and_the_rest_carries_over(before, answers(loop), loop.store.lineage(QUEUE))
            if made.level != "breaking" and names(old) == names(loop.codebook):
                assert sent == 0
            relabel(QUEUE, loop.store, data.draw(st.sampled_from([0, 1, None])))
            come_to_rest(loop)
            nothing_mixes(loop)
        assert not loop.store.draws(QUEUE, State.DRAWN)
