from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from goldloop.adapters.langfuse import LangfuseSource
from goldloop.adapters.langfuse.assemble import assemble
from goldloop.adapters.langfuse.wire import Observation
from goldloop.errors import ConfigError, FatalError, RejectedError, RetryableError
from goldloop.ports import Window
from goldloop.records import Document, Step
from unit.langfuse_answers import HOST, Answers, html, ok

NOON = datetime(2026, 11, 21, 12, 0, 0, 123_456, tzinfo=UTC)
WINDOW = Window(start=NOON, end=NOON + timedelta(hours=1))
EMPTY = ok({"data": [], "meta": {}})
HEALTHY = ok({"status": "OK", "version": "4.16.0"})


def row(number: int = 1, **given: Any) -> dict[str, Any]:
    """An observation as the server lists it, unset texts as "" and all."""
    fields: dict[str, Any] = {
        "id": f"o{number}",
        "traceId": "t1",
        "startTime": f"2026-11-21T12:00:{number:02}.000Z",
        "endTime": f"2026-11-21T12:00:{number + 1:02}.500Z",
        "projectId": "p",
        "parentObservationId": None,
        "type": "SPAN",
        "name": "answer",
        "version": "",
        "environment": "prod",
        "userId": "",
        "sessionId": "",
        "isRootObservation": given.get("parentObservationId") is None,
        "traceName": None,
        "release": "",
        "tags": [],
        "model": "",
        "totalCost": 0,
        "unknown": {"field": 1},
    }
    return fields | given


def page(*rows: Any, cursor: str | None = None) -> Any:
    return ok({"data": list(rows), "meta": {"cursor": cursor} if cursor else {}})


def observed(*rows: dict[str, Any]) -> list[Observation]:
    return [Observation.model_validate(each) for each in rows]


def source(answers: Answers, **given: Any) -> LangfuseSource:
    return answers.connect(**given).source


def test_both_passes_ask_for_no_payload() -> None:
    answers = Answers(EMPTY)
    list(source(answers, environments=["a", "b"], category="metadata:team").candidates(WINDOW))
    first, second = (request.url.params.multi_items() for request in answers.requests)
    assert first == [
        ("limit", "1000"),
        ("isRootObservation", "true"),
        ("fields", "core,basic,model,prompt,trace_context,metadata"),
        ("fromStartTime", "2026-11-21T12:00:00.123Z"),
        ("toStartTime", "2026-11-21T13:00:00.123Z"),
        ("environment", "a"),
        ("environment", "b"),
    ]
    assert second == [(name, "false" if name == "isRootObservation" else value) for name, value in first]


@pytest.mark.parametrize("environments", [[], ["prod", "goldloop-judge"]])
def test_the_judge_s_own_calls_are_no_candidates(environments: list[str]) -> None:
    rows = [row(), row(2, traceId="t2", environment="goldloop-judge"), row(3, traceId="t3", environment="goldloop")]
    answers = Answers(page(*rows), page(row(4, traceId="t4", environment="goldloop-judge")))
    pages = list(source(answers, environments=environments).candidates(WINDOW))
    assert [[each.trace_id for each in one.rows] for one in pages] == [["t1", "t3"], []]


def test_pages_follow_the_cursor_until_it_is_absent() -> None:
    answers = Answers(page(row(), cursor="c1"), page(row(traceId="t2"), cursor="c2"), EMPTY)
    pages = list(source(answers, rootless=False).candidates(WINDOW))
    assert [[each.trace_id for each in one.rows] for one in pages] == [["t1"], ["t2"], []]
    assert [request.url.params.get("cursor") for request in answers.requests] == [None, "c1", "c2"]


def test_a_cursor_that_does_not_move_ends_in_an_error() -> None:
    with pytest.raises(RetryableError, match="same page"):
        list(source(Answers(page(row(), cursor="c1"))).candidates(WINDOW))


@pytest.mark.parametrize("body", [[], {}, {"data": None}, {"data": [], "meta": []}, "text", None])
def test_an_answer_that_is_no_page_is_an_error(body: Any) -> None:
    with pytest.raises(RetryableError, match="unknown form"):
        list(source(Answers(ok(body))).candidates(WINDOW))


