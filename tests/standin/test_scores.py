from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from standin.support import START, StandIn, score_event

SECOND = timedelta(seconds=1)


def post(server: StandIn, **body: Any) -> dict[str, Any]:
    answer = server.post("/scores", {"traceId": "t1", "name": "quality", **body})
    assert answer.status_code == 200, answer.text
    answered: dict[str, Any] = answer.json()
    return answered


def test_one_object_is_answered_with_its_id(server: StandIn) -> None:
    assert post(server, id="s1", value=0.5, comment="first") == {"id": "s1"}
    assert server.score("s1") == {
        "id": "s1",
        "projectId": "stand-in",
        "name": "quality",
        "source": "API",
        "timestamp": "2026-03-01T12:00:00.000Z",
        "environment": "default",
        "createdAt": "2026-03-01T12:00:00.000Z",
        "updatedAt": "2026-03-01T12:00:00.000Z",
        "comment": "first",
        "configId": None,
        "metadata": {},
        "authorUserId": None,
        "queueId": None,
        "subject": {"kind": "trace", "id": "t1"},
        "dataType": "NUMERIC",
        "value": 0.5,
    }


def test_an_id_is_made_up(server: StandIn) -> None:
    assert server.score(post(server, value=1)["id"])["value"] == 1


@pytest.mark.parametrize(
    ("body", "data_type", "value"),
    [
        ({"value": 3}, "NUMERIC", 3),
        ({"value": "good"}, "CATEGORICAL", "good"),
        ({"value": 1, "dataType": "BOOLEAN"}, "BOOLEAN", True),
        ({"value": 0, "dataType": "BOOLEAN"}, "BOOLEAN", False),
        ({"value": "a note", "dataType": "TEXT"}, "TEXT", "a note"),
        ({"value": "better", "dataType": "CORRECTION"}, "CORRECTION", "better"),
    ],
)
def test_a_value_reads_back_by_its_data_type(server: StandIn, body: dict[str, Any], data_type: str, value: Any) -> None:
    score = server.score(post(server, **body)["id"])
    assert (score["dataType"], score["value"]) == (data_type, value)
    assert type(score["value"]) is type(value)


@pytest.mark.parametrize(
    ("target", "subject"),
    [
        ({"traceId": "t1", "observationId": "o1"}, {"kind": "observation", "id": "o1", "traceId": "t1"}),
        ({"sessionId": "s9"}, {"kind": "session", "id": "s9"}),
        ({"datasetRunId": "r1"}, {"kind": "experiment", "id": "r1"}),
    ],
)
def test_subjects(server: StandIn, target: dict[str, Any], subject: dict[str, Any]) -> None:
    server.post("/scores", {"id": "s1", "name": "q", "value": 1, **target})
    assert server.score("s1")["subject"] == subject


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        ({"traceId": "t", "value": 1}, ["name"], "Invalid input: expected string, received undefined"),
        (
            {"traceId": "t", "name": "q", "value": "abc", "dataType": "NUMERIC"},
            ["value"],
            "Invalid input: expected number, received string",
        ),
        (
            {"traceId": "t", "name": "q", "value": 3, "dataType": "BOOLEAN"},
            ["value"],
            "Value must be a number equal to either 0 or 1 for data type BOOLEAN",
        ),
        ({"traceId": "t", "name": "q"}, ["value"], "Invalid input"),
        (
            {"traceId": "t", "name": "q", "value": "x" * 501, "dataType": "TEXT"},
            ["value"],
            "Too big: expected string to have <=500 characters",
        ),
        (
            {"traceId": "t", "name": "q", "value": 1, "source": "ANNOTATION"},
            ["configId"],
            "configId is required when source is ANNOTATION",
        ),
    ],
)
def test_a_malformed_score_is_refused(server: StandIn, body: dict[str, Any], path: list[str], message: str) -> None:
    answer = server.post("/scores", body)
    assert answer.status_code == 400
    assert answer.json()["message"] == "Invalid request data"
    (issue,) = answer.json()["error"]
    assert (issue["path"], issue["message"]) == (path, message)


@pytest.mark.parametrize("target", [{}, {"traceId": "t", "sessionId": "s"}, {"sessionId": "s", "observationId": "o"}])
def test_a_score_has_one_target(server: StandIn, target: dict[str, str]) -> None:
    (issue,) = server.post("/scores", {"name": "q", "value": 1, **target}).json()["error"]
    assert issue["path"] == ["traceId", "sessionId", "datasetRunId", "observationId"]


def test_an_environment_may_not_begin_with_langfuse(server: StandIn) -> None:
    body = {"traceId": "t", "name": "q", "value": 1, "environment": "langfuse-x"}
    assert server.post("/scores", body).status_code == 400


def test_the_same_id_merges(server: StandIn) -> None:
    post(server, id="s1", value=1, comment="kept", metadata={"who": "a"})
    server.advance(60)
    post(server, id="s1", value=2, name="renamed")
    score = server.score("s1")
    assert (score["value"], score["name"], score["comment"]) == (2, "renamed", "kept")
    assert score["metadata"] == {"who": "a"}
    assert score["timestamp"] == "2026-03-01T12:00:00.000Z"
    assert score["updatedAt"] == "2026-03-01T12:01:00.000Z"


def test_quick_posts_end_as_one_row_with_the_last_value(server: StandIn) -> None:
    for value in range(5):
        post(server, id="s1", value=value)
    assert [score["value"] for score in server.scores()] == [4]


def test_the_servers_time_counts_not_the_bodys(server: StandIn) -> None:
    post(server, id="s1", value=1, timestamp="2020-01-01T00:00:00Z")
    assert server.score("s1")["timestamp"] == "2026-03-01T12:00:00.000Z"


