"""A codebook file, read; every complaint names the file, the line and the field."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml
from pydantic import ValidationError

from goldloop.codebook.complaint import complaints
from goldloop.codebook.schema import Codebook
from goldloop.codebook.tree import Place, compose, line_of
from goldloop.errors import CodebookError

_MISSING: Final = (
    "there is no such file or folder; begin one by `goldloop codebook new`, or set GOLDLOOP_CODEBOOKS to their folder"
)
_EMPTY: Final = "there is no codebook (*.yaml) here; set GOLDLOOP_CODEBOOKS to their folder"


@dataclass(frozen=True)
class Source:
    """A codebook and where it came from: `name` stands for the file in messages."""

    name: str
    codebook: Codebook
    tree: yaml.Node = field(repr=False, compare=False)

    def line_of(self, place: Place) -> int:
        """The line, from 1, of a place such as `("questions", 0, "text")`; of what holds it where it is not written."""
        return line_of(self.tree, place)


def load(path: Path) -> Codebook:
    """The codebook in a file. `CodebookError` names the line of each thing that is wrong with it."""
    return read(path).codebook


def read(path: Path) -> Source:
    """The codebook in a file, with its lines. `CodebookError` names the line of each thing that is wrong with it."""
    return source(text_of(path), str(path))


def text_of(path: Path) -> str:
    """What stands in a codebook file; `CodebookError` where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise CodebookError(f"{path}: {_MISSING}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CodebookError(f"{path}: cannot be read as UTF-8 text ({error.__class__.__name__})") from None


def parse(text: str, name: str) -> Codebook:
    """The codebook in a text; `name` stands for it in messages."""
    return source(text, name).codebook


def source(text: str, name: str) -> Source:
    """The codebook in a text, with its lines; `name` stands for the file in messages."""
    tree, content = compose(text, name)
    try:
        # As JSON, for only then a strict reading takes lists; and a lax one would take "80" for a number, which the
        # JSON schema and so every editor calls wrong.
        return Source(name, Codebook.model_validate_json(json.dumps(content), strict=True), tree)
    except ValidationError as error:
        said = [f"{name}:{line}: {what}" for line, what in complaints(error.errors(include_url=False), tree)]
        raise CodebookError("\n".join(said)) from None


def files(folder: Path) -> list[Path]:
    """The codebook files of a folder, by name."""
    return sorted(folder.glob("*.yaml"))


def load_folder(folder: Path) -> dict[str, Codebook]:
    """Every codebook of a folder by its name; two files of one name are an error."""
    found: dict[str, Codebook] = {}
    for path in files(folder):
        codebook = load(path)
        if codebook.name in found:
            raise CodebookError(f"{path}:1: another file here is also named {codebook.name}; rename one of them")
        found[codebook.name] = codebook
    if not found:
        raise CodebookError(f"{folder}: {_EMPTY if folder.is_dir() else _MISSING}")
    return found
