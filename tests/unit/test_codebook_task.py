import json

from hypothesis import given
from hypothesis import strategies as st

from builders import NOW, codebook, draw, trace
from goldloop.codebook.task import TEXT_LIMIT, TaskData, show_output, suggestion, task_data
from goldloop.codebook.text import clean, shorten
from goldloop.records import Judgement, Signal, Trace

URL = "http://127.0.0.1/project/p/traces/t1"
strange = st.text(st.characters(codec=None))


def made(of: Trace, judgement: Judgement | None = None, signals: tuple[Signal, ...] = ()) -> TaskData:
    return task_data(codebook(), of, draw(), signals, judgement, URL)


def test_the_data_of_a_plain_trace() -> None:
    document = {"title": "Returns policy", "text": "30 days.", "score": 0.876}
    step = {"kind": "tool", "name": "lookup", "input": '{"order": 1}', "output": "found"}
    data = made(trace(name="support-chat", model="m-1", documents=[document], steps=[step]))
    assert data.title == "returns · support-chat"
    assert [passage.text for passage in data.conversation] == ["How long can I return it?"]
    assert [passage.text for passage in data.system] == ["Be kind."]
    assert (data.documents[0].author, data.documents[0].text) == ("1. Returns policy (score 0.88)", "30 days.")
    assert data.steps[0].text == '{"order": 1}\n→ found'
    assert data.about == {"model": "m-1", "time": "2026-03-02 12:00:00 UTC", "environment": "default", "trace": URL}
    assert (data.policy, data.pi, data.stratum, data.codebook) == ("random", 0.25, "returns", "answer-quality@1.0.0")
    assert data.prelabel == ""


def test_what_there_is_none_of_is_marked_so_that_the_screen_can_leave_it_out() -> None:
    data = made(trace(messages=[]))
    for passages in (data.conversation, data.system, data.documents, data.steps):
        assert [(passage.author, passage.text) for passage in passages] == [("(none)", "")]
    assert data.feedback == {}


def test_signals_are_shown_as_feedback() -> None:
    rating = Signal(signal_id="s", trace_id="t1", name="user_rating", value=0.0, at=NOW)
    reason = Signal(signal_id="r", trace_id="t1", name="reason", label="wrong", at=NOW)
    assert made(trace(), signals=(rating, reason)).feedback == {"user_rating": "0", "reason": "wrong"}


def test_a_suggestion_says_that_it_is_uncalibrated() -> None:
    judgement = Judgement(
        judge="j", judge_version="1", answers={"verdict": "fail"}, probability=0.71, method="lexical", reason="Because."
    )
    assert suggestion(codebook(), judgement) == "Fail, 71% sure (uncalibrated: do not lean on the number)\nBecause."
    abstention = Judgement(judge="j", judge_version="1", method="lexical", abstained="no documents")
    assert suggestion(codebook(), abstention) == "No suggestion: no documents"


def test_an_empty_output_is_shown_as_such() -> None:
    assert show_output(" \n") == "(the assistant answered nothing)"


@given(strange, strange, strange)
def test_whatever_a_trace_holds_becomes_json_that_utf8_can_carry(output: str, asked: str, title: str) -> None:
    messages = [{"role": asked[:5], "content": asked}]
    data = made(trace(output=output, messages=messages, name=title, documents=[{"title": title, "text": asked}]))
    text = json.dumps(data.model_dump(mode="json"), ensure_ascii=False).encode().decode()
    assert "\x00" not in text
    assert TaskData.model_validate(json.loads(text)) == data


def test_a_megabyte_is_cut_in_the_middle_and_says_so() -> None:
    shown = made(trace(output="a" * 500_000 + "b" * 500_000)).output
    assert len(shown) < TEXT_LIMIT + 200
    assert shown.startswith("aaa")
    assert shown.endswith("bbb")
    assert "900,000 characters left out" in shown


@given(strange)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert clean(clean(text)) == clean(text)


def test_what_cleaning_does() -> None:
    assert clean("a\x00b\x1bc\x7f\ud800\r\n\td") == "a␀b␛c␡�\n\td"
    assert clean("café 👍🏽 שלום e\u0301") == "café 👍🏽 שלום e\u0301"
    assert shorten("abc", 3) == "abc"
