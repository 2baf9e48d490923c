"""`--json`: one JSON object on stdout, and nothing else there."""

import json

import pytest
from pytest_httpserver import HTTPServer

from cli.labelled import label
from cli.terminal import Goldloop, commands
from goldloop.bootstrap import VERBS
from goldloop.devstack.sample import sample_path

_CODEBOOK = "label_configs/answer-quality.yaml"
_WITH_ARGUMENTS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("backtest",): ("--traces", str(sample_path()), "--policies", "random", "--reps", "2"),
    ("backup",): ("store.backup",),
    ("restore",): ("store.backup",),
    ("parked", "retry"): ("--all",),
    ("codebook", "new"): ("another",),
    ("codebook", "diff"): (_CODEBOOK, _CODEBOOK),
    ("codebook", "guide"): (_CODEBOOK,),
    ("codebook", "publish"): ("--dry-run",),
    ("slice", "add"): ("recent", "--tag", "beta"),
    ("slice", "remove"): ("recent",),
    ("judge", "example", "add"): ("t000",),
    ("judge", "example", "remove"): ("t000",),
}
_BEFORE: dict[tuple[str, ...], list[tuple[str, ...]]] = {
    ("backup",): [("status",)],
    ("restore",): [("status",), ("backup", "store.backup")],
    ("slice", "remove"): [("slice", "add", "recent", "--tag", "beta")],
    ("judge", "example", "remove"): [("judge", "example", "add", "t000")],
}


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_prints_one_object(
    goldloop: Goldloop, servers: HTTPServer, ml_backend: None, webhook: None, words: tuple[str, ...]
) -> None:
    if words[:2] == ("judge", "example"):
        label(1)
    for before in _BEFORE.get(words, ()):
        assert goldloop(*before).code == 0
    ended = goldloop(*words, *_WITH_ARGUMENTS.get(words, ()), "--json")
    assert ended.code == 0, ended.err
    (line,) = ended.out.splitlines()
    assert isinstance(json.loads(line), dict)
    assert ended.err == ""


def test_a_verb_gives_its_summary_and_run_one_for_each_verb(goldloop: Goldloop, servers: HTTPServer) -> None:
    assert json.loads(goldloop("draw", "--json").out)["drawn"] == 0
    assert tuple(json.loads(goldloop("run", "--json").out)) == VERBS


def test_after_an_error_stdout_is_empty(goldloop: Goldloop) -> None:
    ended = goldloop("run", "--json")
    assert (ended.code, ended.out) == (2, "")
    assert "LANGFUSE_HOST" in ended.sentence
