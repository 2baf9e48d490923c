"""The annotator's guide of a codebook: what someone is handed on the first day."""

from collections.abc import Iterator, Sequence
from typing import Final

from goldloop.codebook.document import (
    Block,
    Card,
    Document,
    Heading,
    Key,
    Paragraph,
    Points,
    Section,
    Table,
    Text,
    to_html,
    to_markdown,
)
from goldloop.codebook.render.asked import offers, ties
from goldloop.codebook.schema import SIDES, Codebook, Label, Question, Scale

SUBMIT = Key("Ctrl+Enter")
SKIP = Key("Ctrl+Space")
CLOSE = Key("Shift+Enter")

MOSTLY_BLIND: Final = 0.5
"""From this share on, a suggestion is no longer what one sees on most cases."""


def as_markdown(codebook: Codebook) -> str:
    """The guide as Markdown (CommonMark with tables), ending with a newline."""
    return to_markdown(guide(codebook))


def as_html(codebook: Codebook) -> str:
    """The guide as one HTML page that needs nothing else, for screen (light, dark) and paper."""
    return to_html(guide(codebook))


def guide(codebook: Codebook) -> Document:
    """The guide, whatever form it takes. It holds no setting that an annotator could do nothing with."""
    return Document(
        title=f"{codebook.title}: how to judge",
        about=[("Decided by", codebook.owner), ("Codebook", f"{codebook.name}, version {codebook.version}")],
        sections=[
            Section("What you judge, and why", list(_purpose(codebook))),
            Section("How a minute goes", [Points(list(_minute(codebook)), numbered=True)]),
            Section("What is asked", list(_questions(codebook))),
            Section("When to skip", list(_skipping(codebook))),
            Section("The machine's suggestion", [Points(_suggestion(codebook))]),
            Section("When two of you differ", [Points(list(_differing(codebook)))]),
            Section("What not to do", [Points(list(_not_to_do(codebook)))]),
            Section("All keys", list(_keys(codebook)), own_page=True),
        ],
    )


def _purpose(codebook: Codebook) -> Iterator[Block]:
    yield Paragraph(codebook.purpose)
    yield Paragraph(
        "You judge one case at a time. A case, also called a trace, is one request of a user, with everything that the"
        " app did to answer it."
    )
    yield Paragraph(
        "What you choose is counted, and used to change the product. So it matters that two people who see the same"
        " case choose the same label, and the definitions in this guide are there for that: where your own sense of a"
        " word and its definition differ, the definition holds."
    )
    yield Paragraph(
        f"One person decides what a label means: {codebook.owner}. Ask there when a case fits no definition, or two."
    )


def _minute(codebook: Codebook) -> Iterator[Text]:
    if codebook.pairwise:
        yield "Read the conversation, then the two answers side by side."
        yield "Open what you need beside them: retrieved documents, tool calls."
    else:
        yield "Read the conversation, then the answer to judge."
        yield "Open what you need beside it: retrieved documents, tool calls, what the user said about it."
    verdict = codebook.verdict
    yield (f"Give the verdict, “{verdict.text}”: ", *_pressed(_labels(verdict), ", "), ".")
    always = [question for question in codebook.questions if question is not verdict and not question.only_if]
    if always:
        yield "Also always asked: " + ", ".join(
            f"“{question.text}”" + ("" if question.required else " (it may stay unanswered)") for question in always
        )
    if any(question.only_if for question in codebook.questions):
        yield "More questions appear when your answer calls for them, and only then."
    yield (SUBMIT, " submits, and the next one comes.")
    if codebook.skip_reasons:
        yield ("If you can't judge it: choose the reason by its key, then skip by ", SKIP, ".")
    else:
        yield ("If you can't judge it: skip by ", SKIP, ".")


def _labels(question: Question) -> list[tuple[str, str | None]]:
    """Text and key of each label, as the screen shows them."""
    return [(text, hotkey) for text, _, _, hotkey in offers(question)]


def _pressed(choices: Sequence[tuple[str, str | None]], between: str) -> Iterator[str | Key]:
    for place, (text, hotkey) in enumerate(choices):
        if place:
            yield between
        if hotkey:
            yield Key(hotkey)
            yield " "
        yield text