def test_bad_rows_are_told_apart_and_the_rest_goes_on() -> None:
    secret = "the payload"
    bad = [
        row(traceId="t2", startTime=secret),
        row(traceId="t3", name=[secret]),
        row(traceId=""),
        secret,
        row(traceId="t4", tags="yes"),
        row(traceId="t5", startTime="0001-01-01T00:00:00+14:00"),
    ]
    (first,) = source(Answers(page(row(), *bad)), rootless=False).candidates(WINDOW)
    assert [each.trace_id for each in first.rows] == ["t1"]
    assert first.rejected == [
        ("t2", "startTime: value_error"),
        ("t3", "name: string_type"),
        ("row 4 of page 1", "traceId: string_too_short"),
        ("row 5 of page 1", "row: model_type"),
        ("t4", "tags: list_type"),
        ("t5", "startTime: value_error"),
    ]
    assert secret not in str(first.rejected)


def test_several_roots_of_a_trace_come_as_one_by_the_earliest() -> None:
    rows = [row(3, name="third"), row(2, name="second"), row(2, name="second"), row(1, traceId="t2")]
    (first,) = source(Answers(page(*rows)), rootless=False).candidates(WINDOW)
    assert [(each.trace_id, each.name, each.roots) for each in first.rows] == [("t1", "second", 2), ("t2", "answer", 1)]


def test_observations_without_a_root_come_once_a_trace() -> None:
    rows = [row(2, parentObservationId="o1"), row(3, parentObservationId="o1")]
    _, second = source(Answers(EMPTY, page(*rows))).candidates(WINDOW)
    (candidate,) = second.rows
    assert (candidate.trace_id, candidate.roots, candidate.timestamp.second) == ("t1", 0, 2)


def test_texts_are_safe_to_keep() -> None:
    (first,) = source(
        Answers(page(row(name="a\x00b\ud800", userId="u\x1b", tags=["x\x07"], release=None, version="v1"))),
        rootless=False,
    ).candidates(WINDOW)
    (candidate,) = first.rows
    assert (candidate.name, candidate.user_id, candidate.tags) == ("a\u2400b\ufffd", "u\u241b", ("x\u2407",))
    assert (candidate.session_id, candidate.model, candidate.release) == (None, None, "v1")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("name", "checkout"),
        ("environment", "prod"),
        ("model", "m1"),
        ("tag", "beta"),
        ("tag:topic:", "billing"),
        ("tag:none:", "uncategorised"),
        ("metadata:team", "north"),
        ("metadata:size", "3"),
        ("metadata:none", "uncategorised"),
    ],
)
def test_categories(rule: str, expected: str) -> None:
    given: dict[str, Any] = {"traceName": "checkout", "model": "m1", "tags": ["beta", "topic:billing"]}
    rows = page(row(**given, metadata={"team": " north ", "size": 3}))
    (first,) = source(Answers(rows), category=rule, rootless=False).candidates(WINDOW)
    assert first.rows[0].category == expected


@pytest.mark.parametrize("rule", ["", "colour", "metadata", "metadata:", "tag:", "name:x"])
def test_an_unknown_category_rule_is_refused(rule: str) -> None:
    with pytest.raises(ConfigError, match="category rule"):
        source(Answers(EMPTY), category=rule)


@pytest.mark.parametrize("version", ["4.16.0", "4.59.3-rc.1", "v5.0.0", "5.99"])
def test_supported_versions(version: str) -> None:
    answers = Answers(ok({"version": version}), ok({"data": [{"id": "p 1"}]}))
    checked = source(answers)
    assert checked.check() == version
    assert checked.trace_url("t/1") == f"{HOST}/project/p%201/traces/t%2F1"
    assert len(answers.requests) == 2


@pytest.mark.parametrize(
    ("health", "says"),
    [
        ({"version": "4.15.9"}, "4.15.9: upgrade it"),
        ({"version": "3.120.0"}, "upgrade it"),
        ({"version": "6.0.0"}, "upgrade goldloop"),
        ({"version": "10.0"}, "upgrade goldloop"),
        ({"version": "latest"}, "check LANGFUSE_HOST"),
        ({"version": 4.16}, "check LANGFUSE_HOST"),
        ({}, "check LANGFUSE_HOST"),
        (["4.16.0"], "check LANGFUSE_HOST"),
    ],
)
def test_other_versions_are_refused_with_what_to_do(health: Any, says: str) -> None:
    with pytest.raises(FatalError, match=r"from 4\.16 and before 6\.0") as raised:
        source(Answers(ok(health))).check()
    assert says in str(raised.value)


def test_a_key_without_a_project_is_refused() -> None:
    with pytest.raises(FatalError, match="opens no project"):
        source(Answers(HEALTHY, ok({"data": []}))).check()


