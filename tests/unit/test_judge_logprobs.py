"""How likely a label was, by the tokens that it was written with; expected shares by hand."""

import json
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldloop.judge.logprobs import Token, label_shares, value_span

LABELS = ("pass", "fail")
PATH = ("answers", "verdict")


def piece(text: str, share: float = 1.0, *others: tuple[str, float]) -> Token:
    listed = tuple((each.encode(), math.log(p)) for each, p in ((text, share), *others))
    return Token(text.encode(), math.log(share), listed)


def answer(verdict: object, **more: object) -> str:
    return json.dumps({"reason": "So.", "answers": {"verdict": verdict}} | more)


def around(text: str, written: str) -> tuple[str, str]:
    before, _, after = text.partition(written)
    return before, after


def shares(text: str, *tokens: Token, labels: tuple[str, ...] = LABELS) -> dict[str, float] | None:
    found = label_shares(text, tokens, PATH, labels)
    return None if found is None else {label: round(share, 6) for label, share in found.items()}


# -- where the value stands


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"answers": {"verdict": "pass"}}', '"pass"'),
        ('{ "a" : [1, {"verdict": "x"}] ,\n "answers":{"note":"\\"verdict\\": 1","verdict":\t"fail" }}', '"fail"'),
        ('```json\n{"answers": {"verdict": null}}\n```', "null"),
        ('{"answers": {"verdict": ["a", "b"]}}', '["a", "b"]'),
    ],
)
def test_the_value_at_a_path(text: str, value: str) -> None:
    span = value_span(text, PATH)
    assert span is not None
    assert text[slice(*span)] == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pass",
        "{",
        '{"answers"',
        '{"answers": 1}',
        '{"answers": {}}',
        '{"answers": {"note": "x"}}',
        '{"answers": {"verdict" 1}}',
        '{"a": 1 "answers": {}}',
        "[" * 9000,
        '{"a": ' + "[" * 9000,
    ],
)
def test_where_there_is_no_value_there_is_no_span(text: str) -> None:
    assert value_span(text, PATH) is None
    assert value_span('{"a": 1}', ()) is None


names = st.text(max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(names, values, max_size=3), st.dictionaries(names, values, max_size=3), values, st.booleans())
def test_the_span_of_any_json_is_that_of_its_value(
    outer: dict[str, object], inner: dict[str, object], value: object, ascii_only: bool
) -> None:
    text = json.dumps(outer | {"answers": inner | {"verdict": value}}, ensure_ascii=ascii_only)
    span = value_span(text, PATH)
    assert span is not None
    assert json.loads(text[slice(*span)]) == value


# -- shares


def test_alternatives_at_the_verdicts_token_are_its_shares() -> None:
    text = answer("fail")
    before, after = around(text, "fail")
    found = shares(text, piece(before), piece("fail", 0.6, ("pass", 0.2), ("null", 0.1)), piece(after))
    # Of what is a label 0.8: 0.6 / 0.8 and 0.2 / 0.8.
    assert found == {"pass": 0.25, "fail": 0.75}


def test_a_token_with_the_quote_before_the_label() -> None:
    text = answer("fail")
    before, after = around(text, ' "fail')
    other = [(' "pass', 0.1), ('"pass', 0.2), (" null", 0.1)]
    found = shares(text, piece(before), piece(' "fail', 0.6, *other), piece(after))
    # " null" opens no string. 0.6 of 0.9, and with either blank 0.3.
    assert found == {"pass": round(1 / 3, 6), "fail": round(2 / 3, 6)}


def test_a_token_with_the_quote_after_the_label() -> None:
    text = answer("fail")
    before, after = around(text, 'fail"}')
    found = shares(text, piece(before), piece('fail"}', 0.5, ("fail", 0.25), ('pass"', 0.25)), piece(after))
    assert found == {"pass": 0.25, "fail": 0.75}


def test_pieces_of_a_label_count_for_it() -> None:
    text = answer("fail")
    before, after = around(text, "fail")
    tokens = [piece(before), piece("f", 0.5, ("fa", 0.1), ("p", 0.3), ("x", 0.1)), piece("ail"), piece(after)]
    assert shares(text, *tokens) == {"pass": round(0.3 / 0.9, 6), "fail": round(0.6 / 0.9, 6)}


