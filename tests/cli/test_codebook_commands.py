"""`goldloop codebook ...` as a caller sees it."""

import json
import re
from pathlib import Path

import pytest

from builders import ROOT
from cli.terminal import Ended, Goldloop
from goldloop.cli import output
from goldloop.codebook.check import RULES, check
from goldloop.codebook.json_schema import EDITOR_LINE, FILE, as_text
from goldloop.codebook.load import load
from goldloop.codebook.render import render

QUALITY = Path("label_configs/answer-quality.yaml")
NAMES = sorted(path.stem for path in (ROOT / "label_configs").glob("*.yaml"))


def edit(old: str, new: str, path: Path = QUALITY) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def fits(text: str) -> bool:
    return all(len(line) <= 80 for line in text.splitlines())


# -- new --------------------------------------------------------------------------------------------------------------


def test_a_new_codebook_loads_and_says_what_to_fill_in(goldloop: Goldloop) -> None:
    ended = goldloop("codebook", "new", "refund-answers")
    path = Path("label_configs/refund-answers.yaml")
    assert ended.code == 0
    assert "Next: replace each TODO in it, then goldloop codebook check label_configs/refund-answers.yaml" in ended.out
    made = load(path)
    assert (made.ref, made.title) == ("refund-answers@1.0.0", "Refund answers")
    assert path.read_text(encoding="utf-8").startswith(EDITOR_LINE)
    assert {finding.rule for finding in check(made)} == {"todo"}
    listed = goldloop("codebook", "check", str(path))
    assert listed.code == 1
    assert re.search(
        r"^label_configs/refund-answers\.yaml:\d+: `owner` is still a TODO: write it \[todo\]$",
        listed.out,
        re.MULTILINE,
    )


def test_a_new_codebook_overwrites_nothing(goldloop: Goldloop) -> None:
    before = QUALITY.read_text(encoding="utf-8")
    ended = goldloop("codebook", "new", "answer-quality")
    assert ended.code == 2
    assert "answer-quality.yaml is there already" in ended.sentence
    assert QUALITY.read_text(encoding="utf-8") == before


@pytest.mark.parametrize("name", ["Refunds", "a b", "../x", "", "x" * 61, "ä"])
def test_a_name_that_no_queue_can_have_is_refused(goldloop: Goldloop, name: str) -> None:
    before = sorted(Path().rglob("*.yaml"))
    ended = goldloop("codebook", "new", name)
    assert ended.code == 2
    assert "cannot be a codebook's name" in ended.sentence
    assert sorted(Path().rglob("*.yaml")) == before


def test_a_new_folder_gets_the_schema_for_editors_too(goldloop: Goldloop) -> None:
    ended = goldloop("codebook", "new", "first", "--folder", "books/new", "--owner", 'Ann "A." Lee: head', "--json")
    assert json.loads(ended.out) == {"written": "books/new/first.yaml", "schema": f"books/new/{FILE}"}
    assert Path("books/new", FILE).read_text(encoding="utf-8") == as_text()
    assert load(Path("books/new/first.yaml")).owner == 'Ann "A." Lee: head'


@pytest.mark.parametrize("name", NAMES)
def test_a_codebook_like_another_keeps_all_but_its_name(goldloop: Goldloop, name: str) -> None:
    like = Path(f"label_configs/{name}.yaml")
    assert goldloop("codebook", "new", "my-own", "--like", str(like)).code == 0
    made, shipped = load(Path("label_configs/my-own.yaml")), load(like)
    assert made == shipped.model_copy(update={"name": "my-own", "version": "1.0.0", "title": "My own"})
    comments = [line for line in like.read_text(encoding="utf-8").splitlines() if line.lstrip().startswith("#")]
    text = Path("label_configs/my-own.yaml").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.lstrip().startswith("#")] == comments


def test_a_longer_text_can_give_way_to_a_name(goldloop: Goldloop) -> None:
    edit("owner: Head of support", "owner: >-\n  Head of\n  support")
    assert goldloop("codebook", "new", "my-own", "--like", str(QUALITY), "--owner", "Ann").code == 0
    made = load(Path("label_configs/my-own.yaml"))
    assert (made.owner, made.purpose) == ("Ann", load(QUALITY).purpose)


