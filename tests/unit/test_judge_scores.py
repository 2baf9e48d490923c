"""Which scores are a judge's, and what they say of failure."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from goldloop.signals.evidence import Signals
from goldloop.signals.judges import JudgeScore, SignalSettings, judged

NAN = float("nan")


def scores(*rows: tuple[int, str, float | str]) -> Signals:
    """(row, name, value or word), oldest first."""
    names = sorted({name for _, name, _ in rows})
    words = sorted({value for _, _, value in rows if isinstance(value, str)})
    return Signals(
        row=np.array([row for row, _, _ in rows], dtype=np.int64),
        name=np.array([names.index(name) for _, name, _ in rows], dtype=np.int64),
        names=tuple(names),
        value=np.array([NAN if isinstance(value, str) else value for _, _, value in rows]),
        label=np.array([words.index(value) if isinstance(value, str) else -1 for _, _, value in rows], dtype=np.int64),
        labels=tuple(words),
    )


@pytest.mark.parametrize(
    ("judge", "value", "risk"),
    [
        (JudgeScore(name="g"), 1.0, 0.0),
        (JudgeScore(name="g"), 0.25, 0.75),
        (JudgeScore(name="G*", fails="high"), 0.25, 0.25),
        (JudgeScore(name="g", low=1, high=5, boundary=4), 4.0, 0.5),
        (JudgeScore(name="g", low=1, high=5, boundary=4), 2.5, 0.75),  # half of the way from 4 down to 1
        (JudgeScore(name="g"), 7.0, 0.0),  # beyond its scale: its end
        (JudgeScore(name="g", fail_labels=("Bad",)), "bad", 0.9),
        (JudgeScore(name="g", pass_labels=("good",)), "good", 0.1),
        (JudgeScore(name="g", pass_labels=("good",)), "so so", NAN),
        (JudgeScore(name="other"), 0.25, NAN),
    ],
)
def test_what_a_score_says(judge: JudgeScore, value: float | str, risk: float) -> None:
    first, second = judged(2, scores((1, "g", value)), [judge], 0.5)
    assert first.tolist() == pytest.approx([NAN, risk], nan_ok=True)
    assert np.isnan(second).all()


def test_the_last_score_of_a_judge_counts_and_the_next_judge_is_second() -> None:
    both = (JudgeScore(name="a"), JudgeScore(name="b"))
    said = scores((0, "a", 0.0), (0, "a", 1.0), (0, "b", 0.5), (1, "b", 0.25), (2, "c", 0.0))
    first, second = judged(3, said, both, 0.5)
    assert first.tolist() == pytest.approx([0.0, 0.75, NAN], nan_ok=True)
    assert second.tolist() == pytest.approx([0.5, NAN, NAN], nan_ok=True)


def test_no_scores_are_no_error() -> None:
    first, second = judged(3, scores(), [JudgeScore(name="a", fail_labels=("x",))], 0.5)
    assert np.isnan(first).all()
    assert np.isnan(second).all()


@given(st.floats(0.05, 0.95), st.floats(-1, 2), st.floats(-1, 2))
def test_risk_lies_in_its_range_and_keeps_the_order(threshold: float, one: float, other: float) -> None:
    first, _ = judged(2, scores((0, "g", one), (1, "g", other)), [JudgeScore(name="g", boundary=0.7)], threshold)
    assert ((first >= 0) & (first <= 1)).all()
    assert (first[0] >= first[1]) or one > other
    middle, _ = judged(1, scores((0, "g", 0.7)), [JudgeScore(name="g", boundary=0.7)], threshold)
    assert middle[0] == pytest.approx(threshold)


def test_a_scale_must_go_up() -> None:
    with pytest.raises(ValidationError, match="low < boundary < high"):
        JudgeScore(name="g", low=1, high=1)


def test_only_scores_that_mean_something_are_read() -> None:
    settings = SignalSettings(judges=(JudgeScore(name="judge-*"),))
    assert [name for name in ("thumbs", "Judge-2", "latency", "edit") if settings.means_something(name)] == [
        "thumbs",
        "Judge-2",
        "edit",
    ]