def test_labels_that_begin_alike_part_ways_later() -> None:
    labels = ("partly_right", "partly_wrong", "wrong")
    text = answer("partly_wrong")
    before, after = around(text, "partly_wrong")
    tokens = [
        piece(before),
        piece("partly", 0.8, ("wrong", 0.2)),
        piece("_", 1.0),
        piece("wrong", 0.75, ("right", 0.25)),
        piece(after),
    ]
    # 0.8 * 0.75 and 0.8 * 0.25 beside 0.2.
    assert shares(text, *tokens, labels=labels) == {"partly_right": 0.2, "partly_wrong": 0.6, "wrong": 0.2}


def test_a_label_that_another_begins_with_ends_at_its_quote() -> None:
    labels = ("good", "good_enough", "bad")
    text = answer("good")
    before, after = around(text, "good")
    tokens = [piece(before), piece("good", 0.9, ("bad", 0.1)), piece('"', 2 / 3, ("_enough", 1 / 3)), piece(after[1:])]
    assert shares(text, *tokens, labels=labels) == {"good": 0.6, "good_enough": 0.3, "bad": 0.1}


def test_a_piece_that_begins_two_labels_counts_for_both_alike() -> None:
    labels = ("fair", "fail", "pass")
    text = answer("pass")
    before, after = around(text, "pass")
    found = shares(text, piece(before), piece("pass", 0.6, ("fa", 0.4)), piece(after), labels=labels)
    assert found == {"fair": 0.2, "fail": 0.2, "pass": 0.6}


def test_a_label_that_is_not_listed_has_nothing() -> None:
    text = answer("fail")
    before, after = around(text, "fail")
    assert shares(text, piece(before), piece("fail", 0.9), piece(after)) == {"pass": 0.0, "fail": 1.0}


def test_a_token_that_its_own_list_lacks_counts_all_the_same() -> None:
    text = answer("fail")
    before, after = around(text, "fail")
    sampled = Token(b"fail", math.log(0.1), ((b"pass", math.log(0.3)),))
    assert shares(text, piece(before), sampled, piece(after)) == {"pass": 0.75, "fail": 0.25}


def test_a_letter_in_two_tokens_before_the_label() -> None:
    text = json.dumps({"reason": "\u00e4", "answers": {"verdict": "fail"}}, ensure_ascii=False)
    whole = text.encode()
    cut = whole.index("\u00e4".encode()) + 1  # inside the letter
    start = whole.index(b"fail")
    tokens = [Token(whole[:cut], 0.0), Token(whole[cut:start], 0.0), piece("fail", 0.6, ("pass", 0.2)), piece('"}}')]
    assert shares(text, *tokens) == {"pass": 0.25, "fail": 0.75}


def test_tokens_of_thoughts_may_stand_before_the_text() -> None:
    text = answer("fail")
    before, after = around(text, "fail")
    tokens = [piece("<think>Is it fail?</think>"), piece(before), piece("fail", 0.6, ("pass", 0.2)), piece(after)]
    assert shares(text, *tokens) == {"pass": 0.25, "fail": 0.75}


def test_the_word_elsewhere_is_not_the_verdict() -> None:
    text = answer("fail", note='"verdict": "pass"')
    text = '{"reason": "pass, or fail?", ' + text[1:]
    before, _, after = text.partition('"verdict": "fail')
    tokens = [piece(before + '"verdict": "'), piece("fail", 0.6, ("pass", 0.2)), piece(after)]
    assert shares(text, *tokens) == {"pass": 0.25, "fail": 0.75}


@pytest.mark.parametrize("verdict", [None, "other", ["fail"], 1, ""])
def test_what_is_no_label_has_no_shares(verdict: object) -> None:
    assert shares(answer(verdict), piece(answer(verdict))) is None


def test_tokens_of_another_text_have_no_shares() -> None:
    text = answer("fail")
    assert shares(text, piece("fail", 0.6, ("pass", 0.2))) is None
    assert shares(text) is None


@given(st.data())
def test_shares_sum_to_one_however_the_text_is_cut(data: st.DataObject) -> None:
    text = answer(data.draw(st.sampled_from(LABELS)))
    cuts = sorted({0, len(text), *data.draw(st.lists(st.integers(0, len(text)), max_size=12))})
    pieces = [text[start:end] for start, end in pairwise(cuts)]
    strange = st.lists(st.tuples(st.sampled_from(["pass", "fail", "p", '"', ' "fa', "null", ""]), st.floats(0.01, 0.3)))
    found = shares(text, *(piece(each, 0.4, *data.draw(strange)) for each in pieces))
    assert found is not None
    assert sum(found.values()) == pytest.approx(1, abs=1e-5)