# -- check ------------------------------------------------------------------------------------------------------------


def test_the_shipped_codebooks_pass(goldloop: Goldloop) -> None:
    for arguments in ((), ("label_configs",)):
        ended = goldloop("codebook", "check", *arguments)
        assert ended.code == 0
        assert ended.out == f"{len(NAMES)} codebooks checked, nothing found.\nNext: goldloop codebook render\n"


def test_findings_are_told_with_file_and_line(goldloop: Goldloop) -> None:
    edit("owner: Head of support", "owner: Support team")
    line = QUALITY.read_text(encoding="utf-8").splitlines().index("owner: Support team") + 1
    ended = goldloop("codebook", "check")
    assert ended.code == 1
    assert ended.out == (
        f'{QUALITY}:{line}: "Support team" is more than one person: name the one who decides, by name or by role '
        f"[owner]\n\n[owner] {RULES['owner']}\n\n1 finding in 1 codebook, {len(NAMES) - 1} codebooks sound\n"
        "Next: mend each line, then goldloop codebook check\n"
    )
    assert ended.err == ""
    told = json.loads(goldloop("codebook", "check", str(QUALITY), "--json").out)
    assert told["codebooks"] == 1
    assert [(one["file"], one["line"], one["rule"]) for one in told["findings"]] == [(str(QUALITY), line, "owner")]
    assert told["unreadable"] == []
    assert told["reasons"] == {"owner": RULES["owner"]}


def test_each_broken_rule_is_explained_once(goldloop: Goldloop) -> None:
    goldloop("codebook", "new", "one")
    goldloop("codebook", "new", "two")
    edit("owner: Head of support", "owner: Support team")
    told = goldloop("codebook", "check").out
    assert told.count("[todo]\n") > 2  # each of them in two files
    assert [line for line in told.splitlines() if line.startswith("[")] == [
        f"[todo] {RULES['todo']}",
        f"[owner] {RULES['owner']}",
    ]


def test_all_complaints_of_all_files_are_told(goldloop: Goldloop) -> None:
    edit("owner: Head of support", "owner: Support team")
    Path("one.yaml").write_text("name: x\nversion: 1.0\n", encoding="utf-8")
    Path("two.yaml").write_text("name x\nversion: 1.0\n", encoding="utf-8")
    ended = goldloop("codebook", "check", "one.yaml", "two.yaml", "three.yaml", str(QUALITY))
    assert ended.code == 2
    for line in (
        "one.yaml:2: version: is three numbers",
        "one.yaml:1: questions: is missing",
        "two.yaml:2: this is not YAML",
        "three.yaml:1: there is no such file",
    ):
        assert line in ended.err
    assert "[owner]" in ended.out
    assert "1 finding in 1 codebook, 3 files unreadable" in ended.out
    told = json.loads(goldloop("codebook", "check", "one.yaml", "two.yaml", "--json").out)
    assert {one["file"] for one in told["unreadable"]} == {"one.yaml", "two.yaml"}


def test_nothing_to_check_is_an_error(goldloop: Goldloop) -> None:
    Path("empty").mkdir()
    ended = goldloop("codebook", "check", "empty")
    assert ended.code == 2
    assert "empty: there is no codebook" in ended.sentence


def test_findings_are_wrapped_for_a_person(goldloop: Goldloop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output.out, "_force_terminal", True)
    monkeypatch.setattr(output.out, "_color_system", None)
    edit("owner: Head of support", "owner: Support team")
    told = goldloop("codebook", "check").out
    assert fits(told)
    assert re.search(r"^    \S", told, re.MULTILINE)


# -- diff -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def before(goldloop: Goldloop) -> str:
    """A copy of a codebook as it was."""
    Path("before.yaml").write_text(QUALITY.read_text(encoding="utf-8"), encoding="utf-8")
    return "before.yaml"


