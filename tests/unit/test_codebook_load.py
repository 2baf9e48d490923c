from pathlib import Path

import pytest

from builders import ROOT, codebook
from goldloop.codebook.load import load, load_folder, parse, read, source
from goldloop.errors import CodebookError

SHIPPED = (ROOT / "label_configs" / "answer-quality.yaml").read_text(encoding="utf-8")


def complaints(text: str) -> list[str]:
    with pytest.raises(CodebookError) as caught:
        parse(text, "c.yaml")
    return str(caught.value).splitlines()


def test_the_shipped_codebook_loads() -> None:
    shipped = codebook()
    assert shipped.ref == "answer-quality@1.0.0"
    assert shipped.verdict.name == "verdict"
    assert shipped.verdict.failure == ("fail",)


def test_a_wrong_field_is_named_with_its_line() -> None:
    text = SHIPPED.replace("version: 1.0.0", "version: one")
    line = text.splitlines().index("version: one") + 1
    assert complaints(text) == [f"c.yaml:{line}: version: is three numbers with points between them, as in 1.0.0"]


def test_a_wrong_label_is_named_by_its_place() -> None:
    text = SHIPPED.replace('        hotkey: "1"\n', '        hotkey: "ctrl"\n')
    (complaint,) = complaints(text)
    line = text.splitlines().index('        hotkey: "ctrl"') + 1
    assert complaint.startswith(f"c.yaml:{line}: questions.1.labels.1.hotkey: ")


def test_an_unknown_field_is_an_error_and_not_ignored() -> None:
    (complaint,) = complaints(SHIPPED.replace("  budget: 80", "  budget: 80\n  buget: 3"))
    assert "queue.buget: there is no such field; did you mean `budget`?" in complaint


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("failure: [fail]", "failure: [bad]", "counts ['bad'] as failure, but has no such label"),
        ("failure: [fail]", "failure: []", "exactly one question has to say by `failure`"),
        (
            "only_if: { verdict: fail }",
            "only_if: { verdict: maybe }",
            "only if verdict is maybe, which no question before",
        ),
        ("hotkey: q", 'hotkey: "1"', "two labels have one hotkey"),
        (
            "mix: balanced",
            "mix: { random: 0.6, stratified: 0.5 }",
            "the shares of the mix sum to 1.1, and must sum to 1",
        ),
        ("kind: binary", "kind: text", "a text question takes no labels"),
    ],
)
def test_what_does_not_hold_together_is_said(old: str, new: str, said: str) -> None:
    assert any(said in complaint for complaint in complaints(SHIPPED.replace(old, new, 1)))


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words"])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    assert complaints(text) == ["c.yaml:1: a codebook is a mapping that starts with `name:`"]


def test_broken_yaml_is_named_with_its_line() -> None:
    assert complaints("name: a\nversion: [1\n") == [
        "c.yaml:2: this is not YAML: the bracket that opens here is never closed, or a comma is missing in it"
    ]
    assert complaints("name: a\nowner: \x00") == [
        "c.yaml:2: this is not YAML: it holds a character that cannot be seen; delete it"
    ]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CodebookError, match="there is no such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(CodebookError, match="there is no such file or folder; begin one by `goldloop codebook new`"):
        load_folder(tmp_path / "none")
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9")
    with pytest.raises(CodebookError, match="cannot be read as UTF-8"):
        load(tmp_path / "latin.yaml")


def test_a_folder_has_one_file_a_queue(tmp_path: Path) -> None:
    with pytest.raises(CodebookError, match="no codebook"):
        load_folder(tmp_path)
    (tmp_path / "a.yaml").write_text(SHIPPED, encoding="utf-8")
    assert list(load_folder(tmp_path)) == ["answer-quality"]
    (tmp_path / "b.yaml").write_text(SHIPPED, encoding="utf-8")
    with pytest.raises(CodebookError, match=r"b\.yaml:1: another file here is also named answer-quality"):
        load_folder(tmp_path)


def test_the_digest_follows_what_is_asked_and_not_how_much() -> None:
    assert codebook().digest() == codebook(budget=81).digest()
    assert codebook().digest() != parse(SHIPPED.replace("text: Pass", "text: Fine"), "c.yaml").digest()


# -- what people get wrong who do not write YAML every day ------------------------------------------------------------

SMALL = """\
name: small
version: 1.0.0
title: Small
owner: Ann
purpose: To try it.
questions:
  - name: verdict
    kind: binary
    text: Does it go out?
    required: true
    failure: [fail]
    labels:
      - name: pass
        text: Pass
        hotkey: 1
        definition: It could go out as it is.
      - name: fail
        text: Fail
        hotkey: 2
        definition: It could not.
  - name: note
    kind: text
    text: Why?
    only_if: { verdict: fail }
queue:
  budget: 5
  mix: { random: 1 }
"""


