"""The judge labels everything, people take what it is least certain of: what that leaves, derived by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldloop.judge.effort import Curve, curve, of_several, of_two, resampled
from goldloop.numeric import Floats


def column(*values: float) -> Floats:
    return np.array(values, dtype=np.float64)


def test_each_label_by_a_person_takes_away_what_the_judge_had_wrong_there() -> None:
    # Least certain first: .6 wrong, .7 right, .8 wrong, .9 right, .95 right. Right of 5 labels: 3; then 4, 4, 5, 5, 5.
    made = curve(column(0.9, 0.6, 0.8, 0.7, 0.95), column(1, 0, 0, 1, 1))
    assert made.accuracy == pytest.approx([0.6, 0.8, 0.8, 1.0, 1.0, 1.0])
    # Expected: 1 - (.4 + .3 + .2 + .1 + .05) / 5 = .79, and so on without the first, the second ...
    assert made.expected == pytest.approx([0.79, 0.87, 0.93, 0.97, 0.99, 1.0])


def test_the_share_for_an_accuracy_is_the_smallest_that_reaches_it() -> None:
    made = curve(column(0.9, 0.6, 0.8, 0.7, 0.95), column(1, 0, 0, 1, 1))
    assert [made.share_for(target) for target in (0.6, 0.61, 0.8, 0.95, 1.0)] == [0.0, 0.2, 0.2, 0.6, 0.6]


def test_a_judge_that_is_too_sure_of_itself_stops_too_early() -> None:
    # It expects 1 - (.4 + .1 + .02 + .02) / 4 = .865, after one label 1 - .14 / 4 = .965; by then 3 of 4 are right.
    made = curve(column(0.6, 0.9, 0.98, 0.98), column(0, 0, 1, 1))
    assert made.stopped_at(0.95) == (0.25, 0.75)
    assert made.share_for(0.95) == 0.5


def test_people_take_equal_certainties_in_any_order() -> None:
    # One of four is wrong, and nothing tells which: each label by a person finds a quarter of it on average.
    made = curve(column(0.8, 0.8, 0.8, 0.8), column(1, 0, 1, 1))
    assert made.accuracy == pytest.approx([0.75, 0.8125, 0.875, 0.9375, 1.0])


def test_of_two_answers_the_more_probable_is_called_and_a_coin_is_half_right() -> None:
    certainty, right = of_two(column(0.9, 0.2, 0.7, 0.5), column(1, 0, 0, 1))
    assert certainty == pytest.approx([0.9, 0.8, 0.7, 0.5])
    assert right.tolist() == [1, 1, 0, 0.5]


def test_of_several_answers_equal_best_ones_share() -> None:
    p = np.array([[0.5, 0.3, 0.2], [0.4, 0.4, 0.2], [0.4, 0.4, 0.2]])
    certainty, right = of_several(p, np.array([0, 1, 2]))
    assert certainty.tolist() == [0.5, 0.4, 0.4]
    assert right.tolist() == [1, 0.5, 0]


def test_no_trace_has_no_curve() -> None:
    with pytest.raises(ValueError, match="at least one"):
        curve(column(), column())


rows = st.lists(st.tuples(st.sampled_from([0.5, 0.6, 0.75, 0.9, 0.99]), st.booleans()), min_size=1, max_size=60)


def made_of(drawn: list[tuple[float, bool]]) -> Curve:
    return curve(column(*(one for one, _ in drawn)), column(*(float(right) for _, right in drawn)))


@given(rows)
def test_a_curve_never_falls_and_ends_at_one(drawn: list[tuple[float, bool]]) -> None:
    made = made_of(drawn)
    for accuracy in (made.accuracy, made.expected):
        assert len(accuracy) == len(drawn) + 1
        assert (np.diff(accuracy) >= 0).all()
        assert accuracy[-1] == 1.0
    assert made.accuracy[0] == pytest.approx(np.mean([right for _, right in drawn]))


@given(rows)
def test_the_order_of_the_rows_is_of_no_matter(drawn: list[tuple[float, bool]]) -> None:
    assert made_of(drawn).accuracy == pytest.approx(made_of(drawn[::-1]).accuracy)


@given(rows, st.sampled_from([0.8, 0.95, 0.99, 1.0]))
def test_no_order_needs_less_than_the_wrong_labels(drawn: list[tuple[float, bool]], target: float) -> None:
    made = made_of(drawn)
    assert made.share_for(target) >= target - made.accuracy[0] - 1e-9


def test_the_interval_is_over_groups_and_the_same_from_the_same_seed() -> None:
    rng = np.random.default_rng(5)
    certainty = rng.uniform(0.5, 1, 200)
    right = (rng.random(200) < certainty).astype(np.float64)
    share = curve(certainty, right).share_for(0.95)
    alone = resampled(certainty, right, np.arange(200), 0.95, np.random.default_rng(1), reps=200)
    again = resampled(certainty, right, np.arange(200), 0.95, np.random.default_rng(1), reps=200)
    assert alone == again
    assert alone[0] < share < alone[1]
    # One group is all there is: each sample is the whole, and nothing varies.
    assert resampled(certainty, right, np.zeros(200, dtype=np.int64), 0.95, rng, reps=5) == (share, share)