def without_last_label(path: Path) -> str:
    """Take the last label of `error_type` out of a file; its name."""
    book = load(path)
    asked = book.question("error_type")
    assert asked is not None
    name = asked.labels[-1].name
    lines = path.read_text(encoding="utf-8").splitlines()
    start = lines.index(f"      - name: {name}")
    end = next(number for number in range(start + 1, len(lines)) if lines[number][:8].strip())
    path.write_text("\n".join(lines[:start] + lines[end:]) + "\n", encoding="utf-8")
    return name


def diffed(goldloop: Goldloop, before: str) -> tuple[Ended, dict[str, object]]:
    ended = goldloop("codebook", "diff", before, str(QUALITY), "--json")
    (line,) = ended.out.splitlines()
    return ended, json.loads(line)


def test_a_choice_less_is_breaking_for_that_question_alone(goldloop: Goldloop, before: str) -> None:
    name = without_last_label(QUALITY)
    ended, told = diffed(goldloop, before)
    assert ended.code == 2
    assert "set `version: 2.0.0`" in ended.sentence
    assert told["questions"] == {
        "error_type": {"level": "breaking", "changes": [{"level": "breaking", "what": f"label {name} removed"}]}
    }
    edit("version: 1.0.0", "version: 2.0.0")
    ended, told = diffed(goldloop, before)
    assert (ended.code, ended.err, told["level"], told["understated"]) == (0, "", "breaking", False)


def test_an_example_reworded_is_editorial(goldloop: Goldloop, before: str) -> None:
    text = QUALITY.read_text(encoding="utf-8")
    QUALITY.write_text(re.sub(r"edge: >-\n +\S+", "edge: >-\n          Otherwise", text, count=1), encoding="utf-8")
    edit("version: 1.0.0", "version: 1.0.1")
    ended, told = diffed(goldloop, before)
    assert (ended.code, told["level"]) == (0, "editorial")


def test_a_difference_is_shown_as_a_table(goldloop: Goldloop, before: str) -> None:
    name = without_last_label(QUALITY)
    edit("title: Answer quality", 'title: "[red]Quality[/red]"')
    edit("budget: 80", "budget: 81")
    ended = goldloop("codebook", "diff", before, str(QUALITY))
    assert ended.code == 2
    told = " ".join(ended.out.split())
    assert f"error_type breaking label {name} removed (codebook) editorial title changed" in told
    assert "budget: 81, before 80" in told
    assert "Labels of error_type can't be mixed with new ones." in told
    assert fits(ended.out)


def test_nothing_changed(goldloop: Goldloop, before: str) -> None:
    ended = goldloop("codebook", "diff", before, str(QUALITY))
    assert (ended.code, ended.err) == (0, "")
    assert "Nothing that is asked has changed." in ended.out


def test_what_cannot_be_compared_is_one_sentence(goldloop: Goldloop, before: str) -> None:
    other = next(name for name in NAMES if name != "answer-quality")
    ended = goldloop("codebook", "diff", before, f"label_configs/{other}.yaml", "--json")
    assert (ended.code, ended.out) == (2, "")
    assert "are two codebooks" in ended.sentence


# -- render and guide -------------------------------------------------------------------------------------------------


def test_what_is_generated_is_written_and_then_clean(goldloop: Goldloop) -> None:
    goldloop("codebook", "render")
    clean = goldloop("codebook", "render", "--check")
    assert clean.out == f"{len(NAMES)} label configs and the JSON schema, 0 stale\n"
    for config in (Path("label_configs/answer-quality.xml"), Path("label_configs") / FILE):
        before = config.read_text(encoding="utf-8")
        config.unlink()
        stale = goldloop("codebook", "render", "--check")
        assert (stale.code, stale.out) == (1, "")
        assert f"{config.name}; run `goldloop codebook render label_configs`" in stale.err
        assert not config.exists()
        assert f"Written: {config}" in goldloop("codebook", "render").out
        assert config.read_text(encoding="utf-8") == before
    assert goldloop("codebook", "render", "label_configs", "--check").code == 0


