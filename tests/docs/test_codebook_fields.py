"""What docs/codebooks.md tells of a codebook's fields, kinds, findings and changes is as it is."""

import re
from collections.abc import Callable
from typing import Any, get_args

import pytest
import yaml

from docs import codebook_table
from docs.pages import snippets, text
from goldloop.codebook.check import RULES, check
from goldloop.codebook.diff import diff
from goldloop.codebook.load import parse
from goldloop.codebook.schema import Codebook, Kind

PAGE = "docs/codebooks.md"
Content = dict[str, Any]


def column(section: str) -> list[str]:
    """The code words of the first column of the tables in a part of the page, of whatever level it is."""
    told = re.split(rf"^#+ {re.escape(section)}\n", text(PAGE), flags=re.MULTILINE)[1]
    return re.findall(r"^\| `([^`]+)` \|", re.split(r"^#", told, flags=re.MULTILINE)[0], re.MULTILINE)


def example() -> Content:
    """The worked example: what the page has the reader write, step by step, in one."""
    whole: Content = {}
    for snippet in snippets("yaml"):
        if snippet.page.name == "codebooks.md":
            part = yaml.safe_load(snippet.body)
            whole |= part | {"questions": whole.get("questions", []) + part.get("questions", [])}
    return whole


def built(content: Content) -> Codebook:
    return parse(yaml.safe_dump(content), "example.yaml")


def test_the_tables_of_fields_are_up_to_date() -> None:
    page = text(PAGE)
    assert codebook_table.renewed(page) == page, "run: .venv/bin/python tests/docs/codebook_table.py"


@pytest.mark.parametrize(("model", "place"), codebook_table.models().items(), ids=str)
def test_every_field_says_what_it_means(model: type, place: str) -> None:
    silent = [name for name, _, meaning in codebook_table.rows(model) if not meaning]
    assert silent == [], f"give {model.__name__} (`{place}`) a description of {', '.join(silent)} in the model"


def test_every_model_has_its_table() -> None:
    for model, place in codebook_table.models().items():
        assert column(f"Fields of `{place}`" if place else "Fields of a codebook") == list(model.model_fields)


def test_every_kind_of_question_is_told() -> None:
    assert column("Questions that you can ask") == list(get_args(Kind))


def test_every_rule_of_the_check_is_told() -> None:
    assert column("What the check finds") == list(RULES)


def test_the_worked_example_is_a_codebook_in_which_nothing_is_found() -> None:
    asked = built(example())
    assert check(asked) == []
    assert [question.name for question in asked.questions] == ["refund", "refund_error", "correction"]


def test_the_finding_on_the_page_is_what_the_check_says() -> None:
    content = example()
    content["questions"][0]["labels"][0]["definition"] = "It is a good answer to the customer."
    (found,) = check(built(content))
    (told,) = (snippet.body for snippet in snippets("text") if snippet.page.name == "codebooks.md")
    assert re.sub(r"^.*:\d+: ", "", told.strip()) == f"{found.sentence} [{found.rule}]"


def _first_label(content: Content) -> Content:
    label: Content = content["questions"][0]["labels"][0]
    return label


def _of_error(content: Content, **fields: object) -> None:
    content["questions"][1]["labels"][0].update(fields)


def _a_new_error(content: Content) -> None:
    labels = content["questions"][1]["labels"]
    labels.append(labels[0] | {"name": "wrong_form", "text": "Wrong form", "hotkey": "r"})


def _a_new_question(content: Content) -> None:
    content["questions"].append({"name": "note", "kind": "text", "text": "Note for the team"})


CHANGES: list[tuple[str, str | None, Callable[[Content], object]]] = [
    ("an example is replaced", "editorial", lambda book: _of_error(book, edge="Another case, and why not.")),
    ("a button reads otherwise", "editorial", lambda book: _of_error(book, text="Sum is wrong")),
    ("a question reads otherwise", "editorial", lambda book: book["questions"][0].update(text="May it go out?")),
    ("another key", "editorial", lambda book: _of_error(book, hotkey="z")),
    ("another order", "editorial", lambda book: book["questions"][1]["labels"].reverse()),
    (
        "a comma in a definition",
        "editorial",
        lambda book: _first_label(book).update(definition=_first_label(book)["definition"].replace(",", "")),
    ),
    ("a new question", "compatible", _a_new_question),
    ("a new error", "compatible", _a_new_error),
    ("another severity", "compatible", lambda book: _of_error(book, severity="minor")),
    ("must now be answered", "compatible", lambda book: book["questions"][1].update(required=True)),
    ("another score name", "compatible", lambda book: book["questions"][1].update(score="refund_errors")),
    ("other reasons to skip", "compatible", lambda book: book["skip_reasons"].pop()),
    ("a definition in other words", "breaking", lambda book: _of_error(book, definition="It names another sum.")),
    ("a label removed", "breaking", lambda book: book["questions"][1]["labels"].pop()),
    ("a label renamed", "breaking", lambda book: _of_error(book, name="sum_wrong")),
    ("another failure", "breaking", lambda book: book["questions"][0].update(failure=["pass"])),
    ("another condition", "breaking", lambda book: book["questions"][1].update(only_if={"refund": "pass"})),
    ("another kind", "breaking", lambda book: book["questions"][1].update(kind="choice")),
    ("the queue", None, lambda book: book["queue"].update(budget=50)),
]


@pytest.mark.parametrize(("what", "level", "change"), CHANGES, ids=[what for what, _, _ in CHANGES])
def test_changes_are_of_the_level_that_the_page_says(
    what: str, level: str | None, change: Callable[[Content], object]
) -> None:
    content = example()
    change(content)
    found = diff(built(example()), built(content))
    assert found.level == level, what
    raised = {"editorial": "1.0.1", "compatible": "1.1.0", "breaking": "2.0.0", None: "1.0.0"}[level]
    assert found.needed_version == raised
    assert level is None or re.search(rf"^\| \*\*{level}\*\*.*{re.escape(raised)} \|$", text(PAGE), re.MULTILINE)


def test_a_new_error_leaves_the_verdict_its_labels() -> None:
    content = example()
    _of_error(content, definition="It names a sum that the order tool did not return.")
    _a_new_error(content)
    assert diff(built(example()), built(content)).breaking == ("refund_error",)
