"""Links lead somewhere, and no file names a place that only one machine has."""

import re
from pathlib import Path

import pytest

from builders import ROOT
from docs.pages import pages, tracked

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_LOCKS = {"uv.lock"}

# Put together here, so that this file does not hold what it looks for.
_SHARED_FOLDERS = ("/" + "work/", "/" + "tmp/lab", "/" + "root/", "../" + "shared", "/" + "home/")
_REGISTRIES = ("pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "proxy.golang" + ".org", "crates" + ".io")


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_what_exists(page: Path) -> None:
    for link in _LINK.findall(_CODE.sub("", page.read_text(encoding="utf-8"))):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link}: there is no such file"
        assert target.is_relative_to(ROOT.resolve()), f"{link} leads out of the project"
        assert not anchor or anchor in _anchors(target), f"{link}: there is no such heading"


def test_the_readme_leads_to_every_page() -> None:
    linked = set(_LINK.findall((ROOT / "README.md").read_text(encoding="utf-8")))
    for page in (ROOT / "docs").glob("*.md"):
        assert f"docs/{page.name}" in linked


def test_the_folders_of_tests_are_told() -> None:
    told = set(re.findall(r"`(tests/\w+)`", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    there = {f"tests/{path.parent.name}" for path in (ROOT / "tests").glob("*/test_*.py")}
    assert told == there


def test_code_names_pages_that_exist() -> None:
    for path in tracked():
        if path.suffix in {".py", ".toml", ".yaml", ".yml", ""} and path.name not in _LOCKS:
            for named in re.findall(r"\bdocs/[\w./-]+\.md", path.read_text(encoding="utf-8", errors="replace")):
                assert (ROOT / named).is_file(), f"{path.relative_to(ROOT)} names {named}"


def test_no_file_names_a_place_of_one_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in tracked()
        if path.name not in _LOCKS and (content := _content(path))
        for word in (*_SHARED_FOLDERS, *_REGISTRIES)
        if word in content
    ]
    assert found == []


def test_lock_files_name_no_folder_of_one_machine() -> None:
    for path in tracked():
        if path.name in _LOCKS:
            assert not any(word in _content(path) for word in _SHARED_FOLDERS), path


def _content(path: Path) -> str:
    """Text files only; a picture has no words."""
    raw = path.read_bytes()
    return "" if b"\0" in raw else raw.decode("utf-8", errors="replace")