def test_what_a_gone_codebook_left_behind_is_told_and_stays(goldloop: Goldloop) -> None:
    goldloop("codebook", "render")
    QUALITY.unlink()
    Path("label_configs/mine.xml").write_text("<View/>\n", encoding="utf-8")
    left = Path("label_configs/answer-quality.xml")
    said = f"left behind by a codebook that is gone or renamed: {left}; delete what is not needed"
    checked = goldloop("codebook", "render", "--check")
    assert (checked.code, checked.out, checked.err) == (1, "", f"{said}\n")
    made = goldloop("codebook", "render")
    assert (made.code, made.err) == (0, f"{said}\n")
    assert json.loads(goldloop("codebook", "render", "--json").out)["left_behind"] == [str(left)]
    assert left.exists()
    # Of one file that is rendered alone, nobody knows which others there are.
    assert goldloop("codebook", "render", "label_configs/support-tone.yaml", "--check").code == 0
    left.unlink()
    assert goldloop("codebook", "render", "--check").code == 0


def test_a_blind_label_config_kept_beside_its_codebook_is_not_left_behind(goldloop: Goldloop) -> None:
    goldloop("codebook", "render")
    blind = goldloop("codebook", "render", str(QUALITY), "--as", "blind-label-config").out
    Path("label_configs/blind.xml").write_text(blind, encoding="utf-8")
    assert goldloop("codebook", "render", "--check").code == 0


def test_one_file_is_rendered_alone(goldloop: Goldloop) -> None:
    for config in Path("label_configs").glob("*.xml"):
        config.unlink()
    told = json.loads(goldloop("codebook", "render", str(QUALITY), "--json").out)
    assert told["label_configs"] == 1
    assert [path.name for path in Path("label_configs").glob("*.xml")] == ["answer-quality.xml"]


def test_codebooks_are_where_the_setting_says(goldloop: Goldloop, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("label_configs").rename("books")
    assert goldloop("codebook", "render").code == 2
    assert goldloop("codebook", "check").code == 2
    monkeypatch.setenv("GOLDLOOP_CODEBOOKS", "books")
    assert goldloop("codebook", "render").code == 0
    assert goldloop("codebook", "check").code == 0


@pytest.mark.parametrize("kind", ["label-config", "blind-label-config", "score-configs", "prompt", "answer-schema"])
@pytest.mark.parametrize("name", NAMES)
def test_each_thing_that_is_made_of_a_codebook_can_be_printed(goldloop: Goldloop, name: str, kind: str) -> None:
    path = f"label_configs/{name}.yaml"
    ended = goldloop("codebook", "render", path, "--as", kind)
    assert (ended.code, ended.err) == (0, "")
    told = json.loads(goldloop("codebook", "render", path, "--as", kind, "--json").out)
    assert (told["codebook"], told["as"]) == (load(Path(path)).ref, kind)
    assert (ended.out if isinstance(told["content"], str) else json.loads(ended.out)) == told["content"]
    if kind.endswith("label-config"):
        assert ended.out == render(load(Path(path)), blind=kind.startswith("blind"))


def test_one_thing_is_made_of_one_codebook(goldloop: Goldloop) -> None:
    ended = goldloop("codebook", "render", "label_configs", "--as", "prompt")
    assert ended.code == 2
    assert "holds more than one codebook: name one of" in ended.sentence
    ended = goldloop("codebook", "render", str(QUALITY), "--as", "prompt", "--check")
    assert ended.code == 2


@pytest.mark.parametrize("name", NAMES)
def test_a_guide_is_printed_or_written_as_a_page(goldloop: Goldloop, name: str) -> None:
    path = f"label_configs/{name}.yaml"
    printed = goldloop("codebook", "guide", path)
    assert printed.out.startswith("# ")
    assert json.loads(goldloop("codebook", "guide", path, "--json").out)["text"] == printed.out
    written = goldloop("codebook", "guide", path, "--html", "guide.html")
    assert "Written: guide.html" in written.out
    assert "<html" in Path("guide.html").read_text(encoding="utf-8")


def test_a_page_that_cannot_be_written(goldloop: Goldloop) -> None:
    ended = goldloop("codebook", "guide", str(QUALITY), "--html", "none/guide.html")
    assert ended.code == 2
    assert "none/guide.html cannot be written" in ended.sentence
