import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from ml_backend.sent import NotTheProtocolError, read_notice, read_predict, read_setup

TOKEN = "a-token-that-nobody-may-keep"
HEAD = {"format": "f/1", "codebook": "c@1", "queue": "c", "trace_id": "t1", "blind": False}


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def test_of_a_task_only_what_tells_which_it_is_is_read_and_the_rest_on_demand() -> None:
    tasks: list[Any] = [{"id": 7, "data": HEAD | {"output": "long"}, "annotations": []}, None, 5, [], {"data": "x"}, {}]
    read, project, xml = read_predict(body(tasks=tasks, project="2.1", label_config="<View/>", params={"login": TOKEN}))
    assert [*read] == [{"data": HEAD}, None, 5, [], {"data": "x"}, {}]
    assert (len(read), read[1:3], project, xml) == (6, [None, 5], "2.1", "<View/>")
    assert read.whole() == tasks


def test_half_of_a_surrogate_pair_is_read_all_the_same() -> None:
    tasks: list[Any] = [{"data": {"trace_id": "\ud800"}}]
    read, _, _ = read_predict(body(tasks=tasks))
    assert [*read] == read.whole() == tasks


def test_what_is_not_there_is_empty() -> None:
    assert read_predict(b'{"tasks": [], "project": null}')[1:] == ("", "")
    assert read_setup(b"{}") == ("", "", None)
    assert read_notice(b'{"annotation": {}}') == ("", None)


def test_the_access_token_is_not_even_read(caplog: pytest.LogCaptureFixture) -> None:
    fields = {"project": "2.1", "schema": "<View/>", "hostname": "h", "access_token": TOKEN, "extra_params": {"a": 1}}
    with caplog.at_level(logging.DEBUG):
        assert read_setup(body(**fields)) == ("2.1", "<View/>", {"a": 1})
        with pytest.raises(NotTheProtocolError) as refused:
            read_setup(body(**fields | {"project": 5}))
    assert str(refused.value) == "wrong: project"
    assert TOKEN not in repr(refused.value) + repr(refused.value.__context__) + repr(refused.value.__cause__)
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    ("read", "sent", "named"),
    [
        (read_predict, b"", "no JSON"),
        (read_predict, TOKEN.encode(), "no JSON"),
        (read_predict, b"\xff", "no JSON"),
        (read_predict, b"[]", "wrong: the body"),
        (read_predict, b"{}", "missing: tasks"),
        (read_predict, b'{"tasks": {}}', "wrong: tasks"),
        (read_predict, b'{"tasks": [], "label_config": 5, "project": 2}', "wrong: label_config, project"),
        (read_predict, b"[" * 200_000, "nested too deeply"),
        (read_notice, b'{"action": 5}', "wrong: action"),
    ],
)
def test_what_is_wrong_is_named_and_not_quoted(read: Callable[[bytes], object], sent: bytes, named: str) -> None:
    with pytest.raises(NotTheProtocolError) as refused:
        read(sent)
    assert str(refused.value) == named
    assert refused.value.__context__ is None
