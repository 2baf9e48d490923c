"""What the store keeps of a codebook's versions, and what publishing one does to the rows that are there."""

import pytest

from contract.store_samples import (
    MINUTE,
    NOON,
    QUEUE,
    VERSION,
    annotation,
    answer,
    codebook,
    eval_due,
    have_drawn,
    have_queued,
    parked,
    resolve,
    score,
    state_of,
    task,
)
from goldloop.adapters.store import SqlStore
from goldloop.adapters.store.tables import codebooks
from goldloop.errors import CodebookError
from goldloop.records import Project, State

pytest_plugins = ["contract.store_fixtures"]

NEXT = "2.0.0"


def publish(store: SqlStore, since: dict[str, str], *, resolve_all: bool = False) -> None:
    store.save_codebook(codebook(version=NEXT), NOON + MINUTE, since)
    store.publish_codebook(QUEUE, NEXT, since, NOON + MINUTE, resolve_all=resolve_all)


class TestLineage:
    def test_a_version_waits_to_be_published(self, store: SqlStore) -> None:
        store.save_codebook(codebook(), NOON, {"verdict": VERSION})
        (one,) = store.lineage(QUEUE).versions
        assert (one.codebook, one.since, one.published_at) == (codebook(), {"verdict": VERSION}, None)
        store.publish_codebook(QUEUE, VERSION, {"verdict": VERSION}, NOON, resolve_all=False)
        store.publish_codebook(QUEUE, VERSION, {"verdict": VERSION}, NOON + MINUTE, resolve_all=False)
        assert store.lineage(QUEUE).newest.published_at == NOON

    def test_one_that_was_saved_without_is_published_and_its_questions_date_from_it(self, store: SqlStore) -> None:
        store.save_codebook(codebook(), NOON)
        newest = store.lineage(QUEUE).newest
        assert (newest.since, newest.published_at) == ({"verdict": VERSION}, NOON)

    def test_saving_it_again_leaves_its_lineage(self, store: SqlStore) -> None:
        publish(store, {"verdict": VERSION})
        store.save_codebook(codebook(version=NEXT), NOON + MINUTE, {"verdict": NEXT})
        store.save_codebook(codebook(version=NEXT), NOON + MINUTE)
        assert store.lineage(QUEUE).newest.since == {"verdict": VERSION}

    def test_one_that_was_saved_before_a_field_came_is_the_same(self, store: SqlStore) -> None:
        store.save_codebook(codebook(), NOON)
        body = codebook().model_dump(mode="json")
        del body["skip_reasons"]
        with store._db.write() as connection:
            connection.execute(codebooks.update().values(body=body, digest="of other fields"))
        store.save_codebook(codebook(), NOON)
        with pytest.raises(CodebookError, match="new version"):
            store.save_codebook(codebook(title="Another"), NOON)

    def test_a_label_config_that_was_adopted_is_known_as_that(self, store: SqlStore) -> None:
        project = Project(
            queue=QUEUE, codebook_version=VERSION, project_id=1, url="u", label_config="<View/>", adopted=True
        )
        store.save_project(project)
        assert store.projects(QUEUE) == [project]


