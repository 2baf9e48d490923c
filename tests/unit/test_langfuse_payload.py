import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldloop.adapters.langfuse.payload import as_text, read_documents, read_input, read_output
from goldloop.codebook.text import clean
from goldloop.records import Document

ANY_TEXT = st.text(st.characters(exclude_categories=[]))
KNOWN_NAMES = [
    "role",
    "type",
    "content",
    "messages",
    "input",
    "question",
    "args",
    "kwargs",
    "tool_calls",
    "text",
    "documents",
    "choices",
    "message",
    "function",
    "arguments",
    "metadata",
    "title",
    "score",
    "output",
]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(ANY_TEXT, inner, max_size=4)
        | st.fixed_dictionaries({}, optional=dict.fromkeys(KNOWN_NAMES, inner))
    ),
    max_leaves=12,
)
RAW = JSON_VALUES | JSON_VALUES.map(json.dumps) | ANY_TEXT


def pairs(raw: Any) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in read_input(raw)]


@given(RAW)
def test_every_value_has_a_reading_that_is_safe(raw: Any) -> None:
    messages, output = read_input(raw), read_output(raw)
    documents = (*read_documents(raw), *read_documents(raw, texts=True))
    texts = [
        *(text for message in messages for text in (message.role, message.content)),
        *(text for document in documents for text in (document.title, document.text)),
        output.text,
        as_text(raw),
    ]
    assert all(text == clean(text) for text in texts)
    assert all(text.encode() is not None for text in texts)
    assert all(message.role for message in messages)


@given(st.text(st.characters(codec="utf-8")))
def test_a_plain_text_is_one_user_message_and_an_answer_as_it_is(text: str) -> None:
    if text.strip().startswith(("{", "[", '"')) or text.strip() == "null":
        return
    assert pairs(text) == ([("user", clean(text))] if text else [])
    assert read_output(text) == (clean(text), False)


@given(
    st.text(st.characters(codec="utf-8")).filter(lambda text: text.strip()[:1] not in tuple('{["') and text != "null")
)
def test_a_text_that_was_encoded_as_json_is_decoded(text: str) -> None:
    assert read_output(json.dumps(text)) == (clean(text), False)


@given(ANY_TEXT)
def test_cleaning_is_done_once(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert len(once) <= len(text)


CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
READ = [("system", "Be brief."), ("user", "Hi")]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, []),
        ("", []),
        ("null", []),
        ('""', []),
        ("Hi", [("user", "Hi")]),
        ("42", [("user", "42")]),
        ('"Hi"', [("user", "Hi")]),
        (json.dumps(CHAT), READ),
        (CHAT, READ),
        (json.dumps(json.dumps(CHAT)), READ),
        ({"messages": CHAT, "model": "m"}, READ),
        ({"messages": CHAT[1:], "system": "Be brief."}, READ),
        (CHAT[1], [("user", "Hi")]),
        ({"question": "Hi"}, [("user", "Hi")]),
        ({"query": "Hi"}, [("user", "Hi")]),
        ({"prompt": '"quoted"'}, [("user", "quoted")]),
        ({"input": CHAT}, READ),
        ({"question": "Hi", "history": []}, [("user", "Hi")]),
        ({"question": "Hi", "lang": "en"}, [("context", '{\n  "lang": "en"\n}'), ("user", "Hi")]),
        ({"args": ["Hi"], "kwargs": {}}, [("user", "Hi")]),
        ({"args": [], "kwargs": {"question": "Hi"}}, [("user", "Hi")]),
        ({"args": [], "kwargs": {}}, []),
        ({"args": ["a", "b"], "kwargs": {}}, [("user", json.dumps({"args": ["a", "b"], "kwargs": {}}, indent=2))]),
        ([{"type": "human", "content": "Hi"}, {"type": "ai", "content": "Ho"}], [("user", "Hi"), ("assistant", "Ho")]),
        ([1, 2], [("user", "[\n  1,\n  2\n]")]),
        ({"k": "é"}, [("user", '{\n  "k": "é"\n}')]),
        ('{"broken": ', [("user", '{"broken": ')]),
        ('{"n": NaN}', [("user", '{"n": NaN}')]),
        ("a\x00b\r\nc\ud800", [("user", "a\u2400b\nc\ufffd")]),
    ],
)
def test_inputs(raw: Any, expected: list[tuple[str, str]]) -> None:
    assert pairs(raw) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([{"type": "text", "text": "a"}, {"type": "input_text", "text": "b"}], "a\nb"),
        ([{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "data:"}}], "look\n[image]"),
        ([{"type": "input_audio", "input_audio": {}}, "plain"], "[audio]\nplain"),
        ([{"type": "tool_use", "name": "find", "input": {"q": 1}}], '[tool call] find({"q": 1})'),
        ([{"type": "tool_result", "content": "found"}], "found"),
        ([{"type": "odd", "a": 1}], '{\n  "type": "odd",\n  "a": 1\n}'),
        ({"a": 1}, '{\n  "a": 1\n}'),
        (None, ""),
        (3, "3"),
    ],
)
def test_contents(content: Any, expected: str) -> None:
    assert pairs([{"role": "user", "content": content}]) == [("user", expected)]