def changed(old: str, new: str) -> str:
    assert old in SMALL
    return SMALL.replace(old, new, 1)


def test_digits_need_no_quotes_as_hotkeys() -> None:
    book = parse(SMALL, "c.yaml")
    assert [label.hotkey for label in book.verdict.labels] == ["1", "2"]


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "y", "n"])
def test_words_that_older_yaml_took_for_truth_values_are_text(word: str) -> None:
    book = parse(changed("- name: pass", f"- name: {word}").replace("text: Pass", f"text: {word}"), "c.yaml")
    assert (book.verdict.labels[0].name, book.verdict.labels[0].text) == (word, word)
    if len(word) == 1:
        assert parse(changed("hotkey: 1", f"hotkey: {word}"), "c.yaml").verdict.labels[0].hotkey == word


@pytest.mark.parametrize("text", ["2026-01-31", "12:30", "08", "1_000", "0x1F", "1e5", "a: b"])
def test_what_looks_like_a_number_or_a_date_and_is_none_stays_as_written(text: str) -> None:
    written = f'"{text}"' if ": " in text else text
    assert parse(changed("title: Small", f"title: {written}"), "c.yaml").title == text


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("version: 1.0.0", "version: 1.0", 2, "version: is three numbers with points between them, as in 1.0.0"),
        ("version: 1.0.0", "version: 01.0.0", 2, "version: is three numbers with points between them, as in 1.0.0"),
        (
            "version: 1.0.0",
            "version: \u0661.\u0660.\u0660",
            2,
            "version: is three numbers with points between them, as in 1.0.0",
        ),
        ("title: Small", 'title: "a\\u0007"', 3, "the text holds a character that cannot be seen"),
        ("title: Small", 'title: "a\\uD800"', 3, "the text holds a character that cannot be seen"),
        ("title: Small", 'title: "a\\uFFFE"', 3, "the text holds a character that cannot be seen"),
        ("text: Pass", 'text: " "', 14, "text: is blank: write it, or remove the line"),
        ("definition: It could not.", 'definition: " "', 20, "definition: is blank: write it, or remove the line"),
        ("name: note", "name: verdict", 7, "verdict is the name of two questions"),
        ("name: note", "name: about", 21, "about can be no question's name"),
        (
            "    failure: [fail]\n",
            "",
            6,
            "exactly one question has to say by `failure` which answer is a failure, and none",
        ),
        (
            "queue:\n",
            "langfuse: { annotation_score: human_verdict }\nqueue:\n",
            7,
            "verdict would fill the Langfuse score human_verdict as well",
        ),
        ("required: true", f"score: human_{'x' * 29}", 7, "verdict has a Langfuse score of more than 35 characters"),
        ("version: 1.0.0", "version: 1", 2, "version: is three numbers with points between them, as in 1.0.0"),
        ("    kind: binary", "\tkind: binary", 8, "the line starts with a tab: indent with spaces"),
        ("    kind: binary", "  \tkind: binary", 8, "the line starts with a tab: indent with spaces"),
        ("title: Small", "title Small", 3, "this line has no colon after its field's name"),
        ("title: Small", "title:Small", 3, "this line has no colon after its field's name"),
        ("text: Pass", "text:Pass", 14, "this line has no colon after its field's name"),
        ("title: Small", "title: Small: and more", 3, "the text holds a colon: put the whole text into quotes"),
        (
            "- name: pass",
            "-name: pass",
            14,
            "has no colon after its field's name (`name: value`), or this one is indented",
        ),
        ("    kind: binary", "      kind: binary", 8, "or this one is indented too far"),
        ("    kind: binary", "   kind: binary", 8, "the line is not indented like its neighbours"),
        ("text: Why?", 'text: "Why?', 23, "the quotes that open here are never closed"),
        ("purpose: To try it.", "purpose: 'don't'", 5, "a text in quotes goes on after them"),
        ("title: Small", 'title: "a\\q"', 3, "a backslash means something in double quotes: use single quotes"),
        ("title: Small", "title: @all", 3, "a text that starts with a sign such as @ ` % has to stand in quotes"),
        ("title: Small", "title: *bold*", 3, "a text that starts with * has to stand in quotes"),
        ("title: Small", "title: !Small", 3, "YAML takes `!Small` for an instruction: put the text into quotes"),
        ("title: Small", "title: [Small", 3, "the bracket that opens here is never closed"),
        ("title: Small", "title: {Small}: more", 3, "the text holds a colon"),
        ("title: Small", "? [a]\n: b", 3, "this cannot be a field's name"),
        ("title: Small", "title: Small\ntitle: Big", 4, "`title` stands twice in this block, first in line 3"),
        ("text: Pass", "text: Pass\n        text: Ok", 15, "`text` stands twice in this block, first in line 14"),
        ("title: Small", "title: Small\n---\nname: b", 4, "a file holds one codebook"),
        ("title: Small", "title: &t\n  a: *t", 3, "this block holds itself"),
        ("title: Small", "title:", 3, "title: is empty: write it after the colon, or remove the line"),
        ("title: Small", "title: 12", 3, 'title: is a text: put it into quotes, as in "12"'),
        ("- name: pass", "- name: true", 13, 'is a text: put it into quotes, as in "true"'),
        ("title: Small", "title: {a: b}", 3, "title: is a text: write it on the same line, or below `>-`"),
        ("title: Small", f"title: {'x' * 41}", 3, "title: has 41 characters, and 40 at most: shorten it"),
        ("title: Small", "titel: Small", 3, "titel: there is no such field; did you mean `title`?"),
        (
            "title: Small",
            "title: Small\nhotkey: 3",
            4,
            "it belongs to `labels` or `skip_reasons`; mind how far it is indented",
        ),
        (
            "title: Small",
            "title: Small\ncolour: red",
            4,
            "colour: there is no such field; there are name, version, title",
        ),
        ("owner: Ann\n", "", 1, "owner: is missing: add `owner:` (the one person who decides)"),
        ("- name: pass", "- name: Pass", 13, "is a small letter, then small letters, digits and _"),
        (
            "name: small",
            "name: Small_Q",
            1,
            "is a small letter, then small letters, digits and -, as in answer-quality",
        ),
        ("hotkey: 1", "hotkey: F1", 15, "is one small letter or digit, as in p or 1"),
        ("hotkey: 1", "hotkey: 12", 15, "is one small letter or digit, as in p or 1"),
        ("hotkey: 2", "hotkey: 1", 19, "two labels have one hotkey: 1"),
        ("required: true", "required: yes", 10, "required: is true or false, without quotes"),
        ("failure: [fail]", "failure: fail", 11, "failure: is a list: write [fail]"),
        ("failure: [fail]", "failure: [bad]", 7, "counts ['bad'] as failure, but has no such label"),
        ("kind: binary", "kind: binry", 8, "did you mean binary?"),
        ("only_if: { verdict: fail }", "only_if: verdict", 24, "only_if: has fields of its own, as in { name: value }"),
        (
            "only_if: { verdict: fail }",
            "only_if: { verdict: no }",
            24,
            "shown only if verdict is no, which no question",
        ),
        ("only_if: { verdict: fail }", "only_if: { verdict: 1 }", 24, "only_if.verdict: is a list: write [1]"),
        ("budget: 5", 'budget: "5"', 26, "queue.budget: is a whole number, without quotes"),
        ("budget: 5", "budget: 0", 26, "queue.budget: must be greater than 0"),
        ("mix: { random: 1 }", "mix: { rnadom: 1 }", 27, "did you mean random?"),
        ("mix: { random: 1 }", "mix: { random: 0.5 }", 25, "the shares of the mix sum to 0.5, and must sum to 1"),
        ("mix: { random: 1 }", "mix: balancd", 27, "did you mean balanced?"),
    ],
)
def test_each_mistake_gets_its_line_and_a_sentence(old: str, new: str, line: int, says: str) -> None:
    (complaint,) = complaints(changed(old, new))
    assert complaint.startswith(f"c.yaml:{line}: ")
    assert says in complaint


