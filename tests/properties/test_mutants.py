"""Whether `test_sync.py` would see it, if goldloop left one thing out.

    GOLDLOOP_MUTANTS=1 pytest -rA tests/properties/test_mutants.py [-k "in_a_turn and NAME"]

tries each of `MUTANTS` with the turns of events of `make test` (`in_a_turn`, some minutes: each has to be seen), and
with its random steps (`by_chance`); with `HYPOTHESIS_PROFILE=long` the latter are a few fixed examples of 500 steps.
Random steps are other ones whenever a rule changes, so a mutant that 50 of them miss is no fault. `-rA` shows where,
and after how many steps, each was seen.
"""

import os
from pathlib import Path

import pytest

from goldloop.errors import GoldloopError
from properties.mutants import MUTANTS
from properties.test_sync import EXAMPLES, LONG, STEPS, run_the_world, take_turns, template
from properties.turns import TURNS, Turn

__all__ = ["template"]

pytestmark = [
    pytest.mark.simulation,
    pytest.mark.timeout(1800),
    pytest.mark.skipif("GOLDLOOP_MUTANTS" not in os.environ, reason="takes minutes: set GOLDLOOP_MUTANTS"),
]


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_it_is_seen_in_a_turn_of_events(name: str, template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[name](monkeypatch)
    seen = next((title for title, turns in TURNS.items() if is_seen(template, monkeypatch, turns)), None)
    assert seen, "it goes unseen"
    print(f"{name}: seen in {seen!r}")  # noqa: T201 - what the run is for


def is_seen(template: Path, patch: pytest.MonkeyPatch, turns: list[Turn]) -> bool:
    try:
        take_turns(template, patch, turns, syncing=len({name for name, _ in turns}) == 1)
    except (AssertionError, GoldloopError):
        return True
    return False


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_it_is_seen_by_chance(name: str, template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[name](monkeypatch)
    steps: list[str] = []
    with pytest.raises((AssertionError, GoldloopError)):
        run_the_world(template, monkeypatch, examples=3 if LONG else EXAMPLES, steps=STEPS, fixed=True, steps_run=steps)
    seen = steps.index("wrong") if "wrong" in steps else len(steps)
    print(f"{name}: seen after {seen} steps")  # noqa: T201 - what the run is for
