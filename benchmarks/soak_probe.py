"""What is looked at during a soak: the processes of each part, the store's file and rows, the runs of the flows."""

import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
from sqlalchemy import Column, ColumnElement, Connection, NullPool, create_engine, func, select

from goldloop.adapters.store import tables
from goldloop.devstack.flows import call
from goldloop.devstack.prefect_server import WORKER_NAME
from goldloop.devstack.processes import Process
from goldloop.records import Record, State

FLOW_RUN = b"PREFECT__FLOW_RUN_ID="
"""By this variable the worker tells a flow run's process which run it is."""
MB = 1e6
_KIB = 1024
_LOOKS_EVERY_S = 0.5


class Sample(Record):
    """One look, `at` seconds after the start; memory, files and the store's content in MB, ages in seconds.

    The queue's age is that of the oldest drawn trace that nobody has judged yet. `undecided` counts those that were
    judged and have no answer: two annotators disagree, one of two has not come yet, or the only one has skipped.
    """

    at: float
    memory: dict[str, float]
    handles: dict[str, int]
    database: float
    write_ahead: float
    content: float
    drawn: int
    changes: int
    annotations: int
    undecided: int
    parked: int
    queue_age: float
    outbox_age: float


class FlowRun(Record):
    """One run of a flow: its state, when it ended (seconds after the start), how long it took, and its peaks."""

    flow: str
    state: str
    ended: float
    seconds: float
    memory: float | None = None
    handles: int | None = None


class Peak(Record):
    memory: float
    handles: int


def memory(pids: Iterable[int], field: str = "VmRSS") -> float:
    """MB of a field of proc(5)'s status, summed: pages that processes share count for each of them."""
    total = 0
    for pid in pids:
        with suppress(OSError, ValueError):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith(f"{field}:"):
                    total += int(line.split()[1]) * _KIB
    return total / MB


def handles(pids: Iterable[int]) -> int:
    """Open file descriptors: files, sockets, pipes."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            total += sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    return total


class Watch:
    """The parts' processes, and each flow run's peaks, noted while it lives."""

    def __init__(self, parts: Sequence[Process]) -> None:
        self._parts = {part.name: part for part in parts}
        self._run_of: dict[int, str] = {}
        self._peaks: dict[str, Peak] = {}
        self._lock = threading.Lock()

    def look(self) -> tuple[dict[str, float], dict[str, int]]:
        """Memory and handles of each part now; the worker's without those of the flow runs below it."""
        alive = {name: part.pids() for name, part in self._parts.items()}
        flows = {pid for pids in self._flows(alive[WORKER_NAME]).values() for pid in pids}
        alive[WORKER_NAME] -= flows
        held = {part: memory(pids) for part, pids in alive.items()}
        return held, {part: handles(pids) for part, pids in alive.items()}

    def follow(self, stop: threading.Event) -> None:
        """Note peaks until stopped. The kernel keeps the memory's peak, so that looking now and then is enough."""
        while not stop.wait(_LOOKS_EVERY_S):
            for run, pids in self._flows(self._parts[WORKER_NAME].pids()).items():
                now = Peak(memory=memory(pids, "VmHWM"), handles=handles(pids))
                with self._lock:
                    before = self._peaks.get(run, now)
                    self._peaks[run] = Peak(
                        memory=max(before.memory, now.memory), handles=max(before.handles, now.handles)
                    )

    def peak(self, run: str) -> Peak | None:
        with self._lock:
            return self._peaks.get(run)

    def _flows(self, pids: set[int]) -> dict[str, list[int]]:
        """Which of the worker's processes work on which flow run."""
        runs: dict[str, list[int]] = {}
        with self._lock:
            self._run_of = {pid: run for pid, run in self._run_of.items() if pid in pids}
            for pid in pids:
                run = self._run_of.get(pid) or _flow_run(pid)
                if run:
                    self._run_of[pid] = run
                    runs.setdefault(run, []).append(pid)
        return runs