def _questions(codebook: Codebook) -> Iterator[Block]:
    yield Paragraph(
        "Each label comes with what it means, a case to which it applies, a case to which it does not, and a case"
        " that looks like it and is something else, with the reason. The last one is where people differ most."
    )
    for place, question in enumerate(codebook.questions, start=1):
        yield Heading(f"Question {place}: {question.text}")
        yield Paragraph(" ".join([_when(codebook, question), *_how(question)]))
        yield from _cards(question)


def _when(codebook: Codebook, question: Question) -> str:
    if not question.only_if:
        return "Always shown." if question.required else "Always shown; it may stay unanswered."
    ((other, names),) = question.only_if.items()
    asked = codebook.question(other)
    texts = " or ".join(f"“{shown}”" for shown in (_shown(asked, names) if asked else []))
    must = "" if question.required else "; it may stay unanswered"
    return f"Shown only where you answered {texts} to “{asked.text if asked else other}”{must}."


def _shown(question: Question, names: Sequence[str]) -> list[str]:
    """The buttons of those labels; which side of two is whose changes, so one of them stands for both."""
    both = question.kind == "pairwise" and not set(SIDES).isdisjoint(names)
    chosen = {*names, *SIDES} if both else set(names)
    return [text for label, (text, *_) in zip(question.labels, offers(question), strict=True) if label.name in chosen]


def _how(question: Question) -> Iterator[str]:
    match question.kind:
        case "binary":
            yield "Choose one of the two."
        case "choice":
            yield "Choose one."
        case "multi-choice":
            yield "Choose each one that applies; a second press takes it back."
        case "rating":
            low, high = question.labels[0].text, question.labels[-1].text
            yield f"Choose one step of the scale, from {low} (lowest) to {high} (highest)."
            yield "Go by the definition of the step, not by its distance from the middle."
        case "number" if question.scale:
            yield f"Type a number{_range(question.scale)}."
        case "correction":
            yield "The answer stands there already: change it into what it should have said. It may become a test case."
        case "pairwise":
            even = "".join(f", or “{label.text}”" for label in ties(question))
            yield (
                f"Choose A or B{even}. One of them is what the app said, the other is held against it; which is which"
                " changes from case to case by chance, so go by what you read."
            )
        case _:
            yield "Write it in your own words, a line or two."
    if question.failure and question.kind != "pairwise":
        texts = " or ".join(f"“{shown}”" for shown in _shown(question, question.failure))
        yield f"This is the verdict: {texts} counts as a failure."


def _range(scale: Scale) -> str:
    unit = f" ({scale.unit})" if scale.unit else ""
    steps = "whole numbers only" if scale.step == 1 and scale.minimum.is_integer() else f"in steps of {scale.step:g}"
    return f" from {scale.minimum:g} to {scale.maximum:g}{unit}, {steps}"


def _cards(question: Question) -> Iterator[Card]:
    """One for each label; of a pairwise question one for both sides, since what is said of one holds for either."""
    shown = dict(zip(question.labels, offers(question), strict=True))
    sides = [label for label in question.labels if question.kind == "pairwise" and label.name in SIDES]
    for labels in [sides, *([label] for label in question.labels if label not in sides)]:
        if labels:
            keys = [Key(label.hotkey) for label in labels if label.hotkey]
            title = " or ".join(shown[label][0] for label in labels)
            told = dict.fromkeys(line for label in labels for line in _told(label))
            by_kind = sorted(told, key=lambda line: _ORDER.index(line[0]))
            yield Card(title, keys, "; ".join(_asides(question, labels[0])), by_kind)


_ORDER: Final = ("means", "yes", "no", "edge")


def _asides(question: Question, label: Label) -> Iterator[str]:
    if label.name in question.failure and question.kind != "pairwise":
        yield "counts as a failure"
    if label.severity:
        yield f"usually {label.severity}"


def _told(label: Label) -> Iterator[tuple[str, str, str]]:
    yield "means", "Means", label.definition
    for kind, term, example in (
        ("yes", "Example", label.positive),
        ("no", "Not this", label.negative),
        ("edge", "Looks like it, but isn't", label.edge),
    ):
        if example:
            yield kind, term, example


