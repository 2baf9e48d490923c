"""The draw: exact inclusion probabilities, fixed size, caps without exception, whatever the mixture."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from goldloop.codebook.sampling import Caps, PolicyName, PolicySettings, Slice
from goldloop.errors import ConfigError
from goldloop.numeric import Floats, Ints
from goldloop.sampling import mixture
from goldloop.sampling.design import Design, design, design_of
from goldloop.sampling.draw import sample, samples, within
from goldloop.sampling.frame import Frame, Names
from goldloop.sampling.policies import POLICIES
from goldloop.sampling.units import Units

NOW = datetime(2026, 3, 2, tzinfo=UTC)
DAY = 86_400.0
DRAWS = 20_000
weights = hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(1e-3, 1e3)).map(lambda w: w / w.sum())


def pool(n: int = 24) -> Frame:
    """A frame in which every policy has candidates; user u0 has half of the traces, sessions lie within users."""
    at = np.arange(n)
    user = np.where(at % 2 == 0, 0, at % 7)
    return Frame.of(
        [f"t{i:03}" for i in range(n)],
        stratum=Names.of([("rag", "chat", "code")[i % 5 % 3] for i in range(n)]),
        user=Names.of([None if i % 11 == 10 else f"u{user[i]}" for i in range(n)]),
        session=Names.of([None if i % 5 == 4 else f"s{user[i]}-{i % 3}" for i in range(n)]),
        time=NOW.timestamp() - at * 3600.0,
        feedback=np.where(at % 4 == 0, 2.0, np.where(at % 9 == 1, -1.0, 0.0)),
        edited=at % 8 == 0,
        risk=np.where(at % 6 == 5, np.nan, (at + 1) / (n + 1)),
        risk2=1 - (at + 1) / (n + 1),
        sketch=at // 3 * 0x0001_0203_0405_0607 + 1,
        resolved=np.where(at % 12 == 7, NOW.timestamp() - 60 * DAY, np.nan),
    )


SETTINGS = PolicySettings(slices=(Slice(name="code", categories=("code",), expires=NOW),))
MIX: dict[PolicyName, float] = dict.fromkeys(POLICIES, 0.1)


def off(made: Design, hits: Ints, draws: int) -> float:
    """How many standard errors the worst inclusion frequency is away from its pi."""
    error = np.sqrt(made.pi * (1 - made.pi) / draws) + 1e-9
    return float((np.abs(np.bincount(hits.ravel(), minlength=len(made.pi)) / draws - made.pi) / error).max())


# -- by hand


def test_inclusion_by_hand() -> None:
    # Budget 2 of weights .7 .1 .1 .1: the first would get 1.4, so it is certain, and one is left for three alike.
    frame = Frame.of(list("abcd"))
    made = design_of(frame, {"own": np.array([0.7, 0.1, 0.1, 0.1])}, {"own": 1.0}, 2)
    np.testing.assert_allclose(made.pi, [1, 1 / 3, 1 / 3, 1 / 3])
    made = design_of(frame.rows(np.arange(3)), {"own": np.array([0.5, 0.5, 0.0])}, {"own": 1.0}, 3)
    assert made.pi.tolist() == [1, 1, 0]
    assert made.size == 2


def test_what_a_cap_keeps_from_one_goes_to_the_others_by_hand() -> None:
    # Budget 3 of 6 alike: 1/2 each, so a (4 traces) would get 2. Capped at 1 it keeps 1/4 each; b gets 1 and 1.
    frame = Frame.of(list("012345"), user=Names.of(["a", "a", "a", "a", "b", "b"]))
    made = design_of(frame, {"random": np.full(6, 1 / 6)}, {"random": 1.0}, 2, Caps(user=1))
    np.testing.assert_allclose(made.pi, [1 / 4] * 4 + [1 / 2] * 2)
    assert np.flatnonzero(made.capped_users).tolist() == [0]
    # With a budget of 3 the caps let through 2 only: the size is the caps'.
    assert design_of(frame, {"random": np.full(6, 1 / 6)}, {"random": 1.0}, 3, Caps(user=1)).size == 2


def test_session_caps_inside_user_caps_by_hand() -> None:
    # One user, sessions s (3 traces) and t (1), and 2 traces of others. Budget 3, alike: 1/2 each. Session cap 1: s
    # would get 1.5 and keeps 1, so 2 are left for 3 others: 2/3 each. User cap 1: s and t share 1 by level, 1/4 each,
    # and the other two are certain.
    frame = Frame.of(list("012345"), user=Names.of(["u"] * 4 + ["v", "w"]), session=Names.of([*"ssst", None, None]))
    alike = {"random": np.full(6, 1 / 6)}
    made = design_of(frame, alike, {"random": 1.0}, 3, Caps(session=1))
    np.testing.assert_allclose(made.pi, [1 / 3] * 3 + [2 / 3] * 3)
    made = design_of(frame, alike, {"random": 1.0}, 3, Caps(user=1, session=1))
    np.testing.assert_allclose(made.pi, [1 / 4] * 4 + [1, 1])


def test_must_review_comes_first_and_counts_for_the_caps() -> None:
    # Budget 2: c is certain and takes its user's whole cap, so d gets nothing; 1 is left for a and b.
    frame = Frame.of(list("abcd"), user=Names.of([None, None, "u", "u"]), must=[False, False, True, False])
    made = design_of(frame, {"random": np.full(4, 1 / 4)}, {"random": 1.0}, 2, Caps(user=1))
    np.testing.assert_allclose(made.pi, [1 / 2, 1 / 2, 1, 0])
    assert not made.missed.any()
    # Two must-review traces of one user under a cap of 1: each is drawn half of the time, and the design says so.
    made = design_of(replace(frame, must=np.array([0, 0, 1, 1]) > 0), {}, {}, 2, Caps(user=1))
    np.testing.assert_allclose(made.pi, [0, 0, 1 / 2, 1 / 2])
    assert made.missed.tolist() == [False, False, True, True]
    # More of them than the budget: alike.
    made = design_of(replace(frame, must=np.ones(4, dtype=bool)), {}, {}, 2)
    np.testing.assert_allclose(made.pi, [1 / 2] * 4)


def test_a_policy_without_candidates_gives_its_share_back_in_proportion() -> None:
    q = np.full(2, 0.5)
    shares = {"random": 0.25, "stratified": 0.25, "negative": 0.3, "targeted": 0.2}
    # Left .25 + .25 of what was .5: each doubles.
    assert mixture.effective_shares(shares, {"random": q, "stratified": q, "negative": None, "targeted": None}) == {
        "random": 0.5,
        "stratified": 0.5,
    }
    assert mixture.effective_shares(shares, {"random": None}) == {}


@pytest.mark.parametrize(
    ("shares", "floor", "wrong"),
    [
        ({"random": 0.05, "risk": 0.95}, 0.1, "below its floor"),
        ({"risk": 1.0}, 0.1, "below its floor"),
        ({"random": 0.5, "risk": 0.4}, 0.1, "sum to 0.9"),
        ({"random": 1.5, "risk": -0.5}, 0.1, "between 0 and 1"),
        ({"random": 1.0}, 0.31, "floor of random is 0.31"),
    ],
)
def test_shares_that_do_not_fit(shares: dict[str, float], floor: float, wrong: str) -> None:
    with pytest.raises(ConfigError, match=wrong):
        mixture.check_shares(shares, floor)


def test_shares_that_fit() -> None:
    mixture.check_shares({"random": 0.1, "risk": 0.9})
    mixture.check_shares({"random": 0.3, "risk": 0.7}, 0.3)
    mixture.check_shares({"risk": 1.0}, 0.0)


def test_several_draws_combine() -> None:
    # 1 - .5 * .8 = .6; a draw whose frame lacks the second gives it 0.
    np.testing.assert_allclose(mixture.combined(np.array([[0.5, 0.0], [0.2, 0.3]])), [0.6, 0.3])


def test_who_a_trace_belongs_to() -> None:
    # b has no user, but its session has one: a's. d and e share a session that has none. f and g's session has two
    # users, so h, in it without a user, stands alone.
    frame = Frame.of(
        list("abcdefgh"),
        user=Names.of(["u", None, None, None, None, "v", "w", None]),
        session=Names.of(["s", "s", None, "t", "t", "x", "x", "x"]),
    )
    units = Units.of(frame, Caps(user=1, session=1))
    assert units.user.tolist() == [0, 0, 2, 3, 3, 5, 6, 7]
    assert units.session.tolist() == [0, 0, 2, 3, 3, 5, 5, 5]
    assert np.flatnonzero(units.crossing).tolist() == [5, 6, 7]


# -- whatever the frame


@st.composite
def designs(draw: st.DrawFn) -> Design:
    n = draw(st.integers(1, 30))
    weight = draw(hnp.arrays(np.float64, n, elements=st.one_of(st.just(0.0), st.floats(1e-3, 1e3))))
    units = st.one_of(st.none(), st.sampled_from("abcd"))
    frame = Frame.of(
        [f"{i:02}" for i in range(n)],
        user=Names.of(draw(st.lists(units, min_size=n, max_size=n))),
        session=Names.of(draw(st.lists(units, min_size=n, max_size=n))),
        must=draw(st.lists(st.sampled_from([False] * 9 + [True]), min_size=n, max_size=n)),
    )
    limit = st.one_of(st.none(), st.integers(1, 4))
    total = weight.sum()
    policies: dict[str, Floats | None] = {"own": weight / total if total else None}
    return design_of(
        frame, policies, {"own": 1.0}, draw(st.integers(1, 35)), Caps(user=draw(limit), session=draw(limit))
    )


@settings(max_examples=60)
@given(designs(), st.integers(0, 2**32))
def test_size_and_caps_hold_always_even_where_users_share_sessions(made: Design, seed: int) -> None:
    assert made.pi.sum() == pytest.approx(made.size, abs=1e-9)
    assert made.size <= made.budget
    assert ((made.pi >= 0) & (made.pi <= 1)).all()
    for cap, unit in ((made.units.caps.user, made.units.user), (made.units.caps.session, made.units.session)):
        assert cap is None or (np.bincount(unit, made.pi) <= cap + 1e-9).all()
    drawn = sample(made, np.random.default_rng(seed))
    assert len(set(drawn.index.tolist())) == len(drawn) == made.size
    assert (drawn.pi > 0).all()
    assert within(drawn.index, made.units)
    assert set(np.flatnonzero(made.pi >= 1)) <= set(drawn.index.tolist())


@settings(max_examples=60)
@given(weights, st.integers(1, 80))
def test_the_sum_of_pi_is_the_budget(weight: Floats, budget: int) -> None:
    frame = Frame.of([f"{i:02}" for i in range(len(weight))])
    pi = design_of(frame, {"own": weight}, {"own": 1.0}, budget).pi
    assert pi.sum() == pytest.approx(min(budget, len(weight)))
    assert (np.diff(pi[np.argsort(weight)]) >= -1e-9).all()  # who weighs more is never less likely
    # What it should be, found the slow way: min(1, level * weight) at the level where they sum to the budget.
    low, high = 0.0, 1e9
    for _ in range(200):
        level = (low + high) / 2
        low, high = (level, high) if np.minimum(1, level * weight).sum() < budget else (low, level)
    np.testing.assert_allclose(pi, np.minimum(1, high * weight), atol=1e-9)


# -- frequencies


@pytest.mark.simulation
@pytest.mark.parametrize("policy", POLICIES)
def test_inclusion_frequencies_of_each_policy(policy: PolicyName) -> None:
    made = design(pool(), {policy: 1.0}, 5, now=NOW, settings=SETTINGS, floor=0.0)
    assert made.shares == {policy: 1.0}
    assert 0 < made.size <= 5
    assert off(made, samples(made, np.random.default_rng(1), DRAWS), DRAWS) < 5


NESTED = Caps(user=2, session=1)


@pytest.mark.simulation
@pytest.mark.parametrize(
    ("caps", "ordered"),
    [(Caps(), False), (Caps(user=2), False), (Caps(session=1), False), (NESTED, False), (Caps(), True), (NESTED, True)],
)
def test_inclusion_frequencies_of_the_mix_under_caps(caps: Caps, ordered: bool) -> None:
    made = design(pool(), MIX, 8, now=NOW, settings=SETTINGS, caps=caps)
    order = np.nan_to_num(made.frame.risk) if ordered else None
    hits = samples(made, np.random.default_rng(2), DRAWS, order)
    assert hits.shape == (DRAWS, 8)
    assert off(made, hits, DRAWS) < 5
    for cap, unit in ((caps.user, made.units.user), (caps.session, made.units.session)):
        if cap is not None:
            table = np.zeros((DRAWS, len(unit)), dtype=int)
            np.add.at(table, (np.arange(DRAWS)[:, None], unit[hits]), 1)
            assert table.max() == cap  # reached, and never exceeded


@pytest.mark.simulation
def test_inclusion_frequencies_where_users_share_sessions() -> None:
    n = 18
    frame = Frame.of(
        [f"{i:02}" for i in range(n)],
        user=Names.of([None if i % 9 == 8 else f"u{i % 4}" for i in range(n)]),
        session=Names.of([None if i % 8 == 7 else f"s{i % 3}" for i in range(n)]),
    )
    weight = 1.0 + np.arange(n) % 5
    made = design_of(frame, {"own": weight / weight.sum()}, {"own": 1.0}, 5, Caps(user=1, session=2))
    rng = np.random.default_rng(3)
    hits = np.stack([sample(made, rng).index for _ in range(1_000)])
    assert off(made, hits, 1_000) < 5


def test_one_draw_and_many_draws_are_of_one_kind() -> None:
    made = design(pool(), MIX, 8, now=NOW, settings=SETTINGS, caps=Caps(user=2, session=1))
    rng = np.random.default_rng(4)
    assert off(made, np.stack([sample(made, rng).index for _ in range(1_000)]), 1_000) < 5


def test_a_sorted_line_spreads_the_sample() -> None:
    # 20 alike, 5 drawn, on a line sorted by a number 0..19: one of each four neighbours, the same of each, so the sum
    # is 40 + 5 j, j uniform on 0..3: sd 5 sqrt(15 / 12) = 5.6. In random order it is a simple random sample of 5:
    # sd sqrt(5 * (1 - 5 / 20) * 35) = 11.5.
    frame = Frame.of([f"{i:02}" for i in range(20)])
    made = design_of(frame, {"random": np.full(20, 1 / 20)}, {"random": 1.0}, 5)
    known = np.arange(20, dtype=np.float64)
    spread = samples(made, np.random.default_rng(5), 1_000, known)
    assert (np.sort(spread, axis=1) // 4 == np.arange(5)).all()
    assert known[spread].sum(axis=1).std() == pytest.approx(5.6, rel=0.1)
    alone = samples(made, np.random.default_rng(5), 1_000)
    assert known[alone].sum(axis=1).std() == pytest.approx(11.5, rel=0.1)


# -- the same, and not the same


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    made = design(pool(), MIX, 8, now=NOW, settings=SETTINGS, caps=Caps(user=2))
    one, same, other = (sample(made, np.random.default_rng(seed)).index.tolist() for seed in (1, 1, 2))
    assert one == same != other


@given(st.permutations(range(24)))
@settings(max_examples=10)
def test_the_order_of_the_rows_and_of_the_names_does_not_matter(order: list[int]) -> None:
    frame = pool()
    turned = Frame.of(
        frame.trace_id[order],
        **{
            name: column.rows(np.array(order)) if isinstance(column, Names) else column[order]
            for name, column in vars(frame).items()
            if name != "trace_id"
        },
    )
    table = frame.user.table[::-1]
    codes = np.where(turned.user.codes < 0, -1, len(table) - 1 - turned.user.codes).astype(np.int32)
    turned = replace(turned, user=Names(codes, table))
    made, again = (
        design(one, MIX, 8, now=NOW, settings=SETTINGS, caps=Caps(user=2, session=1)) for one in (frame, turned)
    )
    assert made.pi.tolist() == again.pi.tolist()
    drawn, redrawn = (sample(one, np.random.default_rng(7)) for one in (made, again))
    assert frame.ids(drawn.index) == turned.ids(redrawn.index)


def test_a_policy_without_a_share_changes_nothing() -> None:
    alone: dict[PolicyName, float] = {"random": 0.6, "risk": 0.4}
    beside: dict[PolicyName, float] = {"negative": 0.0, "random": 0.6, "diversity": 0.0, "risk": 0.4}
    made, again = (design(pool(), mix, 6, now=NOW, settings=SETTINGS, caps=Caps(user=2)) for mix in (alone, beside))
    assert made.pi.tobytes() == again.pi.tobytes()
    drawn, redrawn = (sample(one, np.random.default_rng(8)) for one in (made, again))
    assert drawn.index.tolist() == redrawn.index.tolist()


def test_everything_is_drawn_where_the_budget_is_larger() -> None:
    made = design(pool(), {"random": 1.0}, 500, now=NOW)
    assert set(sample(made, np.random.default_rng(1)).index) == set(np.flatnonzero(made.frame.fresh))


def test_nothing_is_drawn_from_nothing() -> None:
    made = design(Frame.of([]), {"random": 1.0}, 5, now=NOW, caps=Caps(user=1, session=1))
    assert (made.size, made.shares) == (0, {})
    assert len(sample(made, np.random.default_rng(1))) == 0


def test_a_frame_of_two_traces_of_one_id_is_none() -> None:
    with pytest.raises(ValueError, match="unique"):
        Frame.of(["a", "b", "a"])
    with pytest.raises(ValueError, match="column risk"):
        Frame.of(["a", "b"], risk=[0.5])
