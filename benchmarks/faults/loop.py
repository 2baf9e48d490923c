"""The run itself: portions of traces sent, goldloop run on them in several ways, until all is worked off."""

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from benchmarks.faults import audit, outside, traces
from benchmarks.faults.annotators import Annotators
from benchmarks.faults.casualties import Casualties
from benchmarks.faults.codebook import QUEUE
from benchmarks.faults.flowruns import FINAL, FlowRun
from benchmarks.faults.fuses import Fuse, Fuses
from benchmarks.faults.ground import LOCK_SECONDS, Ground
from benchmarks.faults.kinds import Kill, Schedule, Trouble
from benchmarks.faults.plan import Plan, Round, Way
from goldloop.devstack.processes import Process
from goldloop.devstack.send import trace_id
from goldloop.errors import GoldloopError

RUN_SECONDS = 900.0
"""So long a run of goldloop may take; and the end, to come to rest, for each `_TRACES_OF_PATIENCE` traces."""
_LOCKED, _KILLED = 5, 137
_ORDINARY = {0, 3, _LOCKED, _KILLED}
"""Exit codes that a fault explains: done, try again later, another run holds the queue, killed."""
_FATAL = 4
_MANGLED = ("There is no Label Studio at", "does not say which Langfuse it is")
"""What goldloop says where a server's very first answer was wrong JSON."""
_CLOCK_MINUTES = 7
_PORTION = 1000
"""Traces that are sent at once, at most."""
_TRACES_A_FAULT = 20
_TRACES_OF_PATIENCE = 2000
_POLL_SECONDS = 0.3
_IDLE_RETRY_SECONDS = 6.0


