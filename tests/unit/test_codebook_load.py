from pathlib import Path

import pytest

from builders import ROOT, codebook
from goldloop.codebook.load import load, load_folder, parse
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
    assert complaints(text) == [f"c.yaml:{line}: version: String should match pattern '^\\d+\\.\\d+\\.\\d+$'"]


def test_a_wrong_label_is_named_by_its_place() -> None:
    text = SHIPPED.replace('        hotkey: "1"\n', '        hotkey: "ctrl"\n')
    (complaint,) = complaints(text)
    line = text.splitlines().index('        hotkey: "ctrl"') + 1
    assert complaint.startswith(f"c.yaml:{line}: questions.1.labels.1.hotkey: ")


def test_an_unknown_field_is_an_error_and_not_ignored() -> None:
    (complaint,) = complaints(SHIPPED.replace("owner: Head of support", "owner: Ann\nbuget: 3"))
    assert "buget: Extra inputs are not permitted" in complaint


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
        ("random: 0.5", "random: 0.6", "the shares of the mix sum to 1.1, and must sum to 1"),
        ("kind: binary", "kind: text", "a text question takes no labels"),
    ],
)
def test_what_does_not_hold_together_is_said(old: str, new: str, said: str) -> None:
    assert any(said in complaint for complaint in complaints(SHIPPED.replace(old, new, 1)))


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words"])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    assert complaints(text) == ["c.yaml:1: a codebook is a mapping that starts with `name:`"]


def test_broken_yaml_is_named_with_its_line() -> None:
    assert complaints("name: a\nversion: [1\n")[0].startswith("c.yaml:3: this is not YAML")
    assert complaints("name: \x00")[0].startswith("c.yaml:1: this is not YAML")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CodebookError, match="there is no such file"):
        load(tmp_path / "none.yaml")
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
