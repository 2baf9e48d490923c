"""What goldloop expects of Langfuse: one suite, unchanged, for the stand-in and for a real server."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from contract.langfuse_server import Server, Writer, eventually, real_server, stand_in, values_of
from goldloop.adapters.langfuse import Langfuse, LangfuseSource
from goldloop.errors import FatalError, RetryableError
from goldloop.pipeline.read_back import is_this
from goldloop.ports import EvalSink, ScoreSink, TraceSource, Window
from goldloop.records import Candidate, Document, EvalRow, Message, Receipt, Score, ScoreType, Signal

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module", params=["4.16.0", "4.59.0", "real"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The stand-in, as its oldest and as a newer version, and a real server where there is one."""
    if request.param != "real":
        with stand_in(tmp_path_factory.mktemp("langfuse"), version=request.param) as server:
            yield server
        return
    real = real_server()
    if real is None:
        pytest.skip("no real server: set GOLDLOOP_TEST_LANGFUSE_HOST, _PUBLIC_KEY and _SECRET_KEY")
    yield real


@pytest.fixture(scope="module")
def langfuse(server: Server) -> Iterator[Langfuse]:
    with server.connect() as langfuse:
        yield langfuse


@pytest.fixture(scope="module")
def written(server: Server) -> dict[str, str]:
    """Trace ids by the kind of trace, once all of them have been sent."""
    writer = Writer(server)
    written = {
        "rag": writer.rag(),
        "two roots": writer.two_roots(),
        "rootless": writer.rootless(),
        "odd": writer.odd(),
        "silent": writer.silent(),
    }
    writer.close()
    return written


def window() -> Window:
    now = datetime.now(UTC)
    return Window(start=now - timedelta(hours=1), end=now + timedelta(minutes=5))


def candidates(source: TraceSource) -> list[Candidate]:
    pages = list(source.candidates(window()))
    assert [rejected for page in pages for rejected in page.rejected] == []
    return [candidate for page in pages for candidate in page.rows]


def rooted(source: TraceSource) -> dict[str, Candidate]:
    """What the store would keep: a candidate without a root gives way to one with a root."""
    found = candidates(source)
    return {each.trace_id: each for each in sorted(found, key=lambda each: each.roots)}


def visible(langfuse: Langfuse, written: dict[str, str]) -> dict[str, Candidate]:
    return eventually(lambda: rooted(langfuse.source), lambda found: found.keys() >= set(written.values()))


def score(server: Server, **given: object) -> Score:
    fields: dict[str, object] = {
        "score_id": str(uuid4()),
        "trace_id": uuid4().hex,
        "name": f"{server.environment}-quality",
        "data_type": ScoreType.NUMERIC,
        "value": 1.0,
        "environment": server.environment,
        "event_at": datetime.now(UTC) - timedelta(minutes=1),
    }
    return Score.model_validate(fields | given)


def settled(langfuse: Langfuse, wanted: dict[str, str | float]) -> dict[str, str | float | None]:
    return eventually(lambda: values_of(langfuse.scores, [*wanted]), lambda found: found == wanted)


def eval_row(row_id: str, **given: object) -> EvalRow:
    fields: dict[str, object] = {
        "row_id": row_id,
        "dataset": "ignored here",
        "trace_id": uuid4().hex,
        "input": [Message(role="user", content="Which fee?")],
        "context": [Document(title="Prices", text="The fee is 3 euros.", score=0.5)],
        "output": "No fee.",
        "expected_output": "3 euros.",
        "labels": {"verdict": "fail", "errors": ["ungrounded", "tone"]},
        "note": "see Prices",
        "provenance": {"pi": 0.25, "annotators": ["a", "b"]},
    }
    return EvalRow.model_validate(fields | given)


def updated_at(langfuse: Langfuse, row_id: str) -> str:
    return str(langfuse.api.get(f"dataset-items/{row_id}")["updatedAt"])


def test_the_adapter_has_the_shape_of_its_ports(langfuse: Langfuse) -> None:
    source: TraceSource = langfuse.source
    scores: ScoreSink = langfuse.scores
    datasets: EvalSink = langfuse.datasets
    assert all((source, scores, datasets))


def test_check_says_which_version_it_is(langfuse: Langfuse) -> None:
    major, minor = langfuse.source.check().split(".")[:2]
    assert (int(major), int(minor)) >= (4, 16)


