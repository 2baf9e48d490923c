"""A page is read from its bytes in one step, with the same result as row by row."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldloop.adapters.langfuse.http import parsed
from goldloop.adapters.langfuse.listing import Listing, reader
from goldloop.adapters.langfuse.wire import Observation, ScoreRow, Wire
from goldloop.errors import RetryableError

_TIMES = ["2026-11-20T12:00:00.000Z", "2026-11-20T12:00:00", "2026-11-20", "1700000000", 1700000000, "", None]
_TEXTS = st.text(max_size=4) | st.sampled_from([None, 7, "", "\x00a\r\n", "\ud800", "a\x7fb", "\u0085"])
_OPTIONAL = ("parentObservationId", "name", "environment", "version", "userId", "release", "promptName", "other")
_ROWS = st.fixed_dictionaries(
    {"id": _TEXTS, "traceId": _TEXTS, "startTime": st.sampled_from(_TIMES)},
    optional={
        **dict.fromkeys(_OPTIONAL, _TEXTS),
        "isRootObservation": st.sampled_from([True, False, None, 1, "true"]),
        "tags": st.none() | st.lists(_TEXTS, max_size=2) | st.just("tag"),
        "promptVersion": st.sampled_from([3, 2**70, 3.5, "3", True, None]),
        "totalCost": st.sampled_from([1, 0.5, 1e300, "1", None]),
        "metadata": st.none() | st.dictionaries(st.text(max_size=2), _TEXTS, max_size=2) | st.just("text"),
    },
)
_SOUND = {"id": "o", "traceId": "t", "startTime": "2026-11-20T12:00:00.000Z"}


def _outcome(answer: Any, row: type[Wire]) -> tuple[object, ...]:
    listing = Listing(answer, row, path="v2/observations")
    return listing.rows, listing.rejected, listing.cursor, listing.total_pages


def _both(content: bytes, row: type[Wire] = Observation) -> tuple[object, ...]:
    at_once = _outcome(reader(row)(content), row)
    assert at_once == _outcome(parsed(content), row)
    return at_once


@given(st.lists(_ROWS, max_size=3), st.sampled_from([{}, {"cursor": "c"}, {"cursor": 7, "totalPages": 4}]))
def test_at_once_as_row_by_row(rows: list[dict[str, Any]], meta: dict[str, Any]) -> None:
    _both(json.dumps({"data": rows, "meta": meta, "more": 1}).encode())


def test_one_bad_row_is_named_and_stops_no_other() -> None:
    rows, rejected, *_ = _both(json.dumps({"data": [_SOUND, {**_SOUND, "id": "bad", "name": 7}, _SOUND]}).encode())
    assert rows == [Observation.model_validate(_SOUND)] * 2
    assert rejected == [("bad", "name: string_type")]


def test_a_score_with_its_subject() -> None:
    score = {"id": "s", "name": "n", "dataType": "NUMERIC", "value": 1, "timestamp": _SOUND["startTime"]}
    rows, *_ = _both(
        json.dumps({"data": [{**score, "subject": {"kind": "trace", "id": "t"}}, score]}).encode(), ScoreRow
    )
    assert rows == [ScoreRow.model_validate({**score, "subject": {"kind": "trace", "id": "t"}}), ScoreRow(**score)]  # type: ignore[arg-type]  # of many types


@pytest.mark.parametrize("content", [b'{"data": [NaN]}', b'{"data": [-Infinity]}', b'{"data": [', b'"\xff"'])
def test_no_json(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        reader(Observation)(content)


def test_a_number_that_is_none_inside_a_sound_row_spoils_the_page() -> None:
    with pytest.raises(ValueError, match="NaN"):
        reader(Observation)(json.dumps({"data": [{**_SOUND, "totalCost": float("nan")}]}).encode())


def test_the_words_nan_and_infinity_in_a_text_do_no_harm() -> None:
    rows, *_ = _both(json.dumps({"data": [{**_SOUND, "name": "NaN to Infinity"}]}).encode())
    assert rows == [Observation.model_validate({**_SOUND, "name": "NaN to Infinity"})]


@pytest.mark.parametrize("answer", [[], {}, {"data": {}}, {"data": [], "meta": []}, {"data": None}])
def test_no_page(answer: object) -> None:
    with pytest.raises(RetryableError):
        _outcome(reader(Observation)(json.dumps(answer).encode()), Observation)
