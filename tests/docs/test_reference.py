"""Whatever has a page of its own is in it, and nothing is in it that is not there."""

import re
import tomllib

import pytest
from pydantic import BaseModel

from cli.terminal import commands
from docs import settings_table
from docs.pages import first_column, text
from goldloop import errors
from goldloop.backtest.pairs import Pair
from goldloop.codebook.task import TaskData
from goldloop.devstack import tracefile
from goldloop.devstack.tracefile import FileTrace, Rating
from goldloop.records import State


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w.-]", named)[0] for named in requirements}


def _rows(section: str) -> list[list[str]]:
    told = text("docs/decisions/dependencies.md").partition(f"## {section}\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in told.splitlines() if line[:3] == "| `"]
    assert all(len(cell) > 1 for row in rows for cell in row), "a row without a reason"
    return rows


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads(text("pyproject.toml"))
    for section, requirements in [
        ("goldloop itself", project["project"]["dependencies"]),
        ("Development", project["dependency-groups"]["dev"]),
    ]:
        assert {row[0].strip("`") for row in _rows(section)} == _names(requirements)
    extras = project["project"]["optional-dependencies"]
    told = {(extra, row[1].strip("`")) for row in _rows("Extras") for extra in re.findall(r"`([\w-]+)`", row[0])}
    assert told == {(extra, name) for extra, requirements in extras.items() for name in _names(requirements)}


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_its_section_with_an_example(words: tuple[str, ...]) -> None:
    call = "goldloop " + " ".join(words)
    (section,) = re.findall(rf"^### `{call}`\n(.*?)(?=^##|\Z)", text("docs/cli.md"), re.MULTILINE | re.DOTALL)
    assert re.search(rf"^```bash\n{call}\b", section, re.MULTILINE)


def test_every_section_on_a_command_is_about_one_that_exists() -> None:
    told = re.findall(r"^### `goldloop (.*)`$", text("docs/cli.md"), re.MULTILINE)
    assert {tuple(call.split()) for call in told} == set(commands())


def test_every_exit_code_is_told() -> None:
    tree = [errors.GoldloopError]
    codes = {0}
    while tree:
        kind = tree.pop()
        codes.add(kind.exit_code)
        tree += kind.__subclasses__()
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", text("docs/cli.md"), re.MULTILINE)}
    assert told == codes | {130}


def test_the_table_of_settings_is_up_to_date() -> None:
    page = text("docs/settings.md")
    assert settings_table.renewed(page) == page, "run: .venv/bin/python tests/docs/settings_table.py"


def test_every_setting_says_what_it_means() -> None:
    assert [variable for variable, _, meaning in settings_table.rows() if not meaning] == []


@pytest.mark.parametrize(
    ("model", "page", "sections"),
    [
        (TaskData, "docs/task-data.md", ["What the screen shows", "What is for those who read exports"]),
        (FileTrace, "docs/trace-files.md", ["A trace"]),
        (Pair, "docs/judges.md", ["Pairs"]),
    ],
)
def test_every_field_is_told_in_its_order(model: type[BaseModel], page: str, sections: list[str]) -> None:
    told = [field for section in sections for field in first_column(page, section=section)]
    assert told == list(model.model_fields)


def test_every_field_of_a_rating_is_told() -> None:
    told = text("docs/trace-files.md").partition("## Ratings")[2]
    for field in set(Rating.model_fields) - {"criteria"}:
        assert f"`{field}`" in told or f"`{field}:" in told, field
    (criteria,) = (line for line in told.splitlines() if line.startswith("| criteria |"))
    assert set(re.findall(r"`(\w+)`", criteria)) - {"fail", "pass"} == set(tracefile._ERROR_OF)


def test_every_state_is_told() -> None:
    for state in State:
        assert f"`{state}`" in text("docs/glossary.md")
