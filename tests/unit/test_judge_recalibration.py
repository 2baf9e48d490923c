import random

import pytest

from builders import NOW, QUEUE, codebook
from fakes.judges import opinion
from goldloop.codebook.schema import Codebook, Question
from goldloop.judge.basis import Asked, People, two_sides
from goldloop.judge.calibration import Calibration
from goldloop.judge.recalibration import calibration_of, recalibrated
from goldloop.records import JudgeFit, Judgement, Vote

ASKED = Asked(QUEUE, codebook().verdict, "1.0.0", 0.95, NOW)
A = ("a", "1")


def vote(risk: float | None = None, **more: object) -> Vote:
    answers = {} if risk is None else {"verdict": "fail" if risk >= 0.5 else "pass"}
    fields = {"judge": "a", "judge_version": "1", "method": "votes", "risk": risk, "answers": answers}
    return Vote.model_validate(fields | more)


def mixed(count: int) -> list[str]:
    """Names in an order that has nothing to do with the folds'."""
    names = [f"t{place:03}" for place in range(count)]
    random.Random(4).shuffle(names)  # noqa: S311 - a test's chance
    return names


def sure(count: int, right: int) -> tuple[dict[str, Vote], People]:
    """A judge that says 0.9 or 0.1 as often, and is right in `right` of ten cases of either."""
    votes, labels = {}, {}
    for place, name in enumerate(mixed(count)):
        fails = place % 2 == 0
        votes[name] = vote(0.9 if fails else 0.1)
        labels[name] = "fail" if fails == (place // 2 % 10 < right) else "pass"
    return votes, People(labels, {name: int(name[1:]) for name in labels})


def test_a_judge_that_is_too_sure_is_corrected() -> None:
    votes, people = sure(200, 7)
    fit = calibration_of(ASKED, A, votes, people, {})
    assert fit
    assert (fit.judge, fit.judge_version, fit.question, fit.since) == ("a", "1", "verdict", "1.0.0")
    assert fit.quality.accuracy == pytest.approx(0.7)
    # Right in 7 of 10 whichever it says: chance agrees in a half, (0.7 - 0.5) / 0.5
    assert fit.quality.kappa == pytest.approx(0.4)
    assert fit.quality.auroc == pytest.approx(0.7)
    assert fit.quality.ece < 0.02
    assert fit.threshold is None
    judgement = recalibrated(codebook(), opinion(codebook(), 0.9), {"verdict": fit})
    assert judgement.risk == pytest.approx(0.7, abs=0.02)
    assert judgement.calibrated


def test_a_judge_that_is_right_is_confident() -> None:
    votes, people = sure(200, 10)
    fit = calibration_of(ASKED, A, votes, people, {})
    assert fit
    assert fit.threshold is not None
    judgement = recalibrated(codebook(), opinion(codebook(), 0.9), {"verdict": fit})
    assert judgement.confident


@pytest.mark.parametrize(("count", "right"), [(29, 7), (4, 10)])
def test_too_few_labels_make_none(count: int, right: int) -> None:
    votes, people = sure(count, right)
    assert calibration_of(ASKED, A, votes, people, {}) is None


def test_outcomes_of_one_kind_make_none() -> None:
    votes, people = sure(100, 7)
    assert calibration_of(ASKED, A, votes, People(dict.fromkeys(people.labels, "pass"), people.groups), {}) is None


def test_abstentions_and_votes_without_a_number_do_not_count() -> None:
    votes, people = sure(40, 7)
    votes |= {f"t{place:03}": vote(None, abstained="no documents") for place in range(6)}
    votes |= {f"t{place:03}": vote(None, answers={"verdict": "pass"}) for place in range(6, 12)}
    assert calibration_of(ASKED, A, votes, people, {}) is None
    votes, people = sure(42, 7)
    votes["unlabelled"] = vote(0.9)
    votes["t000"] = vote(None, abstained="no documents")
    fit = calibration_of(ASKED, A, votes, people, {})
    assert fit
    assert sum(fit.quality.labels.values()) == 41


def test_the_same_gives_the_same() -> None:
    votes, people = sure(100, 7)
    first = calibration_of(ASKED, A, votes, people, {})
    assert first
    assert calibration_of(ASKED, A, dict(reversed(votes.items())), people, {}) == first
    assert calibration_of(ASKED, A, votes, people, {first.version: first}) is first
    for other in (
        calibration_of(ASKED, ("a", "2"), votes, people, {}),
        calibration_of(ASKED, A, votes | {"t000": vote(0.8)}, people, {}),
        calibration_of(Asked(QUEUE, codebook().verdict, "2.0.0", 0.95, NOW), A, votes, people, {}),
    ):
        assert other
        assert other.version != first.version


GRADED = Question.model_validate(
    {
        "name": "verdict",
        "kind": "choice",
        "text": "?",
        "labels": [{"name": name, "text": name, "definition": f"It is {name}."} for name in ("good", "bad", "worse")],
        "failure": ["bad", "worse"],
    }
)


def graded() -> Codebook:
    shipped = codebook()
    return shipped.model_copy(update={"questions": (GRADED, *shipped.questions[1:])})


def test_of_more_than_two_labels_the_answer_stays_and_its_probability_is_corrected() -> None:
    assert two_sides(GRADED) is None
    names = mixed(90)
    said = {name: ("good", "bad", "worse")[place % 3] for place, name in enumerate(names)}
    # Of what it calls good all is good, of what it calls bad or worse six of ten are that, and the rest is good.
    labels = {name: said[name] if place // 3 % 10 < 6 else "good" for place, name in enumerate(names)}
    votes = {name: vote(answers={"verdict": label}, probability=0.95) for name, label in said.items()}
    right = sum(labels[name] == said[name] for name in names) / 90
    people = People(labels, {name: int(name[1:]) for name in names})
    fit = calibration_of(Asked(QUEUE, GRADED, "1.0.0", 0.95, NOW), A, votes, people, {})
    assert fit
    assert fit.quality.accuracy == pytest.approx(right)
    # All 36 failures are among the 60 that it fails; of the 54 others 24 are (ties), 30 are not: (24 / 2 + 30) / 54
    assert fit.quality.auroc == pytest.approx(42 / 54)
    judgement = Judgement(
        judge="a", judge_version="1", answers={"verdict": "worse"}, probability=0.95, risk=0.97, method="votes"
    )
    corrected = recalibrated(graded(), judgement, {"verdict": fit})
    assert corrected.answers == {"verdict": "worse"}
    assert corrected.probability == pytest.approx(right, abs=0.03)
    assert (corrected.risk, corrected.calibrated) == (0.97, True)


def test_another_question_s_confidence_is_corrected_by_being_right() -> None:
    question = Question.model_validate(GRADED.model_dump() | {"name": "tone", "failure": []})
    names = [f"t{place:03}" for place in range(100)]
    votes = {name: vote(0.9, answers={"verdict": "fail", "tone": "good"}, confidences={"tone": 0.9}) for name in names}
    labels = {name: "good" if place % 2 else "bad" for place, name in enumerate(names)}
    people = People(labels, {name: place for place, name in enumerate(names)})
    fit = calibration_of(Asked(QUEUE, question, "1.0.0", 0.95, NOW), A, votes, people, {})
    assert fit
    assert list(fit.body) == ["right"]
    said = opinion(codebook(), 0.9, confidences={"tone": 0.9})
    assert recalibrated(codebook(), said, {"tone": fit}).confidences["tone"] == pytest.approx(0.5, abs=0.03)


def test_a_fit_of_another_form_changes_nothing() -> None:
    votes, people = sure(100, 7)
    fit = calibration_of(ASKED, A, votes, people, {})
    assert fit
    other = JudgeFit.model_validate(fit.model_dump() | {"body": {"right": Calibration("platt", (0, 1)).to_json()}})
    said = opinion(codebook(), 0.9)
    assert recalibrated(codebook(), said, {"verdict": other}) == said
    assert recalibrated(codebook(), said, {}) == said


def test_other_groups_numbers_change_no_version() -> None:
    votes, people = sure(100, 7)
    first = calibration_of(ASKED, A, votes, people, {})
    assert first
    moved = People(people.labels, {name: group + 9 for name, group in people.groups.items()})
    assert calibration_of(ASKED, A, votes, moved, {}) == first
