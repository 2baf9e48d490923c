"""The whole loop with its schedules on, for as long as asked, watched from the outside: `make soak MINUTES=30`.

Real servers in a folder of their own, traces that come in at random moments, and scripted annotators who keep pace.
What must not grow with time is measured and judged: memory, file handles, the store, the queue's age. The figures go
into benchmarks/results/soak.json, the picture and the table into docs; with `--out` into a folder, and docs stay.
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Self

from benchmarks import soak_ground as ground
from benchmarks.soak_load import Annotator, Inflow
from benchmarks.soak_probe import FlowRun, Sample, StoreProbe, Watch, flow_runs
from benchmarks.soak_report import RESULTS, Results, Soak, failed, report, verdicts, write
from goldloop.devstack.demo import QUEUE
from goldloop.devstack.flows import call
from goldloop.devstack.interrupts import orderly_end
from goldloop.devstack.places import Places
from goldloop.devstack.sample import sample_path
from goldloop.devstack.stack import Stack
from goldloop.devstack.tracefile import read
from goldloop.errors import GoldloopError

SAMPLE_EVERY_S = 10.0
PATIENCE_S = 150.0
"""Two intervals of the schedule and this later, a run must have ended: the server looks at schedules once a minute."""
SAY_EVERY = 6
"""Samples for a line of progress."""
RECONCILE_AT = (0.35, 0.7)
"""Parts of the time after which a reconcile is asked for, where there is such a flow."""
START_MINUTES = 10.0
"""The inflow goes on for longer than the soak by this: it begins before."""
JOIN_S = 20.0


def say(text: str) -> None:
    sys.stdout.write(f"{datetime.now(UTC):%H:%M:%S} {text}\n")
    sys.stdout.flush()


class Threads:
    """What goes on beside the sampling; leaving the block stops it. `broken` says what ended by itself."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.broken: list[str] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        deadline = time.monotonic() + JOIN_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def begin(self, name: str, work: Callable[[], None]) -> None:
        def watched() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - whatever it is spoils the soak, and is told with its results
                self.broken.append(f"{name} ended: {error.__class__.__name__}: {error}")
                say(self.broken[-1])

        thread = threading.Thread(target=watched, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)


class Soaking:
    """The stack under load, and what is seen of it."""

    def __init__(self, stack: Stack, watch: Watch, people: list[Annotator]) -> None:
        assert stack.prefect
        self._prefect = stack.prefect
        self._store = StoreProbe(stack.places.store, QUEUE)
        self._watch = watch
        self._people = people
        self._began = datetime.now(UTC)
        self.samples: list[Sample] = []
        self.runs: list[FlowRun] = []

    def look(self, ends: float, every_s: float) -> None:
        """Sample until so many seconds have passed, and say now and then how it goes.

        Raises: GoldloopError where the schedule of a run `every_s` seconds starts none.
        """
        with self._prefect.client() as client:
            deployments = ground.deployments(client)
            reconciles = [ends * part for part in RECONCILE_AT if "reconcile" in deployments.values()]
            while True:
                at = (datetime.now(UTC) - self._began).total_seconds()
                self.samples.append(self._store.look(at, self._watch.look()))
                runs = flow_runs(client, deployments, self._began, self._watch)
                if reconciles and at > reconciles[0] and len(runs) > len(self.runs):
                    # Just after a run has ended: the two would not run side by side.
                    [reconcile] = [one for one, flow in deployments.items() if flow == "reconcile"]
                    call(client, "POST", f"/deployments/{reconcile}/create_flow_run", {"state": {"type": "SCHEDULED"}})
                    reconciles.pop(0)
                self.runs = runs
                if not runs and at > min(PATIENCE_S + 2 * every_s, ends):
                    raise GoldloopError(f"no scheduled run ended within {at:.0f} s: see the Prefect server's log")
                if len(self.samples) % SAY_EVERY == 1:
                    self._say(at, ends)
                if at >= ends:
                    return
                time.sleep(min(max(0.0, len(self.samples) * SAMPLE_EVERY_S - at), max(0.0, ends - at)))

    def acts(self) -> dict[str, int]:
        """What the annotators did, all together."""
        return dict(sorted(sum((person.acts for person in self._people), Counter[str]()).items()))

    def tables(self) -> dict[str, int]:
        return self._store.bytes_by_table()

    def _say(self, at: float, ends: float) -> None:
        last = self.samples[-1]
        peaks = [run.memory for run in self.runs if run.memory]
        held = ", ".join(f"{part} {held:.0f}" for part, held in last.memory.items())
        say(
            f"{at / 60:.1f} of {ends / 60:g} min: {last.drawn} drawn, {last.annotations} annotations, queue "
            f"{last.queue_age:.0f} s, {len(self.runs)} runs, a run's peak {peaks[-1] if peaks else 0:.0f} MB; {held} MB"
        )