class TestPublishing:
    def test_answers_that_mean_something_else_are_quarantined_at_once(self, store: SqlStore) -> None:
        have_queued(store, "t1", "t2")
        resolve(store, answers=[answer(), answer("tone", question="error"), answer("x", question="gone")])
        resolve(store, trace_id="t2", answers=[answer("pass", "t2")])
        publish(store, {"verdict": VERSION, "error": NEXT})
        assert store.quarantined(QUEUE) == {"t1": ["error", "gone"]}
        assert {one.question: one.quarantined for one in store.answers(QUEUE, "t1")} == {
            "verdict": False,
            "error": True,
            "gone": True,
        }

    def test_what_no_version_set_aside_is_once_it_is_noticed(self, store: SqlStore) -> None:
        """Versions from before there was a lineage set nothing aside. Done again it makes nothing due."""
        have_queued(store, "t1", "t2")
        store.save_annotations([annotation()], NOON)
        resolve(store)
        store.take_over(QUEUE, VERSION, {"verdict": VERSION})
        assert (store.quarantined(QUEUE), store.due_for_resolve(QUEUE)) == ({}, [])
        store.take_over(QUEUE, NEXT, {"verdict": NEXT})
        assert (store.quarantined(QUEUE), store.due_for_resolve(QUEUE)) == ({"t1": ["verdict"]}, ["t1"])
        resolve(store, answers=[answer(quarantined=True)])
        store.take_over(QUEUE, NEXT, {"verdict": NEXT})
        assert store.due_for_resolve(QUEUE) == []

    def test_what_is_no_task_yet_is_asked_by_the_new_version(self, store: SqlStore) -> None:
        have_drawn(store, "begun", "deleted", "drawn", "parked", "queued")
        store.begin_import(QUEUE, ["begun", "deleted", "queued"], NOON)
        store.save_tasks([task("queued", 1), task("deleted", 2)], NOON)
        store.park(parked("trace:parked", trace_id="parked"))
        store.park(parked("trace:deleted", verb="gather", trace_id="deleted"))
        store.mark_tasks_deleted(1, [2], NOON)
        resolve(store, trace_id="deleted", state=State.QUEUED, answers=[])
        publish(store, {"verdict": NEXT})
        # An import that began and was never confirmed may have made a task of the version before.
        assert {name: store.draw(QUEUE, name).codebook_version for name in ("begun", "queued")} == {
            "begun": VERSION,
            "queued": VERSION,
        }
        assert {name: store.draw(QUEUE, name).codebook_version for name in ("deleted", "drawn", "parked")} == {
            "deleted": NEXT,
            "drawn": NEXT,
            "parked": NEXT,
        }

    def test_annotated_traces_are_due_where_it_asks_for_that(self, store: SqlStore) -> None:
        have_queued(store, "t1", "t2")
        store.save_annotations([annotation()], NOON)
        resolve(store)
        publish(store, {"verdict": VERSION})
        assert store.due_for_resolve(QUEUE) == []
        store.publish_codebook(QUEUE, NEXT, {"verdict": VERSION}, NOON, resolve_all=True)
        assert store.due_for_resolve(QUEUE) == ["t1"]

    def test_what_is_due_for_resolve_has_nothing_to_send(self, store: SqlStore) -> None:
        have_queued(store, "t1", "t2")
        store.save_annotations([annotation()], NOON)
        resolve(store, score(), eval_row=eval_due())
        resolve(store, score("s2", "t2"), trace_id="t2")
        publish(store, {"verdict": NEXT}, resolve_all=True)
        assert [one.score_id for one in store.due_scores(QUEUE, 9)] == ["s2"]
        assert store.due_eval_rows(QUEUE, 9) == []
        resolve(store, score(), eval_row=eval_due())
        assert "s1" in [one.score_id for one in store.due_scores(QUEUE, 9)]
        assert [one.row_id for one in store.due_eval_rows(QUEUE, 9)] == ["e1"]


class TestRelabel:
    def test_a_trace_is_drawn_again_in_another_version(self, store: SqlStore) -> None:
        have_queued(store, "t1", "t2")
        store.save_annotations([annotation()], NOON)
        resolve(store)
        store.relabel(QUEUE, ["t1"], NEXT)
        assert (state_of(store), store.draw(QUEUE, "t1").codebook_version) == (State.DRAWN, NEXT)
        assert (state_of(store, "t2"), store.draw(QUEUE, "t2").codebook_version) == (State.QUEUED, VERSION)
        assert store.annotations(QUEUE, "t1") == [annotation()]
        assert store.due_for_resolve(QUEUE) == ["t1"]

    def test_its_old_task_is_none_of_the_new_version(self, store: SqlStore) -> None:
        have_queued(store, "t1")
        store.relabel(QUEUE, ["t1"], NEXT)
        resolve(store, state=State.QUEUED, answers=[])
        assert state_of(store) == State.DRAWN
        store.save_tasks([task("t1", 8, 2).model_copy(update={"codebook_version": NEXT})], NOON)
        resolve(store, state=State.QUEUED, answers=[])
        assert state_of(store) == State.QUEUED

    def test_one_that_is_parked_stays_so(self, store: SqlStore) -> None:
        have_queued(store, "t1")
        store.park(parked())
        store.relabel(QUEUE, ["t1"], NEXT)
        assert (state_of(store), store.draw(QUEUE, "t1").codebook_version) == (State.PARKED, VERSION)


def test_annotations_and_skips_are_counted_by_annotator_and_reason(store: SqlStore) -> None:
    have_queued(store, "t1")
    store.save_annotations(
        [
            annotation(1),
            annotation(2, created_at=NOON - MINUTE),
            annotation(3, skipped=True, skip_reason="language", answers={}),
            annotation(4, skipped=True, answers={}, annotator="ben@example.org"),
            annotation(5, deleted=True),
        ],
        NOON,
    )
    counts = store.counts(QUEUE, NOON)
    assert counts.annotated_today == {"ada@example.org": 2, "ben@example.org": 1}
    assert counts.skips_by_reason == {"language": 1, "no reason given": 1}
    assert store.counts(QUEUE).annotated_today == {}
