"""What a reader would copy from the pages works."""

import json
import re
from pathlib import Path

import pytest
import typer.main
import yaml

from builders import ROOT
from docs.pages import Snippet, calls, snippets
from goldloop.cli.app import app
from goldloop.codebook.task import FORMAT, TaskData
from goldloop.devstack.tracefile import FileTrace, read
from goldloop.errors import InputError


@pytest.mark.parametrize("snippet", snippets("json", "jsonl"), ids=str)
def test_json_is_json(snippet: Snippet) -> None:
    assert isinstance(json.loads(snippet.body), dict)


@pytest.mark.parametrize("snippet", snippets("yaml"), ids=str)
def test_yaml_is_yaml(snippet: Snippet) -> None:
    assert isinstance(yaml.safe_load(snippet.body), dict)


def test_the_trace_is_one() -> None:
    (snippet,) = snippets("jsonl")
    trace = FileTrace.model_validate_json(snippet.body)
    assert trace.model_fields_set == set(FileTrace.model_fields)
    told, rated, skipped = trace.human.ratings
    assert (told.label, told.errors) == ("fail", ("ungrounded",))
    assert (rated.label, rated.errors) == ("fail", ("ungrounded",))
    assert skipped.skips


@pytest.mark.parametrize("field", FileTrace.model_fields)
def test_fields_of_a_trace_are_needed_where_the_page_says_so(field: str) -> None:
    needed = FileTrace.model_fields[field].is_required()
    assert needed == (field in {"id", "timestamp", "input", "output"})


def test_the_refusals_of_trace_files_are_told_as_they_are(tmp_path: Path) -> None:
    (line,) = (json.dumps(json.loads(snippet.body)) for snippet in snippets("jsonl"))
    (told,) = (snippet.body.splitlines() for snippet in snippets("text") if snippet.page.name == "trace-files.md")
    wrong = [
        line.replace('", "', '" "', 1),
        line.replace("09:15:00Z", "09:15:00"),
        f"{line}\n{line}",
        "",
    ]
    for bad, expected in zip(wrong, told, strict=True):
        path = tmp_path / "traces.jsonl"
        path.write_text(bad, encoding="utf-8")
        with pytest.raises(InputError) as refused:
            read(path)
        assert _without_places(str(refused.value).removeprefix(f"{tmp_path}/")) == _without_places(expected)


def _without_places(message: str) -> str:
    return re.sub(r"(:|line |column )\d+", r"\1N", message)


def test_the_task_is_one() -> None:
    (task,) = (json.loads(each.body) for each in snippets("json") if each.page.name == "task-data.md")
    assert list(task) == list(TaskData.model_fields)
    assert TaskData.model_validate(task, strict=True).format == FORMAT


@pytest.mark.parametrize(("snippet", "words"), calls("goldloop"), ids=str)
def test_commands_and_their_options_exist(snippet: Snippet, words: list[str]) -> None:
    command, said = typer.main.get_command(app), ["goldloop"]
    if words == ["--version"]:
        return
    while hasattr(command, "commands"):
        said.append(words[0])
        command, words = command.commands[words[0]], words[1:]
    command.make_context(" ".join(said), list(words))


def test_there_are_commands_in_the_pages() -> None:
    where = {snippet.page.name for snippet, _ in calls("goldloop")}
    assert {"README.md", "cli.md", "compose.md", "settings.md"} <= where


@pytest.mark.parametrize(("snippet", "words"), calls("make"), ids=str)
def test_make_targets_exist(snippet: Snippet, words: list[str]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {word for word in words if "=" not in word} <= targets
