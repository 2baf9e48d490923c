from hypothesis import given
from hypothesis import strategies as st

from builders import NOW, annotation, codebook, draw
from goldloop.records import Annotation
from goldloop.resolution.majority import Resolution, resolve
from goldloop.resolution.scores import annotation_score, answer_score

THREE = codebook(annotations_per_trace=3)
ONE = codebook(annotations_per_trace=1)


def by(*verdicts: str | None) -> list[Annotation]:
    return [annotation(f"rater-{i}", verdict, number=i, minutes=i) for i, verdict in enumerate(verdicts)]


def verdict(of: Resolution) -> tuple[object, int, int]:
    answer = of.answers[0]
    return answer.value, answer.votes, answer.voters


def test_nothing_is_decided_without_a_vote() -> None:
    assert not resolve(THREE, []).decided
    assert not resolve(THREE, by(None, None, None)).decided


def test_one_annotation_decides_where_one_is_wanted() -> None:
    assert verdict(resolve(ONE, by("fail"))) == ("fail", 1, 1)


def test_two_alike_decide_before_the_third_comes() -> None:
    assert not resolve(THREE, by("fail")).decided
    assert not resolve(THREE, by("fail", "pass")).decided
    assert verdict(resolve(THREE, by("fail", "fail"))) == ("fail", 2, 2)
    assert verdict(resolve(THREE, by("pass", "fail", "pass"))) == ("pass", 2, 3)


def test_a_skip_counts_as_in_and_a_tie_decides_nothing() -> None:
    assert not resolve(THREE, by("pass", "fail", None)).decided
    assert verdict(resolve(THREE, by("pass", None, None))) == ("pass", 1, 1)


def test_a_deleted_annotation_has_no_voice() -> None:
    gone = annotation("rater-9", "fail", number=9, deleted=True)
    assert verdict(resolve(THREE, [gone, *by("pass", "pass")])) == ("pass", 2, 2)


def test_an_annotator_has_one_voice_the_one_changed_last() -> None:
    twice = [annotation("ana", "pass", number=1), annotation("ana", "fail", number=2, minutes=5)]
    assert verdict(resolve(ONE, twice)) == ("fail", 1, 1)
    assert not resolve(THREE, twice).decided


def test_error_types_by_majority_of_those_who_failed_it() -> None:
    said = [
        annotation("ana", "fail", number=1, answers={"error_type": ["ungrounded", "tone"]}),
        annotation("ben", "fail", number=2, answers={"error_type": ["ungrounded"], "correction": "Better."}),
        annotation("chloe", "pass", number=3),
    ]
    answers = {answer.question: answer for answer in resolve(THREE, said).answers}
    # ungrounded has 2 of 2; tone has 1 of 2, no majority and not the most named
    assert answers["error_type"].value == ["ungrounded"]
    assert (answers["error_type"].votes, answers["error_type"].voters) == (2, 2)
    assert (answers["correction"].value, answers["correction"].method) == ("Better.", "first")
    assert answers["verdict"].failure
    assert not answers["error_type"].failure


def test_where_no_error_type_has_a_majority_the_most_named_stand() -> None:
    said = [
        annotation("ana", "fail", number=1, answers={"error_type": ["tone"]}),
        annotation("ben", "fail", number=2, answers={"error_type": ["format"]}),
    ]
    assert resolve(THREE, said).answers[1].value == ["tone", "format"]


@given(st.permutations(by("pass", "fail", "pass", None)))
def test_the_order_of_annotations_does_not_matter_to_the_verdict(shuffled: list[Annotation]) -> None:
    four = codebook(annotations_per_trace=4)
    assert verdict(resolve(four, shuffled)) == ("pass", 2, 3)


def test_an_annotation_is_one_score() -> None:
    one = annotation(
        "ana@example.com", "fail", minutes=3, answers={"error_type": ["tone"], "correction": "New.", "note": "Rude."}
    )
    score = annotation_score(THREE, one, draw(), "production")
    assert score is not None
    assert (score.name, score.value, score.comment, score.environment) == (
        "annotation_verdict",
        "fail",
        "Rude.",
        "production",
    )
    assert score.event_at == one.updated_at
    assert score.metadata["annotator"] == "ana@example.com"
    assert score.metadata["error_type"] == ["tone"]
    assert "correction" not in score.metadata
    assert (score.metadata["policy"], score.metadata["pi"], score.metadata["stratum"]) == ("random", 0.25, "returns")


def test_an_edit_keeps_the_id_and_moves_the_event() -> None:
    before = annotation_score(THREE, annotation("ana", "fail"), draw(), "e")
    after = annotation_score(THREE, annotation("ana", "pass", minutes=1), draw(), "e")
    other = annotation_score(THREE, annotation("ben", "fail", number=2), draw(), "e")
    assert before is not None
    assert after is not None
    assert other is not None
    assert before.score_id == after.score_id != other.score_id
    assert after.event_at > before.event_at


def test_a_skip_or_a_deleted_annotation_is_no_score() -> None:
    assert annotation_score(THREE, annotation("ana", None), draw(), "e") is None
    assert annotation_score(THREE, annotation("ana", "fail", deleted=True), draw(), "e") is None


def test_answers_become_human_scores_and_texts_do_not() -> None:
    said = [
        annotation("ana", "fail", number=1, answers={"error_type": ["ungrounded", "tone"], "note": "n"}),
        annotation("ben", "fail", number=2, minutes=2, answers={"error_type": ["ungrounded", "tone"]}),
    ]
    scores = [answer_score(THREE, answer, draw(), "e") for answer in resolve(THREE, said).answers]
    assert [(score.name, score.value) for score in scores if score] == [
        ("human_verdict", "fail"),
        ("human_error_type", "ungrounded+tone"),
    ]
    assert scores[0] is not None
    assert scores[0].event_at == max(one.updated_at for one in said) > NOW
