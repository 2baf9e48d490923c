"""How sure a model is of a label, by the log-probabilities of the tokens that it wrote it with.

The answer is JSON, so the label stands in a known place of a known text. At the token where the labels part ways, the
model's own alternatives say how likely each would have been. A label may be written in many ways ("pass", "pa" and
"ss", with the quote before it or without), so alternatives are told apart by the label that they begin.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_SPACE: Final = " \t\n\r"
_DECODER: Final = json.JSONDecoder()


@dataclass(frozen=True)
class Token:
    """A piece of the answer's text in UTF-8, and what could have stood in its place: pieces with their log-probability.

    `alternatives` holds the most likely ones, the written piece among them where it is one of these.
    """

    text: bytes
    logprob: float
    alternatives: tuple[tuple[bytes, float], ...] = ()


def label_shares(
    text: str, tokens: Sequence[Token], path: Sequence[str], labels: Iterable[str]
) -> dict[str, float] | None:
    """The probability of each label at the place `path` (names, from the outside in) of a JSON text; they sum to 1.

    What is no label's beginning counts for none (a null, a blank), and a label that no alternative begins has 0. A
    piece that begins several labels, none of which was written, counts for them in equal parts.

    None where the place holds no label, or where the tokens are not those of the text: a server may leave some out.
    """
    names = tuple(labels)
    span = value_span(text, path)
    if span is None:
        return None
    written = text[span[0] : span[1]]
    if len(written) < 2 or written[0] != '"' or written[1:-1] not in names:  # noqa: PLR2004 - its two quotes
        return None
    starts = _starts(text, tokens)
    if starts is None:
        return None
    opened = len(text[: span[0]].encode()) + 1
    return _shares(tokens, starts, opened, written[1:-1].encode(), {name: name.encode() for name in names})


def value_span(text: str, path: Sequence[str]) -> tuple[int, int] | None:
    """Where the value at `path` stands in a JSON text, with its quotes; None where there is none, or no JSON.

    What stands before the first brace is passed over: some models put words or a fence around their JSON.
    """
    start = text.find("{")
    try:
        return _find(text, start, path) if start >= 0 and path else None
    except (ValueError, IndexError, RecursionError):
        return None


def _find(text: str, start: int, path: Sequence[str]) -> tuple[int, int] | None:
    at = _skip(text, start + 1)
    while text[at] == '"':
        name, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at] != ":":
            return None
        at = _skip(text, at + 1)
        if name == path[0] and path[1:]:
            return _find(text, at, path[1:]) if text[at] == "{" else None
        _, end = _DECODER.raw_decode(text, at)
        if name == path[0]:
            return at, end
        at = _skip(text, end)
        if text[at] != ",":
            return None
        at = _skip(text, at + 1)
    return None


def _skip(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at


def _starts(text: str, tokens: Sequence[Token]) -> list[int] | None:
    """Where in the text's bytes each token starts; below 0 before it, where a model that thinks aloud has tokens."""
    whole = text.encode(errors="surrogatepass")
    said = b"".join(token.text for token in tokens)
    if not said.endswith(whole):
        return None
    at = len(whole) - len(said)
    starts = []
    for token in tokens:
        starts.append(at)
        at += len(token.text)
    return starts


def _shares(
    tokens: Sequence[Token], starts: Sequence[int], opened: int, written: bytes, labels: dict[str, bytes]
) -> dict[str, float] | None:
    shares = dict.fromkeys(labels, 0.0)
    weight = 1.0
    for token, start in zip(tokens, starts, strict=True):
        if start + len(token.text) <= opened or start > opened + len(written):
            continue
        before = written[: max(0, start - opened)]
        lead = token.text[: max(0, opened - start)]
        left = {name: label for name, label in labels.items() if label.startswith(before)}
        same = 0.0
        chosen = _begun(token.text, lead, before, left)
        for text, logprob in _alternatives(token):
            begun = _begun(text, lead, before, left)
            mass = weight * math.exp(logprob)
            if begun == chosen:
                same += mass
                continue
            for name in begun:
                shares[name] += mass / len(begun)
        if len(chosen) == 1:
            shares[chosen[0]] += same
            break
        weight = same
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()} if total > 0 else None


def _alternatives(token: Token) -> Iterable[tuple[bytes, float]]:
    listed = dict(token.alternatives)
    return [*listed.items(), *([] if token.text in listed else [(token.text, token.logprob)])]


def _begun(text: bytes, lead: bytes, before: bytes, labels: dict[str, bytes]) -> tuple[str, ...]:
    """The labels that a piece begins, or goes on with after `before`; `lead` is what of it comes before the label."""
    if lead:
        # An alternative may have another blank before the quote that opens the label.
        parts = text.split(b'"', quotes := lead.count(b'"'))
        if len(parts) <= quotes:
            return ()
        text = parts[-1]
    label, quote, _ = text.partition(b'"')
    said = before + label
    if quote:
        return tuple(name for name, known in labels.items() if known == said)
    return tuple(name for name, known in labels.items() if known.startswith(said)) if label or lead else ()
