"""Columns as texts: whatever names they hold, and whichever rows are taken, the same names come out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldloop.adapters.store.packed import Packed, as_keys, ascending, keys, names
from goldloop.errors import FatalError

WORDS = st.lists(
    st.sampled_from(["", "a", "b", "c d", "é", "日本", *(f"n{place}" for place in range(300))]), max_size=40
)
IDS = st.lists(st.text(st.characters(exclude_characters="\0\x1f", codec="utf-8"), min_size=1), min_size=1, unique=True)


def packed(values: list[str]) -> Packed:
    return Packed(len(values), "\x1f".join(values))


@given(WORDS, st.data())
@pytest.mark.parametrize("filler", [0, 1500])
def test_every_row_has_its_name(filler: int, values: list[str], data: st.DataObject) -> None:
    """With many names beside them too, which are told apart another way."""
    whole = values + [f"filler{place}" for place in range(filler)]
    whole = whole[::-1]  # the first thousand are looked at
    order = np.array(data.draw(st.permutations(range(len(values)))), dtype=np.int64)[: data.draw(st.integers(0, 40))]
    order = len(whole) - 1 - order  # rows of the values, in another order, some of them left out
    found = names(packed(whole), order)
    assert [found.at(row) or "" for row in range(len(found))] == [whole[place] for place in order.tolist()]
    seen = [value for value in dict.fromkeys(whole[place] for place in order.tolist()) if value]
    assert list(found.table) == seen


@given(IDS)
def test_ids_come_back_and_in_the_order_of_their_bytes(ids: list[str]) -> None:
    column = keys(packed(ids))
    assert [key.decode() for key in column.tolist()] == ids
    assert column.tolist() == as_keys(ids).tolist()
    assert [ids[place] for place in ascending(column).tolist()] == sorted(ids, key=str.encode)


@given(st.sets(st.integers(0, 2**16), min_size=1, max_size=60))
def test_ids_of_one_length_are_told_apart_behind_their_first_bytes(numbers: set[int]) -> None:
    ids = [f"same-begin-{number:06}" for number in numbers]
    column = keys(packed(ids))
    assert [column[place].decode() for place in ascending(column)] == sorted(ids)


def test_a_control_character_is_an_error_and_no_wrong_frame() -> None:
    with pytest.raises(FatalError, match="control character"):
        Packed(2, "a\x1fb\x1fc").split()
