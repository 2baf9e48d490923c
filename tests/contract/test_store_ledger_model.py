"""Any sequence of reserving and settling: no limit is ever passed, and no room is ever lost."""

import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.store_samples import MINUTE, NOON
from fakes.ledger import FakeLedger
from goldloop.adapters.store import open_store
from goldloop.ports import Ledger, Limits
from goldloop.records import JudgeCall

pytest_plugins = ["contract.store_fixtures"]

RUNS = ("a", "b")
MIDNIGHT = NOON.replace(hour=0, minute=0, second=0, microsecond=0)
CENT = 0.01

# (run, calls, minutes since the step before) or (which reservation, how many calls of it were made, whether it is done)
RESERVE = st.tuples(st.sampled_from(RUNS), st.integers(0, 12), st.integers(0, 500))
SETTLE = st.tuples(st.integers(0, 20), st.integers(0, 12), st.booleans())
LIMITS = st.builds(
    Limits,
    calls_per_run=st.none() | st.integers(0, 20),
    calls_per_day=st.none() | st.integers(0, 20),
    usd_per_run=st.none() | st.integers(0, 20).map(lambda cents: cents * CENT),
    usd_per_day=st.none() | st.integers(0, 20).map(lambda cents: cents * CENT),
)


class Model:
    """What the ledger should know, in whole cents: every call costs one."""

    def __init__(self, limits: Limits) -> None:
        def least(calls: int | None, usd: float | None) -> float:
            return min(math.inf if calls is None else calls, math.inf if usd is None else round(usd / CENT))

        self.per_run = least(limits.calls_per_run, limits.usd_per_run)
        self.per_day = least(limits.calls_per_day, limits.usd_per_day)
        self.made: list[tuple[str, datetime]] = []
        self.aside: dict[str, tuple[str, datetime, int]] = {}

    def room(self, run: str, at: datetime) -> float:
        self.aside = {name: one for name, one in self.aside.items() if one[1] > at - timedelta(hours=1)}
        aside = [(of, calls) for of, _, calls in self.aside.values()]
        of_run = sum(of == run for of, _ in self.made) + sum(calls for of, calls in aside if of == run)
        of_day = sum(when.date() == at.date() for _, when in self.made) + sum(calls for _, calls in aside)
        return max(0, min(self.per_run - of_run, self.per_day - of_day))

    def settle(self, name: str, run: str, calls: int, at: datetime, *, done: bool) -> None:
        self.made += [(run, at)] * calls
        if name not in self.aside:
            return
        _, begun, held = self.aside[name]
        if done or held <= calls:
            del self.aside[name]
        else:
            self.aside[name] = (run, at if calls else begun, held - calls)


@contextmanager
def ledger_of(kind: str, template: Path) -> Iterator[Ledger]:
    if kind == "fake":
        yield FakeLedger()
        return
    with TemporaryDirectory() as folder:
        shutil.copyfile(template, f"{folder}/store.db")
        with open_store(f"sqlite:///{folder}/store.db") as store:
            yield store


@pytest.mark.parametrize("kind", ["fake", "sqlite"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limits=LIMITS, steps=st.lists(RESERVE | SETTLE, max_size=25))
def test_no_limit_is_passed_and_no_room_is_lost(
    sqlite_template: Path,
    kind: str,
    limits: Limits,
    steps: list[tuple[str, int, int] | tuple[int, int, bool]],
) -> None:
    model, now, reservations, keys = Model(limits), MIDNIGHT, list[tuple[str, str, int]](), 0
    with ledger_of(kind, sqlite_template) as ledger:
        for first, number, last in steps:
            if isinstance(first, str):
                now += last * MINUTE
                room = model.room(first, now)
                reserved = ledger.reserve(first, number, CENT, limits, now)
                assert reserved.calls == min(number, room)
                if reserved.calls:
                    model.aside[reserved.reservation] = (first, now, reserved.calls)
                    reservations.append((reserved.reservation, first, reserved.calls))
            elif reservations:
                name, run, left = reservations.pop(first % len(reservations))
                # Nobody calls more often than was granted, nor after its hour: then no limit is ever passed.
                made = (
                    min(number, left) if name in model.aside and model.aside[name][1] > now - timedelta(hours=1) else 0
                )
                calls = [
                    JudgeCall(key=f"{keys + place}", judge="j", run=run, at=now, outcome="answered", usd=CENT)
                    for place in range(made)
                ]
                keys += made
                ledger.settle(name, calls, done=bool(last))
                model.settle(name, run, made, now, done=bool(last))
                if not last and made < left:
                    reservations.append((name, run, left - made))
            for run in RUNS:
                assert ledger.spent(MIDNIGHT, run).calls <= model.per_run
            assert ledger.spent(now.replace(hour=0, minute=0)).calls <= model.per_day
        # What is left after everybody has gone is all that was not called.
        later = now + timedelta(hours=1)
        for run in RUNS:
            left_over = ledger.reserve(run, 100, CENT, limits, later)
            assert left_over.calls == min(100, model.room(run, later))
            ledger.settle(left_over.reservation, [])