def test_a_trace_has_an_address_in_its_project(server: Server, langfuse: Langfuse) -> None:
    url = langfuse.source.trace_url("abc/1")
    assert url.startswith(f"{server.host.rstrip('/')}/project/")
    assert url.endswith("/traces/abc%2F1")


def test_a_wrong_key_is_refused_with_what_to_set(server: Server) -> None:
    with server.connect(secret_key="sk-wrong") as wrong:
        with pytest.raises(FatalError, match=r"LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY.*LANGFUSE_HOST") as raised:
            wrong.source.check()
        assert "sk-wrong" not in str(raised.value)
        with pytest.raises(FatalError):
            candidates(wrong.source)
        with pytest.raises(FatalError):
            wrong.scores.send([score(server)])
        with pytest.raises(FatalError):
            wrong.datasets.row_ids("any")


def test_an_unreachable_server_names_the_setting(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    nowhere = Server(f"http://127.0.0.1:{port}", server.public_key, server.secret_key)
    with nowhere.connect() as langfuse, pytest.raises(RetryableError, match="LANGFUSE_HOST"):
        langfuse.source.check()


def test_an_address_with_another_path_is_no_langfuse(server: Server) -> None:
    elsewhere = Server(f"{server.host}/nowhere", server.public_key, server.secret_key)
    with elsewhere.connect() as langfuse, pytest.raises(FatalError, match="no Langfuse API"):
        langfuse.source.check()


def test_candidates_carry_what_strata_and_caps_need(
    server: Server, langfuse: Langfuse, written: dict[str, str]
) -> None:
    found = visible(langfuse, written)[written["rag"]]
    assert (found.name, found.category, found.environment) == ("answer", "answer", server.environment)
    assert (found.user_id, found.session_id, set(found.tags)) == ("user-1", "session-1", {"topic:billing", "beta"})
    assert found.roots == 1
    assert abs(found.timestamp - datetime.now(UTC)) < timedelta(minutes=5)


def test_every_trace_comes_with_its_number_of_roots(langfuse: Langfuse, written: dict[str, str]) -> None:
    found = visible(langfuse, written)
    assert {kind: found[trace_id].roots for kind, trace_id in written.items()} == {
        "rag": 1,
        "two roots": 2,
        "rootless": 0,
        "odd": 1,
        "silent": 1,
    }


def test_without_the_second_pass_only_traces_with_a_root_come(
    server: Server, langfuse: Langfuse, written: dict[str, str]
) -> None:
    visible(langfuse, written)
    with server.connect(rootless=False) as roots_only:
        assert {each.trace_id for each in candidates(roots_only.source)} == set(written.values()) - {
            written["rootless"]
        }


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        ("tag:topic:", "billing"),
        ("metadata:team", "north"),
        ("model", "uncategorised"),
        ("metadata:no", "uncategorised"),
    ],
)
def test_the_category_follows_its_rule(
    server: Server, langfuse: Langfuse, written: dict[str, str], category: str, expected: str
) -> None:
    visible(langfuse, written)
    with server.connect(category=category) as ruled:
        assert rooted(ruled.source)[written["rag"]].category == expected


def test_small_pages_give_the_same_as_one_large_one(
    server: Server, langfuse: Langfuse, written: dict[str, str]
) -> None:
    whole = visible(langfuse, written)
    small = LangfuseSource(langfuse.api, environments=[server.environment], page_size=2)
    pages = list(small.candidates(window()))
    assert max(len(page.rows) for page in pages) <= 2
    assert {each.trace_id for page in pages for each in page.rows} == whole.keys()
    assert sum(each.roots for page in pages for each in page.rows) == sum(each.roots for each in whole.values())


def test_a_window_is_half_open(server: Server, langfuse: Langfuse, written: dict[str, str]) -> None:
    rag = visible(langfuse, written)[written["rag"]]
    hour = timedelta(hours=1)
    roots_only = LangfuseSource(langfuse.api, environments=[server.environment], rootless=False)

    def ids(start: datetime, end: datetime) -> set[str]:
        pages = roots_only.candidates(Window(start=start, end=end))
        return {each.trace_id for page in pages for each in page.rows}

    assert rag.trace_id in ids(rag.timestamp, rag.timestamp + hour)
    assert rag.trace_id not in ids(rag.timestamp - hour, rag.timestamp)


