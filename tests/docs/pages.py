"""The pages of the documentation, and what stands in them."""

import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from builders import ROOT

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    """README, the pages beside it, and everything under docs/."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def first_column(page: str, *, section: str = "") -> list[str]:
    """The code words of the first column of the page's tables, in their order; of one section where it is named."""
    told = text(page)
    if section:
        told = told.partition(f"## {section}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", told, re.MULTILINE)


@dataclass(frozen=True)
class Snippet:
    page: Path
    kind: str
    body: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}: {self.body[:30].strip()}"


def snippets(*kinds: str) -> list[Snippet]:
    return [
        Snippet(page, kind, body)
        for page in pages()
        for kind, body in _FENCE.findall(page.read_text(encoding="utf-8"))
        if kind in kinds
    ]


def calls(program: str) -> list[tuple[Snippet, list[str]]]:
    """The arguments of each call of a program in the shell snippets, also where `docker compose exec` makes it."""
    found = []
    for snippet in snippets("bash", "sh"):
        for line in snippet.body.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            for place, word in enumerate(words):
                if word.rpartition("/")[2] == program and (place == 0 or "exec" in words[:place]):
                    found.append((snippet, words[place + 1 :]))
                    break
    return found


def tracked() -> list[Path]:
    """Every file that is under version control, or about to be."""
    asked = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]
