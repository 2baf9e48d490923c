"""A codebook's answers as Langfuse scores: the value that each carries, and the score configs that say which may be.

Langfuse checks a score against its config only after it has said that it took it, and then drops it without a word. So
what a config does not hold is told here, before it is sent.
"""

import hashlib
import json
import math

from goldloop.codebook.schema import Codebook, Question
from goldloop.records import Score, ScoreConfig, ScoreType, Value


def score_value(question: Question, value: Value) -> tuple[ScoreType, str | float]:
    """An answer as the value of its score.

    NUMERIC: a number as it is, of a rating the place of its label from 1 on, so that a mean says something. Everything
    else is CATEGORICAL: a label by its name, several joined by `+` in the codebook's order, a text as it is.

    Raises:
        ValueError: a rating's label that the question has not.
    """
    if question.kind == "number" and isinstance(value, int | float):
        return ScoreType.NUMERIC, float(value)
    if question.kind == "rating":
        if value not in question.label_names:
            raise ValueError(f"{question.name} has no label {value!r}, so it has no place on the scale")
        return ScoreType.NUMERIC, float(question.label_names.index(value) + 1)
    return ScoreType.CATEGORICAL, "+".join(value) if isinstance(value, list) else str(value)


def score_configs(codebook: Codebook) -> list[ScoreConfig]:
    """A score config for each question whose answers are one of some values, and one for the scores of annotations.

    There is none for several labels, of which each combination would be a category, and none for texts.
    """
    configs = [_config(question.score_name, question) for question in codebook.questions]
    configs.append(_config(codebook.annotation_score, codebook.verdict))
    return [config for config in configs if config is not None]


def digest(config: ScoreConfig) -> str:
    """A hash of what a config holds; its description is for people, and two of one meaning are one."""
    meaning = config.model_dump(mode="json", exclude={"description"})
    return hashlib.sha256(json.dumps(meaning, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def unfit(config: ScoreConfig, score: Score) -> str:
    """Why Langfuse would drop this score of this config, or show it under another name; "" where it would not."""
    if score.name != config.name:
        return "its score config has another name"
    if score.data_type is not config.data_type:
        return f"its score config is {config.data_type}, and the score {score.data_type}"
    value = score.value
    if config.data_type is ScoreType.CATEGORICAL and value not in {label for label, _ in config.categories}:
        return "its score config has no such category"
    if config.data_type is ScoreType.NUMERIC and not _is_between(value, config.minimum, config.maximum):
        return "it is out of the range of its score config"
    return ""


def _config(name: str, question: Question) -> ScoreConfig | None:
    numeric = ScoreConfig(name=name, data_type=ScoreType.NUMERIC, description=question.text)
    match question.kind:
        case "binary" | "choice" | "pairwise":
            places = enumerate(question.label_names, start=1)
            return ScoreConfig(
                name=name,
                data_type=ScoreType.CATEGORICAL,
                categories=tuple((label, float(place)) for place, label in places),
                description=question.text,
            )
        case "rating":
            ladder = ", ".join(f"{place} = {label}" for place, label in enumerate(question.label_names, start=1))
            bounds = {"minimum": 1.0, "maximum": float(len(question.labels))}
            return numeric.model_copy(update={**bounds, "description": f"{question.text} ({ladder})"})
        case "number" if question.scale:
            return numeric.model_copy(update={"minimum": question.scale.minimum, "maximum": question.scale.maximum})
        case _:
            return None


def _is_between(value: str | float, minimum: float | None, maximum: float | None) -> bool:
    if isinstance(value, str):
        return False
    return (-math.inf if minimum is None else minimum) <= value <= (math.inf if maximum is None else maximum)