def test_tool_calls_and_their_results_are_texts() -> None:
    call = {"id": "1", "function": {"name": "fee", "arguments": '{"plan": "a"}'}}
    chat = [
        {"role": "assistant", "content": None, "tool_calls": [call, {"name": "now", "args": {"tz": "UTC"}}]},
        {"role": "tool", "content": "3 euros"},
    ]
    assert pairs(chat) == [
        ("assistant", '[tool call] fee({"plan": "a"})\n[tool call] now({"tz": "UTC"})'),
        ("tool", "3 euros"),
    ]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, ("", False)),
        ("null", ("", False)),
        ("Hi", ("Hi", False)),
        ('"Hi"', ("Hi", False)),
        ({"role": "assistant", "content": "Hi"}, ("Hi", False)),
        ([{"role": "assistant", "content": "Hi"}], ("Hi", False)),
        ({"messages": CHAT}, ("Hi", False)),
        ({"choices": [{"message": {"role": "assistant", "content": "Hi"}}]}, ("Hi", False)),
        ({"content": "Hi"}, ("Hi", False)),
        ({"output": "Hi", "cost": 1}, ("Hi", False)),
        ('{"answer": "Hi"}', ("Hi", False)),
        ({"text": ""}, ("", False)),
        ({"answer": ["Hi"]}, ('{\n  "answer": [\n    "Hi"\n  ]\n}', True)),
        ("[1]", ("[\n  1\n]", True)),
        (7, ("7", True)),
    ],
)
def test_outputs(raw: Any, expected: tuple[str, bool]) -> None:
    assert read_output(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ([{"title": "A", "text": "a", "score": 0.5}], [Document(title="A", text="a", score=0.5)]),
        ([{"id": 7, "content": "a"}], [Document(title="7", text="a")]),
        (
            [{"page_content": "a", "metadata": {"source": "a.md"}, "score": True}],
            [Document(title="a.md", text="a")],
        ),
        ('{"documents": [{"text": "a"}, {"no": 1}, "s"]}', [Document(title="Document 1", text="a")]),
        ([{"text": "a", "score": 10**400}], [Document(title="Document 1", text="a")]),
        ('[{"text": "a", "score": 1e999, "similarity": 2}]', [Document(title="Document 1", text="a", score=2.0)]),
        (CHAT, []),
        ("plain", []),
        (None, []),
        (["a"], []),
    ],
)
def test_documents(raw: Any, expected: list[Document]) -> None:
    assert list(read_documents(raw)) == expected


def test_plain_texts_are_passages_where_they_are_known_to_be() -> None:
    assert [each.text for each in read_documents(["a", " "], texts=True)] == ["a"]
    assert [each.text for each in read_documents("a", texts=True)] == ["a"]


def test_what_is_nested_too_deeply_stays_shown() -> None:
    deep = "[" * 100_000
    assert read_output(deep) == (deep, False)
    nested: Any = "Hi"
    for _ in range(50):
        nested = {"input": nested}
    assert read_input(nested)[-1].role == "user"
    pile: Any = []
    for _ in range(100_000):
        pile = [pile]
    assert "too deeply" in read_output(pile).text
