"""Annotations and answers as scores, for one version and across several."""

from typing import Any

from builders import NOW, QUEUE, annotation, codebook, draw
from goldloop import ids
from goldloop.codebook.lineage import CodebookVersion, Lineage, first
from goldloop.codebook.schema import Codebook
from goldloop.records import Answer, Score, ScoreType
from goldloop.resolution.majority import Reading, resolve
from goldloop.resolution.scores import Scoring

ASKED = codebook(annotations_per_trace=3)
ONE = CodebookVersion(codebook=ASKED, since=first(ASKED), published_at=NOW)
TWO = CodebookVersion(
    codebook=ASKED.model_copy(update={"version": "2.0.0"}),
    since=first(ASKED) | {"error_type": "2.0.0"},
    published_at=NOW,
)
THREE = CodebookVersion(
    codebook=ASKED.model_copy(update={"version": "3.0.0"}),
    since=dict(TWO.since) | {"verdict": "3.0.0"},
    published_at=NOW,
)


def scoring(*versions: CodebookVersion, **configs: str) -> Scoring:
    return Scoring(Lineage.of(versions or [ONE]), draw(), "production", configs)


def scored(one: Scoring, by: str = "ana", verdict: str | None = "fail", **more: Any) -> Score:
    score = one.annotation(annotation(by, verdict, **more))
    assert score is not None
    return score


def test_an_annotation_is_one_score() -> None:
    answers = {"error_type": ["tone"], "correction": "New.", "note": "Rude."}
    score = scored(scoring(), minutes=3, answers=answers)
    assert (score.name, score.value, score.comment, score.environment) == (
        "annotation_verdict",
        "fail",
        "Rude.",
        "production",
    )
    assert score.data_type == ScoreType.CATEGORICAL
    assert score.event_at == annotation("ana", minutes=3).updated_at
    assert score.metadata["annotator"] == "ana"
    assert score.metadata["error_type"] == ["tone"]
    assert "correction" not in score.metadata
    assert (score.metadata["policy"], score.metadata["pi"], score.metadata["stratum"]) == ("random", 0.25, "returns")
    assert score.metadata["goldloop"] == "answer-quality@1.0.0"


def test_an_edit_keeps_the_id_and_moves_the_event() -> None:
    before, after = scored(scoring()), scored(scoring(), verdict="pass", minutes=1)
    other = scored(scoring(), "ben", number=2)
    assert before.score_id == after.score_id != other.score_id
    assert after.event_at > before.event_at


def test_a_skip_or_a_deleted_annotation_is_no_score() -> None:
    assert scoring().annotation(annotation("ana", None)) is None
    assert scoring().annotation(annotation("ana", "fail", deleted=True)) is None


def test_answers_become_human_scores_and_texts_do_not() -> None:
    said = [
        annotation("ana", "fail", number=1, answers={"error_type": ["ungrounded", "tone"], "note": "n"}),
        annotation("ben", "fail", number=2, minutes=2, answers={"error_type": ["ungrounded", "tone"]}),
    ]
    made = scoring(human_verdict="config-1")
    scores = [made.answer(answer) for answer in resolve(Reading(ASKED), said).answers]
    assert [(score.name, score.value, score.config_id) for score in scores if score] == [
        ("human_verdict", "fail", "config-1"),
        ("human_error_type", "ungrounded+tone", None),
    ]
    assert scores[0] is not None
    assert scores[0].event_at == max(one.updated_at for one in said) > NOW


def test_how_it_came_to_be_judged_so_stands_beside_it() -> None:
    arm = draw().model_copy(update={"blind": True, "blind_probability": 0.2, "kept": 0.5})
    told = Scoring(Lineage.of([ONE]), arm, "e").annotation(annotation("ana"))
    assert told is not None
    assert (told.metadata["blind"], told.metadata["blind_probability"]) == (True, 0.2)
    assert told.metadata["inclusion"] == 0.125  # 0.25 * 0.5
    assert "double" not in told.metadata


class TestVersions:
    def test_a_version_that_changes_nothing_moves_nothing(self) -> None:
        again = ONE.model_copy(update={"codebook": ASKED.model_copy(update={"version": "1.0.1"})})
        before = scored(scoring(), answers={"error_type": ["tone"]})
        assert scored(scoring(ONE, again), answers={"error_type": ["tone"]}) == before
        assert scored(scoring(ONE, again), answers={"error_type": ["tone"]}, codebook_version="1.0.1") == before

    def test_an_answer_that_means_something_else_by_now_is_left_out(self) -> None:
        before = scored(scoring(), answers={"error_type": ["tone"]})
        after = scored(scoring(ONE, TWO), answers={"error_type": ["tone"]})
        assert (after.score_id, after.name, after.value) == (before.score_id, before.name, before.value)
        assert "error_type" not in after.metadata

    def test_an_annotation_whose_verdict_does_is_quarantined_as_it_was(self) -> None:
        before = scored(scoring(), answers={"error_type": ["tone"]})
        after = scored(scoring(ONE, TWO, THREE), answers={"error_type": ["tone"]})
        assert after.name == "quarantined_annotation_verdict_1.0.0"
        assert after.score_id == ids.quarantined_score_id(before.score_id) != before.score_id
        assert (after.value, after.config_id) == ("fail", None)
        assert after.metadata["error_type"] == ["tone"]

    def test_so_is_an_answer(self) -> None:
        old = Answer(
            queue=QUEUE,
            codebook_version="1.0.0",
            trace_id="t1",
            question="verdict",
            value="fail",
            votes=2,
            voters=2,
            annotators=("ana", "ben"),
            method="majority",
            failure=True,
            quarantined=True,
            revised_at=NOW,
        )
        score = scoring(ONE, TWO, THREE, human_verdict="config-3").answer(old)
        assert score is not None
        assert (score.name, score.config_id) == ("quarantined_human_verdict_1.0.0", None)
        assert score.metadata["goldloop"] == "answer-quality@1.0.0"

    def test_one_of_a_question_that_is_gone_too(self) -> None:
        kept = tuple(question for question in ASKED.questions if question.name != "error_type")
        asked = Codebook.model_validate(ASKED.model_dump() | {"version": "2.0.0", "questions": kept})
        without = CodebookVersion(codebook=asked, since={question.name: "1.0.0" for question in kept}, published_at=NOW)
        (_, named) = resolve(
            Reading(ASKED),
            [
                annotation("ana", "fail", number=1, answers={"error_type": ["tone"]}),
                annotation("ben", "fail", number=2),
            ],
        ).answers
        score = scoring(ONE, without).answer(named.model_copy(update={"quarantined": True}))
        assert score is not None
        assert (score.name, score.value) == ("quarantined_human_error_type_1.0.0", "tone")