@dataclass
class Loop:
    """One run over started servers. `say` tells a person what goes on; `unexpected` is what no fault explains."""

    ground: Ground
    annotators: Annotators
    schedule: Schedule
    fuses: Fuses
    casualties: Casualties
    plan: Plan
    traces: int
    say: Callable[[str], None]
    troubles: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)

    def play(self, least: int, most: int) -> None:
        """Rounds under faults: `least` of them, then more until the annotators are done, `most` at most.

        And until there were so many faults that the line says something: one for each twenty traces.
        """
        portions = traces.portions(self.traces, max(1, least // 3, self.traces // _PORTION))
        for number in range(most):
            busy = self.annotators.left() or self.annotators.known() < self.traces
            busy = busy or (self.schedule.on and self.schedule.count.total() < self.traces // _TRACES_A_FAULT)
            if number >= least and not portions and not busy:
                break
            if portions and number % 2 == 0:
                self.ground.send(self.schedule.seed, portions.pop(0))
                time.sleep(2.0)
            self._round(self.plan.round(number))

    def end(self) -> bool:
        """Without faults, until nothing moves: False where that takes too long."""
        self.schedule.on = False
        self.fuses.put_out()
        self.casualties.mend()
        self.run(["run", "--json"])
        patience = RUN_SECONDS * max(1.0, self.traces / _TRACES_OF_PATIENCE)
        deadline = time.monotonic() + patience
        while (self.annotators.known() < self.traces or self.annotators.left()) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            if self.annotators.known() < self.traces:
                self.run(["run", "--json"])
        self.run(["parked", "retry", "--all", "--json"])
        deadline = time.monotonic() + patience  # an import that broke off is waited for, two minutes
        while time.monotonic() < deadline:
            told = self.run(["run", "--json"])
            if told is not None and _at_rest(told):
                return True
            time.sleep(1.0)
        return False

    def sides(self) -> audit.Sides:
        """What stands where now."""
        told = self.run(["parked", "list", "--json"]) or {}
        with self.ground.label_studio() as label_studio, self.ground.langfuse() as langfuse:
            return audit.Sides(
                sent=frozenset(trace_id(traces.file_id(self.schedule.seed, one)) for one in range(self.traces)),
                tasks=outside.tasks(label_studio),
                scores=outside.scores(langfuse),
                dataset=outside.dataset(langfuse, QUEUE),
                eval_lines=outside.eval_lines(self.ground.evals / f"{QUEUE}.jsonl"),
                parked=told.get("parked", []),
            )

    def run(
        self, arguments: Sequence[str], more: Mapping[str, str] | None = None, ordinary: frozenset[int] = frozenset()
    ) -> dict[str, Any] | None:
        """One run of goldloop to its end; what it printed as JSON, None where it failed."""
        return self._ended(self.ground.start_run(arguments, more), ordinary)

    def _round(self, this: Round) -> None:
        began, faults, killed = time.monotonic(), self.schedule.count.total(), self._killed()
        self.casualties.mend()
        for one in this.kills:
            self.fuses.light(Fuse(one.requests, one.phase, one.writes, partial(self.casualties.kill, one.kill)))
        match this.way:
            case Way.FLOW:
                self._flow()
            case Way.RUN:
                self.run(["run", "--json"])
            case Way.TWO:
                self._two()
            case Way.CLOCK:
                self.troubles[Trouble.CLOCK_BACK] += 1
                self.run(["-m", "benchmarks.faults.clocked", str(_CLOCK_MINUTES)])
            case Way.DISK:
                self._full_disk()
            case Way.READ_ONLY:
                self._read_only()
        for fuse in self.fuses.put_out():  # a server that outlived the round's requests is killed between two rounds
            fuse.act()
        if self._killed() > killed:
            time.sleep(LOCK_SECONDS)  # so long the dead one holds the lock
        faults = self.schedule.count.total() - faults
        self.say(f"round {this.number}: {this.way}, {faults} faults, {time.monotonic() - began:.0f} s")

    def _killed(self) -> int:
        return sum(self.casualties.count[kill] for kill in (Kill.RUN, Kill.FLOW, Kill.WORKER))

    def _ended(self, process: Process, ordinary: frozenset[int] = frozenset()) -> dict[str, Any] | None:
        self.casualties.runs.append(process)
        code = process.wait(RUN_SECONDS)
        self.casualties.runs.remove(process)
        said = process.log.read_text(encoding="utf-8", errors="replace")
        if code is None:
            process.kill()
            self.unexpected.append(f"{process.name}: not done within {RUN_SECONDS:.0f} s")
        elif "Traceback" in said or not _is_explained(code, said, ordinary):
            self.unexpected.append(f"{process.name}: exit code {code}: {said.strip()[-300:]}")
        return dict(json.loads(said[said.index("{") :])) if code == 0 and "{" in said else None

    def _two(self) -> None:
        self.troubles[Trouble.TWO_AT_ONCE] += 1
        first, second = (self.ground.start_run(["run", "--json"]) for _ in range(2))
        self.casualties.runs.append(second)
        self._ended(first)
        self.casualties.runs.remove(second)
        self._ended(second)

    def _full_disk(self) -> None:
        disk = self.ground.disk
        if not disk.mounted:
            return
        self.troubles[Trouble.DISK_FULL] += 1
        disk.fill()
        try:
            self.run(["run", "--json"], ordinary=frozenset({1, 2, 4}))
        finally:
            disk.free()
        self.casualties.mend()

    def _read_only(self) -> None:
        if not self.ground.disk.mounted:
            return
        self.troubles[Trouble.READ_ONLY] += 1
        self.run(["run", "--json"], self.ground.store.read_only(), ordinary=frozenset({2}))

    def _flow(self) -> None:
        """All verbs as a flow; a verb that waits to be tried again is not waited for."""
        server = self.ground.stack.prefect
        assert server
        waited_since: float | None = None
        with server.client() as client:
            flow = self.casualties.flow = FlowRun(self.ground.stack, client, QUEUE)
            try:
                while time.monotonic() - flow.began < RUN_SECONDS:
                    state = flow.state()
                    if state["type"] in FINAL:
                        if "fault in goldloop" in str(state.get("message")):
                            self.unexpected.append(f"flow {flow.run_id}: {state['message']}")
                        return
                    if not flow.waits_to_try_again():
                        waited_since = None
                    elif waited_since is None:
                        waited_since = time.monotonic()
                    elif time.monotonic() - waited_since > _IDLE_RETRY_SECONDS:
                        self.casualties.kill(Kill.FLOW)
                        waited_since = None
                    time.sleep(_POLL_SECONDS)
                self.unexpected.append(f"flow {flow.run_id}: not done within {RUN_SECONDS:.0f} s")
            except GoldloopError as error:
                self.unexpected.append(f"Prefect: {error}")
            finally:
                self.casualties.flow = None


def _is_explained(code: int, said: str, ordinary: frozenset[int]) -> bool:
    return code in _ORDINARY | ordinary or (code == _FATAL and any(told in said for told in _MANGLED))


def _at_rest(told: dict[str, Any]) -> bool:
    moved = {
        "draw": ("drawn",),
        "enqueue": ("queued", "waiting"),
        "gather": ("annotations", "deleted"),
        "resolve": ("outbox",),
        "publish": ("sent", "deleted", "confirmed", "unconfirmed", "eval_rows", "eval_rows_removed"),
    }
    return not any(told[verb].get(name, 0) for verb, names in moved.items() for name in names)
