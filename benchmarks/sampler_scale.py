"""How long a draw takes, and how much memory, from a store of a hundred thousand and of a million candidates.

`.venv/bin/python benchmarks/sampler_scale.py --json FILE`. Each measurement is a process of its own, so that its peak
memory is its own; the store is made once for each size, in a folder that is removed. In the same process stands a plain
numpy weighted draw on the same frame: what no sampler could do without.
"""

import argparse
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from goldloop.adapters.store import open_store, tables
from goldloop.codebook.load import load
from goldloop.codebook.queue import QueueSettings
from goldloop.codebook.schema import Codebook
from goldloop.pipeline.draw import draw
from goldloop.pipeline.plan import plan_of, read_frame, window_of
from goldloop.sampling.design import design
from goldloop.signals.judges import JudgeScore, SignalSettings

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SIZES = (100_000, 1_000_000)
BUDGET = 500
SIGNALS = SignalSettings(judges=(JudgeScore(name="judge"),))
_TEXT = "%Y-%m-%d %H:%M:%S.%f"
_FILLED = ("user_id", "session_id")  # beside the columns that have to be
_ROOT = Path(__file__).parents[1]


def codebook() -> Codebook:
    """The shipped one, with the default mix and a cap."""
    shipped = load(_ROOT / "label_configs" / "answer-quality.yaml")
    queue = QueueSettings.model_validate({"budget": BUDGET, "mix": "balanced", "caps": {"user": 5}})
    return shipped.model_copy(update={"queue": queue})


def fill(url: str, count: int) -> None:
    """Candidates of two weeks: 30 categories, a user for every four, thumbs on 5 % and a judge on 10 % of them."""
    open_store(url).close()
    rng = np.random.default_rng(7)
    keys = rng.integers(0, 2**63, (count, 2)).tolist()
    ages = (rng.random(count) * 14 * 86_400).tolist()
    users = rng.integers(0, count // 4, count).tolist()
    kinds = np.minimum(rng.exponential(6, count), 29).astype(int).tolist()

    def rows() -> Iterator[tuple[object, ...]]:
        for place in range(count):
            at = (NOW - timedelta(seconds=ages[place])).strftime(_TEXT)
            key = f"{keys[place][0]:016x}{keys[place][1]:016x}"
            user, session = f"user-{users[place]}", f"session-{users[place]}-{place % 3}"
            yield key, "production", "chat", f"category-{kinds[place]}", at, user, session, "[]", 1, at

    columns = [column.name for column in tables.candidates.columns if not column.nullable or column.name in _FILLED]
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        marks = ", ".join("?" * len(columns))
        insert = f"INSERT INTO candidates ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - names of our own
        connection.executemany(insert, rows())
        for name, every, high in (("thumbs", 20, 0.0), ("judge", 10, 1.0)):
            connection.execute(
                "INSERT INTO signals (signal_id, trace_id, name, value, at) SELECT ? || rowid, trace_id, ?, "
                "abs(random() % 1000) / 1000.0 * ?, timestamp FROM candidates WHERE rowid % ? = 0",
                (name, name, high, every),
            )


def plain_draw(weight: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    """A weighted draw without replacement, as numpy has it."""
    np.random.default_rng(1).choice(len(weight), BUDGET, replace=False, p=weight / weight.sum())


def measure(url: str) -> dict[str, float]:
    """Seconds of a draw, start to stored rows, and of a plain draw on its frame; megabytes at the peak of the draw."""
    with open_store(url) as store:
        asked = codebook()
        store.save_codebook(asked, NOW)
        store.candidate_count()  # the process has opened the file
        base = _peak_mb()
        began = time.perf_counter(), time.process_time()
        summary = draw(asked, store, 1, NOW, SIGNALS, dry_run=True)
        seconds, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
        peak = _peak_mb()
        window = window_of(asked.queue, NOW)
        plan = plan_of(asked.queue, [], SIGNALS, None, NOW)
        began_frame = time.perf_counter()
        frame = read_frame(store, asked.name, window, plan)
        frame_seconds = time.perf_counter() - began_frame
        made = design(frame, plan.shares, BUDGET, now=NOW, settings=plan.policies, caps=plan.caps)
        began_plain = time.perf_counter()
        plain_draw(made.pi)
        plain = time.perf_counter() - began_plain
    assert summary.drawn == BUDGET
    return {
        "candidates": summary.frame_size,
        "drawn": summary.drawn,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "frame_seconds": frame_seconds,
        "plain_draw_seconds": plain,
        "times_plain_draw": seconds / plain,
        "peak_mb": peak,
        "peak_mb_over_start": peak - base,
    }


def _peak_mb() -> float:
    """This process's peak: the kernel's own mark where there is one, for `getrusage` starts at the parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def run(sizes: tuple[int, ...], rounds: int) -> dict[str, Any]:
    """The best of some rounds for each size: what else the machine does is no part of it."""
    made = []
    with tempfile.TemporaryDirectory(prefix="goldloop-bench-") as folder:
        for size in sizes:
            url = f"sqlite:///{folder}/{size}.db"
            fill(url, size)
            found = [_apart(url) for _ in range(rounds)]
            made.append(min(found, key=lambda one: one["seconds"]))
    first, last = made[0], made[-1]
    growth = {
        "candidates": last["candidates"] / first["candidates"],
        "seconds": last["seconds"] / first["seconds"],
        "cpu_seconds": last["cpu_seconds"] / first["cpu_seconds"],
    }
    return {"budget": BUDGET, "rounds": rounds, "sizes": made, "growth": growth}


def _apart(url: str) -> dict[str, float]:
    done = subprocess.run(  # noqa: S603 - this very file
        [sys.executable, __file__, "--measure", url], check=True, capture_output=True, text=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def show(made: dict[str, Any]) -> None:
    table = Table(title=f"A draw of {made['budget']}, from SQLite")
    names = {
        "candidates": "candidates",
        "seconds": "seconds",
        "frame_seconds": "of it reading",
        "plain_draw_seconds": "plain draw",
        "times_plain_draw": "ratio",
        "peak_mb": "peak, MB",
    }
    for title in names.values():
        table.add_column(title, justify="right")
    for row in made["sizes"]:
        table.add_row(*(f"{row[name]:,.3f}" if name.endswith("seconds") else f"{row[name]:,.0f}" for name in names))
    console = Console()
    console.print(table)
    growth = made["growth"]
    console.print(f"{growth['candidates']:.0f} times the candidates take {growth['seconds']:.1f} times as long.")


def main() -> None:
    parser = argparse.ArgumentParser(description="Time and memory of a draw from a large store.")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each size; the best counts")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="candidates in the store")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        sys.stdout.write(json.dumps(measure(given.measure)) + "\n")
        return
    made = run(tuple(given.sizes), given.rounds)
    text = json.dumps(made, indent=2)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")
    show(made)


if __name__ == "__main__":
    main()
