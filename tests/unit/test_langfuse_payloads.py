"""Payloads of many traces: in few requests where the server filters by ids, and one by one where it does not."""

import json
import threading
from collections.abc import Sequence
from typing import Any

import httpx

from goldloop.errors import RejectedError
from goldloop.records import Trace
from unit.langfuse_answers import Answers, ok

EMPTY = ok({"data": [], "meta": {}})


def row(trace_id: str, number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"{trace_id}-{number}",
        "traceId": trace_id,
        "startTime": f"2026-11-20T12:00:0{number}.000Z",
        "parentObservationId": None if number == 1 else f"{trace_id}-1",
        "type": "SPAN",
        "name": "answer",
        "input": f"asked {trace_id}",
        "output": f"said {trace_id}",
        **changes,
    }


def payloads(answers: Answers, trace_ids: Sequence[str]) -> list[str | None]:
    """Of each what it says, why it was refused, or None."""
    with answers.connect() as langfuse:
        found = list(langfuse.source.payloads(trace_ids))
    return [one.output if isinstance(one, Trace) else one.reason if one else None for one in found]


def filtered(request: httpx.Request) -> list[str] | None:
    given = request.url.params.get("filter")
    if given is None:
        return None
    (condition,) = json.loads(given)
    assert {**condition, "value": []} == {
        "type": "stringOptions",
        "column": "traceId",
        "operator": "any of",
        "value": [],
    }
    wanted: list[str] = condition["value"]
    return wanted


def test_many_come_in_few_requests_each_in_its_place() -> None:
    # 60 ids: of 25 at most in one filter, so three requests. Newest first, as the server lists: rows of traces mix.
    def answer(request: httpx.Request) -> httpx.Response:
        wanted = filtered(request)
        assert wanted is not None
        assert len(str(request.url)) < 4096
        return ok({"data": [row(one, number) for number in (2, 1) for one in reversed(wanted)], "meta": {}})

    answers = Answers(answer)
    asked = [f"{number:032x}" for number in range(60)]
    assert payloads(answers, asked) == [f"said {one}" for one in asked]
    assert len(answers.requests) == 3


def test_rows_of_one_trace_on_two_pages_are_one_trace() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if "cursor" not in request.url.params:
            return ok({"data": [row("a", 2, output="looked up"), row("b")], "meta": {"cursor": "next"}})
        return ok({"data": [row("a")], "meta": {}})

    with Answers(answer).connect() as langfuse:
        first, second = langfuse.source.payloads(["a", "b"])
    assert isinstance(first, Trace)
    assert (first.output, [step.output for step in first.steps]) == ("said a", ["looked up"])
    assert isinstance(second, Trace)


def test_what_the_filter_does_not_bring_is_asked_for_alone() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if filtered(request):
            return ok({"data": [row("a")], "meta": {}})
        return ok({"data": [row("b")], "meta": {}}) if request.url.params["traceId"] == "b" else EMPTY

    answers = Answers(answer)
    assert payloads(answers, ["a", "gone", "b"]) == ["said a", None, "said b"]
    assert len(answers.requests) == 3


def test_an_unreadable_row_costs_no_other_trace() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        wanted = filtered(request) or [request.url.params["traceId"]]
        rows = [row(one) | ({"startTime": None} if one == "bad" else {}) for one in wanted]
        return ok({"data": rows, "meta": {}})

    assert payloads(Answers(answer), ["a", "bad", "b"]) == ["said a", "no readable observation", "said b"]


def test_a_server_that_refuses_the_filter_is_asked_one_by_one_and_side_by_side() -> None:
    together = threading.Barrier(2, timeout=10)

    def answer(request: httpx.Request) -> httpx.Response:
        if filtered(request):
            return ok({"message": "Invalid filter", "error": "InvalidRequestError"}, status=400)
        together.wait()  # it breaks where one waits for the other's end
        return ok({"data": [row(request.url.params["traceId"])], "meta": {}})

    answers = Answers(answer)
    with answers.connect() as langfuse:
        for _ in range(2):
            assert all(isinstance(one, Trace) for one in langfuse.source.payloads(["a", "b"]))
    # The filter was tried once: 1 + 2 + 2 requests.
    assert len(answers.requests) == 5


def test_a_server_that_does_not_filter_is_found_out_at_its_first_page() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if filtered(request):
            return ok({"data": [row("other")], "meta": {"cursor": "for ever"}})
        return ok({"data": [row(request.url.params["traceId"])], "meta": {}})

    answers = Answers(answer)
    assert payloads(answers, ["a", "b"]) == ["said a", "said b"]
    # The page that follows may be on its way when the first is read.
    assert len(answers.requests) <= 4


def test_one_trace_needs_no_filter() -> None:
    answers = Answers(ok({"data": [row("a")], "meta": {}}))
    assert payloads(answers, ["a"]) == ["said a"]
    assert filtered(answers.requests[0]) is None


def test_a_refusal_of_one_trace_stands_in_its_place() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if filtered(request):
            return EMPTY
        if request.url.params["traceId"] == "b":
            return ok({"message": "no", "error": "InvalidRequestError"}, status=400)
        return ok({"data": [row(request.url.params["traceId"])], "meta": {}})

    with Answers(answer).connect() as langfuse:
        first, second = langfuse.source.payloads(["a", "b"])
    assert isinstance(first, Trace)
    assert isinstance(second, RejectedError)