def test_all_mistakes_are_told_at_once() -> None:
    told = complaints(changed("version: 1.0.0", "version: 1.0").replace("budget: 5", "buget: 5"))
    assert [line.split(":")[1] for line in told] == ["2", "26"]


@pytest.mark.parametrize("text", ["name: " + "9" * 6000, "a: " + "[" * 700, "a: !!binary xx", "a: !!set {x}", "*a"])
def test_what_no_person_writes_is_a_complaint_too(text: str) -> None:
    assert all(complaint.startswith("c.yaml:1: ") for complaint in complaints(text))


def test_a_file_as_windows_writes_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert load(tmp_path / "c.yaml").name == "small"


def test_each_place_has_its_line() -> None:
    small = source(SMALL, "c.yaml")
    lines = SMALL.splitlines()
    assert lines[small.line_of(("queue", "budget")) - 1] == "  budget: 5"
    assert lines[small.line_of(("questions", 0, "labels", 1, "hotkey")) - 1] == "        hotkey: 2"
    assert lines[small.line_of(("questions", 1)) - 1] == "  - name: note"
    assert small.line_of(("questions", 1, "score")) == small.line_of(("questions", 1))
    assert small.line_of(()) == 1


def test_reading_gives_the_lines_with_the_codebook() -> None:
    path = ROOT / "label_configs" / "answer-quality.yaml"
    assert read(path).codebook == load(path)
    assert read(path).name == str(path)
