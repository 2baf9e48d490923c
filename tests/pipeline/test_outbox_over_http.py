"""The outbox against a server that answers in part, refuses, asks for patience, or drops the connection."""

import socket
from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from builders import QUEUE
from goldloop.adapters.langfuse import Langfuse, connect
from goldloop.adapters.retries import Retries
from goldloop.errors import RetryableError
from goldloop.pipeline.publish import PublishSummary, publish
from goldloop.pipeline.read_back import ReadBack
from pipeline.loop import ADA, BEN, CLEO, Loop, progress
from small_langfuse import Answer, SmallLangfuse, as_json

pytestmark = pytest.mark.simulation

QUICK = Retries(attempts=3, wait_initial=0.01, wait_max=0.05, wait_jitter=0.01)


def dropped(request: Request) -> Response:
    """The connection ends here, without an answer."""
    request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    return Response()


def before(_server: SmallLangfuse, request: Request) -> Response:
    return dropped(request)


def after(server: SmallLangfuse, request: Request) -> Response:
    server.take(request)
    return dropped(request)


def cut(server: SmallLangfuse, request: Request) -> Response:
    return Response(server.take(request).get_data()[:-20], 207, content_type="application/json")


def busy(_server: SmallLangfuse, _request: Request) -> Response:
    return as_json({"message": "busy"}, 503)


def too_many(_server: SmallLangfuse, _request: Request) -> Response:
    return as_json({"message": "slow down"}, 429, **{"Retry-After": "1"})


def at_most(number: int) -> Answer:
    def answer(server: SmallLangfuse, request: Request) -> Response:
        events = request.get_json()["batch"]
        return Response("too large", 413) if len(events) > number else server.take(request)

    return answer


def deciding(**statuses: int) -> Answer:
    """By annotators' names; what is `answer` is the answer's own score."""
    full = {name if name == "answer" else f"{name}@example.org": status for name, status in statuses.items()}
    return lambda server, request: server.take(request, full)


@pytest.fixture
def server(httpserver: HTTPServer) -> SmallLangfuse:
    return SmallLangfuse(httpserver)


@pytest.fixture
def langfuse(httpserver: HTTPServer) -> Iterator[Langfuse]:
    host = httpserver.url_for("/").rstrip("/")
    with connect(host, SecretStr("pk"), SecretStr("sk"), retries=QUICK) as langfuse:
        yield langfuse


@pytest.fixture
def judged(loop: Loop) -> Loop:
    """Three annotations and the answer: four scores that are due."""
    loop.queue("t1")
    for person in (ADA, BEN, CLEO):
        loop.annotate("t1", "pass", person)
    loop.gather()
    loop.resolve()
    return loop


def published(loop: Loop, langfuse: Langfuse) -> PublishSummary:
    read_back = ReadBack(loop.clock, loop.clock.sleep)
    return publish(loop.codebook, loop.source, langfuse.scores, [], loop.store, read_back, progress)


def test_one_event_that_is_refused_is_parked_alone(server: SmallLangfuse, langfuse: Langfuse, judged: Loop) -> None:
    server.always = deciding(ben=400)
    made = published(judged, langfuse)
    assert (made.sent, made.confirmed, made.parked) == (3, 3, 1)
    ((subject, reason),) = judged.parked().items()
    assert (subject.partition(":")[0], reason) == ("score", "rejected")
    assert len(server.batches) == 1


def test_what_was_not_decided_on_is_sent_again_alone(server: SmallLangfuse, langfuse: Langfuse, judged: Loop) -> None:
    server.script = [deciding(ben=500, answer=429), deciding(answer=500)]
    made = published(judged, langfuse)
    assert (made.sent, made.confirmed, made.parked) == (4, 4, 0)
    assert [len(batch) for batch in server.batches] == [4, 2, 1]


def test_a_batch_that_is_too_large_is_halved(server: SmallLangfuse, langfuse: Langfuse, judged: Loop) -> None:
    server.always = at_most(2)
    assert published(judged, langfuse).confirmed == 4
    assert [len(batch) for batch in server.batches] == [4, 2, 2]


