"""How fast the sync is: `make bench-sync`, `FAST=1` for a look, `ARGS="--only pull"` for some paths.

Each path is measured beside its raw ceiling, on the same server in the same run and by turns, and beside the plain
script that makes one request a trace, a task, a score. The ratios are what counts. Prints one table and writes it to
`benchmarks/results/sync.json` (a look writes nothing); ends with 1 where a goal is missed.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

from benchmarks import sync_enqueue, sync_gather, sync_growth, sync_loop, sync_publish, sync_pull
from benchmarks.judge_table import Row
from benchmarks.sync_servers import AT_ONCE, Servers, serving
from benchmarks.sync_table import Measured, keep, table
from goldloop.devstack.langfuse_server import StandInManner
from goldloop.devstack.stack import Part
from goldloop.errors import GoldloopError


class Measure(Protocol):
    """One path's rows."""

    def __call__(self, servers: Servers, *, fast: bool) -> Iterator[Row]: ...


class Path(NamedTuple):
    """How one path is measured, and on which servers."""

    measure: Measure
    parts: frozenset[Part]
    manner: StandInManner = AT_ONCE


_LANGFUSE = frozenset({Part.LANGFUSE})
_BOTH = frozenset({Part.LANGFUSE, Part.LABEL_STUDIO})
PATHS = {
    "pull": Path(sync_pull.measure, _LANGFUSE),
    "enqueue": Path(sync_enqueue.measure, _BOTH),
    "gather": Path(sync_gather.measure, _BOTH),
    "publish": Path(sync_publish.measure, _LANGFUSE),
    "loop": Path(sync_loop.measure, _BOTH, sync_loop.MANNER),
    "growth": Path(sync_growth.measure, _BOTH),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sync", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=PATHS, help="these paths; all of them without it")
    parser.add_argument("--fast", action="store_true", help="a tenth of the size, and nothing is written")
    asked = parser.parse_args()
    measured = []
    try:
        for name in asked.only or PATHS:
            path = PATHS[name]
            began = time.monotonic()
            with serving(path.parts, path.manner) as servers:
                rows = list(path.measure(servers, fast=asked.fast))
            seconds = round(time.monotonic() - began, 1)
            measured.append(Measured(path=name, made_at=datetime.now(UTC), seconds=seconds, rows=rows))
            sys.stderr.write(f"{name}: measured in {seconds:.0f} s\n")
            if not asked.fast:
                keep(measured)
    except GoldloopError as error:
        sys.exit(f"{error}")
    missed = sum(row.met is False for one in measured for row in one.rows)
    sys.stdout.write(table(measured))
    sys.stdout.write("Every goal was reached.\n" if not missed else f"{missed} goals were missed.\n")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
