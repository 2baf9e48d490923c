"""A rebuilt store has the versions of the codebook that its tasks were made from, and mixes no two meanings."""

import re

import pytest

from builders import QUEUE
from goldloop.errors import CodebookError, ConfigError
from goldloop.pipeline.worklist import relabel
from pipeline.loop import BEN, MINUTE, Loop
from pipeline.lost import Lost, as_before, everything, rebuilt
from pipeline.test_codebook_publish import ADDED, BROKEN, ONE

pytestmark = pytest.mark.simulation


def two_versions(loop: Loop) -> None:
    """Labelled by 1.0.0, then by 2.0.0, which broke a question; one trace was put up again."""
    loop.use(ONE)
    loop.publish_codebook(ONE)
    loop.queue("t1", "t2", "t3")
    for trace_id in ("t1", "t2"):
        loop.annotate(trace_id, "fail", error_type=["format"])
    loop.fetch_annotations()
    loop.publish_codebook(BROKEN)
    relabel(QUEUE, loop.store, 1)
    loop.queue("t4")
    for task in loop.tasks._tasks.values():
        if not task.annotations:
            loop.clock.turn(MINUTE)
            result = loop.answer(verdict="fail", error_type=["style"])
            loop.tasks.annotate(task.task_id, result, annotator=BEN, at=loop.clock())
    loop.fetch_annotations()


def test_versions_come_back_with_what_their_questions_meant(loop: Loop, lost: Lost) -> None:
    two_versions(loop)
    before, sent = everything(loop), len(loop.scores.sent)
    assert any(name.startswith("quarantined_") for _, name, _ in loop.values())
    lost.store(loop)
    told = rebuilt(loop, [ONE])
    assert told.codebook_versions == ["1.0.0", "2.0.0"]
    assert (told.left_alone, told.scores_due, told.scores_withdrawn) == ([], 0, 0)
    loop.fetch_annotations()
    assert len(loop.scores.sent) == sent
    as_before(loop, before)


def test_a_version_whose_file_is_missing_is_told_and_comes_back_with_it(loop: Loop, lost: Lost) -> None:
    two_versions(loop)
    before, sent, shown = everything(loop), len(loop.scores.sent), loop.values()
    lost.store(loop)
    told = rebuilt(loop)
    assert told.codebook_versions == ["2.0.0"]
    (left,) = told.left_alone
    assert left.tasks == 3
    assert left.why == (
        "made from answer-quality@1.0.0, and its file is not here: name it by --codebook FILE to bring them back"
    )
    loop.publish()
    # What was said by the other version stays as it is in Langfuse.
    assert loop.values() == shown
    assert rebuilt(loop, [ONE]).left_alone == []
    loop.fetch_annotations()
    assert loop.values() == shown
    as_before(loop, before)
    assert len(loop.scores.sent) == sent


def test_a_version_whose_tasks_do_not_say_what_it_means_needs_the_one_before(loop: Loop, lost: Lost) -> None:
    two_versions(loop)
    for task in loop.tasks._tasks.values():
        task.draft = task.draft.model_copy(update={"data": {**task.draft.data, "since": {}}})
    before = everything(loop)
    lost.store(loop)
    told = rebuilt(loop)
    assert (told.codebook_versions, told.tasks) == ([], 0)
    assert "nobody knows since when its questions mean what they mean" in told.left_alone[-1].why
    assert rebuilt(loop, [ONE]).left_alone == []
    assert everything(loop)["lineage"] == before["lineage"]


def test_versions_that_share_a_project_share_it_again(loop: Loop, lost: Lost) -> None:
    loop.use(ONE)
    loop.publish_codebook(ONE)
    loop.queue("t1")
    loop.annotate("t1", "fail", error_type=["format"])
    loop.publish_codebook(ADDED)
    loop.queue("t2")
    loop.annotate("t2", "fail", error_type=["stripes"])
    loop.fetch_annotations()
    before = everything(loop)
    lost.store(loop)
    rebuilt(loop, [ONE])
    loop.fetch_annotations()
    as_before(loop, before)


def test_an_older_file_is_refused(loop: Loop, lost: Lost) -> None:
    two_versions(loop)
    lost.store(loop)
    loop.codebook = ONE
    with pytest.raises(ConfigError, match=re.escape("@2.0.0, which is newer than answer-quality@1.0.0, the file")):
        rebuilt(loop)
    assert loop.store.lineage(QUEUE).versions == ()
    loop.codebook = BROKEN
    with pytest.raises(CodebookError, match="is of another queue"):
        rebuilt(loop, [ONE.model_copy(update={"name": "other"})])
    with pytest.raises(CodebookError, match=re.escape("two files are both answer-quality@2.0.0")):
        rebuilt(loop, [ADDED.model_copy(update={"version": "2.0.0"})])


def test_a_file_that_asks_something_else_than_its_tasks_is_refused(loop: Loop, lost: Lost) -> None:
    two_versions(loop)
    lost.store(loop)
    loop.codebook = BROKEN.model_copy(update={"questions": BROKEN.questions[:1]})
    with pytest.raises(CodebookError, match="has other questions than its tasks say"):
        rebuilt(loop, [ONE])
