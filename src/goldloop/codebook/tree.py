"""A codebook's YAML as a tree that knows its lines, and what is wrong with YAML said so that a person can mend it.

The YAML is that of version 1.2, as editors read it: only `true` and `false` are truth values, so that a label may be
named `yes`, and dates and times are text.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import yaml

from goldloop.errors import CodebookError

Place = Sequence[int | str]
"""The way from the top of a file to a value in it, such as `("questions", 0, "name")`."""

_YAML: Final = "tag:yaml.org,2002:"
_TEXT: Final = f"{_YAML}str"
_MERGE: Final = f"{_YAML}merge"
_KNOWN: Final = (":map", ":seq", ":str", ":bool", ":null", ":int", ":float")


_UNSEEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What no XML can hold or no screen shows: only by an escape in double quotes it gets through YAML's reader."""


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own shape


for _tag, _pattern, _starts in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(0|[1-9][0-9]{0,17})", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)\.[0-9]*)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"{_YAML}{_tag}", re.compile(rf"^(?:{_pattern})\Z"), list(_starts))


def compose(text: str, source: str) -> tuple[yaml.MappingNode, dict[str, Any]]:
    """The tree of a YAML text, and what stands in it; `CodebookError` with the line of each thing that is wrong."""
    try:
        loader = _Loader(text)
        tree = loader.get_single_node()
        if not isinstance(tree, yaml.MappingNode):
            raise CodebookError(f"{source}:1: a codebook is a mapping that starts with `name:`")
        complaints = [f"{source}:{line}: {said}" for line, said in _settle(tree, frozenset())]
        if complaints:
            raise CodebookError("\n".join(complaints))
        return tree, loader.construct_document(tree)
    except yaml.MarkedYAMLError as error:
        line, said = _sentence(error, text.splitlines())
        raise CodebookError(f"{source}:{line}: this is not YAML: {said}") from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise CodebookError(
            f"{source}:{line}: this is not YAML: it holds a character that cannot be seen; delete it"
        ) from None
    except RecursionError:
        raise CodebookError(f"{source}:1: this is nested too deeply: indent less") from None


def line_of(tree: yaml.Node, place: Place) -> int:
    """The line of the deepest node on the way to `place` that the file really has."""
    return _way(tree, place)[0].line + 1


def node_at(tree: yaml.Node, place: Place) -> yaml.Node | None:
    """The value at `place`, if the file has it."""
    return _way(tree, place)[1]


def _way(tree: yaml.Node, place: Place) -> tuple[yaml.Mark, yaml.Node | None]:
    node, mark = tree, tree.start_mark
    for part in place:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == part), None)
            if pair is None:
                return mark, None
            mark, node = pair[0].start_mark, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            mark = node.start_mark
        else:
            return mark, None
    return mark, node


def _settle(node: yaml.Node, above: frozenset[int]) -> Iterator[tuple[int, str]]:
    """Make names of fields text, and digits that are hotkeys; complain of what a codebook has no use for."""
    line = node.start_mark.line + 1
    if id(node) in above:
        yield line, "this block holds itself (by `*`): write it out"
        node.value = []
    elif not node.tag.endswith(_KNOWN):
        yield line, f"YAML takes `{node.tag.removeprefix(_YAML)}` for an instruction: put the text into quotes"
    elif isinstance(node, yaml.ScalarNode):
        if _UNSEEN.search(node.value):
            yield line, "the text holds a character that cannot be seen, written with a backslash: delete it"
    elif isinstance(node, yaml.SequenceNode):
        for part in node.value:
            yield from _settle(part, above | {id(node)})
    elif isinstance(node, yaml.MappingNode):
        yield from _settle_fields(node.value, above | {id(node)})


def _settle_fields(fields: Sequence[tuple[yaml.Node, yaml.Node]], above: frozenset[int]) -> Iterator[tuple[int, str]]:
    first: dict[str, int] = {}
    for name, value in fields:
        line = name.start_mark.line + 1
        if not isinstance(name, yaml.ScalarNode):
            yield line, "this cannot be a field's name: write `name: value`, and put a text with { or [ into quotes"
        elif name.value in first:
            yield (
                line,
                f"`{name.value}` stands twice in this block, first in line {first[name.value]}: keep one of them",
            )
        else:
            first[name.value] = line
            name.tag = name.tag if name.tag == _MERGE else _TEXT
            if name.value == "hotkey" and value.tag.endswith(":int"):
                value.tag = _TEXT
            yield from _settle(value, above)


_SENTENCES: Final = (
    ("could not find expected ':'", True, "this line has no colon after its field's name: write `name: value`"),
    ("escape character", False, "a backslash means something in double quotes: use single quotes"),
    ("while scanning a quoted", True, "the quotes that open here are never closed"),
    ("while parsing a flow", True, "the bracket that opens here is never closed, or a comma is missing in it"),
    ("cannot start any token", False, "a text that starts with a sign such as @ ` % has to stand in quotes"),
    ("alias", False, "a text that starts with * has to stand in quotes"),
    ("anchor", False, "a text that starts with & has to stand in quotes"),
    ("tag", False, "a text that starts with ! has to stand in quotes"),
    ("directive", False, "a text that starts with % has to stand in quotes"),
    ("another document", False, "a file holds one codebook: remove the line `---`, or make two files of it"),
    ("document", False, "this stands outside of every field: is it indented like the lines around it?"),
    ("block", False, "the line is not indented like its neighbours, or a text in quotes goes on after them"),
)
"""Words of PyYAML's complaint, whether to look where the thing began and not where it broke, and what to do."""


def _sentence(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> tuple[int, str]:
    """The line to look at, and what to do there."""
    broke = error.problem_mark or error.context_mark
    line, column = (broke.line, broke.column) if broke else (0, 0)
    before = lines[line][: column + 1] if line < len(lines) else ""
    if "\t" in before[: len(before) - len(before.lstrip())]:
        return line + 1, "the line starts with a tab: indent with spaces, two for each level"
    complaint = f"{error.problem} {error.context or ''}"
    if "mapping values are not allowed" in complaint:
        if ": " in before:
            return line + 1, "the text holds a colon: put the whole text into quotes"
        said = "the line above has no colon after its field's name (`name: value`), or this one is indented too far"
        return line + 1, said
    for words, begun, said in _SENTENCES:
        if words in complaint:
            return (error.context_mark.line if begun and error.context_mark else line) + 1, said
    return line + 1, str(error.problem)