def test_a_list_is_refused_before_4_59(server: StandIn) -> None:
    answer = server.post("/scores", [{"traceId": "t", "name": "q", "value": 1}])
    assert answer.status_code == 400
    assert answer.json()["error"][0]["message"] == "Invalid input: expected object, received array"


def test_a_list_is_taken_from_4_59_on(make: Callable[..., StandIn]) -> None:
    server = make(version="4.59.0")
    good = {"id": "s1", "traceId": "t", "name": "q", "value": 1}
    accepted = server.post("/scores", [good])
    assert (accepted.status_code, accepted.json()) == (202, {"message": "Accepted"})
    partly = server.post("/scores", [{**good, "id": "s2"}, {"name": "q", "value": 1}])
    assert partly.status_code == 207
    assert (partly.json()["accepted"], partly.json()["rejected"]) == (1, 1)
    assert list(partly.json()["errors"][0]) == ["message"]
    assert {score["id"] for score in server.scores()} == {"s1", "s2"}
    assert server.post("/scores", good).json() == {"id": "s1"}


@pytest.mark.parametrize(
    "config",
    [
        {"dataType": "CATEGORICAL", "categories": [{"label": "good", "value": 1}, {"label": "bad", "value": 0}]},
        {"dataType": "NUMERIC", "minValue": 0, "maxValue": 1},
    ],
)
def test_what_the_config_forbids_is_accepted_then_dropped(server: StandIn, config: dict[str, Any]) -> None:
    config_id = server.config(name="quality", **config)
    good, bad = ("good", "zzz") if config["dataType"] == "CATEGORICAL" else (0.5, 5)
    post(server, id="kept", value=good, configId=config_id)
    post(server, id="dropped", value=bad, configId=config_id)
    post(server, id="unknown", value=good, configId="nope")
    post(server, id="other-type", value="x", dataType="TEXT", configId=config_id)
    assert [score["id"] for score in server.scores()] == ["kept"]
    assert server.score("kept")["dataType"] == config["dataType"]


def test_a_wrong_name_becomes_the_configs(server: StandIn) -> None:
    config_id = server.config(name="num", dataType="NUMERIC")
    post(server, id="s1", value=1, name="other", configId=config_id)
    assert server.score("s1")["name"] == "num"


def test_an_archived_config_takes_no_scores(server: StandIn) -> None:
    config_id = server.config(name="num", dataType="NUMERIC")
    server.client.patch(f"/api/public/score-configs/{config_id}", json={"isArchived": True})
    post(server, value=1, configId=config_id)
    assert server.scores() == []


def test_a_deleted_score_is_gone_after_the_lag_and_may_come_back(make: Callable[..., StandIn]) -> None:
    server = make(score_lag=5)
    post(server, id="s1", value=1)
    server.advance(5)
    gone = server.client.delete("/api/public/scores/s1")
    assert (gone.status_code, gone.json()) == (202, {"message": "Score deletion queued successfully"})
    assert len(server.scores()) == 1
    server.advance(5)
    assert server.scores() == []
    assert server.client.delete("/api/public/scores/s1").status_code == 202
    post(server, id="s1", value=2)
    server.advance(5)
    assert server.score("s1")["value"] == 2


def test_an_update_shows_the_old_value_until_its_lag_has_passed(make: Callable[..., StandIn]) -> None:
    server = make(score_lag=5)
    post(server, id="s1", value=1)
    server.advance(4.999)
    assert server.scores() == []
    server.advance(0.001)
    assert server.score("s1")["value"] == 1
    post(server, id="s1", value=2)
    server.advance(4)
    assert server.score("s1")["value"] == 1
    server.advance(1)
    assert server.score("s1")["value"] == 2


def test_filters(server: StandIn) -> None:
    post(server, id="a", value=1, environment="prod")
    server.advance(1)
    post(server, id="b", value="x", name="note", dataType="TEXT")
    server.advance(1)
    server.post("/scores", {"id": "c", "sessionId": "s", "name": "quality", "value": 1, "dataType": "BOOLEAN"})

    def ids(**query: str) -> list[str]:
        return [score["id"] for score in server.scores(**query)]

    assert ids() == ["c", "b", "a"]
    assert ids(id="a,c") == ["c", "a"]
    assert ids(name="note") == ["b"]
    assert ids(dataType="boolean,numeric") == ["c", "a"]
    assert ids(source="api", environment="prod") == ["a"]
    assert ids(traceId="t1") == ["b", "a"]
    assert ids(sessionId="s") == ["c"]
    assert ids(fromTimestamp="2026-03-01T12:00:01Z") == ["c", "b"]
    assert ids(toTimestamp="2026-03-01T12:00:01Z") == ["a"]
    assert server.get("/v3/scores", observationId="o").status_code == 400
    assert server.get("/v3/scores", fields="nope").status_code == 400
    assert server.get("/v3/scores", valueMin="1").status_code == 400


def test_pages(server: StandIn) -> None:
    server.ingest(*(score_event(f"s{n:03}", n, START + n * SECOND, event_id=str(n)) for n in range(250)))
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 100}
    for size in (100, 100, 50):
        page = server.get("/v3/scores", **query).json()
        assert len(page["data"]) == size
        assert page["meta"]["limit"] == 100
        seen += [score["id"] for score in page["data"]]
        query["cursor"] = page["meta"].get("cursor")
    assert query["cursor"] is None
    assert seen == [f"s{n:03}" for n in reversed(range(250))]
    assert len(server.scores()) == 50
    too_many = server.get("/v3/scores", limit=101)
    assert too_many.json()["error"][0]["message"] == "Too big: expected number to be <=100"
    assert server.get("/v3/scores", cursor="!!").json() == {
        "message": "Invalid cursor format",
        "error": "InvalidRequestError",
    }
