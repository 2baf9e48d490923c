"""What makes labels inconsistent, found in a codebook before anyone labels by it. Pure; why each matters: `RULES`."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from goldloop.codebook import wording
from goldloop.codebook.diff import means_the_same
from goldloop.codebook.mixes import NAMED
from goldloop.codebook.schema import SIDES, Codebook, Label, Question

RULES: Final[Mapping[str, str]] = {
    "todo": "A `TODO` was left: annotators would read it.",
    "owner": 'Where two people decide, a disputed case is decided twice. A role, such as "Head of support", is one '
    "person.",
    "examples": "People agree on examples long before they agree on definitions, and differ most at the edge.",
    "same-example": "An example that stands twice, or repeats the definition, shows nothing new.",
    "repeats": "A definition in the label's own words sends each annotator to their own idea of it.",
    "vague": '"Good" and its kin mean something else to everybody: name what makes it so.',
    "short": "In fewer than five words there is rarely a criterion.",
    "overlap": "Where two labels fit, some take the one and some the other.",
    "two-in-one": "Who would say yes to the one half and no to the other can't answer.",
    "button": "A long button is read once, then guessed at.",
    "hotkey": "Without a key of its own a label costs a reach for the mouse, or gets a key that changes.",
    "severity": "In a list of errors, one without a severity counts for nothing when errors are weighed.",
    "failure": "A rule by which everything fails finds no failures, and one that may be left open decides nothing.",
    "unreachable": "Nobody would ever see the question, or its condition does nothing. Which of two compared answers "
    "is A, chance decides, so what hangs on one of them is asked for both.",
    "scale": "Nobody tells thousands of steps apart; the highest number should be one that can be given.",
    "random-floor": "Every rate rests on what is drawn plainly at random, so a draw refuses a mix without enough of "
    "it.",
    "same-name": "The name is the queue's: of two files of one name nobody knows which is in force.",
    "shared-score": "Two queues that fill one Langfuse score mix two populations in every chart of it.",
}
"""Each rule, and why it is one: `codebook check` and docs/cli.md say it in these words."""

LONGEST_BUTTON: Final = 40
MOST_STEPS: Final = 1000
_TAKEN_KEYS: Final = frozenset("u")
"""Label Studio's editor binds it by itself: it takes back the choice of a region."""
_EXAMPLES: Final = ("positive", "negative", "edge")


class Finding(BaseModel):
    """Something to mend: the place, the rule by which it was found, and a sentence on what to do."""

    model_config = ConfigDict(frozen=True)

    place: tuple[int | str, ...]
    rule: str
    sentence: str


def check(codebook: Codebook) -> list[Finding]:
    """All that would make two annotators label differently, in the order of the file; empty for a sound codebook."""
    todo = list(_todo(codebook))
    left = {finding.place for finding in todo}
    found = [*_owner(codebook), *_between(codebook), *_skip_keys(codebook), *_random(codebook)]
    for place, question in enumerate(codebook.questions):
        found += [*_question(codebook, place), *_keys(place, question)]
        for number, label in enumerate(question.labels):
            found += _label(("questions", place, "labels", number), label)
    found = todo + [finding for finding in found if finding.place not in left]
    # Of several for one reason at one place, such as ten labels with one definition, the first says it.
    found = list({(finding.place, finding.rule): finding for finding in reversed(found)}.values())[::-1]
    order = {str(name): number for number, name in enumerate(Codebook.model_fields)}
    return sorted(found, key=lambda finding: (order[str(finding.place[0])], _numbers(finding)))


def _numbers(finding: Finding) -> tuple[int, ...]:
    return tuple(part for part in finding.place if isinstance(part, int))


def _todo(codebook: Codebook) -> Iterator[Finding]:
    content = codebook.model_dump(mode="json")
    for place, text in _texts(content, ()):
        if "TODO" in text:
            part: Any = content
            named = []
            for step in place[:-1]:
                part = part[step]
                named += [part["name"]] if isinstance(part, dict) and "name" in part else []
            said = f"`{place[-1]}` is still a TODO: write it"
            yield Finding(place=place, rule="todo", sentence=": ".join([", ".join(named), said] if named else [said]))


