"""Labelled traces from lines, and what is said of lines that are none."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from goldloop.backtest.judging import as_trace
from goldloop.backtest.traces import LabelledTrace, parse, read
from goldloop.errors import InputError


def _lines(*rows: dict[str, Any] | str) -> list[tuple[int, str]]:
    return [(number, row if isinstance(row, str) else json.dumps(row)) for number, row in enumerate(rows, start=1)]


BAD = {"id": "a", "failure": True, "output": "no"}
GOOD = {"id": "b", "failure": False, "output": "yes", "input": "Well?", "model": "m"}


def test_a_line_needs_an_id_and_a_label() -> None:
    read_ = parse(_lines(BAD, GOOD), "file")
    assert [trace.failed for trace in read_.traces] == [True, False]
    assert read_.traces[1].input[0].content == "Well?"
    assert (read_.left_out, read_.scores) == (0, None)


def test_rows_of_a_model_are_left_out_even_without_a_label() -> None:
    read_ = parse(_lines(BAD, GOOD, {"id": "c", "model": "human-reference"}), "file", None, ["human-reference"])
    assert ([trace.id for trace in read_.traces], read_.left_out) == (["a", "b"], 1)


@pytest.mark.parametrize(
    ("verdicts", "failed"), [(["fail", "pass", "fail"], True), (["fail", "pass"], True), (["pass", None], False)]
)
def test_verdicts_of_raters_stand_in_for_a_label(verdicts: list[str | None], failed: bool) -> None:
    human = {"ratings": [{"rater": "r", "verdict": verdict} for verdict in verdicts]}
    assert LabelledTrace.model_validate({"id": "x", "human": human}).failed is failed
    assert LabelledTrace(id="x").failed is None


def test_a_judges_column_may_lie_deeper_and_have_gaps() -> None:
    rows = [{**BAD, "judges": {"gpt": 0.25}}, {**GOOD, "judges": {"gpt": None}}, {**GOOD, "id": "c", "judges": {}}]
    assert parse(_lines(*rows), "file", "judges.gpt").scores == (0.25, None, None)
    assert parse(_lines({**BAD, "said": True}, GOOD), "file", "said").scores == (1.0, None)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([BAD, '{"id": "c" "failure": 1}'], "file:2: this line is not JSON: "),
        ([BAD, {"failure": True}], "file:2: id: Field required"),
        ([BAD, {"id": "c", "failure": "maybe"}], "file:2: failure: Input should be a valid boolean"),
        ([BAD, {"id": "c"}], "file:2: failure: a backtest needs the label"),
        ([BAD, BAD], "file:2: id: a stands on line 1 already"),
        ([BAD, {**GOOD, "context": [{"text": 5}]}], "file:2: context.0.text: "),
        ([], "file: there is no trace in it"),
        ([BAD, {**BAD, "id": "c"}], "file: failure: all of the 2 traces failed"),
        ([GOOD], "file: failure: none of the 1 traces failed"),
    ],
)
def test_errors_name_file_line_and_field(rows: list[dict[str, Any] | str], told: str) -> None:
    with pytest.raises(InputError) as refused:
        parse(_lines(*rows), "file")
    assert str(refused.value).startswith(told)


@pytest.mark.parametrize(
    ("said", "told"),
    [("high", "file:1: said: a judge's column"), (float("nan"), "file:1: said: "), (None, "file: said:")],
)
def test_a_column_that_is_none(said: object, told: str) -> None:
    with pytest.raises(InputError) as refused:
        parse(_lines({**BAD, "said": said}, GOOD), "file", "said")
    assert str(refused.value).startswith(told)


def test_files_plain_and_gzip(tmp_path: Path) -> None:
    text = "\n".join(line for _, line in _lines(BAD, GOOD)) + "\n\n"
    plain, packed, wrong = (tmp_path / name for name in ("a.jsonl", "a.jsonl.gz", "b.jsonl.gz"))
    plain.write_text(text, encoding="utf-8")
    packed.write_bytes(gzip.compress(text.encode()))
    wrong.write_text(text, encoding="utf-8")
    assert read(plain).traces == read(packed).traces
    with pytest.raises(InputError, match="cannot be read as UTF-8 text or gzip"):
        read(wrong)
    with pytest.raises(InputError, match="there is no such file"):
        read(tmp_path / "c.jsonl")


def test_a_line_is_the_trace_that_a_judge_reads() -> None:
    document = {"title": None, "text": "40 km in all."}
    messages = [{"role": "system", "content": "Be kind."}, {"content": "How far?"}]
    line = {"id": "x", "session_id": "s", "input": messages, "context": [document], "output": "40 km."}
    trace = as_trace(LabelledTrace.model_validate(line))
    assert [(message.role, message.content) for message in trace.messages] == [
        ("system", "Be kind."),
        ("user", "How far?"),
    ]
    assert (trace.trace_id, trace.session_id, trace.output) == ("x", "s", "40 km.")
    assert [(one.title, one.text) for one in trace.documents] == [("", "40 km in all.")]