@pytest.mark.parametrize("answer", [{}, [], None, "no", {"data": 5}, {"data": [{}]}])
def test_an_answer_of_another_form_is_no_word_on_the_key(answer: Any) -> None:
    with pytest.raises(RetryableError, match="unknown form"):
        source(Answers(HEALTHY, *[ok(answer)] * 4)).check()


def test_a_page_where_langfuse_should_be_is_none() -> None:
    with pytest.raises(FatalError, match="no Langfuse API at"):
        source(Answers(html(200))).check()


def score(number: int, **given: Any) -> dict[str, Any]:
    fields = {
        "id": f"s{number}",
        "name": "rating",
        "timestamp": "2026-11-21T12:00:00.000Z",
        "subject": {"kind": "trace", "id": "t1"},
        "dataType": "NUMERIC",
        "value": 0.5,
    }
    return fields | given


def test_goldloops_own_scores_are_no_signals_whichever_store_sent_them() -> None:
    ours = {"goldloop": "answer-quality@1.0.0", "policy": "random"}
    answers = Answers(page(score(1, metadata=ours), score(2, metadata={"by": "app"}), score(3, metadata=None)))
    (found,) = source(answers).signals(WINDOW)
    assert [signal.signal_id for signal in found.rows] == ["s2", "s3"]
    assert found.rejected == []


def test_signals_by_kind() -> None:
    answers = Answers(
        page(
            score(1),
            score(2, dataType="BOOLEAN", value=True, subject={"kind": "observation", "id": "o1", "traceId": "t2"}),
            score(3, dataType="CATEGORICAL", value="edit"),
            score(4, dataType="TEXT", value="the payload"),
            score(5, dataType="CORRECTION", value="the payload"),
            score(6, subject={"kind": "session", "id": "s"}),
            score(7, subject={"kind": "experiment", "id": "e"}),
            score(8, value="the payload"),
            score(9, subject=None),
            score(10, dataType="NEW", value="the payload"),
        )
    )
    (found,) = source(answers).signals(WINDOW)
    assert [(each.signal_id, each.trace_id, each.value, each.label) for each in found.rows] == [
        ("s1", "t1", 0.5, None),
        ("s2", "t2", 1.0, None),
        ("s3", "t1", None, "edit"),
        ("s4", "t1", None, "(text)"),
        ("s5", "t1", None, "(text)"),
    ]
    assert found.rejected == [
        ("s8", "value: not of its type"),
        ("s9", "subject: missing"),
        ("s10", "value: not of its type"),
    ]
    assert answers.requests[0].url.params.multi_items() == [
        ("limit", "100"),
        ("fields", "details,subject"),
        ("fromTimestamp", "2026-11-21T12:00:00.123Z"),
        ("toTimestamp", "2026-11-21T13:00:00.123Z"),
    ]


def test_a_trace_is_read_over_pages_and_says_what_it_could_not_read() -> None:
    answers = Answers(
        page(row(2, parentObservationId="o1", type="TOOL", name="look", input="a"), cursor="c"),
        page(row(1, input="Hi", output="Ho"), row(3, startTime=None)),
    )
    trace = source(answers).trace("t1")
    assert trace is not None
    assert trace.steps == (Step(kind="tool", name="look", input="a", output=""),)
    assert trace.notes == ("1 of its observations could not be read",)
    params = answers.requests[0].url.params
    assert params["fields"] == "core,basic,time,io,metadata,model,usage,metrics,trace_context"
    assert params["expandMetadata"] == "documents,context,alternative_output"


def test_a_trace_of_which_nothing_can_be_read_is_rejected() -> None:
    with pytest.raises(RejectedError, match="t1"):
        source(Answers(page(row(startTime=None)))).trace("t1")
    assert source(Answers(EMPTY)).trace("t1") is None


def test_numbers_and_names_of_a_trace() -> None:
    generation = {"type": "GENERATION", "parentObservationId": "o1"}
    trace = assemble(
        observed(
            row(1, traceName="shop", userId="u", release="r7", tags=["a"], input="Hi", output="Ho"),
            row(2, **generation, model="m1", totalCost=0.25, tags=["a", "b"]),
            row(3, **generation, model="m2", totalCost=0.5),
            row(4, type="EMBEDDING", parentObservationId="o1", input="v", output="[0.1]", model="e"),
        )
    )
    assert (trace.name, trace.user_id, trace.release, trace.tags) == ("shop", "u", "r7", ("a", "b"))
    assert (trace.model, trace.cost_usd, trace.latency_s) == ("m2", 0.75, 1.5)
    assert (trace.steps, trace.notes, trace.root_observation_id) == ((), (), "o1")


