import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from goldloop.adapters.langfuse import LangfuseScoreConfigs
from goldloop.errors import FatalError, RetryableError
from goldloop.records import Score, ScoreType
from unit.langfuse_answers import Answers, html, ok

AT = datetime(2026, 11, 21, 12, 0, 0, 123_456, tzinfo=UTC)


def score(number: int = 1, **given: Any) -> Score:
    fields = {
        "score_id": f"s{number}",
        "trace_id": "t1",
        "name": "human_verdict",
        "data_type": ScoreType.NUMERIC,
        "value": 1.0,
        "event_at": AT,
    }
    return Score.model_validate(fields | given)


def batch_of(request: httpx.Request) -> list[dict[str, Any]]:
    batch: list[dict[str, Any]] = json.loads(request.content)["batch"]
    return batch


def receipts(decide: Callable[[dict[str, Any]], int | None]) -> Callable[[httpx.Request], httpx.Response]:
    """Answers each event with the status that `decide` gives for its body; None leaves it out."""

    def answer(request: httpx.Request) -> httpx.Response:
        decided = [(event["id"], decide(event["body"])) for event in batch_of(request)]
        successes = [{"id": each, "status": status} for each, status in decided if status == 201]
        errors = [
            {"id": each, "status": status, "message": "Invalid request data", "error": "the payload"}
            for each, status in decided
            if status not in (201, None)
        ]
        return ok({"successes": successes, "errors": errors}, 207)

    return answer


all_taken = receipts(lambda _: 201)


def test_an_event_is_what_the_batch_endpoint_takes() -> None:
    answers = Answers(all_taken)
    answers.connect().scores.send(
        [score(data_type=ScoreType.BOOLEAN, value=1.0, metadata={"pi": 0.5}, environment="prod")]
    )
    (event,) = answers.bodies()[0]["batch"]
    assert event == {
        "id": event["id"],
        "type": "score-create",
        "timestamp": "2026-11-21T12:00:00.123Z",
        "body": {
            "id": "s1",
            "traceId": "t1",
            "name": "human_verdict",
            "value": 1,
            "dataType": "BOOLEAN",
            "comment": "",
            "metadata": {"pi": 0.5, "revised_at": "2026-11-21T12:00:00.123Z"},
            "environment": "prod",
        },
    }


def test_an_event_has_one_id_for_each_revision() -> None:
    answers = Answers(all_taken)
    sink = answers.connect().scores
    second = timedelta(seconds=1)
    for each in (score(), score(value=2.0), score(event_at=AT + second), score(2)):
        sink.send([each])
    ids = [batch_of(request)[0]["id"] for request in answers.requests]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_large_sendings_go_in_batches() -> None:
    answers = Answers(all_taken)
    sent = [score(number) for number in range(1001)]
    found = answers.connect().scores.send(sent)
    assert [each.key for each in found] == [each.score_id for each in sent]
    assert all(each.accepted for each in found)
    assert [len(batch_of(request)) for request in answers.requests] == [500, 500, 1]


def test_batches_stay_below_the_servers_size() -> None:
    answers = Answers(all_taken)
    answers.connect().scores.send([score(number, metadata={"m": "x" * 1_000_000}) for number in range(7)])
    assert [len(batch_of(request)) for request in answers.requests] == [2, 2, 2, 1]
    assert max(len(request.content) for request in answers.requests) < 3_000_000


@pytest.mark.parametrize("status", [413, 400])
def test_a_batch_that_is_refused_whole_is_halved(status: int) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        batch = batch_of(request)
        return ok({}, status) if any(event["body"]["id"] == "s3" for event in batch) else all_taken(request)

    answers = Answers(answer)
    found = answers.connect().scores.send([score(number) for number in range(8)])
    assert {each.key: each.reason for each in found if not each.accepted} == {"s3": str(status)}
    assert [len(batch_of(request)) for request in answers.requests] == [8, 4, 2, 2, 1, 1, 4]


def test_refused_events_have_a_reason_without_payload() -> None:
    answers = Answers(receipts(lambda body: 400 if body["id"] == "s2" else 201))
    found = answers.connect().scores.send([score(number) for number in (1, 2, 3)])
    assert [(each.key, each.accepted, each.reason) for each in found] == [
        ("s1", True, ""),
        ("s2", False, "400 Invalid request data"),
        ("s3", True, ""),
    ]


