"""The JSON schema takes what the loader takes, and refuses what is malformed."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from builders import ROOT, codebook
from builders_codebooks import codebooks
from goldloop.codebook.json_schema import EDITOR_LINE, FILE, as_text, codebook_schema
from goldloop.codebook.load import files, parse
from goldloop.codebook.starter import starter
from goldloop.errors import CodebookError

SHIPPED = files(ROOT / "label_configs")
SCHEMA = jsonschema.Draft202012Validator(codebook_schema())


def brief(value: Any) -> Any:
    """The same with its texts cut short: they are most of a codebook's length, and a loader's time goes by that."""
    if isinstance(value, dict):
        return {name: brief(part) for name, part in value.items()}
    return (
        [brief(part) for part in value] if isinstance(value, list) else value[:40] if isinstance(value, str) else value
    )


CONTENT: dict[str, Any] = brief(
    yaml.safe_load((ROOT / "label_configs" / "support-tone.yaml").read_text(encoding="utf-8"))
)


def loads(content: object) -> bool:
    try:
        parse(json.dumps(content), "c.yaml")  # JSON is YAML
    except CodebookError:
        return False
    return True


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(codebook_schema())
    assert json.loads(as_text()) == codebook_schema()


def test_the_shipped_schema_is_up_to_date() -> None:
    shipped = (ROOT / "label_configs" / FILE).read_text(encoding="utf-8")
    assert shipped == as_text(), "run: goldloop codebook render label_configs"


def test_editors_find_the_schema() -> None:
    for path in SHIPPED:
        assert path.read_text(encoding="utf-8").startswith(EDITOR_LINE), path.name
    assert starter().startswith(EDITOR_LINE)


@pytest.mark.simulation
def test_check_jsonschema_takes_the_shipped_codebooks_and_the_starter(tmp_path: Path) -> None:
    schema, begun, bad = tmp_path / FILE, tmp_path / "starter.yaml", tmp_path / "bad.yaml"
    schema.write_text(as_text(), encoding="utf-8")
    begun.write_text(starter(), encoding="utf-8")
    bad.write_text(starter().replace("kind: binary", "kind: binry"), encoding="utf-8")
    # One run for all: the tool takes a second to start.
    call = [sys.executable, "-m", "check_jsonschema", "--output-format", "json", "-v", "--schemafile", str(schema)]
    done = subprocess.run([*call, *map(str, [*SHIPPED, begun, bad])], capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)
    assert sorted(told["successes"]) == sorted(map(str, [*SHIPPED, begun]))
    assert {error["filename"] for error in told["errors"]} == {str(bad)}
    assert "binry" in done.stdout


def test_both_ways_to_write_a_condition_and_a_hotkey_are_taken() -> None:
    content = copy.deepcopy(CONTENT)
    asked = next(question for question in content["questions"] if "only_if" in question)
    (other,) = asked["only_if"]
    label = asked["only_if"][other]
    key = next(one for one in content["questions"][0]["labels"] if one["hotkey"].isdigit())
    for condition in (label, [label]):
        for hotkey in (key["hotkey"], int(key["hotkey"])):
            asked["only_if"], key["hotkey"] = {other: condition}, hotkey
            assert loads(content)
            assert SCHEMA.is_valid(content)


def test_a_codebook_with_every_default_written_out_is_valid() -> None:
    book = codebook()
    content = book.model_dump(mode="json", exclude_none=True)
    assert "random_floor" in content["queue"]
    assert SCHEMA.is_valid(content)
    assert parse(json.dumps(content), "c.yaml") == book


@given(codebooks())
def test_every_codebook_is_valid(book: Any) -> None:
    content = book.model_dump(mode="json", exclude_none=True, exclude_unset=True)
    assert SCHEMA.is_valid(content)
    assert parse(yaml.safe_dump(content, allow_unicode=True), "c.yaml") == book


# -- random damage ---------------------------------------------------------------------------------------------------


def places(value: Any, here: tuple[int | str, ...] = ()) -> list[tuple[int | str, ...]]:
    """Every place in the content, from the top."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(place for name, part in parts for place in places(part, (*here, name)))]


def put(content: Any, place: tuple[int | str, ...], value: Any) -> Any:
    made = copy.deepcopy(content)
    at = made
    for part in place[:-1]:
        at = at[part]
    at[place[-1]] = value
    return made


PLACES = [place for place in places(CONTENT) if place]
ANYTHING = st.sampled_from(
    [None, True, False, 0, 1, -1, 2.5, 10**6, "", "x", "1", "yes", "a b", [], ["x"], {}, {"x": "y"}]
)


@given(st.sampled_from(PLACES), ANYTHING)
def test_what_the_schema_refuses_does_not_load(place: tuple[int | str, ...], value: Any) -> None:
    damaged = put(CONTENT, place, value)
    if not SCHEMA.is_valid(damaged):
        assert not loads(damaged)


@given(st.sampled_from(PLACES))
def test_a_value_of_another_shape_passes_neither(place: tuple[int | str, ...]) -> None:
    damaged = put(CONTENT, place, [[["x"]]])
    assert not SCHEMA.is_valid(damaged)
    assert not loads(damaged)


@given(st.sampled_from([place for place in [(), *PLACES] if isinstance(place[-1] if place else 0, int) or not place]))
def test_an_unknown_field_passes_neither(place: tuple[int | str, ...]) -> None:
    at: Any = CONTENT
    for part in place:
        at = at[part]
    if isinstance(at, dict):
        damaged = put(CONTENT, (*place, "zebra"), "x")
        assert not SCHEMA.is_valid(damaged)
        assert not loads(damaged)


@pytest.mark.parametrize("field", ["name", "version", "title", "owner", "purpose", "questions", "queue"])
def test_a_missing_field_passes_neither(field: str) -> None:
    damaged = {name: value for name, value in CONTENT.items() if name != field}
    assert not SCHEMA.is_valid(damaged)
    assert not loads(damaged)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("version",), "1.0"),
        (("name",), "Not A Name"),
        (("questions", 0, "kind"), "yes-no"),
        (("questions", 0, "labels", 0, "hotkey"), "F1"),
        (("questions", 0, "labels", 0, "hotkey"), 10),
        (("questions", 0, "labels", 0, "severity"), "awful"),
        (("questions", 2, "only_if"), {}),
        (("questions", 2, "only_if"), {"Not a name": "x"}),
        (("queue", "budget"), "80"),
        (("queue", "budget"), 0),
        (("queue", "mix"), {"favourites": 1}),
    ],
)
def test_a_wrong_value_passes_neither(place: tuple[int | str, ...], value: Any) -> None:
    damaged = put(CONTENT, place, value)
    assert not SCHEMA.is_valid(damaged)
    assert not loads(damaged)
