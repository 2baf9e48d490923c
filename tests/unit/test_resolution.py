from hypothesis import given
from hypothesis import strategies as st

from builders import annotation, codebook
from goldloop.codebook.schema import Codebook
from goldloop.records import Annotation, Value
from goldloop.resolution import majority
from goldloop.resolution.majority import Reading, Resolution

THREE = codebook(annotations_per_trace=3)
ONE = codebook(annotations_per_trace=1)
OWNER = codebook(annotations_per_trace=2, adjudication="owner", adjudicator="own")
RATED = Codebook.model_validate(
    {
        "name": "answer-quality",
        "version": "1.0.0",
        "title": "Rated",
        "owner": "Ada",
        "purpose": "How good is the answer?",
        "questions": [
            {
                "name": "quality",
                "kind": "rating",
                "text": "How good is it?",
                "failure": ["poor", "fair"],
                "labels": [
                    {"name": name, "text": name.title(), "definition": f"It is {name}."}
                    for name in ("poor", "fair", "good", "fine")
                ],
            },
            {
                "name": "minutes",
                "kind": "number",
                "text": "Minutes lost?",
                "scale": {"minimum": 0, "maximum": 60},
                "only_if": {"quality": ["poor", "fair"]},
            },
        ],
        "queue": {"budget": 9, "mix": {"random": 1.0}, "annotations_per_trace": 3},
    }
)


def resolve(codebook: Codebook, annotations: list[Annotation], wanted: int | None = None) -> Resolution:
    return majority.resolve(Reading(codebook, wanted=wanted), annotations)


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


def rated(*answers: dict[str, Value]) -> list[Annotation]:
    return [
        annotation(f"rater-{i}", None, number=i, skipped=False).model_copy(update={"answers": given})
        for i, given in enumerate(answers)
    ]


def test_more_annotators_than_the_queue_asks_for_may_be_wanted_of_one_trace() -> None:
    assert resolve(ONE, by("fail")).decided
    assert not resolve(ONE, by("fail"), wanted=2).decided
    assert not resolve(ONE, by("fail", "pass"), wanted=2).decided


class TestMedian:
    def test_a_rating_is_the_step_in_the_middle(self) -> None:
        # poor, good, fine: the middle one is good
        (answer,) = resolve(RATED, rated({"quality": "fine"}, {"quality": "poor"}, {"quality": "good"})).answers
        assert (answer.value, answer.method, answer.votes, answer.voters) == ("good", "median", 1, 3)
        assert not answer.failure

    def test_of_an_even_count_the_lower_of_the_two_in_the_middle(self) -> None:
        said = rated({"quality": "fair"}, {"quality": "good"})
        assert [answer.value for answer in resolve(RATED, said, wanted=2).answers] == ["fair"]

    def test_it_is_settled_when_no_further_one_could_move_it(self) -> None:
        # One more at either end: (poor, good, good) and (good, good, fine) both have good in the middle.
        assert resolve(RATED, rated({"quality": "good"}, {"quality": "good"})).decided
        # (poor, fair, good) has fair, (fair, good, fine) has good.
        assert not resolve(RATED, rated({"quality": "fair"}, {"quality": "good"})).decided

    def test_a_follow_up_is_asked_of_all_on_the_verdicts_side(self) -> None:
        # The middle of poor, fair, fine is fair, a failure: of 3 and 10 minutes the lower one stands.
        said = rated({"quality": "poor", "minutes": 10.0}, {"quality": "fair", "minutes": 3.0}, {"quality": "fine"})
        quality, minutes = resolve(RATED, said).answers
        assert (quality.value, quality.failure) == ("fair", True)
        assert (minutes.value, minutes.method, minutes.voters) == (3.0, "median", 2)


class TestOwner:
    def test_those_who_agree_need_no_adjudicator(self) -> None:
        assert verdict(resolve(OWNER, by("fail", "fail"))) == ("fail", 2, 2)
        assert not resolve(OWNER, by("fail")).decided
        assert not resolve(OWNER, by("fail")).contested

    def test_those_who_disagree_wait_for_the_adjudicator(self) -> None:
        split = by("fail", "pass")
        assert resolve(OWNER, split) == Resolution(decided=False, contested=True)
        ruling = annotation("own", "pass", number=9)
        made = resolve(OWNER, [*split, ruling])
        assert verdict(made) == ("pass", 2, 3)
        assert made.answers[0].method == "adjudicated"

    def test_two_of_three_are_no_majority_there(self) -> None:
        assert resolve(OWNER, by("fail", "fail", "pass"), wanted=3).contested

    def test_the_adjudicator_decides_outright(self) -> None:
        ruling = annotation("own", "fail", number=9, answers={"error_type": ["tone"]})
        others = [annotation("ana", "fail", number=1, answers={"error_type": ["format"], "note": "n"})]
        answers = {answer.question: answer for answer in resolve(OWNER, [*others, ruling]).answers}
        assert {name: answer.value for name, answer in answers.items()} == {
            "verdict": "fail",
            "error_type": ["tone"],
            "note": "n",
        }
        assert answers["error_type"].method == "adjudicated"

    def test_a_skip_by_the_adjudicator_decides_nothing(self) -> None:
        assert resolve(OWNER, [*by("fail", "pass"), annotation("own", None, number=9)]).contested


def test_what_the_answers_hide_is_no_answer() -> None:
    asked = THREE.model_copy(
        update={
            "questions": tuple(
                one.model_copy(update={"only_if": {"error_type": ("tone",)}}) if one.name == "note" else one
                for one in THREE.questions
            )
        }
    )
    said = [
        annotation("ana", "fail", number=1, answers={"error_type": ["tone"], "note": "Rude."}),
        annotation("ben", "fail", number=2, answers={"error_type": ["format"]}),
        annotation("cleo", "fail", number=3, answers={"error_type": ["format"]}),
    ]
    # format has 2 of 3; the note was written on tone, which is no answer.
    assert [answer.question for answer in resolve(asked, said).answers] == ["verdict", "error_type"]
