"""`python -m benchmarks.faults --seed N --traces N`: one line at the end, exit code 1 unless nothing is amiss."""

import argparse
import platform
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.faults.annotators import Annotators
from benchmarks.faults.audit import Findings, Sides, audit
from benchmarks.faults.casualties import Casualties
from benchmarks.faults.fuses import Fuses
from benchmarks.faults.ground import PARTS, Ground, Store, stack_in
from benchmarks.faults.kinds import Schedule
from benchmarks.faults.loop import Loop
from benchmarks.faults.plan import Plan
from benchmarks.faults.proxy import FaultProxy
from benchmarks.faults.stores import Disk, PostgresStore, SqliteStore, megabytes_for, postgres_programs
from benchmarks.faults.stories import PEOPLE
from benchmarks.faults.traces import MOST
from goldloop.adapters.labelstudio.accounts import sign_up
from goldloop.devstack.interrupts import end_with_parent, orderly_end
from goldloop.devstack.local_ports import LocalPorts
from goldloop.devstack.stack import Stack
from goldloop.records import Record

RATE = 0.07
_SHOWN = 12
_LEAST = 10
"""Rounds: goldloop is run in each of its ways."""


class Outcome(Record):
    """What a run came to; `faults` by kind, the lists with the first offenders."""

    seed: int
    store: str
    traces: int
    annotations: int
    faults: dict[str, int]
    requests: int
    acts: dict[str, int]
    at_rest: bool
    lost: list[str]
    duplicated: list[str]
    wrong: list[str]
    unexpected: list[str]
    left_out: list[str]
    seconds: float
    versions: dict[str, str]

    @property
    def clean(self) -> bool:
        return self.at_rest and not (self.lost or self.duplicated or self.wrong or self.unexpected)

    def line(self) -> str:
        """The one line."""
        return (
            f"traces {self.traces:,}, annotations {self.annotations:,}, faults injected {sum(self.faults.values()):,}, "
            f"lost {len(self.lost):,}, duplicated {len(self.duplicated):,}, wrong {len(self.wrong):,}, "
            f"seconds {self.seconds:.0f}"
        )


class Say:
    """Progress, with the seconds since the beginning."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def __call__(self, text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - self.began:6.1f} {text}\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="what the schedule of faults comes from")
    parser.add_argument("--traces", type=int, default=2000, choices=range(10, MOST + 1), metavar="N", help="to send")
    parser.add_argument("--store", choices=("sqlite", "postgres"), help="by the seed's parity without it")
    parser.add_argument("--rate", type=float, default=RATE, help="of the requests that go wrong; 0 for none at all")
    parser.add_argument("--rounds", type=int, default=60, help="at most so many under faults")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the details there")
    parser.add_argument("--keep", action="store_true", help="keep the run's folder in any case")
    asked = parser.parse_args()
    say = Say()
    folder = Path(tempfile.mkdtemp(prefix="goldloop-faults-"))
    folder.chmod(0o711)  # PostgreSQL runs as somebody else
    outcome = run(folder, asked, say)
    if asked.json:
        asked.json.write_text(outcome.model_dump_json(indent=1) + "\n", encoding="utf-8")
    for kind in ("lost", "duplicated", "wrong", "unexpected", "left_out"):
        for one in getattr(outcome, kind)[:_SHOWN]:
            say(f"{kind}: {one}")
    if outcome.clean and not asked.keep:
        shutil.rmtree(folder)
    else:
        say(f"not at rest or not clean; everything is kept in {folder}" if not outcome.clean else f"kept: {folder}")
    sys.stdout.write(outcome.line() + "\n")
    return 0 if outcome.clean else 1


def run(folder: Path, asked: argparse.Namespace, say: Say) -> Outcome:
    """Start all, play, audit, end all."""
    programs = postgres_programs()
    wanted = asked.store or ("postgres" if asked.seed % 2 == 0 and programs else "sqlite")
    with ExitStack() as exits:
        disk = exits.enter_context(Disk(folder / "disk", megabytes_for(asked.traces, wanted)))
        stack = exits.enter_context(stack_in(folder, asked.traces))
        store = _store(wanted, disk, stack, programs)
        store.start()
        ground = Ground(stack, disk, store)
        schedule, fuses, casualties = Schedule(asked.seed, asked.rate), Fuses(), Casualties(ground, say)
        stack.start(PARTS, ml_backend_variables=ground.variables())
        assert stack.langfuse
        assert stack.label_studio
        schedule.on = asked.rate > 0
        proxies = []
        for name, server in (("LANGFUSE_HOST", stack.langfuse), ("LABEL_STUDIO_URL", stack.label_studio)):
            port = int(server.url.rpartition(":")[2])
            proxy = FaultProxy(name, port, schedule, before=fuses.before, after=fuses.after)
            ground.behind[name] = exits.enter_context(proxy).url
            proxies.append(proxy)
        stack.start_worker(ground.variables())
        stack.deploy(schedules=False)
        say(f"started: {wanted}, {folder}")
        annotators = exits.enter_context(Annotators(stack.label_studio.url, _accounts(stack), asked.seed))
        plan = Plan(asked.seed, asked.traces, postgres=wanted == "postgres")
        loop = Loop(ground, annotators, schedule, fuses, casualties, plan, asked.traces, say)
        loop.play(least=min(asked.rounds, _LEAST), most=asked.rounds)
        say("faults off")
        at_rest = loop.end()
        sides = loop.sides()
        found = audit(sides)
        for told in (one for proxy in proxies for one in proxy.slow):
            say(f"the server took long: {told}")
        faults = schedule.count + casualties.count + loop.troubles
        return _outcome(asked, wanted, loop, sides, found, dict(faults), at_rest=at_rest, began=say.began)


def _store(wanted: str, disk: Disk, stack: Stack, programs: Path | None) -> Store:
    if wanted == "sqlite" or programs is None:
        return SqliteStore(disk)
    port = LocalPorts(stack.places.state / "store-port.json", stack.chooser).take("postgres")
    return PostgresStore(disk, stack.supervisor, programs, port)


def _accounts(stack: Stack) -> dict[str, Any]:
    server = stack.label_studio
    assert server
    password = stack.credentials.annotator_password
    return {name: sign_up(server.url, server.token, f"{name}@faults.local", password) for name in PEOPLE}


def _outcome(
    asked: argparse.Namespace,
    store: str,
    loop: Loop,
    sides: Sides,
    found: Findings,
    faults: dict[str, int],
    *,
    at_rest: bool,
    began: float,
) -> Outcome:
    said = [one for task in sides.tasks for one in task.annotations]
    return Outcome(
        seed=asked.seed,
        store=store,
        traces=len(sides.sent),
        annotations=len(said),
        faults=faults,
        requests=loop.schedule.requests,
        acts=dict(loop.annotators.acts),
        at_rest=at_rest,
        lost=found.lost,
        duplicated=found.duplicated,
        wrong=found.wrong,
        unexpected=loop.unexpected + [f"annotators gave up: {one}" for one in loop.annotators.given_up],
        left_out=[] if loop.ground.disk.mounted else ["disk full, read-only store: mounting is not permitted here"],
        seconds=time.monotonic() - began,
        versions={name: version(name) for name in ("goldloop", "prefect", "httpx", "sqlalchemy")}
        | {"python": platform.python_version()},
    )


if __name__ == "__main__":
    end_with_parent()
    with orderly_end():
        sys.exit(main())
