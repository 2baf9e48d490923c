"""Hypothesis strategies: random codebooks that the schema takes, over all kinds, and answers that they take."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Final, get_args

from hypothesis import strategies as st

from goldloop.codebook.schema import RESERVED, SIDES, TIE, Codebook, Kind, Label, Question, Scale, SkipReason
from goldloop.records import Value

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
DECISIVE: Final[tuple[Kind, ...]] = ("binary", "choice", "rating", "pairwise")
"""Kinds that a verdict can have."""
_COUNTS: Final[dict[Kind, tuple[int, int]]] = {"binary": (2, 2), "choice": (2, 6), "multi-choice": (2, 6)}
_KEYS: Final = "1234567890qwertasdfgzxcvb"
_SEVERITIES: Final = ("minor", "major", "critical")

# What a person can type: no control character but line breaks and tabs, no half of a surrogate pair. `U+FFFE` and
# `U+FFFF` stand in no XML.
_SHOWN = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
_TYPED = st.one_of(_SHOWN, st.sampled_from("\n\t<>&\"'\\,;$"))

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
names = st.builds(str.__add__, st.sampled_from(_LETTERS), st.text("_0189" + _LETTERS, max_size=11)).filter(
    lambda name: name not in RESERVED
)
words = st.text(_SHOWN, min_size=1, max_size=20).map(str.strip).filter(bool)
"""One line: a label, a question, a title."""
texts = st.text(_TYPED, min_size=1, max_size=60).map(str.strip).filter(bool)
"""What somebody typed, without outer white space: that is the one thing that the way there and back leaves out."""
# One draw for four fields: a codebook has dozens of labels, and each draw costs time. What texts can hold is tried on
# names of buttons and on definitions.
_BESIDE: Final = st.sampled_from(
    [
        {"positive": positive, "negative": negative, "edge": edge, "severity": severity}
        for positive in (None, "Like so.", "<b>&amp; $output")
        for negative in (None, "Not so.", "\u202eright, \\ left")
        for edge in (None, "Nearly so.", "| **two** |")
        for severity in (None, *_SEVERITIES)
    ]
)


@st.composite
def scales(draw: st.DrawFn) -> Scale:
    step = Fraction(draw(st.sampled_from(["1", "0.5", "0.1", "0.25", "2", "0.001", "10"])))
    minimum = step * draw(st.integers(-200, 200))
    maximum = minimum + step * draw(st.integers(1, 300)) + step * draw(st.sampled_from([Fraction(), Fraction(1, 2)]))
    unit = draw(st.none() | words)
    return Scale(minimum=float(minimum), maximum=float(maximum), step=float(step), unit=unit)


@st.composite
def labels_of_kind(draw: st.DrawFn, kind: Kind) -> tuple[Label, ...]:
    """Without hotkeys, which a codebook gives out once each; no two of one text."""
    if kind == "pairwise":
        chosen = [*SIDES, TIE] if draw(st.booleans()) else [*SIDES]
    elif kind in {"number", "text", "correction"}:
        return ()
    else:
        low, high = _COUNTS.get(kind, (2, 10))
        chosen = draw(st.lists(names, min_size=low, max_size=high, unique=True))
    shown = draw(st.lists(words, min_size=len(chosen), max_size=len(chosen), unique_by=str.casefold))
    return tuple(
        Label(
            name=name,
            text=text,
            definition=draw(words),
            **draw(_BESIDE),
        )
        for name, text in zip(chosen, shown, strict=True)
    )


@st.composite
def codebooks(draw: st.DrawFn, *, kinds: Sequence[Kind] = KINDS, max_questions: int = 7) -> Codebook:
    """A codebook that the schema takes; `kinds` are those of the questions beside the verdict.

    A pairwise question and a correction never stand in one codebook: the schema allows no such pair.
    """
    verdict = draw(st.sampled_from(DECISIVE))
    more = draw(st.lists(st.sampled_from(kinds), max_size=max_questions - 1))
    compares = draw(st.booleans()) if "correction" in more and "pairwise" in [verdict, *more] else None
    if compares is not None:
        unwanted, verdict = ("correction", verdict) if compares else ("pairwise", "binary")
        more = [kind for kind in more if kind != unwanted]
    place = draw(st.integers(0, len(more)))
    chosen_kinds: list[Kind] = [*more[:place], verdict, *more[place:]]
    chosen_names = draw(st.lists(names, min_size=len(chosen_kinds), max_size=len(chosen_kinds), unique=True))
    questions: list[Question] = []
    for number, (name, kind) in enumerate(zip(chosen_names, chosen_kinds, strict=True)):
        labels = draw(labels_of_kind(kind))
        decides = number == place
        failure = draw(st.sets(st.sampled_from([label.name for label in labels]), min_size=1)) if decides else set()
        questions.append(
            Question(
                name=name,
                kind=kind,
                text=draw(words),
                labels=labels,
                scale=draw(scales()) if kind == "number" else None,
                required=draw(st.booleans()),
                failure=tuple(label.name for label in labels if label.name in failure),
                only_if=None if decides else draw(_conditions(questions)),
                score=draw(st.sampled_from([None, None, f"Score.{number}-x"])),
            )
        )
    reasons = draw(st.lists(names, max_size=3, unique=True))
    first_key = draw(st.integers(0, len(_KEYS) - 1))
    keys = iter(_KEYS[first_key:] + _KEYS[:first_key])
    with_keys = [
        question.model_copy(update={"labels": tuple(_with_key(draw, label, keys) for label in question.labels)})
        for question in questions
    ]
    return Codebook(
        name=draw(st.sampled_from(["random-one", "random-two"])),
        version=draw(st.sampled_from(["1.0.0", "2.1.3"])),
        title=draw(words),
        owner=draw(words),
        purpose=draw(words),
        questions=tuple(with_keys),
        skip_reasons=tuple(SkipReason(name=name, text=f"{number} {name}") for number, name in enumerate(reasons)),
        queue={"budget": 10, "mix": {"random": 1.0}},
    )


@st.composite
def answers_for(draw: st.DrawFn, codebook: Codebook) -> dict[str, Value]:
    """Answers to every question that must be answered, and to some that may be; none to one that is not shown."""
    answers: dict[str, Value] = {}
    for question in codebook.questions:
        if is_shown(question, answers) and (question.required or draw(st.booleans())):
            answers[question.name] = draw(values_of(question))
    return answers


@st.composite
def values_of(draw: st.DrawFn, question: Question) -> Value:
    """One value that the question takes, in the one form that comes back."""
    if question.scale:
        low, high, step = (Fraction(repr(part)) for part in _bounds(question.scale))
        return float(low + step * draw(st.integers(0, (high - low) // step)))
    if not question.labels:
        return draw(texts)
    if question.kind == "multi-choice":
        chosen = draw(st.sets(st.sampled_from(question.label_names), min_size=1))
        return [name for name in question.label_names if name in chosen]
    return draw(st.sampled_from(question.label_names))


@st.composite
def asked_and_answered(draw: st.DrawFn, *, kinds: Sequence[Kind] = KINDS) -> tuple[Codebook, dict[str, Value]]:
    codebook = draw(codebooks(kinds=kinds))
    return codebook, draw(answers_for(codebook))


def is_shown(question: Question, answers: Mapping[str, Value]) -> bool:
    """Whether the question is on the screen, given the answers to those before it that are."""
    for other, wanted in (question.only_if or {}).items():
        given = answers.get(other, [])
        return bool(set(given if isinstance(given, list) else [given]) & set(wanted))
    return True


def _bounds(scale: Scale) -> tuple[float, float, float]:
    return scale.minimum, scale.maximum, scale.step


def _conditions(before: Sequence[Question]) -> st.SearchStrategy[dict[str, tuple[str, ...]] | None]:
    asked = [question for question in before if question.labels]
    if not asked:
        return st.none()
    conditions = st.sampled_from(asked).flatmap(
        lambda question: st.sets(st.sampled_from(question.label_names), min_size=1).map(
            lambda chosen: {question.name: tuple(name for name in question.label_names if name in chosen)}
        )
    )
    return st.none() | conditions


def _with_key(draw: st.DrawFn, label: Label, keys: Iterator[str]) -> Label:
    key = next(keys, None) if draw(st.booleans()) else None
    return label.model_copy(update={"hotkey": key})