def test_a_trace_is_read_with_all_that_a_reviewer_needs(
    server: Server, langfuse: Langfuse, written: dict[str, str]
) -> None:
    visible(langfuse, written)
    trace = langfuse.source.trace(written["rag"])
    assert trace is not None
    assert trace.messages == (
        Message(role="system", content="Be brief."),
        Message(role="user", content="Which fee?"),
    )
    assert trace.output == "The fee is 3 euros."
    assert trace.documents == (Document(title="Prices", text="The fee is 3 euros.", score=0.8),)
    (step,) = trace.steps
    assert (step.kind, step.name, step.output) == ("tool", "today", "2026-11-21")
    assert "UTC" in step.input
    assert (trace.model, trace.cost_usd, trace.environment) == ("model-a", 0.25, server.environment)
    assert (trace.user_id, trace.session_id, set(trace.tags)) == ("user-1", "session-1", {"topic:billing", "beta"})
    assert trace.latency_s is not None
    assert trace.root_observation_id
    assert trace.notes == ()


def test_several_roots_are_read_as_one_trace(langfuse: Langfuse, written: dict[str, str]) -> None:
    visible(langfuse, written)
    trace = langfuse.source.trace(written["two roots"])
    assert trace is not None
    assert (trace.messages[0].content, trace.output) == ("question 1", "answer 2")
    assert trace.notes == ("2 root observations: input of the first, output of the last",)


def test_a_trace_without_its_root_is_read_from_what_is_there(langfuse: Langfuse, written: dict[str, str]) -> None:
    visible(langfuse, written)
    trace = langfuse.source.trace(written["rootless"])
    assert trace is not None
    assert (trace.messages[0].content, trace.output, trace.model) == ("Is it open?", "Yes.", "model-b")
    assert (trace.root_observation_id, trace.notes) == (None, ("no root observation was recorded",))


def test_odd_payloads_are_shown_and_named(langfuse: Langfuse, written: dict[str, str]) -> None:
    visible(langfuse, written)
    odd, silent = langfuse.source.trace(written["odd"]), langfuse.source.trace(written["silent"])
    assert odd is not None
    assert silent is not None
    assert odd.messages[0].content.startswith("bell ")
    assert "\x07" not in odd.messages[0].content
    assert '"sure": false' in odd.output
    assert odd.notes == ("output is JSON",)
    assert (silent.output, silent.notes) == ("", ("no output",))


def test_a_trace_that_nobody_sent_is_none(langfuse: Langfuse) -> None:
    assert langfuse.source.trace(uuid4().hex) is None


def test_several_payloads_come_in_the_order_asked_for(langfuse: Langfuse, written: dict[str, str]) -> None:
    asked = ["0" * 32, *written.values(), *reversed(written.values())]
    together = list(langfuse.source.payloads(asked))
    assert together == [None, *(langfuse.source.trace(trace_id) for trace_id in asked[1:])]
    assert list(langfuse.source.payloads([])) == []


def test_scores_of_every_type_are_read_back(server: Server, langfuse: Langfuse) -> None:
    scores = [
        score(server, value=0.25),
        score(server, data_type=ScoreType.BOOLEAN, value=1.0, comment="a comment", metadata={"pi": 0.5}),
        score(server, data_type=ScoreType.CATEGORICAL, value="tone"),
        score(server, data_type=ScoreType.TEXT, value="a note"),
    ]
    assert langfuse.scores.send(scores) == [Receipt(key=each.score_id, accepted=True) for each in scores]
    wanted = {each.score_id: each.value for each in scores}
    assert settled(langfuse, wanted) == wanted


def test_more_scores_than_a_page_holds_are_read_back(server: Server, langfuse: Langfuse) -> None:
    scores = [score(server, value=float(number)) for number in range(150)]
    assert all(receipt.accepted for receipt in langfuse.scores.send(scores))
    wanted: dict[str, str | float] = {each.score_id: each.value for each in scores}
    assert settled(langfuse, wanted) == wanted