@pytest.mark.parametrize("status", [500, 429, None])
def test_events_that_the_server_did_not_decide_on_are_sent_again(status: int | None) -> None:
    answers = Answers(receipts(lambda body: status if body["id"] == "s2" else 201), all_taken)
    found = answers.connect().scores.send([score(number) for number in (1, 2, 3)])
    assert all(each.accepted for each in found)
    assert [[event["body"]["id"] for event in batch_of(request)] for request in answers.requests] == [
        ["s1", "s2", "s3"],
        ["s2"],
    ]


def test_events_that_stay_undecided_end_in_an_error() -> None:
    with pytest.raises(RetryableError, match="only part"):
        Answers(receipts(lambda _: 500)).connect().scores.send([score()])


@pytest.mark.parametrize("body", [{}, [], {"successes": None, "errors": []}])
def test_an_answer_of_another_form_ends_in_an_error(body: Any) -> None:
    with pytest.raises(RetryableError, match="unknown form"):
        Answers(ok(body, 207)).connect().scores.send([score()])


def test_a_key_that_may_not_write_stops_all() -> None:
    with pytest.raises(FatalError, match="LANGFUSE_PUBLIC_KEY"):
        Answers(receipts(lambda _: 401)).connect().scores.send([score()])


@pytest.mark.parametrize(
    ("data_type", "value", "reason"),
    [
        ("TEXT", "x" * 501, "501 characters"),
        ("TEXT", "\N{GRINNING FACE}" * 251, "502 characters"),
        ("TEXT", "", "needs a text"),
        ("TEXT", 1.0, "needs a text"),
        ("CATEGORICAL", "", "needs a label"),
        ("CATEGORICAL", 1.0, "needs a label"),
        ("BOOLEAN", 0.5, "1 or 0"),
        ("BOOLEAN", "True", "1 or 0"),
        ("NUMERIC", "1", "finite number"),
        ("NUMERIC", float("nan"), "finite number"),
    ],
)
def test_what_the_server_would_refuse_or_drop_is_not_sent(data_type: str, value: Any, reason: str) -> None:
    answers = Answers(all_taken)
    (found,) = answers.connect().scores.send([score(data_type=ScoreType(data_type), value=value)])
    assert not found.accepted
    assert reason in found.reason
    assert answers.requests == []


def test_nothing_to_send_is_no_call() -> None:
    answers = Answers(html(404))
    assert answers.connect().scores.send([]) == []
    assert answers.connect().scores.read([]) == {}


def test_reading_asks_for_a_hundred_at_a_time() -> None:
    def row(number: int, **given: Any) -> dict[str, Any]:
        fields = {"id": f"s{number}", "name": "n", "timestamp": "2026-11-21T12:00:00Z"}
        return {**fields, "dataType": "NUMERIC", "value": number, **given}

    answers = Answers(
        ok({"data": [row(1), row(2, dataType="BOOLEAN", value=True), row(3, dataType="CATEGORICAL", value="a")]}),
        ok({"data": [row(4, dataType="CORRECTION"), row(5, dataType="TEXT", value="note"), row(6, value=None)]}),
    )
    found = answers.connect().scores.read([f"s{number}" for number in range(120)])
    values = {score_id: shown.value for score_id, shown in found.items()}
    assert values == {"s1": 1.0, "s2": 1.0, "s3": "a", "s4": None, "s5": "note", "s6": None}
    assert sorted(len(request.url.params["id"].split(",")) for request in answers.requests) == [20, 100]
    assert {request.url.params["fields"] for request in answers.requests} == {"details,subject"}


@pytest.mark.parametrize("mark", [None, 7, "soon", "2026-11-21T12:00:00", ["2026-11-21T12:00:00Z"]])
def test_what_is_no_time_of_ours_tells_no_revision(mark: Any) -> None:
    row = {"id": "s1", "name": "n", "timestamp": "2026-11-21T12:00:00Z", "dataType": "NUMERIC", "value": 1}
    answers = Answers(ok({"data": [row | {"metadata": {"revised_at": mark, "pi": 0.5}}]}), ok({"data": [row]}))
    sink = answers.connect().scores
    first, second = sink.read(["s1"])["s1"], sink.read(["s1"])["s1"]
    assert (first.event_at, first.metadata) == (None, {"pi": 0.5})
    assert (second.event_at, second.metadata, second.trace_id) == (None, {}, None)