def _texts(value: object, place: tuple[int | str, ...]) -> Iterator[tuple[tuple[int | str, ...], str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _texts(part, (*place, name))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _texts(part, (*place, number))


def _owner(codebook: Codebook) -> Iterator[Finding]:
    if wording.is_team(codebook.owner):
        said = f'"{codebook.owner}" is more than one person: name the one who decides, by name or by role'
        yield Finding(place=("owner",), rule="owner", sentence=said)


def _label(place: tuple[int | str, ...], label: Label) -> Iterator[Finding]:
    missing = [kind for kind in _EXAMPLES if not getattr(label, kind)]
    if missing:
        said = f"label {label.name} has no {_and(missing)} example: add {_and([f'`{kind}:`' for kind in missing])}"
        yield Finding(place=(*place, "name"), rule="examples", sentence=said)
    for one, other in combinations([kind for kind in ("definition", *_EXAMPLES) if getattr(label, kind)], 2):
        if means_the_same(getattr(label, one), getattr(label, other)) and "TODO" not in getattr(label, one):
            said = f"label {label.name}: the {other} example says what the {_told(one)} says: find another case"
            yield Finding(place=(*place, other), rule="same-example", sentence=said)
    wrong = wording.says_nothing(label.definition, (label.name, label.text))
    if wrong:
        said = {
            "repeats": "the definition only repeats what the label is called: say by what one knows it",
            "vague": f"the definition judges ({_judging(label.definition)}) without saying by what: name what one sees",
            "short": f"the definition has fewer than {wording.FEWEST_WORDS} words: say by what one knows it",
        }[wrong]
        yield Finding(place=(*place, "definition"), rule=wrong, sentence=f"label {label.name}: {said}")
    if len(label.text) > LONGEST_BUTTON:
        said = f"label {label.name}: its button has {len(label.text)} characters: say it in {LONGEST_BUTTON} at most"
        yield Finding(place=(*place, "text"), rule="button", sentence=said)


def _judging(text: str) -> str:
    found = [word for word in wording.words(text) if word in wording.JUDGING]
    return ", ".join(f'"{word}"' for word in dict.fromkeys(found)) or "in empty words"


def _told(kind: str) -> str:
    return kind if kind == "definition" else f"{kind} example"


def _and(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def _question(codebook: Codebook, number: int) -> Iterator[Finding]:
    question = codebook.questions[number]
    place = ("questions", number)
    if wording.asks_two(question.text):
        said = f"{question.name} asks two things at once: make two questions of it"
        yield Finding(place=(*place, "text"), rule="two-in-one", sentence=said)
    if question.failure:
        if set(question.failure) >= set(question.label_names):
            said = f"every label of {question.name} is a failure: leave out of `failure` what is none"
            yield Finding(place=(*place, "failure"), rule="failure", sentence=said)
        if not question.required:
            said = f"{question.name} decides about failure and may be left open: add `required: true`"
            yield Finding(place=(*place, "failure"), rule="failure", sentence=said)
    weighed = [label for label in question.labels if not question.failure or label.name in question.failure]
    without = [label.name for label in weighed if label.severity is None]
    if 0 < len(without) < len(weighed):
        said = f"{question.name}: {_and(without)} without a severity, while others have one: give all of them one"
        yield Finding(place=(*place, "labels"), rule="severity", sentence=said)
    yield from _condition(codebook, number)
    if question.scale:
        steps = (question.scale.maximum - question.scale.minimum) / question.scale.step
        if steps > MOST_STEPS:
            said = f"{question.name} has {steps:,.0f} steps: ask in larger ones, or by a rating"
            yield Finding(place=(*place, "scale"), rule="scale", sentence=said)
        elif abs(steps - round(steps)) > 1e-6:  # noqa: PLR2004 - what decimal steps leave over
            said = (
                f"{question.name}: no number of whole steps leads from the minimum to the maximum: change one of them"
            )
            yield Finding(place=(*place, "scale"), rule="scale", sentence=said)


def _condition(codebook: Codebook, number: int) -> Iterator[Finding]:
    question = codebook.questions[number]
    place = ("questions", number, "only_if")
    needed = _needed(codebook, question)
    never = [name for name, labels in needed.items() if not labels]
    if never:
        said = f"{question.name} can never show: its conditions want two things of {never[0]} at once; change `only_if`"
        yield Finding(place=place, rule="unreachable", sentence=said)
    for other, labels in (question.only_if or {}).items():
        asked = codebook.question(other)
        if asked is None:
            continue
        if set(labels) >= set(asked.label_names):
            said = f"{question.name} shows for every label of {other}: remove `only_if`, or name fewer labels"
            yield Finding(place=place, rule="unreachable", sentence=said)
        elif question.required and asked.kind == "pairwise" and len(set(SIDES) & set(labels)) == 1:
            missing = next(side for side in SIDES if side not in labels)
            said = (
                f"{question.name} is required for one side of {other} and shows for both, so on the other side nobody "
                f"could submit without it: add `{missing}` to `only_if`, or leave out `required`"
            )
            yield Finding(place=place, rule="unreachable", sentence=said)


def _needed(codebook: Codebook, question: Question) -> dict[str, set[str]]:
    """What must have been answered for the question to show, its condition's own conditions included.

    Of a multi-choice question several labels can be chosen, so two demands on it do not exclude each other.
    """
    needed: dict[str, set[str]] = {}
    for other, labels in (question.only_if or {}).items():
        asked = codebook.question(other)
        above = _needed(codebook, asked) if asked else {}
        for name, wanted in [(other, set(labels)), *above.items()]:
            kind = codebook.question(name)
            several = kind is not None and kind.kind == "multi-choice"
            needed[name] = wanted | needed[name] if several and name in needed else needed.get(name, wanted) & wanted
    return needed


def _skip_keys(codebook: Codebook) -> Iterator[Finding]:
    for number, reason in enumerate(codebook.skip_reasons):
        if reason.hotkey in _TAKEN_KEYS:
            said = f"skip reason {reason.name}: Label Studio itself uses the key {reason.hotkey}: take another"
            yield Finding(place=("skip_reasons", number, "hotkey"), rule="hotkey", sentence=said)


def _random(codebook: Codebook) -> Iterator[Finding]:
    queue = codebook.queue
    shares = NAMED[queue.mix].shares if isinstance(queue.mix, str) else queue.mix
    share = shares.get("random", 0.0) * (1 - queue.relabel_share)
    if share < queue.random_floor - 1e-9:  # rounding of decimal shares
        after = " after `relabel_share`" if queue.relabel_share else ""
        said = (
            f"the queue's mix leaves random {share:.3g}{after}, below its floor of {queue.random_floor:g}, so no draw "
            "would be made: give `random` more, or lower `random_floor`"
        )
        yield Finding(place=("queue", "mix"), rule="random-floor", sentence=said)


def _keys(number: int, question: Question) -> Iterator[Finding]:
    place = ("questions", number)
    for at, label in enumerate(question.labels):
        if label.hotkey in _TAKEN_KEYS:
            said = f"label {label.name}: Label Studio itself uses the key {label.hotkey}: take another"
            yield Finding(place=(*place, "labels", at, "hotkey"), rule="hotkey", sentence=said)
    without = [label.name for label in question.labels if not label.hotkey]
    if without and question.only_if is None:
        said = f"{question.name} is asked of every trace, and {_and(without)} has no hotkey: give each label one"
        yield Finding(place=(*place, "labels"), rule="hotkey", sentence=said)
    elif 0 < len(without) < len(question.labels):
        said = (
            f"{question.name}: {_and(without)} without a hotkey, while others have one: give all of them one, or none"
        )
        yield Finding(place=(*place, "labels"), rule="hotkey", sentence=said)


def _between(codebook: Codebook) -> Iterator[Finding]:
    """Labels that would be taken for one another: within a question, and across those that one screen shows."""
    shown = [
        (number, at, question, label)
        for number, question in enumerate(codebook.questions)
        for at, label in enumerate(question.labels)
    ]
    for (_, _, asked, one), (number, at, question, other) in combinations(shown, 2):
        place = ("questions", number, "labels", at)
        if asked is not question:
            if _together(codebook, asked, question) and _alike_across(asked, one, question, other):
                said = (
                    f"labels {one.name} ({asked.name}) and {other.name} ({question.name}) read alike: reword one button"
                )
                yield Finding(place=(*place, "text"), rule="overlap", sentence=said)
            continue
        same = wording.reads_alike if question.kind == "rating" else wording.overlapping
        if same(one.text, other.text):
            said = (
                f'labels {one.name} and {other.name}: the buttons "{one.text}" and "{other.text}" overlap; reword one'
            )
            yield Finding(place=(*place, "text"), rule="overlap", sentence=said)
        elif same(one.name.replace("_", " "), other.name.replace("_", " ")):
            said = f"labels {one.name} and {other.name}: one name says all that the other says; rename one"
            yield Finding(place=(*place, "name"), rule="overlap", sentence=said)
        if means_the_same(one.definition, other.definition) and "TODO" not in one.definition:
            said = f"labels {one.name} and {other.name} have one definition: say what tells them apart"
            yield Finding(place=(*place, "definition"), rule="overlap", sentence=said)
        if one.positive and other.positive and means_the_same(one.positive, other.positive):
            said = f"labels {one.name} and {other.name} have one positive example: it can belong to one of them only"
            yield Finding(place=(*place, "positive"), rule="same-example", sentence=said)


def _alike_across(asked: Question, one: Label, question: Question, other: Label) -> bool:
    """Whether two buttons of two questions read alike; a scale that both share on purpose may."""
    scales = [[label.text for label in each.labels] for each in (asked, question)]
    if asked.kind == question.kind == "rating" and scales[0] == scales[1]:
        return False
    name = other.name.replace("_", " ")
    return wording.reads_alike(one.text, other.text) or wording.reads_alike(one.text, name)


def _together(codebook: Codebook, one: Question, other: Question) -> bool:
    """Whether one screen can show both questions."""
    first, second = _needed(codebook, one), _needed(codebook, other)
    return all(
        first[name] & second[name] or (asked := codebook.question(name)) is None or asked.kind == "multi-choice"
        for name in first.keys() & second.keys()
    )
