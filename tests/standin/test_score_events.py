"""Each row of what is known of score events in the batch endpoint."""

from datetime import timedelta
from typing import Any

import pytest

from standin.support import API, START, StandIn, score_event

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def test_the_events_own_timestamp_counts(server: StandIn) -> None:
    answer = server.ingest(score_event("s1", 1, START - DAY, timestamp="2020-01-01T00:00:00Z"))
    assert answer == {"successes": [{"id": "e", "status": 201}], "errors": []}
    assert server.score("s1")["timestamp"] == "2026-02-28T12:00:00.000Z"


@pytest.mark.parametrize("later", [SECOND, DAY])
def test_a_newer_event_replaces_and_the_first_timestamp_stays(server: StandIn, later: timedelta) -> None:
    server.ingest(score_event("s1", 1, START, comment="kept"))
    server.ingest(score_event("s1", 2, START + later))
    score = server.score("s1")
    assert (score["value"], score["comment"], score["timestamp"]) == (2, "kept", "2026-03-01T12:00:00.000Z")
    assert len(server.scores()) == 1


def test_an_equal_event_is_ignored_with_a_201(server: StandIn) -> None:
    server.ingest(score_event("s1", 1, START, comment="old", metadata={"a": 1}))
    answer = server.ingest(score_event("s1", 2, START, comment="new", metadata={"a": 2}))
    assert answer["successes"] == [{"id": "e", "status": 201}]
    score = server.score("s1")
    assert (score["value"], score["comment"], score["metadata"]) == (1, "old", {"a": 1})


def test_within_one_millisecond_events_are_equal(server: StandIn) -> None:
    server.ingest(score_event("s1", 1, START))
    server.ingest(score_event("s1", 2, START + timedelta(microseconds=999)))
    assert server.score("s1")["value"] == 1


def test_an_older_event_loses_though_it_arrives_later(server: StandIn) -> None:
    server.ingest(score_event("s1", 2, START))
    server.ingest(score_event("s1", 1, START - SECOND))
    score = server.score("s1")
    assert (score["value"], score["timestamp"]) == (2, "2026-03-01T11:59:59.000Z")


def test_an_older_event_loses_in_one_batch(server: StandIn) -> None:
    server.ingest(score_event("s1", 2, START), score_event("s1", 1, START - SECOND))
    assert server.score("s1")["value"] == 2


def test_of_three_equal_events_in_one_batch_the_first_wins(server: StandIn) -> None:
    server.ingest(*(score_event("s1", value, START, event_id=str(value)) for value in (1, 2, 3)))
    assert server.score("s1")["value"] == 1


def test_a_post_after_it_is_a_newer_event(server: StandIn) -> None:
    server.ingest(score_event("s1", 1, START - SECOND))
    server.post("/scores", {"id": "s1", "traceId": "t1", "name": "another", "value": 2})
    score = server.score("s1")
    assert (score["name"], score["value"]) == ("another", 2)


def test_each_bad_event_alone_is_refused(server: StandIn) -> None:
    long_text = score_event("long", "x" * 501, START, event_id="1", dataType="TEXT")
    valueless = score_event("none", None, START, event_id="2")
    del valueless["body"]["value"]
    timeless: dict[str, Any] = {**score_event("when", 1, START, event_id="3"), "timestamp": "nope"}
    good = score_event("good", 1, START, event_id="4")
    answer = server.ingest(long_text, valueless, timeless, good)
    assert answer["successes"] == [{"id": "4", "status": 201}]
    assert [(error["id"], error["status"], error["message"]) for error in answer["errors"]] == [
        (event_id, 400, "Invalid request data") for event_id in ("1", "2", "3")
    ]
    assert [score["id"] for score in server.scores()] == ["good"]


def test_a_category_that_the_config_lacks_is_dropped_after_its_201(server: StandIn) -> None:
    config_id = server.config(name="quality", dataType="CATEGORICAL", categories=[{"label": "good", "value": 1}])
    answer = server.ingest(
        score_event("bad", "zzz", START, event_id="1", configId=config_id),
        score_event("fine", "good", START, event_id="2", configId=config_id),
    )
    assert [success["id"] for success in answer["successes"]] == ["1", "2"]
    assert [(score["id"], score["value"]) for score in server.scores()] == [("fine", "good")]


def test_a_deleted_score_comes_back_with_any_event(server: StandIn) -> None:
    server.ingest(score_event("s1", 1, START))
    server.client.delete("/api/public/scores/s1")
    assert server.scores() == []
    server.ingest(score_event("s1", 2, START))
    assert server.score("s1")["value"] == 2


def test_other_events_are_not_accepted_whatever_is_in_them(server: StandIn) -> None:
    answer = server.ingest(
        {"id": "1", "type": "trace-create", "timestamp": "nope", "body": {}},
        {"id": "2", "type": "no-such-type", "timestamp": START.isoformat(), "body": {}},
    )
    assert answer["successes"] == []
    assert [(error["id"], error["status"], error["message"]) for error in answer["errors"]] == [
        ("1", 400, "Event type not accepted"),
        ("2", 400, "Event type not accepted"),
    ]
    assert answer["errors"][0]["error"].startswith('Event type "trace-create" is not accepted by /api/public/ingestion')


def test_without_a_batch(server: StandIn) -> None:
    answer = server.post("/ingestion", {"nope": 1})
    assert (answer.status_code, answer.json()) == (
        400,
        {"message": "Invalid request data", "errors": ["Invalid input: expected array, received undefined"]},
    )


@pytest.mark.parametrize(
    ("value", "config", "archived"), [(1.1, "made", False), (0.5, "nope", False), (0.5, "made", True)]
)
def test_what_a_config_does_not_take_is_dropped_after_its_201(
    server: StandIn, value: float, config: str, archived: bool
) -> None:
    made = server.config(name="quality", dataType="NUMERIC", minValue=0, maxValue=1)
    server.client.patch(f"{API}/score-configs/{made}", json={"isArchived": archived})
    answer = server.ingest(score_event("s1", value, START, configId=made if config == "made" else config))
    assert answer == {"successes": [{"id": "e", "status": 201}], "errors": []}
    assert server.scores() == []


def test_a_score_event_of_another_name_takes_the_configs(server: StandIn) -> None:
    config_id = server.config(name="quality", dataType="NUMERIC")
    server.ingest(score_event("s1", 1, START, name="other", configId=config_id))
    assert (server.score("s1")["name"], server.score("s1")["configId"]) == ("quality", config_id)
