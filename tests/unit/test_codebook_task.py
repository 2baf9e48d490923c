import json
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW, ROOT, codebook, draw, trace
from goldloop.codebook.controls import swapped
from goldloop.codebook.link import link_to
from goldloop.codebook.load import load
from goldloop.codebook.task import TEXT_LIMIT, TaskData, show_output, suggestion, task_data
from goldloop.codebook.text import clean, is_fixed_width, shorten
from goldloop.records import Draw, Judgement, Signal, Trace

URL = "http://127.0.0.1/project/p/traces/t1"
strange = st.text(st.characters(codec=None))


def made(of: Trace, judgement: Judgement | None = None, signals: tuple[Signal, ...] = ()) -> TaskData:
    return task_data(codebook(), of, draw(), signals, judgement, URL)


def compared(of: Trace, judgement: Judgement | None = None) -> TaskData:
    """The task of a trace in the queue that compares two answers."""
    asked = load(ROOT / "label_configs" / "pairwise-preference.yaml")
    drawn = draw(of.trace_id).model_copy(update={"queue": asked.name})
    liked = Signal(signal_id="s", trace_id=of.trace_id, name="user_rating", value=1.0, at=NOW)
    return task_data(asked, of, drawn, [liked], judgement, URL)


def preferred(label: str) -> Judgement:
    return Judgement(
        judge="j", judge_version="1", answers={"preference": label}, probability=0.8, method="m", reason="The app's own"
    )


def test_the_data_of_a_plain_trace() -> None:
    document = {"title": "Returns policy", "text": "30 days.", "score": 0.876}
    step = {"kind": "tool", "name": "lookup", "input": '{"order": 1}', "output": "found"}
    data = made(trace(name="support-chat", model="m-1", documents=[document], steps=[step]))
    assert data.title == "returns · support-chat"
    assert [passage.text for passage in data.conversation] == ["How long can I return it?"]
    assert [passage.text for passage in data.system] == ["Be kind."]
    assert (data.documents[0].author, data.documents[0].text) == ("1. Returns policy (score 0.88)", "30 days.")
    assert (data.steps[0].author, data.steps[0].text) == ("1. tool lookup", '{"order": 1}\n→ found')
    assert data.about == {"model": "m-1", "time": "2026-03-02 12:00:00 UTC", "environment": "default"}
    assert data.trace == f'<a href="{URL}" target="_blank" rel="noopener noreferrer">Open in Langfuse</a>'
    assert (data.output, data.other, data.form) == ("Returns are accepted within 30 days.", "", "")
    assert (data.policy, data.pi, data.stratum, data.codebook) == ("random", 0.25, "returns", "answer-quality@1.0.0")
    assert data.prelabel == ""


def test_all_that_is_known_of_the_draw_can_be_read_from_the_data() -> None:
    drawn = draw("t1", pi=1 / 3).model_copy(
        update={
            "priority": 7,
            "certain": True,
            "capped": True,
            "blind": True,
            "blind_probability": 0.1,
            "double": True,
            "double_probability": 1 / 7,
            "annotators": 3,
            "kept": 2 / 3,
            "drawn_at": NOW,
        }
    )
    asked = codebook()
    since = {question.name: "0.9.0" for question in asked.questions}
    data = task_data(asked, trace(), drawn, (), None, URL, since).model_dump(mode="json")
    assert data["since"] == since
    names = {"run_id": "draw_run", "codebook_version": "codebook"}
    said = {name: data[names.get(name, name)] for name in Draw.model_fields}
    assert Draw.model_validate(said | {"codebook_version": data["codebook"].partition("@")[2]}) == drawn


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


