"""Publish beside raw batch ingestion and raw reading back: the same events in batches as large, the same ids read."""

import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.judge_table import Row
from benchmarks.sync_servers import Servers, by_turns, silent, timed
from benchmarks.sync_store import NOW, codebook, draw, store_at
from benchmarks.sync_traces import trace_id
from goldloop import ids
from goldloop.adapters.langfuse.score_events import BATCH
from goldloop.adapters.langfuse.traces import iso
from goldloop.adapters.store import SqlStore, open_store
from goldloop.codebook.schema import Codebook
from goldloop.pipeline.publish import publish
from goldloop.pipeline.read_back import ReadBack
from goldloop.ports import TraceResolution
from goldloop.records import Score, ScoreType, State

_ROUNDS = 5
_READ = 100
_PLAIN = 300


def measure(servers: Servers, *, fast: bool) -> Iterator[Row]:
    count = 500 if fast else 5_000
    asked = codebook()
    scores = [a_score(asked, number) for number in range(count)]
    store = store_at(servers.folder, "publish-template")
    outbox(store, asked, scores)
    store.close()
    ingested: list[float] = []
    plain: list[float] = []
    plainly_sent: list[float] = []

    def raw(_: int) -> float:
        sending, reading = _plain(servers, scores[:_PLAIN])
        plain.append(_PLAIN / (sending + reading))
        plainly_sent.append(_PLAIN / sending)
        _forget(servers)
        sent, read = _raw(servers, scores)
        ingested.append(sent)
        return sent + read

    turns = by_turns(lambda number: _ours(servers, asked, number, count), raw, _ROUNDS)
    yield Row.at_least(
        f"{count:,} scores: of raw ingestion and reading back", 0.7, turns.ratio, "x", turns.plainly(count)
    )
    share = sorted(sent / ours for sent, ours in zip(ingested, turns.ours, strict=True))[_ROUNDS // 2]
    yield Row(what="the same, of raw ingestion alone", reached=share, unit="x")
    times = sorted(count / ours / rate for rate, ours in zip(plain, turns.ours, strict=True))[_ROUNDS // 2]
    yield Row.at_least(
        "times the plain script, a request to send and one to read back a score",
        10,
        times,
        "x",
        f"the script: {sorted(plain)[_ROUNDS // 2]:.0f} a second, of {_PLAIN} scores a turn",
    )
    times = sorted(count / ours / rate for rate, ours in zip(plainly_sent, turns.ours, strict=True))[_ROUNDS // 2]
    told = f"the script: {sorted(plainly_sent)[_ROUNDS // 2]:.0f} a second"
    yield Row(what="times one that reads nothing back", reached=times, unit="x", note=told)


def a_score(asked: Codebook, number: int) -> Score:
    return Score(
        score_id=ids.key("bench-score", str(number)),
        trace_id=trace_id(number),
        name="human_verdict",
        data_type=ScoreType.CATEGORICAL,
        value=asked.verdict.label_names[0],
        comment="It says what the question asks for.",
        metadata={"goldloop": asked.ref, "annotators": ["a@example.org"], "votes": 1, "pi": 0.5},
        environment="production",
        event_at=NOW,
    )


def outbox(store: SqlStore, asked: Codebook, scores: Sequence[Score], first: int = 0, run: str = "run") -> None:
    """Drawn traces, resolved, each with a score that is due."""
    numbers = range(first, first + len(scores))
    draw(store, asked, numbers, NOW, run)
    resolutions = [TraceResolution(score.trace_id, State.RESOLVED, [], [score], None) for score in scores]
    store.save_resolutions(asked.name, resolutions, NOW)


def _ours(servers: Servers, asked: Codebook, number: int, count: int) -> float:
    _forget(servers)
    file = servers.folder / f"publish-{number}.db"
    shutil.copyfile(servers.folder / "publish-template.db", file)
    store = open_store(f"sqlite:///{file}")
    read_back = ReadBack(lambda: datetime.now(UTC), time.sleep, timedelta(seconds=60), timedelta(seconds=0.1))
    with servers.langfuse() as langfuse:
        began = time.perf_counter()
        summary = publish(asked, langfuse.source, langfuse.scores, [], store, read_back, silent)
        seconds = time.perf_counter() - began
    store.close()
    assert (summary.sent, summary.confirmed, summary.traces_published) == (count, count, count), summary
    return seconds


def _forget(servers: Servers) -> None:
    """The stand-in has no scores: what was sent before would be an update that it ignores."""
    with sqlite3.connect(servers.database, timeout=30) as connection:
        connection.execute("DELETE FROM scores")
    connection.close()


def _raw(servers: Servers, scores: Sequence[Score]) -> tuple[float, float]:
    """Seconds of sending, and of reading back."""
    with servers.raw_langfuse() as client:

        def send() -> None:
            for start in range(0, len(scores), BATCH):
                batch = [_event(score) for score in scores[start : start + BATCH]]
                answer = client.post("ingestion", json={"batch": batch})
                answer.raise_for_status()
                assert len(answer.json()["successes"]) == len(batch)

        def read() -> None:
            seen = 0
            for start in range(0, len(scores), _READ):
                wanted = ",".join(score.score_id for score in scores[start : start + _READ])
                params = {"limit": str(_READ), "id": wanted, "fields": "details,subject"}
                answer = client.get("v3/scores", params=params)
                answer.raise_for_status()
                seen += len(answer.json()["data"])
            assert seen == len(scores)

        return timed(send), timed(read)


def _event(score: Score) -> dict[str, Any]:
    return {
        "id": ids.key("raw-event", score.score_id),
        "type": "score-create",
        "timestamp": iso(score.event_at),
        "body": _body(score),
    }


def _body(score: Score) -> dict[str, Any]:
    return {
        "id": score.score_id,
        "traceId": score.trace_id,
        "name": score.name,
        "value": score.value,
        "dataType": score.data_type.value,
        "comment": score.comment,
        "metadata": score.metadata,
        "environment": score.environment,
    }


def _plain(servers: Servers, scores: Sequence[Score]) -> tuple[float, float]:
    """Seconds of sending, and of reading back, one score after the other."""
    _forget(servers)
    with servers.raw_langfuse() as client:

        def send() -> None:
            for score in scores:
                client.post("scores", json=_body(score)).raise_for_status()

        def read() -> None:
            for score in scores:
                params = {"id": score.score_id, "fields": "details,subject"}
                answer = client.get("v3/scores", params=params)
                answer.raise_for_status()
                assert len(answer.json()["data"]) == 1

        return timed(send), timed(read)
