"""What apps log as input and output, turned into what a person reads. Pure, total: every JSON value has a reading.

Langfuse keeps input and output as strings, most of them JSON. The shapes known here are those of the chat APIs, of
Langfuse's own `@observe` decorator, and of retrievers; any other value is shown as indented JSON.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from goldloop.codebook.text import clean
from goldloop.records import Document, Message

_ASKED: Final = ("input", "question", "query", "prompt")
_ANSWERED: Final = ("content", "output", "answer", "text")
_PASSAGE: Final = ("text", "content", "page_content")
_RANKED: Final = ("score", "relevance_score", "similarity")
_ROLE_OF_TYPE: Final = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool"}
_DEPTH: Final = 8
"""How many wrappings are opened: more is no message but nonsense, and must not exhaust the stack."""


def _no_constant(name: str) -> Any:
    raise ValueError(name)


_JSON: Final = json.JSONDecoder(parse_constant=_no_constant)
"""Made once: `json.loads` would make one for each of the many short texts."""


class Output(NamedTuple):
    """An answer's text, and whether it had no known shape and is shown as JSON."""

    text: str
    is_json: bool


def decode(raw: Any) -> Any:
    """The JSON value behind a raw string, or the string itself; a JSON text in a JSON text is opened too."""
    value = raw
    for _ in range(2):
        if not isinstance(value, str):
            return value
        stripped = value.strip()
        if not stripped.startswith(("{", "[", '"')) and stripped != "null":
            return value
        try:
            value = _JSON.decode(stripped)
        except (ValueError, RecursionError):
            return value
    return value


def as_text(raw: Any) -> str:
    """A text as it is, nothing as "", anything else as indented JSON."""
    value = decode(raw)
    if value is None:
        return ""
    return clean(value) if isinstance(value, str) else _indented(value)


def read_input(raw: Any) -> tuple[Message, ...]:
    """The conversation that led to the answer; empty where nothing was logged."""
    return tuple(_messages(decode(raw), _DEPTH))


def read_output(raw: Any) -> Output:
    """The answer; the text is "" where nothing was logged."""
    value = decode(raw)
    known = _answer(value, _DEPTH)
    if known is not None:
        return Output(known, is_json=False)
    text = as_text(value)
    return Output(text, is_json=bool(text) and not isinstance(value, str))


def read_documents(raw: Any, *, texts: bool = False) -> tuple[Document, ...]:
    """The passages of a list, or of `{"documents": [...]}`; empty where the value is no such list.

    Args:
        raw: what was logged.
        texts: take a list of plain strings, and a plain string, for passages as well.
    """
    value = decode(raw)
    if isinstance(value, dict):
        value = decode(value.get("documents"))
    if texts and isinstance(value, str) and value.strip():
        value = [value]
    if not isinstance(value, list):
        return ()
    found = [_document(each, number, texts=texts) for number, each in enumerate(value, start=1)]
    return tuple(document for document in found if document is not None)


def _messages(value: Any, depth: int) -> list[Message]:
    known = _known_messages(value, depth) if depth else None
    if known is not None:
        return known
    text = as_text(value)
    return [Message(role="user", content=text)] if text else []


def _known_messages(value: Any, depth: int) -> list[Message] | None:
    """None where the shape is unknown."""
    match value:
        case [_, *_] if all(_is_message(each) for each in value):
            return [_message(each) for each in value]
        case {"messages": [_, *_] as messages} if all(_is_message(each) for each in messages):
            system = value.get("system")
            first = [Message(role="system", content=_content(system))] if system else []
            return first + [_message(each) for each in messages]
        case {"args": list() as args, "kwargs": dict() as kwargs} if len(value) == 2:  # noqa: PLR2004 - these two
            return _called(args, kwargs, depth)
        case dict() if _is_message(value):
            return [_message(value)]
        case dict():
            return _asked(value, depth)
        case _:
            return None


def _called(args: list[Any], kwargs: dict[str, Any], depth: int) -> list[Message] | None:
    """What a decorated function was called with."""
    if not args:
        return _messages(kwargs, depth - 1) if kwargs else []
    return _messages(decode(args[0]), depth - 1) if len(args) == 1 and not kwargs else None