def test_score_configs_are_asked_for_once_a_publish() -> None:
    answer = with_configs(CONFIG, CONFIG | {"id": "c2"})
    answers = Answers(lambda request: ok(CONFIG) if request.method == "PATCH" else answer(request))
    langfuse = answers.connect()
    for config_id in ("c1", "c2", "c1"):
        langfuse.scores.send([judged(config_id)])
    assert [request.method for request in answers.requests] == ["GET", "POST", "POST", "POST"]
    langfuse.score_configs.archive("c1")
    langfuse.scores.send([judged("c1")])
    assert [request.method for request in answers.requests][4:] == ["PATCH", "GET", "POST"]
    langfuse.scores.send([judged("c3")])
    assert [request.method for request in answers.requests][7:] == ["GET"]  # it may have been made meanwhile


def test_a_list_of_score_configs_ages() -> None:
    answers = Answers(with_configs(CONFIG))
    times = iter([0.0, 0.0, 10.0, 10.1, 10.1])
    configs = LangfuseScoreConfigs(answers.connect().api, lambda: next(times))
    for _ in range(3):
        assert set(configs.by_id({"c1"})) == {"c1"}
    assert len(answers.requests) == 2


def test_many_are_deleted_side_by_side_and_the_first_error_ends_it() -> None:
    answers = Answers(ok({}, 202))
    answers.connect().scores.delete([f"s{number}" for number in range(20)])
    assert sorted(request.url.path.rpartition("/")[2] for request in answers.requests) == sorted(
        f"s{number}" for number in range(20)
    )
    with pytest.raises(RetryableError):
        Answers(ok({}, 503)).connect().scores.delete(["s1", "s2", "s3"])


def test_deleting_what_is_not_there_is_no_error() -> None:
    answers = Answers(ok({"error": "LangfuseNotFoundError"}, 404))
    answers.connect().scores.delete(["a/b"])
    assert answers.requests[0].url.raw_path == b"/api/public/scores/a%2Fb"


CONFIG = {
    "id": "c1",
    "name": "human_verdict",
    "dataType": "CATEGORICAL",
    "isArchived": False,
    "createdAt": "2026-11-21T07:10:07.472Z",
    "categories": [{"label": "pass", "value": 1}, {"label": "fail", "value": 2}],
}


def with_configs(*configs: Any) -> Callable[[httpx.Request], httpx.Response]:
    """Answers for these score configs, and takes every score."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return ok({"data": [*configs], "meta": {"page": 1, "totalPages": 1}})
        return all_taken(request)

    return answer


def judged(config_id: str | None, value: str = "fail", **given: Any) -> Score:
    return score(data_type=ScoreType.CATEGORICAL, value=value, config_id=config_id, **given)


@pytest.mark.parametrize(("archived", "sent"), [(False, "c1"), (True, None)])
def test_a_score_names_its_config_while_that_is_in_use(archived: bool, sent: str | None) -> None:
    answers = Answers(with_configs(CONFIG | {"isArchived": archived}))
    assert [receipt.accepted for receipt in answers.connect().scores.send([judged("c1")])] == [True]
    (event,) = batch_of(answers.requests[-1])
    assert event["body"].get("configId") == sent


def test_what_its_config_does_not_hold_is_not_sent() -> None:
    answers = Answers(with_configs(CONFIG))
    receipts = answers.connect().scores.send([judged("c1", "maybe"), judged("c2", score_id="s2")])
    assert [receipt.reason for receipt in receipts] == [
        "its score config has no such category",
        "its score config is not in Langfuse: publish the codebook again",
    ]
    assert {request.method for request in answers.requests} == {"GET"}


def test_without_a_config_none_is_asked_for() -> None:
    answers = Answers(all_taken)
    answers.connect().scores.send([judged(None)])
    assert {request.method for request in answers.requests} == {"POST"}


@pytest.mark.parametrize(
    "others",
    [
        {"id": "x", "createdAt": "2026-11-21T07:10:07Z", "name": "q", "dataType": "BOOLEAN"},
        {"id": "x", "createdAt": "2026-11-21T07:10:07Z", "name": "q", "dataType": "CATEGORICAL", "categories": None},
        {"id": "x", "createdAt": "2026-11-21T07:10:07Z", "name": "q", "dataType": "CATEGORICAL", "categories": [7]},
        {"id": "x", "createdAt": "2026-11-21T07:10:07Z", "name": "q", "dataType": "NUMERIC", "minValue": "low"},
        {"id": "x", "createdAt": "2026-11-21T07:10:07Z", "name": None, "dataType": "A new one"},
        {"id": None},
        7,
    ],
)
def test_configs_of_others_may_have_any_form(others: Any) -> None:
    answers = Answers(with_configs(others, CONFIG))
    assert [receipt.accepted for receipt in answers.connect().scores.send([judged("c1")])] == [True]
