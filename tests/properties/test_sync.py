"""Nothing lost, nothing twice: whatever people, apps, servers and operators do, the next quiet syncs put it right.

`HYPOTHESIS_PROFILE=long pytest tests/properties/test_sync.py` runs 500 steps an example, `GOLDLOOP_SYNC_EXAMPLES` of
them (10 unless told) from a new seed each time; otherwise it is a few examples of 50 steps, always the same ones.
What failed can be run again: its steps and the seed are printed, and `--hypothesis-seed` takes the seed. What chance
seldom brings about is done on purpose, by `TURNS`.

How much it sees is tried by `test_mutants.py`.
"""

import os
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test

from goldloop.adapters.store import open_store
from goldloop.pipeline import drafts, enqueue, gather, publish, read_back
from properties.audit import Audit
from properties.turns import TURNS, Turn

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
STEPS = 500 if LONG else 50
EXAMPLES = 14
PageT = TypeVar("PageT")
ResultT = TypeVar("ResultT")
ParamsT = ParamSpec("ParamsT")


class World(Audit):
    @initialize(tampering=st.sampled_from([False, False, True]))
    def begin(self, *, tampering: bool) -> None:
        self.tampering = tampering
        self.log(6, 20)
        self.loop.run()

    def teardown(self) -> None:
        try:
            self.whole_sync(retrying=False)
            self.whole_sync(retrying=True)
        finally:
            self.close()

    @rule(retrying=st.booleans())
    def whole_sync(self, *, retrying: bool) -> None:
        self.langfuse_minds_no_more()
        self.set_the_clock_right()
        with self.noting():
            self.come_to_rest(retrying=retrying)
            self.all_is_well(retried=retrying)

    @invariant()
    def nothing_is_wrong_meanwhile(self) -> None:
        self.steps.append("step")
        with self.noting():
            self.nothing_is_made_up()
            self.what_was_read_back_is_there()
            self.what_is_published_is_there()

    @contextmanager
    def noting(self) -> Iterator[None]:
        try:
            yield
        except AssertionError:
            self.steps.append("wrong")
            raise


def run_the_world(
    template: Path,
    patch: pytest.MonkeyPatch,
    *,
    examples: int,
    steps: int,
    fixed: bool,
    steps_run: list[str] | None = None,
) -> None:
    """Raises what is wrong; `steps_run` gets an entry a step, and `wrong` where something was."""
    make_small(patch)
    machine = type("World", (World,), {"template": template, "steps": [] if steps_run is None else steps_run})
    # No shrinking: over a database it would take minutes, and the steps can be read as they are.
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=fixed,
            database=None,
            phases=[Phase.generate],
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


def take_turns(template: Path, patch: pytest.MonkeyPatch, turns: list[Turn], *, syncing: bool) -> None:
    """Raises what is wrong; with `syncing` there is a whole sync after each turn, else only after the last."""
    make_small(patch)
    world = type("World", (World,), {"template": template, "steps": []})()
    try:
        world.begin(tampering=True)
        for name, given in turns:
            if not world.tasks():
                world.whole_sync(retrying=True)
            getattr(world, name)(**given)
            world.nothing_is_wrong_meanwhile()
            if syncing:
                world.whole_sync(retrying=False)
        world.whole_sync(retrying=False)
        world.whole_sync(retrying=True)
    finally:
        world.close()


def make_small(patch: pytest.MonkeyPatch) -> None:
    """Batches are small enough that a verb has several of them."""
    patch.setattr(publish, "_PAGE", 3)
    patch.setattr(publish, "_EVAL_BATCH", 2)
    patch.setattr(drafts, "_BATCH", 3)
    without_threads(patch)


class InTurn(ThreadPoolExecutor):
    """Does at once what it is given."""

    def submit(
        self, fn: Callable[ParamsT, ResultT], /, *args: ParamsT.args, **kwargs: ParamsT.kwargs
    ) -> Future[ResultT]:
        done: Future[ResultT] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is wanted
            done.set_exception(error)
        return done


def without_threads(patch: pytest.MonkeyPatch) -> None:
    """What runs side by side runs in its turn: which call is struck, or what is seen, must not hang on threads."""

    def in_turn(pages: Iterator[PageT]) -> Generator[PageT, None, None]:
        yield from pages

    for module in (gather, enqueue, read_back):
        patch.setattr(module, "ahead", in_turn)
    patch.setattr(publish, "ThreadPoolExecutor", InTurn)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    file = tmp_path / "template.db"
    open_store(f"sqlite:///{file}").close()
    return file


@pytest.mark.simulation
@pytest.mark.timeout(3600 if LONG else 600)
def test_nothing_is_lost_and_nothing_comes_twice(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = int(os.environ.get("GOLDLOOP_SYNC_EXAMPLES", "10")) if LONG else EXAMPLES
    run_the_world(template, monkeypatch, examples=examples, steps=STEPS, fixed=not LONG)


@pytest.mark.simulation
@pytest.mark.parametrize("turns", TURNS.values(), ids=list(TURNS))
def test_a_turn_of_events(turns: list[Turn], template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take_turns(template, monkeypatch, turns, syncing=len({name for name, _ in turns}) == 1)
