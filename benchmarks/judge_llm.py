"""What goldloop adds to the calls of a model: judgements by `LlmJudge`, against the same requests by the raw client.

A server of its own answers in 50 ms. By turns in one run: `AsyncOpenAI` sends the bodies that the judge sends, 16 at
once, and reads nothing of the answers; then the judge does, with its ledger in a new SQLite file. Connections are new
each time.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import openai

from benchmarks.judge_backend import CODEBOOK, traces
from benchmarks.judge_servers import serving
from benchmarks.judge_table import Row
from goldloop.adapters import llm
from goldloop.adapters.store import open_store
from goldloop.codebook.load import load
from goldloop.judge.settings import JudgeSettings
from goldloop.records import Judgement, Trace

MODEL = "openai:stub"
JUDGED = 200
AT_ONCE = 16
SECONDS = 0.05


class Took(NamedTuple):
    """Seconds: of the clock, and of this process's own work."""

    wall: float
    cpu: float


def measure(rounds: int) -> list[Row]:
    """Rows of the table; `rounds` by turns."""
    chosen = traces(JUDGED)
    assert len(chosen) == JUDGED
    with tempfile.TemporaryDirectory(prefix="goldloop-bench-") as name:
        folder = Path(name)
        with serving(_stub, folder / "stub.log") as url:
            settings = JudgeSettings.model_validate(
                {"model": MODEL, "base_url": f"{url}/v1", "api_key": "none", "concurrency": AT_ONCE}
            )
            _judged(settings, chosen, folder / "warm.db")
            bodies: list[dict[str, Any]] = httpx.get(f"{url}/recorded", trust_env=False).json()
            if len(bodies) != JUDGED:
                sys.exit(f"{JUDGED} judgements made {len(bodies)} different requests: nothing to compare")
            ours: list[Took] = []
            raw: list[Took] = []
            for turn in range(rounds):
                first = turn % 2 == 0
                if first:
                    raw.append(asyncio.run(_raw(f"{url}/v1", bodies)))
                ours.append(_judged(settings, chosen, folder / f"{turn}.db"))
                if not first:
                    raw.append(asyncio.run(_raw(f"{url}/v1", bodies)))
    ratio = statistics.median(one.wall / other.wall for one, other in zip(ours, raw, strict=True))
    kilobytes = sum(len(json.dumps(body)) for body in bodies) / JUDGED / 1024
    floor = SECONDS * JUDGED / AT_ONCE
    return [
        Row.at_most(f"{JUDGED} judgements by a model, times the raw client", 1.3, ratio, "x"),
        Row(
            what=f"the judge, {AT_ONCE} at once, {kilobytes:.1f} KB asked each",
            reached=_middle(ours),
            unit="s",
            note=_each(ours),
        ),
        Row(what="the raw client, the same requests", reached=_middle(raw), unit="s", note=_each(raw)),
        Row(what="what the server itself takes", reached=floor, unit="s"),
    ]


def _middle(took: Sequence[Took]) -> float:
    return statistics.median(one.wall for one in took)


def _each(took: Sequence[Took]) -> str:
    return f"{1000 * statistics.median(one.cpu for one in took) / JUDGED:.1f} ms of a core each"


def _stub(address: str) -> list[str]:
    port = address.rpartition(":")[2]
    return [sys.executable, "-m", "benchmarks.judge_stub", port, "--seconds", str(SECONDS)]


def _judged(settings: JudgeSettings, chosen: Sequence[Trace], file: Path) -> Took:
    """For all of them, with a ledger that knows none of them."""
    codebook = load(CODEBOOK)
    with open_store(f"sqlite:///{file}") as store:
        judge = llm.connect(settings, MODEL, store, run="bench", clock=lambda: datetime.now(UTC))
        try:
            began = Took(time.perf_counter(), time.process_time())
            made = judge.judge(codebook, chosen)
            took = Took(time.perf_counter() - began.wall, time.process_time() - began.cpu)
        finally:
            judge.close()
        wrong = [one for one in made if not isinstance(one, Judgement) or one.abstained]
        if wrong:
            sys.exit(f"{len(wrong)} of {len(made)} were not judged: {wrong[0]}")
        calls = store.spent(datetime(2000, 1, 1, tzinfo=UTC)).calls
        if calls != len(made):
            sys.exit(f"{len(made)} judgements took {calls} calls: nothing to compare")
    return took


async def _raw(url: str, bodies: Sequence[dict[str, Any]]) -> Took:
    """For the same requests by the client alone."""
    gate = asyncio.Semaphore(AT_ONCE)
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:

        async def one(body: dict[str, Any]) -> None:
            async with gate:
                await client.chat.completions.create(**body)

        began = Took(time.perf_counter(), time.process_time())
        await asyncio.gather(*(one(body) for body in bodies))
        return Took(time.perf_counter() - began.wall, time.process_time() - began.cpu)