def _skipping(codebook: Codebook) -> Iterator[Block]:
    yield Paragraph(
        "Skip when you would have to guess. A skip with its reason is worth something: it shows what is missing. A"
        " guess is worth less than nothing, because nobody can tell it from a judgement."
    )
    if codebook.skip_reasons:
        yield Table(
            ["Key", "Reason"],
            [[(Key(reason.hotkey),) if reason.hotkey else "", reason.text] for reason in codebook.skip_reasons],
        )
        yield Paragraph(("Choose the reason first, then press ", SKIP, ". A skipped case does not come back to you."))
    else:
        yield Paragraph((SKIP, " skips. A skipped case does not come back to you."))


def _suggestion(codebook: Codebook) -> list[Text]:
    # Of two answers it gives no reason: by that one could tell which is whose.
    says = "It says how sure it is." if codebook.pairwise else "It says how sure it is, and why."
    often = "most" if codebook.queue.blind_share < MOSTLY_BLIND else "some"
    return [
        f"On {often} cases a program has answered before you. {says}",
        "It may be wrong, also where it is sure. “Uncalibrated” means that nobody has compared it with people yet.",
        "Read the texts and make up your own mind first; then look at what it says.",
        *(["Of two answers, programs tend to like the longer one. You don't have to."] if codebook.pairwise else []),
        (
            "If you agree, ",
            SUBMIT,
            " is enough. If you don't, choose what is right: no answer is worth more than that.",
        ),
        "On other cases there is none, on purpose: they show how far people lean on it.",
    ]


def _differing(codebook: Codebook) -> Iterator[Text]:
    queue, owner = codebook.queue, codebook.owner
    if queue.annotations_per_trace > 1:
        yield f"Each case is judged by {queue.annotations_per_trace} of you, each alone."
    elif queue.double_label_share:
        yield f"About {queue.double_label_share:.0%} of the cases are judged by a second person, each of you alone."
    else:
        yield "Each case is judged by one person; now and then someone else looks at the same one."
    if queue.adjudication == "owner":
        yield "Where you differ, one person looks at what each of you chose, and decides."
    else:
        yield f"Where you differ, what most of you chose counts. Where nothing has most, it waits for {owner}."
    yield (
        "To differ is no mistake. It mostly shows that a definition can be read in two ways, so don't agree on an"
        f" answer beforehand. Bring the case to the one who decides ({owner}): the next version of the definitions can"
        " settle it."
    )
    yield "You may open a case again and change your answer: the last one counts."


def _not_to_do(codebook: Codebook) -> Iterator[Text]:
    yield "Don't guess: skip."
    yield "Don't judge the user or the question: judge what the app made of it."
    yield "Don't look outside for what the app could not know, unless the purpose above tells you to."
    yield "Don't be kind to what is well written, nor strict with what is short: the definitions say what counts."
    yield "Don't follow anything that a text on the screen asks you to do: it was written by strangers."
    yield "Don't copy personal data into a note or a correction."
    if codebook.queue.annotator_limit:
        yield f"Don't judge more than {codebook.queue.annotator_limit} cases a day: who is tired judges otherwise."


def _keys(codebook: Codebook) -> Iterator[Block]:
    asked = [(question.text, _labels(question)) for question in codebook.questions]
    asked.append(("Why I skip it", [(reason.text, reason.hotkey) for reason in codebook.skip_reasons]))
    yield Table(
        ["Question", "Keys"],
        [
            [text, tuple(_pressed([choice for choice in choices if choice[1]], " · "))]
            for text, choices in asked
            if any(hotkey for _, hotkey in choices)
        ],
    )
    yield Table(
        ["Key", "Does"],
        [
            [(SUBMIT,), "submits, and the next one comes"],
            [(SKIP,), "skips, once a reason is chosen" if codebook.skip_reasons else "skips"],
            [(Key("Tab"),), "moves on to the next field or fold"],
            [(CLOSE,), "closes a text that you are writing; while it is open, keys write and choose nothing"],
        ],
    )
