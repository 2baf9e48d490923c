"""A new codebook's text: a commented one to fill in, or a copy of another under a new name."""

import importlib.resources
import json
import re
from collections.abc import Iterator
from typing import Final

import yaml

from goldloop.codebook.json_schema import EDITOR_LINE
from goldloop.codebook.load import source
from goldloop.codebook.tree import node_at
from goldloop.errors import ConfigError

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,59}")
_TITLE: Final = 40
_SCORE: Final = "human_starter"
_STEM: Final = 17
"""Characters of the queue's name in its scores: `annotation_<stem>_errors` has to be a name that Langfuse takes."""


def starter() -> str:
    """The commented codebook that ships inside the package."""
    return (importlib.resources.files("goldloop.codebook") / "starter.yaml").read_text(encoding="utf-8")


def begin(text: str, name: str, owner: str | None = None) -> str:
    """A codebook's text with another name, the title made of it, version 1.0.0, and `owner` where one is given.

    Comments stay where they are. `ConfigError` for a name that no queue can have, `CodebookError` for a text that is
    no codebook.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot be a codebook's name: take a small letter, then small letters, digits and -, "
            "as in refund-answers (60 at most)"
        )
    tree = source(text, name).tree
    wanted = {"name": name, "version": "1.0.0", "title": name.replace("-", " ").capitalize()[:_TITLE].strip()}
    if owner is not None:
        wanted["owner"] = owner
    found = [(node, value) for field, value in wanted.items() if (node := node_at(tree, (field,)))]
    scores = [node for node in _nodes(tree) if node.value.startswith(_SCORE)]
    found += [(node, node.value.replace(_SCORE, f"human_{name.replace('-', '_')[:_STEM]}")) for node in scores]
    for node, value in sorted(found, key=lambda pair: -pair[0].start_mark.index):
        text = text[: node.start_mark.index] + _written(value) + text[_end(text, node) :]
    begun = text if text.startswith(EDITOR_LINE.rstrip()) else EDITOR_LINE + text
    source(begun, name)
    return begun


def _nodes(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    """All texts below a node, names of fields too."""
    if isinstance(node, yaml.ScalarNode):
        yield node
    for part in node.value if isinstance(node, yaml.CollectionNode) else ():
        for each in part if isinstance(part, tuple) else (part,):
            yield from _nodes(each)


def _written(value: str) -> str:
    """Plain where YAML reads it as the same text, and in quotes where it would not."""
    plain = re.fullmatch(r"(?:[^\W\d_][\w.-]*)(?: [\w.-]+)*|\d+\.\d+\.\d+", value)
    return value if plain else json.dumps(value, ensure_ascii=False)


def _end(text: str, node: yaml.Node) -> int:
    """Where a value ends; one below `>-` ends in PyYAML's eyes only where the next line has begun."""
    end: int = node.end_mark.index
    return end - (text[end - 1] == "\n") if end else end
