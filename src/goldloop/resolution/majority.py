"""The majority's answer, question by question.

A trace is decided when no outstanding annotation could change the verdict any more, or when all that were wanted are
in (a skip counts as in: that annotator will not come back). A tie decides nothing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from goldloop.codebook.schema import Codebook, Question
from goldloop.records import Annotation, Answer, Value


@dataclass(frozen=True)
class Resolution:
    """`answers` are empty until the verdict is decided."""

    decided: bool
    answers: tuple[Answer, ...] = ()


def resolve(codebook: Codebook, annotations: Sequence[Annotation]) -> Resolution:
    """The answers of one trace from all of its annotations by this codebook, in the order of their creation.

    One voice each: where an annotator submitted twice, the annotation changed last is the one that counts.
    """
    current = latest_by_annotator([annotation for annotation in annotations if not annotation.deleted])
    votes = [annotation for annotation in current if not annotation.skipped]
    question = codebook.verdict
    tally = Counter(
        str(annotation.answers[question.name]) for annotation in votes if question.name in annotation.answers
    )
    if not tally:
        return Resolution(decided=False)
    (leader, most), *others = tally.most_common()
    second = others[0][1] if others else 0
    outstanding = max(0, codebook.queue.annotations_per_trace - len(current))
    if most - second <= outstanding and not (outstanding == 0 and most > second):
        return Resolution(decided=False)
    agreeing = [annotation for annotation in votes if annotation.answers.get(question.name) == leader]
    verdict = _answer(codebook, question, leader, agreeing, votes)
    others_asked = [other for other in codebook.questions if other.name != question.name]
    follow_ups = [found for other in others_asked if (found := _follow_up(codebook, other, agreeing))]
    return Resolution(decided=True, answers=(verdict, *follow_ups))


def latest_by_annotator(annotations: Sequence[Annotation]) -> list[Annotation]:
    """One annotation an annotator, the one changed last, in the order of the annotators' first ones."""
    latest: dict[str, Annotation] = {}
    for annotation in annotations:
        before = latest.get(annotation.annotator)
        if before is None or annotation.updated_at >= before.updated_at:
            latest[annotation.annotator] = annotation
    return list(latest.values())


def _follow_up(codebook: Codebook, question: Question, agreeing: list[Annotation]) -> Answer | None:
    """What those who gave the deciding verdict say further; of texts, the first that was written."""
    answered = [annotation for annotation in agreeing if question.name in annotation.answers]
    if not answered:
        return None
    if not question.chooses:
        first = answered[0]
        return _answer(codebook, question, first.answers[question.name], [first], answered)
    named = Counter(label for annotation in answered for label in _labels(annotation.answers[question.name]))
    most = max(named.values())
    chosen = [label for label in question.label_names if named[label] * 2 > len(answered) or named[label] == most]
    value: Value = chosen if question.kind == "multi-choice" else chosen[0]
    if question.kind != "multi-choice" and len(chosen) > 1:
        return None  # a tie among labels that exclude each other decides nothing
    saying = [annotation for annotation in answered if set(chosen) & set(_labels(annotation.answers[question.name]))]
    return _answer(codebook, question, value, saying, answered)


def _labels(value: Value) -> list[str]:
    return value if isinstance(value, list) else [str(value)]


def _answer(
    codebook: Codebook, question: Question, value: Value, saying: list[Annotation], answered: list[Annotation]
) -> Answer:
    return Answer(
        queue=codebook.name,
        codebook_version=codebook.version,
        trace_id=saying[0].trace_id,
        question=question.name,
        value=value,
        votes=len(saying),
        voters=len(answered),
        annotators=tuple(sorted(annotation.annotator for annotation in answered)),
        method="majority" if question.chooses else "first",
        failure=value in question.failure,
        revised_at=max(annotation.updated_at for annotation in answered),
    )