@pytest.mark.parametrize(
    ("threshold", "state"),
    [
        (0.9, "confident, calibrated on human labels"),
        (0.95, "calibrated on human labels"),
        (None, "calibrated on human labels"),
    ],
)
def test_a_calibrated_suggestion_says_so_and_whether_it_is_confident(threshold: float | None, state: str) -> None:
    judgement = Judgement(
        judge="j",
        judge_version="1",
        answers={"verdict": "fail"},
        probability=0.92,
        method="learned",
        calibrated=True,
        threshold=threshold,
    )
    assert suggestion(codebook(), judgement) == f"Fail, 92% sure ({state})"


@pytest.mark.parametrize(
    ("cause", "shown"),
    [
        (
            "uncalibrated: 12 of 50 blind labels for fail, 61 of 50 for pass",
            "the judge has too few human labels to learn",
        ),
        ("there are no documents; uncalibrated: 0 of 50 blind labels for fail", "there are no documents"),
        ("uncalibrated: 0 of 50 labels; it refuses; it is long", "it refuses; it is long"),
    ],
)
def test_an_abstention_says_its_cause_and_not_what_people_mostly_say(cause: str, shown: str) -> None:
    abstention = Judgement(judge="j", judge_version="1", method="learned", abstained=cause)
    told = suggestion(codebook(), abstention)
    assert told.startswith(f"No suggestion: {shown}")
    assert "of 50" not in told


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


@pytest.mark.parametrize("trace_id", ["t1", "t2", "t3", "t4", "t5"])
def test_of_two_answers_the_trace_id_decides_which_stands_left(trace_id: str) -> None:
    data = compared(trace(trace_id, output="own", alternative="second"))
    swap = swapped("pairwise-preference", trace_id)
    assert (data.output, data.other) == (("second", "own") if swap else ("own", "second"))


def test_either_side_is_taken() -> None:
    assert {swapped("pairwise-preference", f"t{number}") for number in range(1, 6)} == {True, False}


@pytest.mark.parametrize("trace_id", ["t1", "t2", "t3", "t4", "t5"])
def test_nothing_tells_which_of_two_answers_is_the_apps_own(trace_id: str) -> None:
    steps = [
        {"kind": "tool", "name": "lookup", "input": "7", "output": "found"},
        {"kind": "chain", "name": "draft", "input": "7", "output": "a draft"},
        {"kind": "tool", "name": "send", "input": "to=x text=the app's own answer", "output": "sent"},
    ]
    about: dict[str, object] = {
        "model": "m-1",
        "release": "r",
        "latency_s": 9.0,
        "cost_usd": 0.1,
        "notes": ["output is JSON"],
    }
    one = compared(
        trace(trace_id, "the app's own answer", alternative="a second answer to it", steps=steps, **about),
        preferred("output"),
    )
    # The same screen but for the texts in their places, had the app given the other answer.
    other = compared(
        trace(trace_id, output="a second answer to it", alternative="the app's own answer", steps=steps[:1]),
        preferred("alternative"),
    )
    assert one.model_dump(exclude={"output", "other", "prelabel"}) == other.model_dump(
        exclude={"output", "other", "prelabel"}
    )
    assert [step.author for step in one.steps] == ["1. tool lookup"]
    assert one.about == {"time": "2026-03-02 12:00:00 UTC", "environment": "default"}
    assert (one.trace, one.feedback) == ("", {})
    assert {one.prelabel[:11], other.prelabel[:11]} == {"A is better", "B is better"}
    assert "own" not in one.prelabel


