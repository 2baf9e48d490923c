"""Each policy's weights, by hand."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from goldloop.codebook.sampling import PolicyName, PolicySettings, Slice
from goldloop.numeric import Floats, expit
from goldloop.sampling.frame import TAG_JOIN, Frame, Names
from goldloop.sampling.policies import POLICIES, bounded_logit, distribution, distributions, fuse, in_slice, rubric_risk
from goldloop.sampling.sketch import simhash

NOW = datetime(2026, 3, 2, tzinfo=UTC)
DEFAULT = PolicySettings()
NAN = float("nan")


def q(name: PolicyName, frame: Frame, settings: PolicySettings = DEFAULT) -> list[float] | None:
    made = distribution(name, frame, settings, NOW)
    return None if made is None else made.tolist()


def judged(*risk: float, **columns: list[float]) -> Frame:
    return Frame.of([f"{i:02}" for i in range(len(risk))], risk=list(risk), **columns)


def test_random_and_stratified() -> None:
    frame = Frame.of(list("01234"), stratum=Names.of(["a", "a", "b", "a", "a"]))
    assert q("random", frame) == [0.2] * 5
    # 4 of a and 1 of b; with power 1/2 the strata weigh 2 and 1, so a gets 2/3 (1/6 each) and b 1/3.
    assert q("stratified", frame) == pytest.approx([1 / 6, 1 / 6, 1 / 3, 1 / 6, 1 / 6])
    assert q("stratified", frame, PolicySettings(stratified_power=0)) == pytest.approx(
        [1 / 8, 1 / 8, 1 / 2, 1 / 8, 1 / 8]
    )
    assert q("stratified", frame, PolicySettings(stratified_power=1)) == pytest.approx([0.2] * 5)
    # No category is a category too.
    nameless = Frame.of(list("012"), stratum=Names.of(["a", "a", None]))
    assert q("stratified", nameless, PolicySettings(stratified_power=0)) == pytest.approx([1 / 4, 1 / 4, 1 / 2])


def test_negative_weighs_the_odds_that_signals_make() -> None:
    # Log-odds log 3 and log 2 make odds 3 and 2 times as large: 2 and 1 more than before; evidence of success, none: 0.
    frame = Frame.of(list("0123"), feedback=[np.log(3), np.log(2), 0, -1])
    assert q("negative", frame) == pytest.approx([2 / 3, 1 / 3, 0, 0])
    assert q("negative", Frame.of(list("01"), feedback=[0, -2])) is None


def test_fused_probability() -> None:
    # Odds .2/.8 = 1/4 times 4 is 1: p = 1/2. A judge's .5 with odds times 3: 3/4. Nothing known: the base rate.
    p = fuse(np.array([NAN, 0.5, NAN, 1.0]), np.array([np.log(4), np.log(3), 0, 0]), 0.2)
    np.testing.assert_allclose(p, [0.5, 0.75, 0.2, 0.99])
    np.testing.assert_allclose(expit(bounded_logit(np.array([0.2, 0.9]))), [0.2, 0.9])


def test_risk() -> None:
    # .2, .4, and .2 of a row without judge, squared: 4, 16, 4.
    assert q("risk", judged(0.2, 0.4, NAN)) == pytest.approx([4 / 24, 16 / 24, 4 / 24])
    assert q("risk", judged(0.2, 0.4), PolicySettings(risk_power=1)) == pytest.approx([1 / 3, 2 / 3])
    assert q("risk", judged(NAN, NAN, feedback=[np.log(4), 0]), PolicySettings(risk_power=1)) == pytest.approx(
        [5 / 7, 2 / 7]
    )
    assert q("risk", judged(0.3, 0.3)) is None
    assert q("risk", judged(NAN, NAN)) is None


def test_uncertainty_is_neymans() -> None:
    # sqrt(p (1 - p)): .5, .4, .3.
    assert q("uncertainty", judged(0.5, 0.2, 0.9)) == pytest.approx([5 / 12, 4 / 12, 3 / 12])
    # With the threshold at .2 a judge's .2 is what .5 was; .5 has odds 4 times as large: 4/5, so .4.
    assert q("uncertainty", judged(0.2, 0.5), PolicySettings(threshold=0.2)) == pytest.approx([5 / 9, 4 / 9])
    assert q("uncertainty", judged(NAN, NAN)) is None


def test_disagreement_is_between_judges_or_with_the_user() -> None:
    # Two judges at .8 and .3 are .5 apart; .8 and .6 are on one side. A judge's .1 against a user's odds of 9 (.9): .8.
    # A judge's .1 without feedback contradicts nobody, nor does NaN.
    frame = judged(0.8, 0.8, 0.1, 0.1, NAN, risk2=[0.3, 0.6, NAN, NAN, 0.9], feedback=[0, 0, np.log(9), 0, 2])
    assert q("disagreement", frame) == pytest.approx([5 / 13, 0, 8 / 13, 0, 0])


def test_targeted_slices_weigh_by_their_weight_and_expire() -> None:
    frame = Frame.of(list("0123"), stratum=Names.of(["a", "a", "b", "c"]), model=Names.of(["m", None, "m", "m"]))
    later = NOW + timedelta(days=1)
    slices = (
        Slice(name="a", categories=("a",), expires=later, weight=2),
        Slice(name="b on m", categories=("b",), models=("m",), expires=NOW),
        Slice(name="over", categories=("c",), expires=NOW - timedelta(seconds=1)),
        Slice(name="empty", categories=("d",), expires=later),
    )
    # Weights 2 and 1: a's two share 2/3.
    assert q("targeted", frame, PolicySettings(slices=slices)) == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])
    assert q("targeted", frame, PolicySettings(slices=slices[2:])) is None
    assert q("targeted", frame) is None


def test_every_condition_of_a_slice_has_to_hold() -> None:
    frame = Frame.of(
        list("0123"),
        release=Names.of(["r1", "r1", "r2", None]),
        prompt=Names.of(["p@1", "p@2", "p@1", None]),
        tags=Names.of([TAG_JOIN.join(("x", "y")), "y", "x", None]),
        cluster=Names.of(["k", "k", "l", None]),
        time=[0.0, 10.0, 20.0, 30.0],
    )

    def inside(**conditions: object) -> list[int]:
        part = Slice.model_validate({"name": "s", "expires": NOW, **conditions})
        return [int(row) for row in np.flatnonzero(in_slice(frame, part))]

    assert inside(releases=["r1"]) == [0, 1]
    assert inside(prompts=["p@1", "p@3"]) == [0, 2]
    assert inside(tags=["x"]) == [0, 2]
    assert inside(tags=["x", "y"]) == [0, 1, 2]
    assert inside(clusters=["k"], tags=["x"]) == [0]
    assert inside(start=datetime.fromtimestamp(10, UTC), end=datetime.fromtimestamp(30, UTC)) == [1, 2]
    with pytest.raises(ValueError, match="names no condition"):
        inside()


def test_near_duplicates_share_what_one_lone_trace_gets() -> None:
    text = "please help me reset the password of my old account because i lost the phone that had the codes on it "
    long = text * 2 + "and please answer in english today since my colleague reads no german at all"
    texts = [
        long,
        long.upper(),
        long + "!",
        "what does the battery of the touring bike weigh",
        "who won the cup in 1998",
    ]
    sketches = [simhash(one) for one in texts]
    frame = Frame.of([*"01234", "5"], sketch=[*sketches, -1])
    # Three near-duplicates, two lone ones, and one without a sketch: weights 1/3 1/3 1/3 1 1 1 (but for what five
    # traces put in one bucket by chance, under a tenth of one).
    assert q("diversity", frame) == pytest.approx([1 / 12, 1 / 12, 1 / 12, 1 / 4, 1 / 4, 1 / 4], rel=0.03)
    assert q("diversity", Frame.of(list("01"))) is None


def test_a_sketch_changes_little_with_the_text() -> None:
    words = [f"word{i}" for i in range(60)]
    base = simhash(" ".join(words))
    near = simhash(" ".join([*words[:30], "other", *words[31:]]))
    far = simhash(" ".join(f"else{i}" for i in range(60)))
    assert (base ^ near).bit_count() < 16 < (base ^ far).bit_count()
    assert simhash("Two  Words.") == simhash("two words") != simhash("two")
    assert simhash("?! ") == -1
    assert -(2**63) <= base < 2**63


def test_audit_takes_confident_prelabels_of_both_kinds() -> None:
    assert q("audit", judged(0.95, 0.05, 0.5, NAN)) == [0.5, 0.5, 0, 0]


def test_relabel_takes_old_resolved_traces_and_nobody_else_does() -> None:
    day = 86_400.0
    old, young = NOW.timestamp() - 30 * day, NOW.timestamp() - 29 * day
    frame = Frame.of(list("0123"), resolved=[old, young, NAN, NAN], risk=[0.9, 0.9, 0.1, 0.4], feedback=[1, 1, 1, 1])
    assert q("relabel", frame) == [1, 0, 0, 0]
    for name in ("random", "stratified", "negative", "risk", "uncertainty"):
        made = distribution(name, frame, DEFAULT, NOW)
        assert made is not None
        assert made[:2].tolist() == [0, 0]


def test_a_rubrics_score_is_at_the_threshold_at_its_boundary() -> None:
    # A scale 1..5 with its boundary at 3: 5 is 0, 4 a quarter, 3 a half, 1 is 1.
    np.testing.assert_allclose(rubric_risk(np.array([5, 4, 3, 1.0, NAN]), 1, 5, 3), [0, 0.25, 0.5, 1, NAN])


def test_distributions_come_in_one_order_and_sum_to_one() -> None:
    frame = judged(0.2, 0.7, 0.95, risk2=[0.9, 0.1, 0.9], feedback=[2, 0, 0])
    made = distributions(reversed(POLICIES), frame, DEFAULT, NOW)
    assert tuple(made) == POLICIES
    some: list[Floats] = [one for one in made.values() if one is not None]
    assert len(some) == 7
    np.testing.assert_allclose([one.sum() for one in some], 1)