def test_a_later_revision_stands_and_an_equal_or_older_one_does_not(server: Server, langfuse: Langfuse) -> None:
    first, newer, equal, older = (score(server, value=value) for value in (1.0, 2.0, 3.0, 4.0))
    second = timedelta(seconds=1)
    at = first.event_at
    revisions = [
        first,
        newer.model_copy(update={"event_at": at + second}),
        equal.model_copy(update={"event_at": at + second, "comment": "too late"}),
        older.model_copy(update={"event_at": at - second}),
    ]
    for each in revisions:
        (receipt,) = langfuse.scores.send([each.model_copy(update={"score_id": first.score_id})])
        assert receipt.accepted
    # A score that was sent last marks the time from which all before it have been worked off.
    mark = score(server)
    langfuse.scores.send([mark])
    settled(langfuse, {mark.score_id: 1.0})
    wanted: dict[str, str | float] = {first.score_id: 2.0}
    assert settled(langfuse, wanted) == wanted


def test_one_refused_score_does_not_stop_the_others(server: Server, langfuse: Langfuse) -> None:
    fine = score(server)
    too_long = score(server, data_type=ScoreType.TEXT, value="x" * 501)
    refused = score(server, environment="langfuse-forbidden")
    receipts = langfuse.scores.send([too_long, fine, refused])
    assert [(each.key, each.accepted) for each in receipts] == [
        (too_long.score_id, False),
        (fine.score_id, True),
        (refused.score_id, False),
    ]
    assert "501 characters" in receipts[0].reason
    assert receipts[2].reason.startswith("400")
    wanted: dict[str, str | float] = {fine.score_id: 1.0}
    assert settled(langfuse, wanted) == wanted


def test_a_deleted_score_is_gone_and_deleting_again_is_no_error(server: Server, langfuse: Langfuse) -> None:
    doomed = score(server)
    langfuse.scores.send([doomed])
    assert settled(langfuse, {doomed.score_id: 1.0})
    langfuse.scores.delete([doomed.score_id])
    langfuse.scores.delete([doomed.score_id, str(uuid4())])
    assert eventually(lambda: langfuse.scores.read([doomed.score_id]), lambda found: not found) == {}


def test_a_score_is_read_back_whole_and_as_the_revision_that_it_is(server: Server, langfuse: Langfuse) -> None:
    sent = score(
        server,
        data_type=ScoreType.CATEGORICAL,
        value="tone",
        comment="a comment",
        metadata={"pi": 0.5, "goldloop": "q@1.0.0", "annotators": ["a"]},
        event_at=datetime.now(UTC).replace(microsecond=123_456) - timedelta(minutes=1),
    )
    langfuse.scores.send([sent])
    settled(langfuse, {sent.score_id: "tone"})
    (shown,) = langfuse.scores.read([sent.score_id]).values()
    assert (shown.name, shown.trace_id, shown.comment) == (sent.name, sent.trace_id, "a comment")
    assert shown.event_at == sent.event_at.replace(microsecond=123_000)
    assert {name: value for name, value in shown.metadata.items() if name != "revised_at"} == sent.metadata
    assert is_this(sent, shown)
    again = sent.model_copy(update={"event_at": sent.event_at + timedelta(milliseconds=1)})
    assert not is_this(again, shown)
    langfuse.scores.send([again])
    found = eventually(
        lambda: langfuse.scores.read([sent.score_id])[sent.score_id], lambda shown: is_this(again, shown)
    )
    assert is_this(again, found)


def test_scores_are_listed_by_name(server: Server, langfuse: Langfuse) -> None:
    names = [f"{server.environment}-listed-{number}" for number in range(3)]
    sent = [score(server, name=name, value=float(number)) for number in range(70) for name in names]
    langfuse.scores.send(sent)
    settled(langfuse, {each.score_id: each.value for each in sent})
    pages = list(langfuse.scores.listed(names[:2]))
    assert max(len(page) for page in pages) <= 100
    found = [shown.score_id for page in pages for shown in page]
    assert sorted(found) == sorted(each.score_id for each in sent if each.name in names[:2])
    assert [shown for page in langfuse.scores.listed([]) for shown in page] == []