@pytest.mark.parametrize(
    ("output", "logged", "kept"),
    [
        ("Yes", "Yes, the customer is known", True),
        ("4", '{"count": 41}', True),
        ("Yes", "Yes\n", False),
        ("Yes", '"Yes"', False),
        ("x" * 19, f"to=a {'x' * 19}", True),
        ("x" * 20, f"to=a {'x' * 20}", False),
        ('He said "no",\nand left for Cologne.', json.dumps({"text": 'He said "no",\nand left for Cologne.'}), False),
        ("Grüße aus Köln, bis morgen!", json.dumps(["Grüße aus Köln, bis morgen!"]), False),
        ('Grüße aus "Köln", bis morgen!', json.dumps(['Grüße aus "Köln", bis morgen!'], ensure_ascii=False), False),
    ],
)
def test_a_tool_call_that_repeats_an_answer_is_left_out_and_no_other(output: str, logged: str, kept: bool) -> None:
    steps = [{"kind": "tool", "name": "send", "input": logged, "output": "ok"}]
    other = "something else altogether"
    for one, two in ((output, other), (other, output)):
        shown = compared(trace("t1", output=one, alternative=two, steps=steps)).steps
        assert ([step.author for step in shown] == ["1. tool send"]) is kept


def test_a_suggestion_names_the_side_that_stands_on_the_screen() -> None:
    for trace_id in ("t1", "t2", "t3", "t4", "t5"):
        data = compared(trace(trace_id, output="own", alternative="second"), preferred("output"))
        better = data.output if data.prelabel.startswith("A is better, 80% sure") else data.other
        assert better == "own"
        tie = compared(trace(trace_id, output="own", alternative="second"), preferred("tie"))
        assert tie.prelabel == "No difference, 80% sure (uncalibrated: do not lean on the number)"


class Anchors(HTMLParser):
    """What a browser makes of a text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


HOSTILE = (
    '"><script>alert(1)</script>',
    "' onmouseover='alert(1)",
    "&quot; onclick=&quot;alert(1)",
    "</a><img src=x onerror=alert(1)>",
    "\n\t\u2028javascript:alert(1)",
    "../../../secret?x=1#y",
    "\u202eabc e\u0301",
)


@given(strange | st.sampled_from(HOSTILE))
def test_a_link_is_one_anchor_whatever_is_in_the_address(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    made_of = link_to(f"https://langfuse.example/project/p/traces/{text}")
    if not made_of:
        return  # an address that nobody can read is no link
    read = Anchors(made_of)
    ((tag, attributes),) = read.tags
    assert (tag, read.words) == ("a", "Open in Langfuse")
    assert set(attributes) == {"href", "target", "rel"}
    assert (attributes["target"], attributes["rel"]) == ("_blank", "noopener noreferrer")
    address = str(attributes["href"])
    assert address.isascii()
    assert not set("\"'<>` \n\t") & set(address)
    assert urlsplit(address).netloc == "langfuse.example"
    assert unquote(address).startswith("https://langfuse.example/project/p/traces/")


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JavaScript://langfuse.example/%0aalert(1)",
        "data:text/html,<script>alert(1)</script>",
        "file:///etc/passwd",
        "//langfuse.example/traces/1",
        "http://",
        "http://[broken/traces/1",
        "",
    ],
)
def test_only_http_and_https_are_linked(url: str) -> None:
    assert link_to(url) == ""


@pytest.mark.parametrize(
    "text",
    [
        '{"state": "delivered", "lines": [1, 2]}',
        "```python\nfor x in y:\n    print(x)\n```",
        "| size | fits |\n|---|---|\n| M | 170 |",
        "<table>\n<tr><td>M</td></tr>\n</table>",
        "\tone\n\ttwo\nprose",
    ],
)
def test_code_tables_and_json_are_set_in_letters_of_one_width(text: str) -> None:
    assert is_fixed_width(text)
    assert made(trace(output=text)).form == "fixed"


@pytest.mark.parametrize(
    "text",
    [
        "Returns are accepted within 30 days.",
        "Do this:\n\n1. open it\n2. press *both* keys\n   - long\n   - short\n\n`x` is `y`",
        "Use a || b here.",
        "First this.\nThen that.\nThen run it:\n```\nmake\n```\nAnd look.\nAnd wait.",
        "[see the page](https://example.com)",
        "{not json}",
        "",
        "[" * 100_000,
    ],
)
def test_prose_is_not(text: str) -> None:
    assert not is_fixed_width(text)
