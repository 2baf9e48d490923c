"""One answer a question from the annotations of a trace.

A trace is decided when no outstanding annotation could change the verdict any more, or when all that were wanted are
in (a skip counts as in: that annotator will not come back). A tie decides nothing. Where the queue's adjudicator
decides, only unanimity of all that were wanted does without them.

Each question has its own voters: those whose annotation was made when the question meant what it means now.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from goldloop.codebook.lineage import Since
from goldloop.codebook.schema import Codebook, Question
from goldloop.records import Annotation, Answer, Value
from goldloop.resolution.median import median, settled_median


@dataclass(frozen=True)
class Resolution:
    """`answers` are empty until the verdict is decided; `contested` waits for the adjudicator."""

    decided: bool
    answers: tuple[Answer, ...] = ()
    contested: bool = False


@dataclass(frozen=True)
class Reading:
    """By what a trace's annotations are read: one version's questions, and what each version means by them.

    Attributes:
        versions: by codebook version, since when each of its questions means what it means in it. Without an
            annotation's version, all of its answers count.
        wanted: annotations that are wanted of this trace; those of the queue's settings without it.
    """

    codebook: Codebook
    versions: Mapping[str, Since] = field(default_factory=dict)
    wanted: int | None = None

    def since(self, question: str) -> str:
        return self.versions.get(self.codebook.version, {}).get(question, self.codebook.version)

    def counts(self, question: str, annotation: Annotation) -> bool:
        """Whether the annotation answers this question as it is meant here, and not another of its name."""
        asked = self.versions.get(annotation.codebook_version)
        return asked is None or asked.get(question) == self.since(question)

    def voices(self, question: str, annotations: Sequence[Annotation]) -> list[Annotation]:
        """Each annotator's newest annotation that counts for the question; skips among them."""
        return latest_by_annotator([one for one in annotations if not one.deleted and self.counts(question, one)])


def resolve(reading: Reading, annotations: Sequence[Annotation]) -> Resolution:
    """The answers of one trace from all of its annotations, in the order of their creation.

    One voice each: where an annotator submitted twice, the annotation changed last is the one that counts.
    """
    codebook = reading.codebook
    question = codebook.verdict
    current = reading.voices(question.name, annotations)
    votes = [one for one in current if not one.skipped and question.name in one.answers]
    wanted = codebook.queue.annotations_per_trace if reading.wanted is None else reading.wanted
    outstanding = max(0, wanted - len(current))
    value = _verdict(codebook, question, votes, outstanding)
    if value is None:
        return Resolution(decided=False, contested=_is_contested(codebook, votes, outstanding))
    agreeing = {one.annotator for one in votes if _same(question, one.answers[question.name], value)}
    verdict = _answer(reading, question, value, votes)
    against = {one.annotator for one in current} - agreeing
    answers = {question.name: verdict}
    hidden: set[str] = set()
    for other in codebook.questions:
        if other.name == question.name:
            continue
        if _is_hidden(other, answers, hidden):
            hidden.add(other.name)
            continue
        voices = [one for one in reading.voices(other.name, annotations) if one.annotator not in against]
        answered = [one for one in voices if not one.skipped and other.name in one.answers]
        if answered and (found := _follow_up(reading, other, answered)):
            answers[other.name] = found
    return Resolution(decided=True, answers=tuple(answers.values()))


def latest_by_annotator(annotations: Sequence[Annotation]) -> list[Annotation]:
    """One annotation an annotator, the one changed last, in the order of the annotators' first ones."""
    latest: dict[str, Annotation] = {}
    for annotation in annotations:
        before = latest.get(annotation.annotator)
        if before is None or annotation.updated_at >= before.updated_at:
            latest[annotation.annotator] = annotation
    return list(latest.values())


def _adjudicated(codebook: Codebook, question: Question, answered: Sequence[Annotation]) -> Annotation | None:
    if codebook.queue.adjudication != "owner":
        return None
    who = codebook.queue.adjudicator
    return next((one for one in answered if one.annotator == who and question.name in one.answers), None)


def _verdict(codebook: Codebook, question: Question, votes: Sequence[Annotation], outstanding: int) -> Value | None:
    """The deciding value; None while there is none."""
    if not votes:
        return None
    by_owner = _adjudicated(codebook, question, votes)
    if by_owner is not None:
        return by_owner.answers[question.name]
    values = [one.answers[question.name] for one in votes]
    if codebook.queue.adjudication == "owner":
        return values[0] if outstanding == 0 and all(value == values[0] for value in values) else None
    if question.kind == "rating":
        return settled_median(question, values, outstanding)
    (leader, most), *others = Counter(str(value) for value in values).most_common()
    second = others[0][1] if others else 0
    return leader if most - second > outstanding else None


def _is_contested(codebook: Codebook, votes: Sequence[Annotation], outstanding: int) -> bool:
    return codebook.queue.adjudication == "owner" and outstanding == 0 and bool(votes)


def _same(question: Question, value: Value, verdict: Value) -> bool:
    """Whether a vote is on the verdict's side: of a rating, every step that says failure, or that says none."""
    if question.kind == "rating":
        return (value in question.failure) == (verdict in question.failure)
    return value == verdict


def _is_hidden(question: Question, answers: Mapping[str, Answer], hidden: Collection[str]) -> bool:
    """Whether the screen would not ask it: what it hangs on was answered otherwise, or is hidden itself.

    What has no answer hides nothing: annotators may disagree about it, or its labels may be those of an older version.
    """
    return any(
        other in hidden or (other in answers and not set(labels) & set(_labels(answers[other].value)))
        for other, labels in (question.only_if or {}).items()
    )


def _follow_up(reading: Reading, question: Question, answered: Sequence[Annotation]) -> Answer | None:
    """What those who gave the deciding verdict say further; of texts, the first that was written."""
    values = [one.answers[question.name] for one in answered]
    by_owner = _adjudicated(reading.codebook, question, answered)
    if by_owner is not None:
        return _answer(reading, question, by_owner.answers[question.name], answered)
    if question.in_words:
        return _answer(reading, question, values[0], answered)
    if question.kind in {"rating", "number"}:
        return _answer(reading, question, median(question, values), answered)
    named = Counter(label for value in values for label in _labels(value))
    most = max(named.values())
    chosen = [label for label in question.label_names if named[label] * 2 > len(answered) or named[label] == most]
    if question.kind == "multi-choice":
        return _answer(reading, question, chosen, answered)
    # A tie among labels that exclude each other decides nothing.
    return _answer(reading, question, chosen[0], answered) if len(chosen) == 1 else None


def _labels(value: Value) -> list[str]:
    return value if isinstance(value, list) else [str(value)]


def _answer(reading: Reading, question: Question, value: Value, answered: Sequence[Annotation]) -> Answer:
    saying = [one for one in answered if set(_labels(value)) & set(_labels(one.answers[question.name]))]
    return Answer(
        queue=reading.codebook.name,
        codebook_version=reading.since(question.name),
        trace_id=answered[0].trace_id,
        question=question.name,
        value=value,
        votes=max(1, len(saying)),
        voters=len(answered),
        annotators=tuple(sorted(one.annotator for one in answered)),
        method=_method(reading.codebook, question, answered),
        failure=value in question.failure,
        revised_at=max(one.updated_at for one in answered),
    )


def _method(codebook: Codebook, question: Question, answered: Sequence[Annotation]) -> str:
    if _adjudicated(codebook, question, answered) is not None:
        return "adjudicated"
    return {"text": "first", "correction": "first", "rating": "median", "number": "median"}.get(
        question.kind, "majority"
    )
