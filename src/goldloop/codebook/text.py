"""Text of strangers, made fit to show and to store, with nothing of it interpreted."""

import json
import re

_LINE_END = re.compile(r"\r\n?")
_SURROGATES = re.compile("[\ud800-\udfff]")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_FIXED_WIDTH = re.compile(r"\t| {4}|[^|]*\|[^|]*\||\s*</?(?:table|thead|tbody|tr|td|th)\b")
_DELETE = 0x7F


def clean(text: str) -> str:
    r"""The text without what breaks a database, a page or a UTF-8 encoder.

    Lone surrogates turn to U+FFFD. Control characters other than newline and tab turn to their visible symbols
    (Unicode block 2400), so that a reviewer sees that they were there. Every line end is one newline.
    """
    if text.isprintable():  # most are, and nothing of the above is
        return text
    text = _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", _LINE_END.sub("\n", text))
    return _CONTROLS.sub(_symbol, text)


def shorten(text: str, limit: int) -> str:
    """The text, cut in the middle where it has more than `limit` characters, and saying so: both ends tell most."""
    if len(text) <= limit:
        return text
    head = limit * 3 // 4
    cut = len(text) - limit
    mark = f"\n\n[... {cut:,} characters left out here; the whole text is in Langfuse ...]\n\n"
    return text[:head] + mark + text[head + cut :]


def is_fixed_width(text: str) -> bool:
    """Whether a text is read best in letters of one width: at least half of its lines are code, a table or JSON.

    Counted are lines inside a fence of three backticks, lines indented by a tab or four blanks, and lines with two
    bars in them or of a table's HTML. Blank lines count for nothing.
    """
    if _is_json(text):
        return True
    fenced = False
    lines = fixed = 0
    for line in text.split("\n"):
        if not line.strip():
            continue
        lines += 1
        fence = line.lstrip().startswith("```")
        fixed += fence or fenced or bool(_FIXED_WIDTH.match(line))
        fenced ^= fence
    return fixed > 1 and fixed * 2 >= lines


def _is_json(text: str) -> bool:
    if text.strip()[:1] not in {"{", "["}:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _symbol(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code == _DELETE:
        return "\N{SYMBOL FOR DELETE}"
    return chr(0x2400 + code) if code < _DELETE else "\N{REPLACEMENT CHARACTER}"
