"""What the SDK's own validation lets through."""

from typing import Any

import pytest

from goldloop.adapters.labelstudio.validation import invalid_predictions
from goldloop.errors import ConfigError
from goldloop.ports import TaskDraft

CONFIG = """<View>
  <Text name="t" value="$t"/>
  <Rating name="stars" toName="t" maxRating="4"/>
  <Number name="count" toName="t" min="1" max="5"/>
  <Number name="share" toName="t" min="0.1" max="2" step="0.1"/>
  <Number name="any" toName="t"/>
  <Labels name="spans" toName="t"><Label value="L"/></Labels>
  <Text name="u" value="$u"/>
  <Pairwise name="better" toName="t,u"/>
</View>"""


def problem(*parts: dict[str, Any] | str, **changes: Any) -> str | None:
    prediction = {"model_version": "v", "score": 0.5, "result": list(parts), **changes}
    draft = TaskDraft(trace_id="aa", data={}, prediction=prediction)
    return invalid_predictions(CONFIG, [draft]).get("aa")


def part(name: str, kind: str, **value: Any) -> dict[str, Any]:
    return {"id": "1", "from_name": name, "to_name": "t", "type": kind, "value": value}


SPAN = {"text": "x", "labels": ["L"]}


@pytest.mark.parametrize(
    "good",
    [
        part("stars", "rating", rating=4),
        part("count", "number", number=5),
        part("share", "number", number=0.3),
        part("share", "number", number=2),
        part("any", "number", number=-1.5),
        part("better", "pairwise", selected="left"),
        part("spans", "labels", start=0, end=1, **SPAN),
    ],
)
def test_allowed(good: dict[str, Any]) -> None:
    assert problem(good) is None


@pytest.mark.parametrize(
    "bad",
    [
        part("stars", "rating", rating="3"),
        part("stars", "rating", rating=True),
        part("stars", "rating", rating=0),
        part("stars", "rating", rating=5),
        part("count", "number", number="3"),
        part("count", "number", number=6),
        part("count", "number", number=0.5),
        part("share", "number", number=0.35),
        part("share", "number", number=0.30000000000000004),
        part("any", "number", number=float("inf")),
        part("any", "number", number=float("nan")),
        part("any", "number", number=True),
        part("better", "pairwise", selected="up"),
        part("spans", "labels", start=2, end=1, **SPAN),
        part("spans", "labels", start=-1, end=1, **SPAN),
        {**part("stars", "rating", rating=3), "id": 7},
        {**part("stars", "rating"), "value": None},
        {**part("stars", "rating", rating=3), "type": None},
        {**part("stars", "rating", rating=3), "from_name": ["stars"]},
        "no object",
    ],
)
def test_not_allowed(bad: dict[str, Any] | str) -> None:
    assert problem(bad)


def test_spans_may_be_many_and_ratings_not() -> None:
    spans = [part("spans", "labels", start=start, end=start + 1, **SPAN) for start in range(3)]
    assert problem(*spans) is None
    assert problem(part("stars", "rating", rating=3), part("stars", "rating", rating=3)) == "stars is answered 2 times"


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan"), "0.5", True])
def test_a_score_is_a_number_from_0_to_1(score: object) -> None:
    assert problem(score=score)


def test_a_score_may_be_missing() -> None:
    assert problem(score=None) is None


@pytest.mark.parametrize("config", ["<View>", ""])
def test_a_label_config_that_is_none(config: str) -> None:
    with pytest.raises(ConfigError, match="label config"):
        invalid_predictions(config, [TaskDraft(trace_id="aa", data={}, prediction={})])


def test_without_predictions_nothing_is_parsed() -> None:
    assert invalid_predictions("<View>", [TaskDraft(trace_id="aa", data={})]) == {}
