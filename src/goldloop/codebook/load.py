"""A codebook file, read; every complaint names the file, the line and the field."""

from collections.abc import Sequence
from pathlib import Path

import yaml
from pydantic import ValidationError

from goldloop.codebook.schema import Codebook
from goldloop.errors import CodebookError


def load(path: Path) -> Codebook:
    """The codebook in a file. `CodebookError` names the line of each thing that is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CodebookError(f"{path}: there is no such file; name a codebook in label_configs/") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CodebookError(f"{path}: cannot be read as UTF-8 text ({error.__class__.__name__})") from None
    return parse(text, str(path))


def parse(text: str, source: str) -> Codebook:
    """The codebook in a text; `source` stands for it in messages."""
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CodebookError(f"{source}:{line}: this is not YAML: {error.problem}") from None
    except yaml.YAMLError:
        raise CodebookError(f"{source}:1: this is not YAML: it holds a character that YAML does not allow") from None
    if tree is None or not isinstance(content, dict):
        raise CodebookError(f"{source}:1: a codebook is a mapping that starts with `name:`")
    try:
        return Codebook.model_validate(content)
    except ValidationError as error:
        complaints = [
            f"{source}:{_line(tree, problem['loc'])}: {_field(problem['loc'])}{_plain(problem['msg'])}"
            for problem in error.errors(include_url=False)
        ]
        raise CodebookError("\n".join(complaints)) from None


def load_folder(folder: Path) -> dict[str, Codebook]:
    """Every codebook of a folder by its name; two files of one name are an error."""
    found: dict[str, Codebook] = {}
    for path in sorted(folder.glob("*.yaml")):
        codebook = load(path)
        if codebook.name in found:
            raise CodebookError(f"{path}:1: another file here is also named {codebook.name}; rename one of them")
        found[codebook.name] = codebook
    if not found:
        raise CodebookError(f"{folder}: there is no codebook (*.yaml) here; set GOLDLOOP_CODEBOOKS to their folder")
    return found


def _field(location: Sequence[int | str]) -> str:
    words = [str(part + 1) if isinstance(part, int) else part for part in location]
    return ".".join(words) + ": " if words else ""


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")


def _line(tree: yaml.Node, location: Sequence[int | str]) -> int:
    """The line of the deepest node on the way to `location` that the file really has."""
    node, line = tree, tree.start_mark.line
    for part in location:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == part), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
        else:
            break
    return line + 1