def test_signals_are_scores_without_their_texts(server: Server, langfuse: Langfuse) -> None:
    sent = [
        score(server, value=0.5),
        score(server, data_type=ScoreType.BOOLEAN, value=0.0),
        score(server, data_type=ScoreType.CATEGORICAL, value="regenerate"),
        score(server, data_type=ScoreType.TEXT, value="my address is secret"),
    ]
    langfuse.scores.send(sent)
    ids = [each.score_id for each in sent]

    def signals() -> dict[str, Signal]:
        pages = list(langfuse.source.signals(window()))
        return {each.signal_id: each for page in pages for each in page.rows if each.signal_id in ids}

    found = eventually(signals, lambda found: len(found) == len(ids))
    assert [(found[each].value, found[each].label) for each in ids] == [
        (0.5, None),
        (0.0, None),
        (None, "regenerate"),
        (None, "(text)"),
    ]
    assert [found[each.score_id].trace_id for each in sent] == [each.trace_id for each in sent]
    assert "secret" not in str(found)


def test_eval_rows_are_put_once_changed_and_archived(server: Server, langfuse: Langfuse) -> None:
    dataset = f"{server.environment}/golden set"
    row = eval_row(str(uuid4()))
    assert langfuse.datasets.row_ids(dataset) == set()
    assert langfuse.datasets.put(dataset, [row]) == [Receipt(key=row.row_id, accepted=True)]
    assert langfuse.datasets.row_ids(dataset) == {row.row_id}
    before = updated_at(langfuse, row.row_id)
    langfuse.datasets.put(dataset, [row])
    assert updated_at(langfuse, row.row_id) == before

    corrected = row.model_copy(update={"expected_output": None, "note": None})
    langfuse.datasets.put(dataset, [corrected])
    assert updated_at(langfuse, row.row_id) != before
    there = langfuse.api.get(f"dataset-items/{row.row_id}")
    assert there["expectedOutput"] in ("", None)
    assert there["metadata"]["note"] in ("", None)
    assert there["metadata"]["labels"] == {"verdict": "fail", "errors": ["ungrounded", "tone"]}
    assert there["input"]["messages"] == [{"role": "user", "content": "Which fee?"}]
    assert there["sourceTraceId"] == row.trace_id

    langfuse.datasets.remove(dataset, [row.row_id, str(uuid4())])
    assert langfuse.datasets.row_ids(dataset) == set()
    archived = updated_at(langfuse, row.row_id)
    langfuse.datasets.remove(dataset, [row.row_id])
    assert updated_at(langfuse, row.row_id) == archived
    langfuse.datasets.put(dataset, [corrected])
    assert langfuse.datasets.row_ids(dataset) == {row.row_id}
    langfuse.datasets.remove(dataset, [row.row_id])


def test_rows_are_shown_with_their_labels_where_goldloop_wrote_them(server: Server, langfuse: Langfuse) -> None:
    dataset = f"{server.environment}-shown"
    ours, others, gone = (eval_row(str(uuid4()), provenance={"queue": queue}) for queue in ("q", "other", "q"))
    by_hand = eval_row(str(uuid4()))
    assert langfuse.datasets.shown(dataset, "q") == {}
    langfuse.datasets.put(dataset, [ours, others, gone, by_hand])
    langfuse.datasets.remove(dataset, [gone.row_id])
    assert langfuse.datasets.shown(dataset, "q") == {ours.row_id: ours.labels}
    langfuse.datasets.remove(dataset, [ours.row_id, others.row_id, by_hand.row_id])


def test_a_row_id_of_another_dataset_is_refused_alone(server: Server, langfuse: Langfuse) -> None:
    here, there = f"{server.environment}-here", f"{server.environment}-there"
    taken, free = eval_row(str(uuid4())), eval_row(str(uuid4()))
    langfuse.datasets.put(there, [taken])
    receipts = langfuse.datasets.put(here, [taken, free])
    assert [receipt.accepted for receipt in receipts] == [False, True]
    assert receipts[0].reason.startswith("409")
    # What stands in another dataset is not this one's to remove.
    langfuse.datasets.remove(here, [taken.row_id, free.row_id])
    assert langfuse.datasets.row_ids(there) == {taken.row_id}
    langfuse.datasets.remove(there, [taken.row_id])


def test_more_rows_than_a_page_holds_are_all_counted(server: Server, langfuse: Langfuse) -> None:
    dataset = f"{server.environment}-many"
    rows = [eval_row(str(uuid4())) for _ in range(103)]
    langfuse.datasets.put(dataset, rows)
    assert langfuse.datasets.row_ids(dataset) == {row.row_id for row in rows}
    langfuse.datasets.remove(dataset, [row.row_id for row in rows[:2]])
    assert langfuse.datasets.row_ids(dataset) == {row.row_id for row in rows[2:]}