def soak(minutes: float, every_s: float, per_minute: float, seed: int, state: Path) -> Soak:
    """Start everything, keep it under load for so long, and return what was seen."""
    chooser = random.Random(seed)  # noqa: S311 - a load that can be had again, not a secret
    rows = read(sample_path())
    with Stack(Places(state=state), _ready) as stack, Threads() as threads:
        variables = ground.variables(stack)
        stack.start(ml_backend_variables=stack.environment() | variables)
        stack.start_worker(variables)
        stack.deploy(schedules=False)  # one that fires would have the first run cancelled
        stack.automate()
        os.environ.update(stack.environment() | ground.variables(stack))
        inflow = Inflow(rows, per_minute, minutes + START_MINUTES, chooser, threads.stop)
        threads.begin("inflow", partial(ground.send, inflow))
        people = ground.people(stack, rows, chooser, threads.stop)
        stack.deploy(schedules=True)
        assert stack.prefect
        assert stack.label_studio
        assert stack.ml_backend
        assert stack.worker
        with stack.prefect.client() as client:
            ground.quicken(client, timedelta(seconds=every_s))
        watch = Watch([stack.label_studio.process, stack.prefect.process, stack.worker, stack.ml_backend.process])
        threads.begin("watch", partial(watch.follow, threads.stop))
        for number, person in enumerate(people, start=1):
            threads.begin(f"annotator {number}", partial(person.work, threads.stop))
        soaking = Soaking(stack, watch, people)
        soaking.look(60 * minutes, every_s)
        return Soak(
            made_at=datetime.now(UTC),
            seed=seed,
            ended=soaking.samples[-1].at,
            every_seconds=every_s,
            traces_per_minute=per_minute,
            annotators=len(people),
            samples=soaking.samples,
            runs=soaking.runs,
            acts=soaking.acts(),
            tables=soaking.tables(),
            broken=threads.broken,
        )


def _ready(part: str, doing: str) -> None:
    if doing == "ready":
        say(f"{part}: ready")


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder of its own, which stays only where something goes wrong."""
    state = Path(tempfile.mkdtemp(prefix="goldloop-soak-"))
    say(f"everything lies in {state}")
    try:
        yield state
    except GoldloopError:
        say(f"the logs stay in {state / 'logs'}")
        raise
    except BaseException:
        shutil.rmtree(state, ignore_errors=True)
        raise
    shutil.rmtree(state, ignore_errors=True)


def _told(seen: Soak, out: Path | None) -> int:
    """Write all of it; the exit code."""
    if out is None:
        write(seen)
    else:
        write(seen, out / "soak.json", out / "soak.svg", page=None)
    grown = [one.name for one in verdicts(seen) if one.verdict == "grows"]
    sys.stdout.write(f"{report(seen)}\n")
    for what in seen.broken:
        sys.stdout.write(f"{what}\n")
    for run in failed(seen):
        sys.stdout.write(f"a run of {run.flow} ended as {run.state} after {run.ended / 60:.1f} min\n")
    if short := [one.name for one in verdicts(seen) if one.verdict == "too short"]:
        sys.stdout.write(f"Too few points to judge: {', '.join(short)}.\n")
    sys.stdout.write(f"Not flat: {', '.join(grown)}.\n" if grown else "Nothing that was judged grows.\n")
    return 1 if grown or seen.broken or failed(seen) else 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long it is watched, after the start")
    parser.add_argument("--every", type=float, default=90.0, help="seconds from one scheduled run to the next")
    parser.add_argument("--traces", type=float, default=6.0, help="traces that come in a minute")
    parser.add_argument("--seed", type=int, default=1, help="of the traces, their moments, and what annotators do")
    parser.add_argument("--out", type=Path, help="a folder for results and picture; docs stay as they are")
    parser.add_argument("--redraw", action="store_true", help="judge and draw again what the results file holds")
    asked = parser.parse_args()
    if asked.redraw:
        kept = (asked.out / RESULTS.name if asked.out else RESULTS).read_text(encoding="utf-8")
        sys.exit(_told(Results.model_validate_json(kept).soak, asked.out))
    hung_up = signal.getsignal(signal.SIGHUP)
    with orderly_end():
        signal.signal(signal.SIGHUP, hung_up)  # under nohup it is to outlive its terminal
        try:
            with _folder() as state:
                seen = soak(asked.minutes, asked.every, asked.traces, asked.seed, state)
        except GoldloopError as error:
            sys.exit(f"{error}")
        sys.exit(_told(seen, asked.out))


if __name__ == "__main__":
    main()
