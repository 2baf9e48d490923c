"""Annotations and answers as Langfuse scores.

What a later version asks otherwise keeps no score of the name that today's answers have: it is taken down, and stands
again as `quarantined_<name>_<version>`, so that no name ever mixes two meanings.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from goldloop import ids
from goldloop.codebook.lineage import CodebookVersion, Lineage
from goldloop.codebook.schema import Question
from goldloop.codebook.score_configs import score_value
from goldloop.records import Annotation, Answer, Draw, Score, Value


@dataclass(frozen=True)
class Scoring:
    """One trace's scores. `configs` holds the ids of score configs by the names of the scores that keep to them."""

    lineage: Lineage
    draw: Draw
    environment: str
    configs: Mapping[str, str] = field(default_factory=dict)

    def annotation(self, annotation: Annotation) -> Score | None:
        """One annotation as one score of its own: its verdict; None for a skip.

        Its other answers stand in the metadata, so that an annotation is one score however much it says; texts do not:
        a note is the comment, and the correction, the output rewritten, goes to the golden set.
        """
        made = self.lineage.get(annotation.codebook_version)
        newest = self.lineage.newest
        if made is None or annotation.skipped or annotation.deleted:
            return None
        verdict = newest.codebook.verdict
        current = made.since.get(verdict.name) == newest.since[verdict.name]
        asked = newest if current else made
        question = asked.codebook.verdict
        if question.name not in annotation.answers:
            return None
        since = made.since[question.name]
        data_type, value = score_value(question, annotation.answers[question.name])
        score = Score(
            score_id=ids.annotation_score_id(annotation.trace_id, question.name, since, annotation.key),
            trace_id=annotation.trace_id,
            name=newest.codebook.annotation_score if current else self._name_of_then(made),
            data_type=data_type,
            value=value,
            comment=_note(asked, made, annotation),
            metadata={
                "goldloop": f"{self.draw.queue}@{since}",
                **provenance(self.draw),
                "annotator": annotation.annotator,
                "annotated_at": annotation.updated_at.isoformat(),
                "prelabel_shown": annotation.from_prediction,
                **_remarks(annotation),
                **_others(asked, made, annotation),
            },
            environment=self.environment,
            config_id=self.configs.get(asked.codebook.annotation_score),
            event_at=annotation.updated_at,
        )
        return score if current else _quarantined(score, since)

    def answer(self, answer: Answer) -> Score | None:
        """A resolved answer as the score of its question; None for texts, of which there is no majority."""
        asked = self.lineage.newest.codebook.question(answer.question)
        if answer.quarantined:
            asked = self._question_of_then(answer)
        if asked is None or asked.in_words:
            return None
        data_type, value = score_value(asked, answer.value)
        score = Score(
            score_id=ids.answer_score_id(answer.queue, answer.trace_id, answer.question, answer.codebook_version),
            trace_id=answer.trace_id,
            name=asked.score_name,
            data_type=data_type,
            value=value,
            metadata={
                "goldloop": f"{answer.queue}@{answer.codebook_version}",
                **provenance(self.draw),
                "votes": answer.votes,
                "voters": answer.voters,
                "annotators": list(answer.annotators),
                "method": answer.method,
                "failure": answer.failure,
            },
            environment=self.environment,
            config_id=self.configs.get(asked.score_name),
            event_at=answer.revised_at,
        )
        return _quarantined(score, answer.codebook_version) if answer.quarantined else score

    def _name_of_then(self, made: CodebookVersion) -> str:
        """The last name of annotations' scores while the verdict meant this: another question may have the first."""
        name = made.codebook.verdict.name
        same = (one for one in reversed(self.lineage.versions) if one.since.get(name) == made.since[name])
        return next((one for one in same if one.codebook.verdict.name == name), made).codebook.annotation_score

    def _question_of_then(self, answer: Answer) -> Question | None:
        """As the newest version that meant this by it asked it."""
        for version in reversed(self.lineage.versions):
            if version.since.get(answer.question) == answer.codebook_version:
                return version.codebook.question(answer.question)
        return None


def provenance(draw: Draw) -> dict[str, JsonValue]:
    """By which chance a trace came to be judged, and to be judged as it was: what an honest estimate needs."""
    told: dict[str, JsonValue] = {
        "policy": draw.policy,
        "pi": draw.pi,
        "stratum": draw.stratum,
        "draw_run": draw.run_id,
    }
    if draw.inclusion != draw.pi:
        told["inclusion"] = draw.inclusion
    if draw.blind:
        told |= {"blind": True, "blind_probability": draw.blind_probability}
    if draw.double:
        told |= {"double": True, "double_probability": draw.double_probability}
    return told


def quarantined_name(name: str, since: str) -> str:
    """What a score of this name is called once a later version asks something else than the one of `since`."""
    return f"quarantined_{name}_{since}"


def _quarantined(score: Score, since: str) -> Score:
    return score.model_copy(
        update={
            "score_id": ids.quarantined_score_id(score.score_id),
            "name": quarantined_name(score.name, since),
            "config_id": None,
            "metadata": {**score.metadata, "quarantined": True},
        }
    )


def _carried(asked: CodebookVersion, made: CodebookVersion, annotation: Annotation) -> list[Question]:
    """Questions that the annotation answers, and that meant in the version it was made in what `asked` means."""
    return [
        question
        for question in asked.codebook.questions
        if question.name in annotation.answers and made.since.get(question.name) == asked.since[question.name]
    ]


def _remarks(annotation: Annotation) -> dict[str, JsonValue]:
    """What is true of few annotations, and told of those alone."""
    told: dict[str, JsonValue] = {"edited_by": annotation.edited_by} if annotation.edited_by else {}
    return told | {"ground_truth": True} if annotation.ground_truth else told


def _others(asked: CodebookVersion, made: CodebookVersion, annotation: Annotation) -> dict[str, JsonValue]:
    return {
        question.name: _json(annotation.answers[question.name])
        for question in _carried(asked, made, annotation)
        if question.name != asked.codebook.verdict.name and not question.in_words
    }


def _note(asked: CodebookVersion, made: CodebookVersion, annotation: Annotation) -> str | None:
    carried = _carried(asked, made, annotation)
    notes = [str(annotation.answers[question.name]) for question in carried if question.kind == "text"]
    return "\n".join(notes) or None


def _json(value: Value) -> JsonValue:
    return [*value] if isinstance(value, list) else value
