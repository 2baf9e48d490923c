"""Groups of traces that know of each other, and folds that never split one."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldloop.judge.groups import cross_fitted, folds, groups_of, numbered
from goldloop.numeric import Floats
from goldloop.records import BlindLabel, TraceFeatures


def _label(trace_id: str, session: str | None = None) -> BlindLabel:
    return BlindLabel(queue="q", trace_id=trace_id, question="v", since="1.0.0", value="pass", session_id=session)


def _features(asked: dict[str, str]) -> dict[str, TraceFeatures]:
    return {
        trace_id: TraceFeatures(trace_id=trace_id, version="1", asked=one, values=()) for trace_id, one in asked.items()
    }


def _together(labels: Sequence[BlindLabel], asked: dict[str, str]) -> list[list[str]]:
    found: dict[int, list[str]] = {}
    for trace_id, group in groups_of(labels, _features(asked)).items():
        found.setdefault(group, []).append(trace_id)
    return sorted(found.values())


def test_session_and_question_chain() -> None:
    labels = [_label("a", "s1"), _label("b", "s1"), _label("c"), _label("d", "s2"), _label("e")]
    # a and b by session, b and c by question; d and e share nothing
    assert _together(labels, {"a": "q1.x", "b": "q2.y", "c": "q2.z", "d": "q3.x"}) == [["a", "b", "c"], ["d"], ["e"]]


def test_a_template_is_no_question() -> None:
    labels = [_label(f"t{row:02d}") for row in range(11)]
    one_each = {label.trace_id: f"same.{row // 2}" for row, label in enumerate(labels)}
    assert len(_together(labels, one_each)) == 6  # 11 of 11 share the message: only the same input is together
    assert len(_together(labels[:10], one_each)) == 1


@given(
    st.lists(
        st.tuples(
            st.integers(0, 30), st.sampled_from([None, "s1", "s2", "s3"]), st.sampled_from(["", "q.a", "q.b", "r.a"])
        ),
        min_size=1,
        max_size=30,
        unique_by=lambda row: row[0],
    )
)
def test_the_order_of_labels_is_of_no_matter(rows: list[tuple[int, str | None, str]]) -> None:
    labels = [_label(f"t{number:02d}", session) for number, session, _ in rows]
    asked = _features({f"t{number:02d}": one for number, _, one in rows})
    assert groups_of(labels, asked) == groups_of(labels[::-1], asked)


@given(st.lists(st.integers(0, 12), min_size=1, max_size=60), st.integers(2, 10))
def test_folds_never_split_a_group(numbers: list[int], most: int) -> None:
    groups = np.array(numbers, dtype=np.int64)
    fold = folds(groups, most)
    assert all(len(set(fold[groups == one])) == 1 for one in groups)
    assert len(set(fold)) == min(most, len(set(numbers)))


def test_what_is_said_of_a_fold_comes_from_the_others() -> None:
    def mean(_: Floats, y: Floats):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a fit of three lines
        return lambda rows: np.full(len(rows), y.mean())

    y = np.array([1.0, 0, 0, 0])
    # the first fold hears of 0, 0 alone; the second of 1, 0
    assert cross_fitted(mean, y, y, np.array([0, 0, 1, 1])).tolist() == [0, 0, 0.5, 0.5]
    assert cross_fitted(mean, y, y, np.zeros(4, dtype=np.int64)).tolist() == pytest.approx([0.25] * 4)


def test_where_nobody_asked_only_the_same_input_is_together() -> None:
    labels = [_label("a"), _label("b"), _label("c")]
    assert _together(labels, {"a": ".x", "b": ".x", "c": ".y"}) == [["a", "b"], ["c"]]


def test_numbers_of_groups_go_by_first_appearance() -> None:
    assert numbered([7, 2, 7, 5]).tolist() == [0, 1, 0, 2]
    assert numbered([]).tolist() == []
