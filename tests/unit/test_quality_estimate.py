"""Estimates as a reader gets them; and, on populations whose rate is known, how often their intervals hold it."""

from collections.abc import Callable

import numpy as np
import pytest

from goldloop.numeric import Floats, expit, logit
from goldloop.quality.estimate import Candidates, Estimate, Insufficient, Labelled, by_domain, estimate
from goldloop.sampling.design import design_of
from goldloop.sampling.draw import samples
from goldloop.sampling.frame import Frame


def _even(failures: int, n: int = 40) -> Labelled:
    return Labelled(np.repeat([1.0, 0.0], [failures, n - failures]), np.full(n, 0.1))


def test_a_rate_without_a_judge() -> None:
    found = estimate(_even(8), method="hajek")
    assert isinstance(found, Estimate)
    assert (found.method, found.labelled, found.power) == ("hajek", 40, 0.0)
    assert found.rate == pytest.approx(0.2)
    assert found.population == pytest.approx(400)
    assert found.failures == pytest.approx(80)
    assert found.effective_size == pytest.approx(40)
    assert 0.1 < found.low < 0.2 < found.high < 0.36


def test_the_sample_stands_for_the_candidates_where_they_are_not_given() -> None:
    alone = estimate(_even(8), method="hajek")
    beside = estimate(_even(8), Candidates(np.full(400, 0.1), np.full(400, 0.5)), method="hajek")
    assert isinstance(alone, Estimate)
    assert isinstance(beside, Estimate)
    assert [alone.low, alone.high] == pytest.approx([beside.low, beside.high])


def test_a_judge_that_is_right_makes_the_interval_short() -> None:
    truth = np.repeat([0.95, 0.05], [80, 320])
    labelled = Labelled(np.repeat([1.0, 0.0], [8, 32]), np.full(40, 0.1), np.repeat([0.95, 0.05], [8, 32]))
    judged = estimate(labelled, Candidates(np.full(400, 0.1), truth))
    alone = estimate(_even(8), method="hajek")
    assert isinstance(judged, Estimate)
    assert isinstance(alone, Estimate)
    assert judged.high - judged.low < 0.7 * (alone.high - alone.low)


def test_nothing_found_is_no_certainty() -> None:
    found = estimate(_even(0), method="hajek")
    assert isinstance(found, Estimate)
    assert (found.rate, found.low) == (0.0, 0.0)
    assert 0.05 < found.high < 0.12


@pytest.mark.parametrize(
    ("labelled", "reason"),
    [
        (_even(2, 9), "9 traces are labelled, and an interval needs 10"),
        (Labelled(np.zeros(10), np.array([0.001] + [1.0] * 9)), "the 10 labelled traces weigh as much as 1.0"),
        (Labelled(np.zeros(0), np.zeros(0)), "0 traces are labelled"),
        (_even(5, 10), "points wide"),
    ],
)
def test_no_interval_that_nobody_should_read(labelled: Labelled, reason: str) -> None:
    found = estimate(labelled, method="hajek")
    assert isinstance(found, Insufficient)
    assert reason in found.reason


def test_traces_that_could_not_be_drawn_are_told() -> None:
    found = estimate(_even(8), Candidates(np.array([0.1] * 399 + [0.0]), np.full(400, 0.5)), method="hajek")
    assert isinstance(found, Insufficient)
    assert found.reason.startswith("1 of 400 traces could not be drawn")


def test_aipw_needs_a_judge_of_all_candidates() -> None:
    with pytest.raises(ValueError, match="use hajek"):
        estimate(_even(8))


def test_domains_are_estimated_each_by_itself() -> None:
    labelled = Labelled(np.tile([1.0, 0.0, 0.0, 0.0], 20), np.tile([0.2, 0.4, 0.1, 0.5], 20))
    domain = ["billing", "search"] * 40
    found = by_domain(labelled, domain, method="hajek")
    assert list(found) == ["billing", "search"]
    billing, search = found["billing"], found["search"]
    assert isinstance(billing, Estimate)
    assert isinstance(search, Estimate)
    # Weights 5 and 10 for a failure and a success: 5 / 15. Residuals 2/3 and -1/3 of weights 5 and 10 make +-10/3, with
    # 1 - pi of 0.8 and 0.9 around a mean of -10/51; weights around 390/51: (0.8 (180)(-135) + 0.9 (-160)(120)) / 51^2,
    # 20 of each, 40 / 39, over 300^2.
    bias = (0.8 * 180 * 135 + 0.9 * 160 * 120) / 51**2 * 20 * 40 / 39 / 300**2
    assert billing.rate == pytest.approx(1 / 3 - bias)
    assert search.rate == 0.0
    assert search.population == pytest.approx(20 * (2.5 + 2))


