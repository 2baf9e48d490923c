"""Resolve and publish: what people said stands in Langfuse and in the golden set, once and in its last form."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

import pytest

from builders import QUEUE
from goldloop import ids
from goldloop.errors import FatalError, RetryableError
from goldloop.records import Document, EvalRow, Message, Score, State, Trace
from pipeline.loop import ADA, BEN, CLEO, MINUTE, Loop, killed_at

OUTPUT = "Returns are accepted within 30 days."
AWAY = RetryableError("Langfuse", "it is away: try again later")


@pytest.fixture
def queued(loop: Loop) -> Loop:
    loop.queue("t1", "t2", environment="production")
    return loop


def annotated(loop: Loop, trace_id: str, *verdicts: str | None) -> list[int]:
    people = (ADA, BEN, CLEO)
    return [loop.annotate(trace_id, verdict, by) for verdict, by in zip(verdicts, people, strict=False)]


def row(loop: Loop, trace_id: str = "t1") -> EvalRow:
    return loop.datasets.rows(QUEUE)[ids.eval_row_id(QUEUE, trace_id, "1.0.0")]


def only_answer(loop: Loop) -> Score:
    (score,) = loop.shown("human_verdict")
    return score


def of_trace(trace_id: str, reason: str) -> Callable[[Score], str]:
    return lambda score: reason if score.trace_id == trace_id else ""


class TestScores:
    def test_each_annotation_is_one_and_the_answer_another(self, queued: Loop) -> None:
        annotated(queued, "t1", "fail", "pass", "fail")
        annotated(queued, "t2", None, "pass")
        made = queued.fetch_annotations()
        assert (made.sent, made.confirmed, made.unconfirmed, made.parked) == (5, 5, 0, 0)
        assert queued.values() == [
            ("t1", "annotation_verdict", "fail"),
            ("t1", "annotation_verdict", "fail"),
            ("t1", "annotation_verdict", "pass"),
            ("t1", "human_verdict", "fail"),
            ("t2", "annotation_verdict", "pass"),
        ]
        first = next(score for score in queued.shown("annotation") if score.metadata["annotator"] == BEN)
        assert first.environment == "production"
        assert first.metadata["goldloop"] == "answer-quality@1.0.0"
        assert (queued.state("t1"), queued.state("t2")) == (State.PUBLISHED, State.ANNOTATED)

    def test_more_than_a_page_goes_page_by_page(self, queued: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("goldloop.pipeline.publish._PAGE", 2)
        annotated(queued, "t1", "fail", "pass", "fail")
        annotated(queued, "t2", None, "pass")
        made = queued.fetch_annotations()
        assert (made.sent, made.confirmed, made.traces_published) == (5, 5, 1)

    def test_an_early_decision_is_revised_by_the_third_voice(self, queued: Loop) -> None:
        annotated(queued, "t1", "fail", "fail")
        queued.fetch_annotations()
        early = only_answer(queued)
        assert (early.metadata["votes"], early.metadata["voters"]) == (2, 2)
        queued.annotate("t1", "pass", CLEO)
        queued.fetch_annotations()
        late = only_answer(queued)
        assert (late.metadata["votes"], late.metadata["voters"]) == (2, 3)
        assert late.score_id == early.score_id
        assert late.event_at > early.event_at
        assert row(queued).provenance["voters"] == 3
        assert queued.state("t1") == State.PUBLISHED

    def test_an_edit_revises_and_a_deletion_withdraws(self, queued: Loop) -> None:
        one, two = annotated(queued, "t1", "pass", "pass")
        queued.fetch_annotations()
        ids_before = {score.score_id for score in queued.shown()}
        queued.edit(one, "fail")
        queued.fetch_annotations()
        assert queued.values() == [("t1", "annotation_verdict", "fail"), ("t1", "annotation_verdict", "pass")]
        assert {score.score_id for score in queued.shown()} < ids_before
        assert queued.state("t1") == State.ANNOTATED
        queued.tasks.delete_annotation(one, at=queued.clock() + MINUTE)
        queued.tasks.delete_annotation(two, at=queued.clock() + MINUTE)
        made = queued.fetch_annotations()
        assert (made.deleted, queued.values()) == (2, [])
        assert queued.state("t1") == State.QUEUED

    def test_an_edit_back_and_forth_within_a_millisecond_still_wins(self, queued: Loop) -> None:
        (one,) = annotated(queued, "t1", "pass")
        queued.fetch_annotations()
        moment = queued.clock()
        for verdict in ("fail", "pass", "fail"):
            queued.tasks.edit(one, queued.answer(verdict=verdict), at=moment)
            queued.fetch_annotations()
            assert queued.values() == [("t1", "annotation_verdict", verdict)]

    def test_a_skip_after_all_withdraws_and_its_end_brings_back(self, queued: Loop) -> None:
        (one,) = annotated(queued, "t1", "fail")
        queued.fetch_annotations()
        queued.tasks.skip(one, at=queued.clock() + MINUTE)
        queued.fetch_annotations()
        assert queued.values() == []
        queued.tasks.unskip(one, at=queued.clock() + 2 * MINUTE)
        queued.fetch_annotations()
        assert queued.values() == [("t1", "annotation_verdict", "fail")]

    def test_nothing_is_sent_twice(self, queued: Loop) -> None:
        annotated(queued, "t1", "fail", "fail", "fail")
        queued.fetch_annotations()
        sent, writes = len(queued.scores.sent), queued.datasets.writes
        made = queued.fetch_annotations()
        assert (made.sent, made.deleted, made.eval_rows, made.traces_published) == (0, 0, 0, 0)
        assert (len(queued.scores.sent), queued.datasets.writes) == (sent, writes) == (4, 1)

    def test_one_refused_is_parked_and_the_others_are_sent(self, queued: Loop) -> None:
        queued.scores.refuses = of_trace("t1", "400 no such config")
        annotated(queued, "t1", "pass")
        annotated(queued, "t2", "pass", "pass")
        made = queued.fetch_annotations()
        assert (made.sent, made.parked) == (3, 1)
        (parked,) = queued.store.parked()
        assert (parked.reason, parked.detail, parked.trace_id) == ("rejected", "400 no such config", "t1")
        assert queued.publish().parked == 0
        queued.scores.refuses = lambda _score: ""
        assert queued.retry() == 1
        assert queued.publish().sent == 1
        assert ("t1", "annotation_verdict", "pass") in queued.values()

    def test_a_revision_frees_a_parked_one(self, queued: Loop) -> None:
        queued.scores.refuses = lambda score: "400" if score.value == "fail" else ""
        (one,) = annotated(queued, "t1", "fail")
        queued.fetch_annotations()
        assert len(queued.parked()) == 1
        queued.edit(one, "pass")
        queued.fetch_annotations()
        assert (queued.parked(), queued.values()) == ({}, [("t1", "annotation_verdict", "pass")])


class TestReadBack:
    def test_what_shows_late_is_waited_for(self, queued: Loop) -> None:
        queued.scores.lag = timedelta(seconds=6)
        annotated(queued, "t1", "pass", "pass")
        before = queued.clock()
        made = queued.fetch_annotations()
        assert (made.confirmed, made.traces_published) == (3, 1)
        assert queued.clock() - before == queued.scores.lag

    def test_what_shows_later_than_that_is_looked_for_by_the_next_run(self, queued: Loop) -> None:
        queued.scores.lag = timedelta(minutes=2)
        annotated(queued, "t1", "pass", "pass")
        made = queued.fetch_annotations()
        assert (made.confirmed, made.unconfirmed, made.traces_published) == (0, 3, 0)
        queued.clock.turn(2 * MINUTE)
        made = queued.publish()
        assert (made.sent, made.confirmed, made.traces_published) == (0, 3, 1)

    def test_the_old_value_is_no_confirmation_of_the_new(self, queued: Loop) -> None:
        (one,) = annotated(queued, "t1", "pass")
        queued.fetch_annotations()
        queued.scores.lag = timedelta(minutes=2)
        queued.edit(one, "fail")
        assert queued.fetch_annotations().unconfirmed == 1

    def test_what_was_silently_dropped_is_parked_after_a_quarter_of_an_hour(self, queued: Loop) -> None:
        queued.scores.drops = lambda score: score.name == "human_verdict"
        annotated(queued, "t1", "pass", "pass")
        made = queued.fetch_annotations()
        assert (made.confirmed, made.unconfirmed, made.parked) == (2, 1, 0)
        queued.clock.turn(13 * MINUTE)
        assert queued.publish().unconfirmed == 1
        queued.clock.turn(2 * MINUTE)
        made = queued.publish()
        assert (made.unconfirmed, made.parked, made.traces_published) == (0, 1, 0)
        assert list(queued.parked().values()) == ["never_appeared"]
        assert queued.state("t1") == State.RESOLVED

        queued.scores.drops = lambda _score: False
        queued.retry()
        made = queued.publish()
        assert (made.sent, made.confirmed, made.traces_published) == (1, 1, 1)
        assert only_answer(queued).value == "pass"


class TestBreaks:
    def test_killed_between_sending_and_noting_it(self, queued: Loop) -> None:
        annotated(queued, "t1", "fail", "fail")
        with killed_at(queued.store, "mark_scores_sent"):
            queued.fetch_annotations()
        shown = queued.shown()
        assert len(shown) == 3
        assert queued.publish().sent == 3
        assert queued.shown() == shown

    def test_killed_between_sending_and_noting_it_then_taken_back(self, queued: Loop) -> None:
        (one,) = annotated(queued, "t1", "fail")
        with killed_at(queued.store, "mark_scores_sent"):
            queued.fetch_annotations()
        queued.tasks.delete_annotation(one, at=queued.clock() + MINUTE)
        queued.fetch_annotations()
        assert queued.values() == []

    def test_an_answer_that_was_lost(self, queued: Loop) -> None:
        annotated(queued, "t1", "fail", "fail")
        queued.scores.lose_next_answer = True
        with pytest.raises(RetryableError):
            queued.fetch_annotations()
        queued.publish()
        assert len(queued.values()) == 3
        assert queued.state("t1") == State.PUBLISHED

    def test_killed_between_writing_a_row_and_noting_it(self, queued: Loop) -> None:
        annotated(queued, "t1", "fail", "fail")
        with killed_at(queued.store, "mark_eval_rows_done"):
            queued.fetch_annotations()
        queued.publish()
        assert queued.gold() == {"t1"}
        assert queued.datasets.looked_for == [ids.eval_row_id(QUEUE, "t1", "1.0.0")]  # it may have been written
        assert queued.datasets.writes == 1

    def test_killed_between_two_sinks(self, queued: Loop) -> None:
        annotated(queued, "t1", "fail", "fail")
        queued.datasets.failing = AWAY
        with pytest.raises(RetryableError):
            queued.fetch_annotations()
        assert queued.file.row_ids(QUEUE)
        queued.datasets.failing = None
        queued.publish()
        assert queued.gold() == {"t1"}

    @pytest.mark.parametrize("error", [AWAY, FatalError("Langfuse", "the key is wrong: set LANGFUSE_SECRET_KEY")])
    def test_a_server_that_is_away_parks_nothing(self, queued: Loop, error: RetryableError | FatalError) -> None:
        annotated(queued, "t1", "fail", "fail")
        queued.scores.failing = queued.source.failing = error
        with pytest.raises(type(error)):
            queued.fetch_annotations()
        assert queued.parked() == {}
        queued.scores.failing = queued.source.failing = None
        assert queued.publish().traces_published == 1


class TestEvalRows:
    def test_a_row_says_what_was_wrong_and_who_said_so(self, queued: Loop) -> None:
        queued.annotate("t1", "fail", ADA, error_type=["tone"], correction="Within 30 days, gladly.", note="Curt.")
        queued.annotate("t1", "fail", BEN, error_type=["tone", "format"])
        queued.annotate("t1", "pass", CLEO)
        queued.fetch_annotations()
        made = row(queued)
        assert (made.output, made.expected_output, made.note) == (OUTPUT, "Within 30 days, gladly.", "Curt.")
        assert made.labels == {"verdict": "fail", "error_type": ["tone"]}
        assert made.provenance["annotators"] == [ADA, BEN, CLEO]
        assert (made.provenance["votes"], made.provenance["voters"]) == (2, 3)
        assert len(made.provenance["annotated_at"]) == 3  # type: ignore[arg-type]  # JSON: a list here
        assert queued.file.row_ids(QUEUE) == {made.row_id}

    def test_a_verdict_that_flips_takes_the_row_out_and_back(self, queued: Loop) -> None:
        one, _ = annotated(queued, "t1", "fail", "fail")
        queued.annotate("t1", "pass", CLEO)
        queued.fetch_annotations()
        assert queued.gold() == {"t1"}
        for verdict, gold in (("pass", set()), ("fail", {"t1"}), ("pass", set())):
            queued.edit(one, verdict)
            queued.fetch_annotations()
            assert queued.gold() == gold
            assert only_answer(queued).value == verdict
            assert queued.state("t1") == State.PUBLISHED

    def test_payloads_are_asked_for_together(self, queued: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[list[str]] = []

        def payloads(trace_ids: Sequence[str]) -> Iterator[Trace | None]:
            asked.append([*trace_ids])
            return (queued.source.traces.get(trace_id) for trace_id in trace_ids)

        for trace_id in ("t1", "t2"):
            annotated(queued, trace_id, "fail", "fail")
        monkeypatch.setattr(queued.source, "payloads", payloads)
        assert queued.fetch_annotations().eval_rows == 2
        assert [sorted(one) for one in asked] == [["t1", "t2"]]

    def test_a_trace_that_is_gone_has_its_row_parked_and_its_scores_sent(self, queued: Loop) -> None:
        annotated(queued, "t1", "fail", "fail")
        annotated(queued, "t2", "fail", "fail")
        queued.source.delete("t1")
        made = queued.fetch_annotations()
        assert (made.sent, made.eval_rows, made.parked) == (6, 1, 1)
        assert queued.parked() == {f"eval-row:{ids.eval_row_id(QUEUE, 't1', '1.0.0')}": "trace_gone"}
        assert (queued.state("t1"), queued.state("t2")) == (State.RESOLVED, State.PUBLISHED)
        assert queued.publish().parked == 0
        queued.log("t1")
        queued.retry()
        assert queued.publish().eval_rows == 1
        assert queued.gold() == {"t1", "t2"}
        assert queued.state("t1") == State.PUBLISHED

    def test_a_row_whose_trace_is_gone_can_still_be_taken_out(self, queued: Loop) -> None:
        one, two = annotated(queued, "t1", "fail", "fail")
        queued.fetch_annotations()
        queued.source.delete("t1")
        queued.edit(one, "pass")
        queued.edit(two, "pass")
        queued.fetch_annotations()
        assert (queued.gold(), queued.parked()) == (set(), {})

    def test_a_row_that_one_sink_refuses_is_parked_till_it_takes_it(self, queued: Loop) -> None:
        annotated(queued, "t1", "fail", "fail")
        annotated(queued, "t2", "fail", "fail")
        queued.datasets.refuses = lambda row: "409: elsewhere" if row.trace_id == "t1" else ""
        made = queued.fetch_annotations()
        assert (made.eval_rows, made.parked) == (1, 1)
        queued.datasets.refuses = lambda _row: ""
        queued.retry()
        queued.publish()
        assert queued.gold() == {"t1", "t2"}

    def test_a_row_that_was_refused_by_one_sink_is_taken_out_of_the_other(self, queued: Loop) -> None:
        one, two = annotated(queued, "t1", "fail", "fail")
        queued.datasets.refuses = lambda _row: "409: elsewhere"
        queued.fetch_annotations()
        assert len(queued.file.row_ids(QUEUE)) == 1
        queued.edit(one, "pass")
        queued.edit(two, "pass")
        queued.fetch_annotations()
        assert (queued.gold(), queued.parked()) == (set(), {})

    def test_text_of_strangers_is_made_fit_for_a_file(self, queued: Loop) -> None:
        odd = "half \ud83d nul \0"
        changed = queued.source.traces["t1"].model_copy(
            update={
                "output": odd,
                "messages": (Message(role="user", content=odd),),
                "documents": (Document(title=odd, text=odd, score=float("nan")),),
                "model": odd,
            }
        )
        queued.source.traces["t1"] = changed
        annotated(queued, "t1", "fail", "fail")
        queued.fetch_annotations()
        shown = "half \ufffd nul \u2400"
        made = row(queued)
        assert (made.output, made.input[0].content, made.context[0].text) == (shown, shown, shown)
        assert queued.gold() == {"t1"}


class TestResolve:
    def test_only_what_changed_is_worked_out(self, queued: Loop) -> None:
        annotated(queued, "t1", "fail")
        queued.gather()
        made = queued.resolve()
        assert (made.traces, made.decided, made.failures, made.outbox) == (1, 0, 0, 1)
        assert queued.resolve().traces == 0
        annotated(queued, "t2", "pass", "pass")
        queued.gather()
        made = queued.resolve()
        assert (made.traces, made.decided, made.outbox) == (1, 1, 3)

    def test_what_nobody_sent_yet_is_taken_back_without_a_word(self, queued: Loop) -> None:
        (one,) = annotated(queued, "t1", "fail")
        queued.gather()
        queued.resolve()
        queued.tasks.delete_annotation(one, at=queued.clock() + MINUTE)
        made = queued.fetch_annotations()
        assert (made.sent, made.deleted, queued.scores.deleted) == (0, 0, [])

    def test_one_person_has_one_voice(self, queued: Loop) -> None:
        for _ in range(3):
            queued.annotate("t1", "fail", ADA)
        queued.fetch_annotations()
        assert len(queued.shown("annotation")) == 3
        assert queued.shown("human") == []

    def test_skips_of_all_decide_nothing(self, queued: Loop) -> None:
        annotated(queued, "t1", None, None, None)
        queued.fetch_annotations()
        assert queued.values() == []
        assert queued.state("t1") == State.ANNOTATED