def test_a_score_that_is_too_large_alone_is_parked_alone(
    server: SmallLangfuse, langfuse: Langfuse, judged: Loop
) -> None:
    def answer(server: SmallLangfuse, request: Request) -> Response:
        annotators = [event["body"]["metadata"].get("annotator") for event in request.get_json()["batch"]]
        return Response("too large", 413) if CLEO in annotators else server.take(request)

    server.always = answer
    made = published(judged, langfuse)
    assert (made.sent, made.confirmed, made.parked) == (3, 3, 1)


def test_429_waits_as_told(server: SmallLangfuse, langfuse: Langfuse, judged: Loop) -> None:
    server.script = [too_many]
    assert published(judged, langfuse).confirmed == 4
    assert server.at[1] - server.at[0] >= 1.0


@pytest.mark.parametrize("fault", [busy, before, after, cut])
def test_what_may_have_arrived_is_sent_again_and_stands_once(
    server: SmallLangfuse, langfuse: Langfuse, judged: Loop, fault: Answer
) -> None:
    server.script = [fault, fault]
    made = published(judged, langfuse)
    assert (made.sent, made.confirmed, made.parked) == (4, 4, 0)
    assert [len(batch) for batch in server.batches] == [4, 4, 4]
    assert server.batches[0] == server.batches[1] == server.batches[2]  # the same events, by id and time
    assert len(server.stored) == 4


@pytest.mark.parametrize("fault", [busy, before, after])
def test_a_server_that_stays_away_leaves_it_for_the_next_run(
    server: SmallLangfuse, langfuse: Langfuse, judged: Loop, fault: Answer
) -> None:
    server.always = fault
    with pytest.raises(RetryableError, match="left for the next run: 4 scores to send"):
        published(judged, langfuse)
    assert len(server.batches) == QUICK.attempts  # one owner retries, and no other
    assert judged.store.counts(QUEUE).scores_by_state == {"due": 4}
    server.always = None
    made = published(judged, langfuse)
    assert (made.sent, made.confirmed, made.traces_published) == (4, 4, 1)
    assert len(server.stored) == 4


def test_what_was_sent_before_the_server_went_away_counts(
    server: SmallLangfuse, langfuse: Langfuse, judged: Loop, httpserver: HTTPServer
) -> None:
    """It takes the scores, and the listing fails: they are sent, and the next run reads them back."""
    listing = server.list_scores
    httpserver.clear()
    httpserver.expect_request("/api/public/ingestion", method="POST").respond_with_handler(server.ingest)
    httpserver.expect_request("/api/public/v3/scores").respond_with_handler(dropped)
    with pytest.raises(RetryableError, match="left for the next run: 4 scores to read back"):
        published(judged, langfuse)
    assert judged.store.counts(QUEUE).scores_by_state == {"sent": 4}
    httpserver.clear()
    httpserver.expect_request("/api/public/v3/scores").respond_with_handler(listing)
    made = published(judged, langfuse)
    assert (made.sent, made.confirmed) == (0, 4)


def test_an_old_value_that_comes_late_changes_nothing(server: SmallLangfuse, langfuse: Langfuse, judged: Loop) -> None:
    held_up: list[Request] = []

    def hold(_server: SmallLangfuse, request: Request) -> Response:
        request.get_json()
        held_up.append(request)
        return dropped(request)

    server.always = hold
    with pytest.raises(RetryableError):
        published(judged, langfuse)
    server.always = None
    (task,) = judged.tasks._tasks.values()
    one = next(one for one in task.annotations.values() if one.annotator == ADA)
    judged.edit(one.annotation_id, "fail")
    judged.gather()
    judged.resolve()
    published(judged, langfuse)
    for request in reversed(held_up):
        server.take(request)
    values = {event["body"]["metadata"].get("annotator"): event["body"]["value"] for event in server.stored.values()}
    assert values[ADA] == "fail"
