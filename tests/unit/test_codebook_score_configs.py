"""Answers as score values, and the score configs that hold them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given

from builders import codebook
from builders_codebooks import asked_and_answered, codebooks
from goldloop.codebook.schema import Codebook, Label, Question, Scale
from goldloop.codebook.score_configs import digest, score_configs, score_value, unfit
from goldloop.records import Score, ScoreConfig, ScoreType, Value

NAMES = ("poor", "fair", "good")
LABELS = tuple(Label(name=name, text=name.title(), definition="when so") for name in NAMES)
RATING = Question(name="grade", kind="rating", text="How good?", labels=LABELS)
SEVERAL = Question(name="why", kind="multi-choice", text="Why?", labels=LABELS)
CHOICE = Question(name="which", kind="choice", text="Which?", labels=LABELS)
NUMBER = Question(name="steps", kind="number", text="How many?", scale=Scale(minimum=0, maximum=4, step=0.5))
TEXT = Question(name="note", kind="text", text="Anything?")


def score(config: ScoreConfig, value: str | float, **given_fields: object) -> Score:
    fields: dict[str, object] = {
        "score_id": "s1",
        "trace_id": "t1",
        "name": config.name,
        "data_type": config.data_type,
        "value": value,
        "event_at": datetime(2026, 11, 21, tzinfo=UTC),
    }
    return Score.model_validate(fields | given_fields)


@pytest.mark.parametrize(
    ("question", "value", "expected"),
    [
        (RATING, "poor", (ScoreType.NUMERIC, 1.0)),
        (RATING, "good", (ScoreType.NUMERIC, 3.0)),
        (NUMBER, 2.5, (ScoreType.NUMERIC, 2.5)),
        (CHOICE, "fair", (ScoreType.CATEGORICAL, "fair")),
        (SEVERAL, ["poor", "good"], (ScoreType.CATEGORICAL, "poor+good")),
        (SEVERAL, ["good"], (ScoreType.CATEGORICAL, "good")),
        (TEXT, "As told.", (ScoreType.CATEGORICAL, "As told.")),
    ],
)
def test_the_value_of_a_score(question: Question, value: Value, expected: tuple[ScoreType, str | float]) -> None:
    assert score_value(question, value) == expected


def test_a_grade_that_is_no_label_has_no_place() -> None:
    with pytest.raises(ValueError, match="great"):
        score_value(RATING, "great")


def test_configs_hold_what_the_questions_take() -> None:
    verdict = CHOICE.model_copy(update={"name": "verdict", "failure": ("poor",), "score": "Q"})
    asked = codebook().model_copy(update={"questions": (verdict, RATING, SEVERAL, NUMBER, TEXT)})
    places = (("poor", 1.0), ("fair", 2.0), ("good", 3.0))
    assert score_configs(asked) == [
        ScoreConfig(name="Q", data_type=ScoreType.CATEGORICAL, categories=places, description="Which?"),
        ScoreConfig(
            name="human_grade",
            data_type=ScoreType.NUMERIC,
            minimum=1,
            maximum=3,
            description="How good? (1 = poor, 2 = fair, 3 = good)",
        ),
        ScoreConfig(name="human_steps", data_type=ScoreType.NUMERIC, minimum=0, maximum=4, description="How many?"),
        ScoreConfig(name="annotation_Q", data_type=ScoreType.CATEGORICAL, categories=places, description="Which?"),
    ]


@given(asked_and_answered())
def test_every_answer_is_held_by_its_config(pair: tuple[Codebook, dict[str, Value]]) -> None:
    asked, answers = pair
    configs = {config.name: config for config in score_configs(asked)}
    assert len(configs) == len(score_configs(asked))
    for question in asked.questions:
        config = configs.get(question.score_name)
        assert (config is None) == (question.kind in {"multi-choice", "text", "correction"})
        if config is not None and question.name in answers:
            data_type, value = score_value(question, answers[question.name])
            assert unfit(config, score(config, value, data_type=data_type)) == ""
    verdict = asked.verdict
    if verdict.name in answers:
        data_type, value = score_value(verdict, answers[verdict.name])
        config = configs[asked.annotation_score]
        assert unfit(config, score(config, value, data_type=data_type)) == ""


@given(codebooks())
def test_langfuse_takes_the_configs(asked: Codebook) -> None:
    """Names of 35 characters at most, no category twice, a minimum below the maximum."""
    for config in score_configs(asked):
        assert 1 <= len(config.name) <= 35
        labels, values = zip(*config.categories, strict=True) if config.categories else ((), ())
        assert len(set(labels)) == len(labels) == len(set(values))
        assert (config.data_type is ScoreType.CATEGORICAL) == bool(labels)
        if config.minimum is not None and config.maximum is not None:
            assert config.minimum < config.maximum


CATEGORICAL = ScoreConfig(name="q", data_type=ScoreType.CATEGORICAL, categories=(("a", 1.0), ("b", 2.0)))
NUMERIC = ScoreConfig(name="q", data_type=ScoreType.NUMERIC, minimum=1, maximum=3)
OPEN = ScoreConfig(name="q", data_type=ScoreType.NUMERIC)


@pytest.mark.parametrize(
    ("config", "value", "changes", "why"),
    [
        (CATEGORICAL, "a", {}, ""),
        (CATEGORICAL, "A", {}, "no such category"),
        (CATEGORICAL, "a+b", {}, "no such category"),
        (CATEGORICAL, 1.0, {}, "no such category"),
        (CATEGORICAL, "a", {"name": "other"}, "another name"),
        (CATEGORICAL, 1.0, {"data_type": ScoreType.NUMERIC}, "is CATEGORICAL"),
        (NUMERIC, 1.0, {}, ""),
        (NUMERIC, 3.0, {}, ""),
        (NUMERIC, 0.999, {}, "out of the range"),
        (NUMERIC, 3.001, {}, "out of the range"),
        (NUMERIC, float("nan"), {}, "out of the range"),
        (NUMERIC, "2", {}, "out of the range"),
        (OPEN, -1e300, {}, ""),
    ],
)
def test_what_a_config_does_not_hold(
    config: ScoreConfig, value: str | float, changes: dict[str, object], why: str
) -> None:
    said = unfit(config, score(config, value, **changes))
    assert why in said
    assert bool(said) == bool(why)


def test_two_of_one_meaning_have_one_digest() -> None:
    assert digest(NUMERIC) == digest(NUMERIC.model_copy(update={"description": "Reworded"}))
    others = [
        NUMERIC,
        NUMERIC.model_copy(update={"maximum": 4.0}),
        NUMERIC.model_copy(update={"name": "r"}),
        CATEGORICAL,
        CATEGORICAL.model_copy(update={"categories": CATEGORICAL.categories[::-1]}),
    ]
    assert len({digest(config) for config in others}) == len(others)
    # As the server gives it back: integers, where goldloop had whole floats.
    assert digest(ScoreConfig.model_validate(NUMERIC.model_dump() | {"minimum": 1, "maximum": 3})) == digest(NUMERIC)
