"""Pull beside raw paging: the same requests by httpx, the JSON parsed, nothing kept. And one request a trace."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import count as counting
from pathlib import Path

import httpx

from benchmarks.judge_table import Row
from benchmarks.sync_servers import Servers, Turns, by_turns, silent, timed
from benchmarks.sync_store import NOW, store_at
from benchmarks.sync_traces import fill, trace_id
from goldloop.adapters.langfuse.traces import iso
from goldloop.pipeline.pull import PullRange, pull
from goldloop.ports import Window

END = NOW + timedelta(seconds=1)
_ROUNDS = 5
_MEGABYTES = 300
_FLAT = 1.1
_PLAIN = 300


def measure(servers: Servers, *, fast: bool) -> Iterator[Row]:
    """`roots` newest traces with scores of a quarter of them; ten times as many for the memory."""
    roots, scores = (2_000, 500) if fast else (20_000, 5_000)
    fill(servers.database, NOW, 10 * roots, 10 * scores)
    turns = by_turns(lambda _: _ours(servers, roots), lambda _: timed(lambda: _raw(servers, roots, scores)), _ROUNDS)
    yield Row.at_least(
        f"{roots:,} roots, {scores:,} scores: of raw paging", 0.8, turns.ratio, "x", turns.plainly(roots + scores)
    )
    yield _beside_plain(servers, turns, roots)
    few, many = _alone(servers, roots), _alone(servers, 10 * roots)
    yield Row.at_most(f"peak memory, {10 * roots:,} roots", _MEGABYTES, many, "MB")
    yield Row.at_most(f"the same, times that of {roots:,}", _FLAT, many / few, "x", f"{few:.0f} MB")


def since(roots: int) -> timedelta:
    """From the end back to where the newest `roots` begin: they are a second apart."""
    return timedelta(seconds=roots)


_names = counting()


def _ours(servers: Servers, roots: int) -> float:
    """Seconds of one first pull, into a new store."""
    store = store_at(servers.folder, f"pull-{next(_names)}")
    reach = PullRange(since=END - since(roots), overlap=timedelta(0), lag=timedelta(0))
    with servers.langfuse() as langfuse:
        seconds = timed(lambda: pull(langfuse.source, store, reach, END, silent))
    assert store.candidate_count() == roots
    store.close()
    return seconds


def _raw(servers: Servers, roots: int, scores: int) -> None:
    window = Window(start=END - since(roots), end=END)
    begins, ends = iso(window.start), iso(window.end)
    fields = "core,basic,model,prompt,trace_context"
    observations = {"limit": "1000", "fields": fields, "fromStartTime": begins, "toStartTime": ends}
    found = 0
    with servers.raw_langfuse() as client:
        for root in ("true", "false"):
            found += sum(map(len, _pages(client, "v2/observations", {**observations, "isRootObservation": root})))
        wanted = {"limit": "100", "fields": "details,subject", "fromTimestamp": begins, "toTimestamp": ends}
        found += sum(map(len, _pages(client, "v3/scores", wanted)))
    assert found == roots + scores


def _pages(client: httpx.Client, path: str, params: dict[str, str]) -> Iterator[Sequence[object]]:
    cursor = ""
    while True:
        answer = client.get(path, params={**params, **({"cursor": cursor} if cursor else {})})
        answer.raise_for_status()
        page = answer.json()
        yield page["data"]
        cursor = page["meta"].get("cursor", "")
        if not cursor:
            return


def _beside_plain(servers: Servers, turns: Turns, roots: int) -> Row:
    def one_by_one() -> None:
        with servers.raw_langfuse() as client:
            for number in range(_PLAIN):
                client.get("v2/observations", params={"traceId": trace_id(number)}).raise_for_status()
                client.get("v3/scores", params={"traceId": trace_id(number)}).raise_for_status()

    rate = _PLAIN / timed(one_by_one)
    return Row(
        what="times the plain script, two requests a trace",
        reached=roots / turns.seconds / rate,
        unit="x",
        note=f"the script: {rate:.0f} a second, of {_PLAIN} traces",
    )


def _alone(servers: Servers, roots: int) -> float:
    """Peak megabytes of a process that does nothing but this pull."""
    told = json.dumps({"folder": str(servers.folder), "environment": servers.environment, "roots": roots})
    command = [sys.executable, "-m", "benchmarks.sync_pull", told]
    made = subprocess.run(command, cwd=Path(__file__).parents[1], check=True, capture_output=True, text=True)  # noqa: S603 - this very file
    return float(made.stdout)


def _peak_megabytes() -> float:
    """VmHWM of this process, see proc(5)."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    told = json.loads(sys.argv[1])
    _ours(Servers(Path(told["folder"]) / f"alone-{told['roots']}", told["environment"]), told["roots"])
    sys.stdout.write(f"{_peak_megabytes()}")


if __name__ == "__main__":
    main()
