"""The draw: exact inclusion probabilities, whatever the mixture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from builders import NOW, codebook
from goldloop.pipeline.draw import choose
from goldloop.ports import FrameRow
from goldloop.records import DrawRun
from goldloop.sampling import mixture
from goldloop.sampling.draw import systematic

weights = hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(1e-3, 1e3)).map(lambda w: w / w.sum())


def test_stratified_by_hand() -> None:
    # 4 of a and 1 of b; with power 1/2 the strata weigh 2 and 1, so a gets 2/3 (1/6 each) and b 1/3.
    np.testing.assert_allclose(mixture.stratified(["a", "a", "b", "a", "a"], 0.5), [1 / 6, 1 / 6, 1 / 3, 1 / 6, 1 / 6])
    np.testing.assert_allclose(mixture.stratified(["a", "a", "b"], 0.0), [1 / 4, 1 / 4, 1 / 2])
    np.testing.assert_allclose(mixture.stratified(["a", "a", "b"], 1.0), mixture.random(["a", "a", "b"]))


def test_inclusion_by_hand() -> None:
    # Budget 2 of weights .7 .1 .1 .1: the first would get 1.4, so it is certain, and one is left for three alike.
    np.testing.assert_allclose(mixture.inclusion(np.array([0.7, 0.1, 0.1, 0.1]), 2), [1, 1 / 3, 1 / 3, 1 / 3])
    np.testing.assert_allclose(mixture.inclusion(np.array([0.5, 0.5, 0.0]), 3), [1, 1, 0])


def test_posterior_by_hand() -> None:
    # q_random = 1/2 each; q_strata: a alone in its stratum. Shares 1/4 and 3/4: for i = 0, 1/8 against 3/8.
    policies = {"random": np.array([0.5, 0.5]), "stratified": np.array([0.5, 0.5])}
    assert mixture.posterior(policies, {"random": 0.25, "stratified": 0.75}, 0) == {"random": 0.25, "stratified": 0.75}


@given(weights, st.integers(1, 80))
def test_inclusion_sums_to_the_budget_and_is_a_probability(weight: mixture.Floats, budget: int) -> None:
    pi = mixture.inclusion(weight, budget)
    assert pi.sum() == pytest.approx(min(budget, len(weight)))
    assert ((pi > 0) & (pi <= 1 + 1e-12)).all()
    order = np.argsort(weight)
    assert (np.diff(pi[order]) >= -1e-9).all()  # who weighs more is never less likely


@given(weights, st.integers(1, 80), st.integers(0, 2**32))
def test_the_sample_has_a_fixed_size_and_no_duplicates(weight: mixture.Floats, budget: int, seed: int) -> None:
    pi = mixture.inclusion(weight, budget)
    units = [f"user-{i % 7}" for i in range(len(pi))]
    sample = systematic(pi, units, np.random.default_rng(seed))
    assert len(sample) == len(set(sample)) == min(budget, len(weight))
    for unit in set(units):  # systematic: at most one more than the unit's share
        drawn = sum(units[index] == unit for index in sample)
        assert drawn <= np.ceil(pi[[place for place, name in enumerate(units) if name == unit]].sum() + 1e-6)


def test_inclusion_frequencies_match_pi() -> None:
    rng = np.random.default_rng(5)
    strata = ["a"] * 20 + ["b"] * 5 + ["c"]
    units = [f"user-{i % 6}" for i in range(len(strata))]
    weight = mixture.mix(
        {"random": mixture.random(strata), "stratified": mixture.stratified(strata, 0.5)},
        {"random": 0.5, "stratified": 0.5},
    )
    pi = mixture.inclusion(weight, 7)
    draws = 20_000
    hits = np.zeros(len(pi))
    for _ in range(draws):
        hits[systematic(pi, units, rng)] += 1
    error = np.sqrt(pi * (1 - pi) / draws) + 1e-12
    assert (np.abs(hits / draws - pi) < 5 * error).all()


def _run(**changes: object) -> DrawRun:
    fields: dict[str, object] = {
        "run_id": "r",
        "queue": "answer-quality",
        "codebook_version": "1.0.0",
        "drawn_at": NOW,
        "window_start": NOW,
        "window_end": NOW,
        "frame_size": 100,
        "budget": 10,
        "seed": 11,
        "mix": {"random": 0.5, "stratified": 0.5},
        "settings_hash": "x",
        "code_version": "0",
    }
    return DrawRun.model_validate(fields | changes)


FRAME = [FrameRow(trace_id=f"t{i:03}", stratum="abc"[i % 3 if i % 10 else 0], unit=f"u{i % 9}") for i in range(100)]


def test_the_same_run_draws_the_same_sample() -> None:
    assert choose(codebook(), _run(), FRAME) == choose(codebook(), _run(), FRAME)
    assert choose(codebook(), _run(), FRAME) != choose(codebook(), _run(seed=12), FRAME)


def test_a_draw_carries_what_an_estimator_needs() -> None:
    draws = choose(codebook(), _run(), FRAME)
    assert len(draws) == 10
    assert [one.priority for one in draws] == list(range(10))
    for one in draws:
        assert 0 < one.pi <= 1
        assert sum(one.mixture.values()) == pytest.approx(1)
        assert one.mixture[one.policy] > 0


def test_a_policy_without_a_share_changes_nothing() -> None:
    alone = choose(codebook(), _run(mix={"random": 1.0}), FRAME)
    beside = choose(codebook(), _run(mix={"random": 1.0, "stratified": 0.0}), FRAME)
    assert [(one.trace_id, one.pi) for one in alone] == [(one.trace_id, one.pi) for one in beside]
    assert {one.policy for one in beside} == {"random"}


def test_everything_is_drawn_where_the_budget_is_larger() -> None:
    draws = choose(codebook(), _run(budget=500), FRAME)
    assert {one.trace_id for one in draws} == {row.trace_id for row in FRAME}
    assert {one.pi for one in draws} == {1.0}
