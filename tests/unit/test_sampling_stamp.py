"""What is written on a drawn trace, and what a draw says of itself."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldloop.codebook.sampling import Caps
from goldloop.numeric import Bools, Floats, kish
from goldloop.sampling.design import Design, design, design_of
from goldloop.sampling.draw import Sample, sample
from goldloop.sampling.explain import explain
from goldloop.sampling.frame import Frame, Names
from goldloop.sampling.stamp import MUST, ORDER, Stamps, arms, keep, posteriors, stamp

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def two_policies(budget: int = 2, **columns: list[bool] | Names) -> Design:
    """Shares 1/4 and 3/4; random weighs four rows alike, negative the first two."""
    frame = Frame.of(list("abcd"), **columns)
    policies: dict[str, Floats | None] = {"random": np.full(4, 0.25), "negative": np.array([0.5, 0.5, 0, 0])}
    return design_of(frame, policies, {"random": 0.25, "negative": 0.75}, budget)


def drawn(made: Design, seed: int = 0) -> tuple[Sample, Stamps]:
    rng = np.random.default_rng(seed)
    taken = sample(made, rng)
    return taken, stamp(made, taken, rng)


def test_posterior_by_hand() -> None:
    # Row a: random 1/4 * 1/4 = 1/16, negative 3/4 * 1/2 = 6/16: 1/7 and 6/7. Row c: random alone.
    names, table = posteriors(two_policies(), np.array([0, 2]))
    assert names == (MUST, "negative", "random")
    assert table[0].tolist() == pytest.approx([0, 6 / 7, 1 / 7])
    assert table[1].tolist() == [0, 0, 1]


def test_a_must_review_trace_is_stamped_so_and_comes_first() -> None:
    taken, stamps = drawn(two_policies(must=[False, False, False, True]))
    place = taken.index.tolist().index(3)
    assert stamps.policy[place] == MUST
    assert stamps.mixture_of(place) == {MUST: 1.0}
    assert stamps.priority[place] == 0


def test_stamps_follow_the_posterior() -> None:
    made = two_policies(budget=4)
    rng = np.random.default_rng(1)
    taken = sample(made, rng)
    place = taken.index.tolist().index(0)
    negative = sum(stamp(made, taken, rng).policy[place] == "negative" for _ in range(2_000))
    assert negative / 2_000 == pytest.approx(6 / 7, abs=0.04)  # five standard errors of .0078


def test_annotators_see_edits_before_other_feedback_and_random_last() -> None:
    n = 40
    at = np.arange(n)
    frame = Frame.of([f"{i:02}" for i in at], feedback=np.where(at < 20, 2.0, 0.0), edited=at < 10)
    made = design(frame, {"random": 0.3, "negative": 0.7}, 30, now=NOW)
    orders = set()
    for seed in range(3):
        taken, stamps = drawn(made, seed)
        assert sorted(stamps.priority) == list(range(30))
        seen = np.argsort(stamps.priority)
        said = [f"{stamps.policy[j]}{' edited' * bool(frame.edited[taken.index[j]])}" for j in seen]
        kinds = ["negative edited", "negative", "random"]
        ranks = [kinds.index(one.replace("random edited", "random")) for one in said]
        assert ranks == sorted(ranks)
        orders.add(tuple(taken.index[seen].tolist()))
    assert len(orders) == 3


def test_same_seed_same_stamps() -> None:
    made = two_policies()
    _, one = drawn(made, 3)
    _, same = drawn(made, 3)
    assert (one.policy, one.priority.tolist()) == (same.policy, same.priority.tolist())


# -- a queue with too little room


def stamped(policies: list[str], edited: list[bool] | None = None) -> Stamps:
    """Stamps that leave no doubt: each trace could have been drawn for its own policy only."""
    names = tuple(sorted(set(policies)))
    code = np.array([names.index(one) for one in policies])
    rank = np.array([ORDER.index(one) for one in policies])
    flags: Bools = np.array(edited or [False] * len(code))
    order = np.lexsort((np.arange(len(code)), rank))
    return Stamps(names, np.eye(len(names))[code], code, rank, np.argsort(order), flags)


def test_the_lowest_priority_is_parked_and_pi_accounts_for_it() -> None:
    # 6 drawn, room for 4, of which random keeps 1 (a tenth, rounded up). 3 places for others: both targeted, and one
    # of two stratified, so these count half.
    stamps = stamped(["random", "targeted", "stratified", "random", "targeted", "stratified"])
    kept = keep(stamps, np.full(6, 0.2), 4)
    assert kept.kept.tolist() == [True, True, True, False, True, False]
    np.testing.assert_allclose(kept.pi, [0.1, 0.2, 0.1, 0.1, 0.2, 0.1])


def test_a_queue_with_room_parks_nobody() -> None:
    pi = np.full(2, 0.2)
    kept = keep(stamped(["random", "random"]), pi, 2)
    assert kept.kept.all()
    assert kept.pi.tolist() == pi.tolist()


@settings(max_examples=40)
@given(st.lists(st.sampled_from([one for one in ORDER if one != "negative, edited"]), min_size=1), st.integers(0, 30))
def test_a_cut_keeps_as_many_as_there_is_room(policies: list[str], room: int) -> None:
    kept = keep(stamped(policies), np.full(len(policies), 0.5), room)
    assert kept.kept.sum() == min(room, len(policies))
    assert (kept.pi <= 0.5).all()
    assert (kept.pi[kept.kept] > 0).all()


def test_after_a_cut_totals_are_still_right() -> None:
    # 40 rows, budget 20, room 8: summed with the pi of both steps, the rows kept make 40 and a total of 1, 2, ... 40.
    at = np.arange(40)
    frame = Frame.of([f"{i:02}" for i in at], feedback=np.where(at % 2 == 0, 1.0, 0.0))
    made = design(frame, {"random": 0.5, "negative": 0.5}, 20, now=NOW)
    value = 1.0 + at
    totals = []
    for seed in range(400):
        taken, stamps = drawn(made, seed)
        kept = keep(stamps, taken.pi, 8, floor=0.3)
        assert kept.kept.sum() == 8
        totals.append((value[taken.index] / kept.pi)[kept.kept].sum())
    error = np.std(totals) / np.sqrt(len(totals))
    assert abs(np.mean(totals) - 820) < 4 * error + 0.02 * 820  # the counts of the stamps are taken as given


# -- arms


def test_arms_have_their_probability() -> None:
    # A share of .25 of 10 is 2 or 3 traces, half of the time each; each trace a quarter of the time.
    rng = np.random.default_rng(2)
    member = np.stack([arms(10, {"blind": 0.25, "double": 0.0}, rng).member["blind"] for _ in range(4_000)])
    assert set(member.sum(axis=1)) == {2, 3}
    assert np.abs(member.mean(axis=0) - 0.25).max() < 5 * np.sqrt(0.25 * 0.75 / 4_000)
    made = arms(10, {"blind": 0.25, "double": 0.0}, rng)
    assert made.probability["blind"].tolist() == [0.25] * 10
    assert not made.member["double"].any()


def test_who_is_forced_into_an_arm_is_in_it_for_certain() -> None:
    forced = np.array([True, False, False])
    made = arms(3, {"blind": 0.5}, np.random.default_rng(3), {"blind": forced})
    assert made.member["blind"][0]
    assert made.member["blind"].sum() == 2  # one half of the two others
    assert made.probability["blind"].tolist() == [1, 0.5, 0.5]
    with pytest.raises(ValueError, match="between 0 and 1"):
        arms(3, {"blind": 1.5}, np.random.default_rng(3))


# -- what a draw says of itself


def test_explanation_by_hand() -> None:
    # Weights a, b: 1/16 + 6/16 = 7/16; c, d: 1/16. Budget 2: pi 7/8 and 1/8. Expected: random 2 * 1/4 = .5.
    # Kish: 4^2 / (2 * 8/7 + 2 * 8) = 16 / 18.29 = .875, so a plain rate from 2 is worth .875: a design effect of 2.29.
    made = two_policies(user=Names.of(["u", "v", "w", "x"]))
    said = explain(made)
    assert [(one.policy, one.asked, one.share, one.candidates, one.drawn) for one in said.policies] == [
        ("negative", 0.75, 0.75, 2, None),
        ("random", 0.25, 0.25, 4, None),
    ]
    assert [one.expected for one in said.policies] == pytest.approx([1.5, 0.5])
    assert (said.frame_size, said.budget, said.size, said.unreachable, said.caps) == (4, 2, 2, 0, ())
    assert said.expected_effective_size == pytest.approx(0.875)
    assert said.design_effect == pytest.approx(2 / 0.875)
    assert said.effective_size is None


def test_explanation_of_a_draw_names_caps_and_shares_given_back() -> None:
    frame = Frame.of(
        [f"{i}" for i in range(8)],
        user=Names.of([*["u"] * 5, "v", None, None]),
        session=Names.of([None] * 6 + ["s", "s"]),
        must=[True] + [False] * 7,
    )
    made = design(frame, {"random": 0.5, "negative": 0.5}, 4, now=NOW, caps=Caps(user=1))
    taken, stamps = drawn(made)
    said = explain(made, taken, stamps, overflow=3, expired=2)
    # u's one place goes to its must-review trace, so v is certain, and the session without a user gives 1.
    assert (said.size, said.must_review, said.must_missed, said.unreachable) == (3, 1, 0, 4)
    assert said.given_back == ("negative",)
    by_policy = {one.policy: one for one in said.policies}
    assert (by_policy[MUST].drawn, by_policy["random"].drawn, by_policy["negative"].drawn) == (1, 2, 0)
    assert (by_policy["random"].asked, by_policy["random"].share) == (0.5, 1.0)
    assert (by_policy["negative"].share, by_policy["negative"].candidates) == (0.0, 0)
    assert [(one.kind, one.cap, one.units, one.names) for one in said.caps] == [("user", 1, 2, ("u", "s"))]
    assert (said.overflow, said.expired) == (3, 2)
    # One of pi 1 (must), one of pi 1 (v), one of pi 1/2: (1 + 1 + 2)^2 / (1 + 1 + 4).
    assert said.effective_size == pytest.approx(16 / 6)


def test_explanation_of_nothing() -> None:
    said = explain(design(Frame.of([]), {"random": 1.0}, 5, now=NOW))
    assert (said.size, said.expected_effective_size, said.design_effect) == (0, 0.0, 1.0)
    assert kish(np.zeros(0)) == 0.0