def _flow_run(pid: int) -> str:
    with suppress(OSError):
        for variable in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            if variable.startswith(FLOW_RUN):
                return variable.removeprefix(FLOW_RUN).decode()
    return ""


class StoreProbe:
    """Reads the store's file beside those who write it; opened and closed each time, so that it is no part of it."""

    def __init__(self, path: Path, queue: str) -> None:
        self._path = path
        self._queue = queue
        self._engine = create_engine("sqlite://", creator=self._open, poolclass=NullPool)

    def look(self, at: float, parts: tuple[dict[str, float], dict[str, int]]) -> Sample:
        now = datetime.now(UTC)
        draws, scores = tables.draws.c, tables.scores.c
        history, annotations, parked = tables.annotation_history, tables.annotations.c, tables.parked.c
        waiting = draws.state.in_([State.DRAWN.value, State.QUEUED.value])
        with self._engine.connect() as connection:
            pages, free, size = (
                connection.exec_driver_sql(f"PRAGMA {what}").scalar_one()
                for what in ("page_count", "freelist_count", "page_size")
            )
            return Sample(
                at=at,
                memory=parts[0],
                handles=parts[1],
                database=self._size(""),
                write_ahead=self._size("-wal"),
                content=(pages - free) * size / MB,
                drawn=_count(connection, draws.queue == self._queue),
                changes=_count(connection, history.c.id.is_not(None)),
                annotations=_count(connection, annotations.deleted.is_(False)),
                undecided=_count(connection, draws.state == State.ANNOTATED.value),
                parked=_count(connection, parked.cleared.is_(False)),
                queue_age=_age(connection, draws.drawn_at, waiting, now),
                outbox_age=_age(connection, scores.event_at, scores.state == "due", now),
            )

    def bytes_by_table(self) -> dict[str, int]:
        """Bytes of each table with its indexes; empty where this SQLite was built without `dbstat`."""
        query = (
            "SELECT m.tbl_name, SUM(s.pgsize) FROM dbstat s JOIN sqlite_schema m ON m.name = s.name "
            "GROUP BY m.tbl_name ORDER BY 2 DESC"
        )
        with suppress(sqlite3.OperationalError), closing(self._open()) as connection:
            return dict(connection.execute(query).fetchall())
        return {}

    def _size(self, ending: str) -> float:
        try:
            return Path(f"{self._path}{ending}").stat().st_size / MB
        except FileNotFoundError:
            return 0.0

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=10, check_same_thread=False)


def _count(connection: Connection, *where: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).where(*where)).scalar_one()


def _age(connection: Connection, time: Column[datetime], where: ColumnElement[bool], now: datetime) -> float:
    """Seconds since the oldest of these times; 0 where there is none."""
    oldest: datetime | None = connection.execute(select(func.min(time)).where(where)).scalar()
    return (now - oldest).total_seconds() if oldest else 0.0


_FINAL = ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]
_MOST_RUNS = 200  # the most that Prefect tells at once


def flow_runs(client: httpx.Client, deployments: Mapping[str, str], began: datetime, watch: Watch) -> list[FlowRun]:
    """The runs of these deployments (id to flow) that ended since then, in the order of their ends."""
    asked = {
        "deployments": {"id": {"any_": list(deployments)}},
        "flow_runs": {"state": {"type": {"any_": _FINAL}}, "end_time": {"after_": began.isoformat()}},
        "sort": "END_TIME_DESC",
        "limit": _MOST_RUNS,
    }
    runs = []
    for told in call(client, "POST", "/flow_runs/filter", asked):
        peak = watch.peak(told["id"])
        runs.append(
            FlowRun(
                flow=deployments[told["deployment_id"]],
                state=told["state"]["name"],
                ended=(datetime.fromisoformat(told["end_time"]) - began).total_seconds(),
                seconds=told["total_run_time"],
                memory=peak.memory if peak else None,
                handles=peak.handles if peak else None,
            )
        )
    return sorted(runs, key=lambda run: run.ended)