def test_unknown_numbers_are_none() -> None:
    trace = assemble(observed(row(1, endTime=None, totalCost="free", output="x")))
    assert (trace.cost_usd, trace.latency_s, trace.model) == (None, None, None)
    assert assemble(observed(row(1, endTime="2026-11-21T11:00:00Z"))).latency_s is None


def test_a_repeated_row_counts_once_as_it_was_last_updated() -> None:
    old = row(1, output="old", updatedAt="2026-11-21T12:00:01Z")
    new = row(1, output="new", updatedAt="2026-11-21T12:00:02Z")
    assert assemble(observed(new, old)).output == "new"
    assert assemble(observed(old, new)).notes == ()


def test_without_text_at_the_top_the_last_model_call_speaks() -> None:
    generation = {"type": "GENERATION", "parentObservationId": "o1"}
    trace = assemble(
        observed(
            row(1, output=" "),
            row(2, **generation, input="rewrite", output="rewritten"),
            row(3, **generation, input="Hi", output="Ho"),
        )
    )
    assert ([each.content for each in trace.messages], trace.output) == (["Hi"], "Ho")
    assert trace.notes == (
        "no root has an input: that of the last model call is shown",
        "no root has an output: that of the last model call is shown",
    )


def test_a_root_below_a_span_of_its_framework_speaks() -> None:
    trace = assemble(
        observed(
            row(1, name="POST /chat"), row(2, parentObservationId="o1", isRootObservation=True, input="Hi", output="Ho")
        )
    )
    assert ([each.content for each in trace.messages], trace.output, trace.steps) == (["Hi"], "Ho", ())
    assert trace.notes == ()


def test_observations_in_a_circle_still_make_a_trace() -> None:
    trace = assemble(observed(row(1, parentObservationId="o2", output="Ho"), row(2, parentObservationId="o1")))
    assert trace.output == "Ho"
    assert trace.notes == ("no root observation was recorded",)


def test_several_orphans_are_read_like_several_roots() -> None:
    trace = assemble(
        observed(row(2, parentObservationId="gone", input="Hi"), row(3, parentObservationId="gone", output="Ho"))
    )
    assert ([each.content for each in trace.messages], trace.output) == (["Hi"], "Ho")
    assert trace.notes == ("no root observation was recorded",)


PASSAGES = [{"title": "A", "text": "a"}, {"title": "B", "text": "b"}]
FOUND = (Document(title="A", text="a"), Document(title="B", text="b"))


@pytest.mark.parametrize(
    "given",
    [
        {"type": "RETRIEVER", "name": "kb", "output": PASSAGES},
        {"type": "SPAN", "name": "Retrieval", "output": {"documents": PASSAGES}},
        {"type": "TOOL", "name": "web_search", "output": PASSAGES},
    ],
)
def test_documents_of_a_retriever_are_no_step(given: dict[str, Any]) -> None:
    trace = assemble(observed(row(1), row(2, parentObservationId="o1", **given)))
    assert (trace.documents, trace.steps) == (FOUND, ())


def test_a_search_that_found_no_documents_is_a_step() -> None:
    searched = row(2, parentObservationId="o1", type="TOOL", name="web_search", input="q", output="none")
    assert [each.name for each in assemble(observed(row(1), searched)).steps] == ["web_search"]


def test_documents_of_the_metadata_serve_where_no_retriever_ran() -> None:
    assert assemble(observed(row(1, metadata={"documents": '[{"title": "A", "text": "a"}]'}))).documents == FOUND[:1]
    assert [each.text for each in assemble(observed(row(1, metadata={"context": '["a", "b"]'}))).documents] == [
        "a",
        "b",
    ]
    assert assemble(observed(row(1, metadata={"context": "checkout"}))).documents == ()


def test_another_answer_is_read_from_the_metadata_as_an_output_is() -> None:
    assert assemble(observed(row(1))).alternative is None
    assert assemble(observed(row(1, metadata={"alternative_output": "30 days."}))).alternative == "30 days."
    message = '[{"role": "assistant", "content": "30 days."}]'
    assert assemble(observed(row(1, metadata={"alternative_output": message}))).alternative == "30 days."
    assert assemble(observed(row(1, metadata={"alternative_output": " "}))).alternative is None
    below = row(2, parentObservationId="o1", metadata={"alternative_output": "of a step"})
    assert assemble(observed(row(1), below)).alternative is None


def test_a_server_that_is_away_ends_the_payloads() -> None:
    with pytest.raises(RetryableError):
        list(source(Answers(ok({"message": "no"}, status=503))).payloads(["a", "b"]))
