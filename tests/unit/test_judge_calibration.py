"""Calibration: it rises, is never sure, keeps a judge that is right, and mends one that is not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldloop.judge.calibration import Calibration, confident_from, fitted_calibration, held_out
from goldloop.judge.measures import ece, expected_ece
from goldloop.numeric import Floats, expit, logit

GRID: Floats = np.linspace(0, 1, 101, dtype=np.float64)


def _made(n: int, slope: float, seed: int = 1) -> tuple[Floats, Floats]:
    """A judge's numbers whose log-odds are `slope` times what they should be, and what came true."""
    rng = np.random.default_rng(seed)
    truth = rng.beta(2, 1, n)
    return expit(slope * logit(truth)), (rng.random(n) < truth).astype(np.float64)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=40))
def test_it_rises_and_is_never_sure(rows: list[tuple[float, bool]]) -> None:
    raw, right = np.array([one for one, _ in rows]), np.array([float(one) for _, one in rows])
    found = fitted_calibration(raw, right, np.arange(len(rows))).apply(GRID)
    assert (np.diff(found) >= 0).all()
    assert found.min() >= 0.001
    assert found.max() <= 0.999


def test_two_numbers_and_what_they_mean() -> None:
    # log-odds of 1/2 are 0, of 3/4 log 3: expit(0) = 1/2, expit(2 log 3) = 9 / 10
    found = Calibration("platt", (0.0, 2.0)).apply(np.array([0.5, 0.75, 0.0, 1.0]))
    assert found.tolist() == pytest.approx([0.5, 0.9, 0.001, 0.999])
    # a quarter of the way from 0.2 to 0.6
    assert Calibration("isotonic", (0.0, 1.0, 0.2, 0.6)).apply(np.array([0.25])).tolist() == pytest.approx([0.3])


def test_no_label_leaves_the_judge_as_it_is() -> None:
    nothing = fitted_calibration(np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))
    assert nothing.apply(GRID[1:-1]) == pytest.approx(GRID[1:-1])
    assert len(held_out(np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))) == 0


def test_one_that_is_too_sure_is_mended() -> None:
    raw, right = _made(900, slope=3)
    groups = np.arange(900) // 2
    found = fitted_calibration(raw, right, groups)
    assert found.method == "platt"
    assert found.numbers[1] == pytest.approx(1 / 3, abs=0.06)
    mended = held_out(raw, right, groups)
    assert ece(raw, right) > 0.1
    assert ece(mended, right) < 2 * expected_ece(mended, np.random.default_rng(1))


def test_one_that_says_the_opposite_says_nothing() -> None:
    raw, right = _made(400, slope=-1)
    found = fitted_calibration(raw, right, np.arange(400))
    assert found.numbers[1] == 0.0
    assert found.apply(GRID) == pytest.approx(np.full(101, right.mean()), abs=0.01)


def test_what_always_comes_true_is_still_not_certain() -> None:
    found = fitted_calibration(np.full(60, 0.9), np.ones(60), np.arange(60)).apply(np.array([0.9]))[0]
    assert 0.97 < found <= 0.999


def test_it_never_sees_the_row_that_it_judges() -> None:
    raw, right = _made(200, slope=2)
    groups = np.arange(200) // 4
    turned = right.copy()
    turned[groups == 0] = 1 - right[groups == 0]
    honest, other = held_out(raw, right, groups), held_out(raw, turned, groups)
    assert honest[groups == 0] == pytest.approx(other[groups == 0])
    assert not np.allclose(honest, other)


def test_many_labels_of_a_bent_judge_take_points() -> None:
    rng = np.random.default_rng(1)
    raw = rng.random(4000)
    truth = np.where(raw < 0.5, 0.1, np.where(raw < 0.8, 0.5, 0.95))  # steps: no two numbers make them
    right = (rng.random(4000) < truth).astype(np.float64)
    found = fitted_calibration(raw, right, np.arange(4000))
    assert found.method == "isotonic"
    assert (np.diff(found.apply(GRID)) >= 0).all()
    assert found.apply(np.array([0.25, 0.65, 0.9])) == pytest.approx([0.1, 0.5, 0.95], abs=0.06)
    assert Calibration.from_json(found.to_json()) == found


def test_pools_by_hand() -> None:
    raw, right = np.repeat([0.1, 0.2, 0.3, 0.4], 500), np.tile([0.0, 1], 1000)
    right[:500], right[1500:] = 0, 1
    right[500:1000], right[1000:1500] = np.tile([1.0, 1, 1, 0], 125), np.tile([1.0, 0], 250)
    # none of 500; 375 of 500 and 250 of 500 fall, so they are one pool of 625 of 1,000; then all of 500
    found = fitted_calibration(raw, right, np.arange(2000))
    assert found.method == "isotonic"
    ends = [0.5 / 501, 625.5 / 1001, 625.5 / 1001, 500.5 / 501]
    assert found.numbers == pytest.approx([0.1, 0.2, 0.3, 0.4, *ends])


def test_as_json_and_back() -> None:
    one = Calibration("platt", (0.25, 1.5))
    assert one.to_json() == {"method": "platt", "numbers": [0.25, 1.5]}
    assert Calibration.from_json(one.to_json()) == one
    for wrong in (None, {"method": "magic", "numbers": []}, {"method": "platt"}, {"method": "platt", "numbers": ["a"]}):
        with pytest.raises(ValueError, match=r"."):
            Calibration.from_json(wrong)


def test_confident_from() -> None:
    # 52 that are right are enough for 0.95, 51 are not: 51 / (51 + 1.6449^2) = 0.9496
    p: Floats = np.linspace(0.99, 0.6, 60, dtype=np.float64)
    assert confident_from(p[:51], np.ones(51), 0.95) is None
    assert confident_from(p[:52], np.ones(52), 0.95) == pytest.approx(p[51])
    # the 53rd and 54th are wrong: there it ends
    assert confident_from(p, np.append(np.ones(52), np.zeros(8)), 0.95) == pytest.approx(p[51])
    # equal probabilities are taken together: of 60 alike 8 are wrong
    assert confident_from(np.full(60, 0.9), np.append(np.ones(52), np.zeros(8)), 0.95) is None
    assert confident_from(np.full(60, 0.9), np.append(np.ones(52), np.zeros(8)), 0.75) == pytest.approx(0.9)
    assert confident_from(np.zeros(0), np.zeros(0), 0.95) is None
