import random
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW, QUEUE, codebook
from goldloop.codebook.schema import Question
from goldloop.judge.basis import Asked, People, two_sides
from goldloop.judge.combination import Combination, SetOfMembers, combination_of, members_version, weights
from goldloop.numeric import expit, logit

VERDICT = codebook().verdict
ASKED = Asked(QUEUE, VERDICT, "1.0.0", 0.95, NOW)
MEMBERS = [("a", "1"), ("b", "1")]


def labelled(count: int, seed: int = 1) -> tuple[dict[str, dict[str, float]], People]:
    """Two judges that each see a failure's log-odds with noise of their own; people's labels; a group a trace."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 2, count)
    failed = rng.random(count) < expit(truth)
    names = [f"t{place:03}" for place in range(count)]
    risks = {
        judge: dict(zip(names, expit(truth + rng.normal(0, 2, count)).tolist(), strict=True)) for judge in ("a", "b")
    }
    labels = {name: "fail" if one else "pass" for name, one in zip(names, failed, strict=True)}
    return risks, People(labels, {name: place for place, name in enumerate(names)})


def set_of(*members: str, level: float = 0.0, each: tuple[float, ...] = (1.0, 1.0)) -> SetOfMembers:
    return SetOfMembers(members=members, level=level, weights=each, labels=100)


def test_without_labels_members_are_averaged() -> None:
    b = weights(np.zeros((0, 2)), np.zeros(0))
    assert b.tolist() == [0.0, 0.5, 0.5]
    # log-odds of 0.8 and 0.2 are 1.386 and -1.386: their mean is 0, which is a half
    body = Combination(sets=(set_of("a", "b", each=(0.5, 0.5)),))
    assert body.risk({"a": 0.8, "b": 0.2}) == pytest.approx(0.5)


def test_few_labels_stay_near_the_average() -> None:
    x = logit(np.array([[0.8, 0.3], [0.7, 0.6], [0.1, 0.4]]))
    b = weights(x, np.array([1.0, 1.0, 0.0]))
    assert np.abs(b[1:] - 0.5).max() < 0.25


def test_a_member_that_says_the_opposite_is_ignored_and_not_turned_around() -> None:
    rng = np.random.default_rng(3)
    said = rng.normal(0, 2, 300)
    failed = (rng.random(300) < expit(said)).astype(np.float64)
    b = weights(np.stack([said, -2 * said + rng.normal(0, 0.5, 300)], axis=1), failed)
    assert b[2] == 0
    assert b[1] > 0.5


def test_nobody_is_believed_without_limit() -> None:
    # 1 counts as 0.99: 4.595 - 4.595 + 0 = 0
    body = Combination(sets=(set_of("a", "b"),))
    assert body.risk({"a": 1.0, "b": 0.0}) == pytest.approx(0.5)
    assert body.risk({"a": 1.0, "b": 1.0}) == pytest.approx(0.999)


def test_a_set_that_was_not_fitted_has_no_risk() -> None:
    body = Combination(sets=(set_of("a", "b"),))
    assert body.risk({"a": 0.5}) is None
    assert body.risk({"a": 0.5, "b": 0.5, "c": 0.5}) is None
    assert body.risk({}) is None


def test_who_it_holds_for_has_no_order() -> None:
    assert members_version(MEMBERS) == members_version(MEMBERS[::-1])
    assert members_version(MEMBERS) != members_version([("a", "1"), ("b", "2")])


def test_two_noisy_judges_are_worth_more_together() -> None:
    risks, people = labelled(400)
    fit = combination_of(ASKED, MEMBERS, risks, people, {}, {})
    assert fit
    assert (fit.judge, fit.judge_version, fit.question) == ("combination", members_version(MEMBERS), "verdict")
    (one,) = Combination.model_validate(fit.body).sets
    assert (one.members, one.labels) == (("a", "b"), 400)
    assert fit.quality.ece < 0.07
    alone = combination_of(ASKED, MEMBERS, {"a": risks["a"], "b": dict.fromkeys(risks["b"], 0.5)}, people, {}, {})
    assert alone
    assert fit.quality.auroc > alone.quality.auroc + 0.02


def test_each_set_of_members_is_fitted_apart() -> None:
    risks, people = labelled(400)
    risks["c"] = {name: risk for name, risk in risks["a"].items() if int(name[1:]) % 2}
    fit = combination_of(ASKED, [*MEMBERS, ("c", "1")], risks, people, {}, {})
    assert fit
    sets = Combination.model_validate(fit.body).sets
    assert [(one.members, one.labels) for one in sets] == [(("a", "b", "c"), 200), (("a", "b"), 200)]


def test_the_same_gives_the_same_and_asks_for_nothing_anew() -> None:
    risks, people = labelled(100)
    asked: list[str] = []

    def held_out() -> Mapping[str, float]:
        asked.append("held out")
        return risks["b"]

    first = combination_of(ASKED, MEMBERS, {"a": risks["a"]}, people, {}, {"b": held_out})
    assert first
    assert asked == ["held out"]
    again = combination_of(ASKED, MEMBERS, {"a": risks["a"]}, people, {first.version: first}, {"b": held_out})
    assert again is first
    assert asked == ["held out"]
    turned = dict(people.labels) | {"t000": "pass" if people.labels["t000"] == "fail" else "fail"}
    for changed in (
        combination_of(ASKED, MEMBERS, {"a": risks["a"]}, People(turned, people.groups), {}, {"b": held_out}),
        combination_of(ASKED, MEMBERS, {"a": risks["a"] | {"t000": 0.123}}, people, {}, {"b": held_out}),
        combination_of(ASKED, [("a", "1"), ("b", "2")], {"a": risks["a"]}, people, {}, {"b": held_out}),
    ):
        assert changed
        assert changed.version != first.version


def test_too_few_labels_make_none() -> None:
    risks, people = labelled(29)
    assert combination_of(ASKED, MEMBERS, risks, people, {}, {}) is None
    risks, people = labelled(100)
    one_sided = People(dict.fromkeys(people.labels, "pass"), people.groups)
    assert combination_of(ASKED, MEMBERS, risks, one_sided, {}, {}) is None
    one_group = People(people.labels, dict.fromkeys(people.labels, 0))
    assert combination_of(ASKED, MEMBERS, risks, one_group, {}, {}) is None


def test_where_no_trace_has_two_opinions_there_is_nothing_to_combine() -> None:
    risks, people = labelled(100)
    half = {name: risk for name, risk in risks["a"].items() if int(name[1:]) < 50}
    other = {name: risk for name, risk in risks["b"].items() if int(name[1:]) >= 50}
    assert combination_of(ASKED, MEMBERS, {"a": half, "b": other}, people, {}, {}) is None


def test_quality_is_of_labels_that_the_fit_did_not_see() -> None:
    """Judges that know a trace's group and nothing else. Labels agree within groups: a leak would look like skill."""
    rng = random.Random(5)  # noqa: S311 - a test's chance
    names = [f"t{place:03}" for place in range(200)]
    groups = {name: place // 20 for place, name in enumerate(names)}
    truth = {group: rng.random() < 0.5 for group in range(10)}
    number = {group: rng.random() for group in range(10)}
    risks = {judge: {name: number[groups[name]] for name in names} for judge in ("a", "b")}
    people = People({name: "fail" if truth[groups[name]] else "pass" for name in names}, groups)
    fit = combination_of(ASKED, MEMBERS, risks, people, {}, {})
    assert fit
    assert fit.quality.groups == 10
    assert fit.quality.auroc < 0.75


def test_a_verdict_of_three_labels_has_no_combination() -> None:
    labels = [{"name": name, "text": name, "definition": f"It is {name}."} for name in ("good", "bad", "worse")]
    question = Question.model_validate(
        {"name": "verdict", "kind": "choice", "text": "?", "labels": labels, "failure": ["bad", "worse"]}
    )
    assert two_sides(question) is None
    risks, people = labelled(100)
    assert combination_of(Asked(QUEUE, question, "1.0.0", 0.95, NOW), MEMBERS, risks, people, {}, {}) is None


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(-5, 5), st.tuples(st.floats(0, 3), st.floats(0, 3)))
def test_more_risk_of_a_member_is_never_less_of_all(
    low: float, high: float, other: float, level: float, each: tuple[float, float]
) -> None:
    body = Combination(sets=(set_of("a", "b", level=level, each=each),))
    less, more = (body.risk({"a": risk, "b": other}) for risk in sorted((low, high)))
    assert less is not None
    assert more is not None
    assert 0 < less <= more < 1


def test_labels_on_traces_that_nobody_judged_change_no_version() -> None:
    risks, people = labelled(100)
    first = combination_of(ASKED, MEMBERS, risks, people, {}, {})
    assert first
    labels = {"a0": "fail"} | dict(people.labels)
    groups = {"a0": 0} | {name: group + 1 for name, group in people.groups.items()}
    assert combination_of(ASKED, MEMBERS, risks, People(labels, groups), {first.version: first}, {}) is first