def _asked(value: Mapping[str, Any], depth: int) -> list[Message] | None:
    """A question under a known name; what stands beside it goes before it, since it was there when it was asked."""
    for name in _ASKED:
        asked = value.get(name)
        if (isinstance(asked, str) and asked) or (isinstance(asked, list | dict) and asked):
            beside = {key: each for key, each in value.items() if key != name and each not in (None, "", [], {})}
            before = [Message(role="context", content=_indented(beside))] if beside else []
            question = _messages(decode(asked) if not isinstance(asked, str) else asked, depth - 1)
            return before + question
    return None


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and bool(_role(value)) and ("content" in value or "tool_calls" in value)


def _role(value: Mapping[str, Any]) -> str:
    role = value.get("role")
    if isinstance(role, str) and role:
        return clean(role)
    kind = value.get("type")
    return _ROLE_OF_TYPE.get(kind, "") if isinstance(kind, str) else ""


def _message(value: Mapping[str, Any]) -> Message:
    calls = value.get("tool_calls")
    parts = [_content(value.get("content")), *(_call(each) for each in (calls if isinstance(calls, list) else []))]
    return Message(role=_role(value), content="\n".join(part for part in parts if part))


def _content(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(text for text in (_part(each) for each in content) if text)
    return "" if content is None else clean(content) if isinstance(content, str) else _indented(content)


def _part(part: Any) -> str:
    """One part of a message's content, as the chat APIs have them."""
    if not isinstance(part, dict):
        return _content(part) if not isinstance(part, list) else _indented(part)
    kind, text = str(part.get("type", "")), part.get("text")
    if isinstance(text, str):
        return clean(text)
    if kind == "tool_use":
        return _call(part)
    if kind == "tool_result":
        return as_text(part.get("content"))
    return next((f"[{medium}]" for medium in ("image", "audio", "video", "file") if medium in kind), _indented(part))


def _call(call: Any) -> str:
    """A tool call in words, from OpenAI's, LangChain's or Anthropic's form."""
    if not isinstance(call, dict):
        return f"[tool call] {as_text(call)}"
    inner = call.get("function")
    function = inner if isinstance(inner, dict) else call
    arguments = next((function[key] for key in ("arguments", "args", "input") if key in function), "")
    shown = clean(arguments) if isinstance(arguments, str) else _compact(arguments)
    return f"[tool call] {clean(str(function.get('name', '')))}({shown})"


def _answer(value: Any, depth: int) -> str | None:
    """None where the shape is unknown."""
    match value:
        case [_, *_] if all(_is_message(each) for each in value):
            return _message(value[-1]).content
        case dict() if _is_message(value):
            return _message(value).content
        case {"messages": [_, *_] as messages} if all(_is_message(each) for each in messages):
            return _message(messages[-1]).content
        case {"choices": [{"message": message}, *_]} if depth:
            return _answer(message, depth - 1)
        case dict():
            return next((clean(value[name]) for name in _ANSWERED if isinstance(value.get(name), str)), None)
        case _:
            return None


def _document(value: Any, number: int, *, texts: bool) -> Document | None:
    title = f"Document {number}"
    if isinstance(value, str):
        return Document(title=title, text=clean(value)) if texts and value.strip() else None
    if not isinstance(value, dict) or "role" in value:
        return None
    text = next((value[name] for name in _PASSAGE if isinstance(value.get(name), str)), None)
    if text is None:
        return None
    inner = value.get("metadata")
    metadata = inner if isinstance(inner, dict) else {}
    names = (value.get("title"), metadata.get("title"), metadata.get("source"), value.get("name"), value.get("id"))
    named = next((clean(str(name)) for name in names if isinstance(name, str | int) and str(name).strip()), title)
    score = next((each for each in (_number(value.get(name)) for name in _RANKED) if each is not None), None)
    return Document(title=named, text=clean(text), score=score)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _indented(value: Any) -> str:
    return _dumped(value, indent=2)


def _compact(value: Any) -> str:
    return _dumped(value, indent=None)


def _dumped(value: Any, indent: int | None) -> str:
    try:
        return clean(json.dumps(value, ensure_ascii=False, indent=indent))
    except RecursionError:
        return "(JSON nested too deeply to be shown)"