def test_a_domain_of_which_nothing_is_labelled_is_insufficient() -> None:
    candidates = Candidates(np.full(401, 0.1), np.full(401, 0.5))
    found = by_domain(_even(8), ["a"] * 40, candidates, ["a"] * 400 + ["b"], method="hajek")
    assert isinstance(found["a"], Estimate)
    assert isinstance(found["b"], Insufficient)
    with pytest.raises(ValueError, match="come together"):
        by_domain(_even(8), ["a"] * 40, candidates)


# -- simulation: with 800 draws a coverage has a standard error of 0.8 points, a mean rate one of 0.15 at most.

_DRAWS = 800


def _population(seed: int, rate: float, spread: float, sureness: float, size: int = 1000) -> tuple[Floats, Floats]:
    """Failures by a lottery of each trace's own probability, and a judge that knows it, though too sure or not enough.

    Users of four traces share half of what makes a trace fail, so failures come in clusters.
    """
    rng = np.random.default_rng(seed)
    shared = np.repeat(rng.normal(size=size // 4), 4)
    odds = spread * (shared + rng.normal(size=size)) / np.sqrt(2)
    low, high = -12.0, 12.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if expit(odds + middle).mean() < rate else (low, middle)
    p = expit(odds + low)
    failed = (rng.random(size) < p).astype(np.float64)
    centre = logit(np.array([rate]))[0]
    return failed, np.clip(expit(centre + sureness * (logit(p) - centre)), 0.01, 0.99)


_WEIGHTS: dict[str, Callable[[Floats], Floats]] = {
    "random": np.ones_like,
    "hunt": lambda p: 0.25 / len(p) + 0.75 * p**2 / (p**2).sum(),
    "measure": lambda p: 0.25 / len(p) + 0.75 * np.sqrt(p * (1 - p)) / np.sqrt(p * (1 - p)).sum(),
}


@pytest.mark.simulation
@pytest.mark.parametrize(
    ("mix", "rate", "spread", "sureness", "budget"),
    [
        ("random", 0.1, 1.5, 1.0, 80),
        ("hunt", 0.2, 2.0, 1.0, 80),
        ("hunt", 0.1, 1.5, 1.0, 200),
        ("measure", 0.3, 1.0, 1.0, 80),
        ("measure", 0.2, 2.0, 1.5, 200),
    ],
)
def test_intervals_hold_the_truth_as_often_as_they_say(
    mix: str, rate: float, spread: float, sureness: float, budget: int
) -> None:
    failed, predicted = _population(7, rate, spread, sureness)
    weight = _WEIGHTS[mix](predicted)
    frame = Frame.of([f"{row:05d}" for row in range(len(failed))])
    design = design_of(frame, {"mix": weight / weight.sum()}, {"mix": 1.0}, budget)
    candidates = Candidates(design.pi, predicted)
    truth, held, error = float(failed.mean()), 0, 0.0
    for rows in samples(design, np.random.default_rng(12), _DRAWS):
        found = estimate(Labelled(failed[rows], design.pi[rows], predicted[rows]), candidates)
        assert isinstance(found, Estimate)
        held += found.low <= truth <= found.high
        error += found.rate - truth
    assert 0.93 <= held / _DRAWS <= 0.97
    assert abs(error) / _DRAWS < 0.0045


def test_clusters_widen_the_interval_where_users_differ() -> None:
    failed = np.repeat([1.0, 0.0], [12, 48])
    users = np.repeat(np.arange(15), 4)  # three users failed throughout
    alone = estimate(Labelled(failed, np.full(60, 0.1)), method="hajek")
    clustered = estimate(Labelled(failed, np.full(60, 0.1), clusters=users), method="hajek")
    assert isinstance(alone, Estimate)
    assert isinstance(clustered, Estimate)
    assert clustered.high - clustered.low > 1.3 * (alone.high - alone.low)
