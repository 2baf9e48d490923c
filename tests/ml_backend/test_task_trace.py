from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW, ROOT, codebook, draw, trace
from goldloop.codebook.controls import swapped
from goldloop.codebook.load import load
from goldloop.codebook.task import TEXT_LIMIT, TaskData, task_data
from goldloop.judge.lexical import LexicalJudge
from goldloop.records import Document, Message, Step, Trace
from ml_backend.task_trace import is_whole, read_task_data, trace_of

PAIRWISE = load(ROOT / "label_configs/pairwise-preference.yaml")
WHOLE = trace(
    name="chat",
    environment="production",
    documents=(Document(title="Returns", text="Within 30 days.", score=0.71), Document(title="", text="")),
    steps=(Step(kind="tool", name="look up order", input='{"id": 7}', output="shipped\n→ Berlin"),),
    model="small-1",
    release="r7",
    notes=("two roots", "no output logged"),
)


def shown(of: Trace) -> TaskData:
    return task_data(codebook(), of, draw(of.trace_id), [], None, "https://example.com/t1")


def test_what_a_judge_reads_comes_back() -> None:
    assert trace_of(shown(WHOLE)) == WHOLE


def test_nothing_comes_back_as_nothing() -> None:
    empty = Trace(trace_id="t1", timestamp=NOW)
    assert trace_of(shown(empty)) == empty


def compared(of: Trace) -> TaskData:
    """As a task shows it that puts two answers side by side, drawn for the queue of that codebook."""
    drawn = draw(of.trace_id).model_copy(update={"queue": PAIRWISE.name})
    return task_data(PAIRWISE, of, drawn, [], None, "https://example.com/t1")


# Of t1 the app's own answer stands on the left, of t3 on the right: their ids decide, and always alike.
@pytest.mark.parametrize(("trace_id", "swap"), [("t1", False), ("t3", True)])
@pytest.mark.parametrize(("ours", "theirs"), [("30 days.", "60 days."), ("", "60 days."), ("30 days.", ""), ("", "")])
def test_of_two_answers_each_comes_back_as_what_it_was(trace_id: str, ours: str, theirs: str, *, swap: bool) -> None:
    of = trace(trace_id, output=ours, alternative=theirs, environment="production")
    data = compared(of)
    assert swapped(PAIRWISE.name, trace_id) is swap
    assert (data.output == (theirs if swap else ours)) or not (ours and theirs)
    back = trace_of(data)
    assert (back.output, back.alternative) == (ours, theirs)


def test_one_answer_alone_has_no_other() -> None:
    assert trace_of(shown(WHOLE)).alternative is None


# Control characters and lone surrogates are shown as symbols; an arrow in a tool's input would end it early.
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="→"), max_size=60)
WORDS = st.lists(st.sampled_from(["Refunds", "take", "thirty", "days.", "free!", "12", "3.5", "\n"]), max_size=12)
SENTENCES = st.one_of(TEXTS, WORDS.map(" ".join))
TITLES = st.text(st.characters(categories=["L", "Nd", "Zs"]), max_size=20)
TRACES = st.builds(
    Trace,
    trace_id=st.just("t1"),
    timestamp=st.just(NOW),
    messages=st.lists(
        st.builds(Message, role=st.sampled_from(["system", "user", "assistant"]), content=SENTENCES), max_size=3
    ).map(tuple),
    output=SENTENCES,
    documents=st.lists(
        st.builds(Document, title=TITLES, text=SENTENCES, score=st.none() | st.floats(-1, 1)), max_size=3
    ).map(tuple),
    steps=st.lists(
        st.builds(Step, kind=st.just("tool"), name=TITLES, input=SENTENCES, output=SENTENCES), max_size=2
    ).map(tuple),
)


@given(TRACES)
def test_the_judge_says_of_a_task_what_it_says_of_the_trace(of: Trace) -> None:
    judge = LexicalJudge()
    assert judge.judge(codebook(), [trace_of(shown(of))]) == judge.judge(codebook(), [of])


@pytest.mark.parametrize(
    "changes",
    [
        {"output": "a" * (TEXT_LIMIT + 1)},
        {"messages": (Message(role="user", content="b" * (TEXT_LIMIT + 1)),)},
        {"documents": (Document(title="t", text="c" * (TEXT_LIMIT + 1)),)},
        {"steps": (Step(kind="tool", name="t", input="", output="d" * (TEXT_LIMIT + 1)),)},
    ],
)
def test_a_cut_text_is_known_as_such(changes: dict[str, Any]) -> None:
    assert is_whole(shown(WHOLE))
    assert not is_whole(shown(WHOLE.model_copy(update=changes)))


def test_a_time_that_cannot_be_read_is_an_error() -> None:
    data = shown(WHOLE)
    with pytest.raises(ValueError, match="yesterday"):
        trace_of(data.model_copy(update={"about": {"time": "yesterday"}}))


def test_a_task_of_goldloop_is_read() -> None:
    data = shown(WHOLE)
    assert read_task_data({"id": 1, "data": data.model_dump(mode="json")}) == data


OURS = shown(WHOLE).model_dump(mode="json")


@pytest.mark.parametrize(
    "task",
    [
        None,
        7,
        "task",
        [],
        {},
        {"data": None},
        {"data": {"text": "another project's"}},
        {"data": OURS | {"format": "goldloop.task/2"}},
        {"data": OURS | {"conversation": "a text"}},
        {"data": {key: value for key, value in OURS.items() if key != "trace_id"}},
    ],
)
def test_anything_else_is_not_ours(task: object) -> None:
    assert read_task_data(task) is None
