"""A trace's answers where its annotations come from several versions of the codebook.

Each question is answered by the annotations made when it meant what it means today. What older ones say of questions
that changed or went is worked out as it was meant then, and set aside: quarantined. Where a new verdict is still
wanted, their answers to questions that did not change stand on their own. Where a trace was labelled again and the old
and the new annotations leave its verdict open, the new ones decide by themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from goldloop.codebook.lineage import Lineage
from goldloop.records import Annotation, Answer
from goldloop.resolution.majority import Reading, resolve


@dataclass(frozen=True)
class Across:
    """`answers` mean what the newest version means; `quarantined` ones are of other questions than these."""

    decided: bool
    contested: bool
    answers: tuple[Answer, ...]
    quarantined: tuple[Answer, ...]


def resolve_across(lineage: Lineage, annotations: Sequence[Annotation], wanted: int | None = None) -> Across:
    """The answers of one trace from all of its annotations, in the order of their creation."""
    newest = lineage.newest
    meanings = {one.codebook.version: one.since for one in lineage.versions}
    reading = Reading(newest.codebook, meanings, wanted)
    today = resolve(reading, annotations)
    if not today.decided:
        again = resolve(reading, _labelled_again(annotations))
        today = again if again.decided else today
    answers = {answer.question: answer for answer in today.answers}
    quarantined: dict[str, Answer] = {}
    used = {one.codebook_version for one in annotations if not one.deleted}
    for version in reversed(lineage.versions):
        if version.codebook.version not in used or version.since == newest.since:
            continue
        # Who has to agree is a setting of the queue, of today.
        asked = version.codebook.model_copy(update={"queue": newest.codebook.queue})
        for answer in resolve(Reading(asked, meanings, wanted), annotations).answers:
            if answer.question in answers or answer.question in quarantined:
                continue
            if newest.since.get(answer.question) != answer.codebook_version:
                quarantined[answer.question] = answer.model_copy(update={"quarantined": True})
            elif not today.decided and answer.question != newest.codebook.verdict.name:
                answers[answer.question] = answer
    return Across(
        decided=today.decided,
        contested=today.contested,
        answers=tuple(answers.values()),
        quarantined=tuple(quarantined.values()),
    )


def _labelled_again(annotations: Sequence[Annotation]) -> list[Annotation]:
    """Those in the trace's newest project: not of the newest version, which a later one would take the word from."""
    newest = max((one.project_id for one in annotations if not one.deleted), default=0)
    return [one for one in annotations if one.project_id == newest]
