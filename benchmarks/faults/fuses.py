"""Kills that wait for a request: so many requests from now on, before it is passed on or before its answer is."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto


class Phase(Enum):
    """Where in a request a fuse ends. The request is held while the kill is done, so that it hits just there."""

    BEFORE = auto()
    AFTER = auto()


@dataclass
class Fuse:
    """`left` requests of its phase (`writes`: of those that write) are still to come; then `act` is called once."""

    left: int
    phase: Phase
    writes: bool
    act: Callable[[], None]


class Fuses:
    """Those that burn, for both proxies together."""

    def __init__(self) -> None:
        self._burning: list[Fuse] = []
        self._guard = threading.Lock()

    def light(self, fuse: Fuse) -> None:
        with self._guard:
            self._burning.append(fuse)

    def put_out(self) -> list[Fuse]:
        """Those that did not end so far: they never will."""
        with self._guard:
            left, self._burning = self._burning, []
            return left

    async def before(self, method: str, _target: str) -> None:
        await self._step(Phase.BEFORE, method)

    async def after(self, method: str, _target: str) -> None:
        await self._step(Phase.AFTER, method)

    async def _step(self, phase: Phase, method: str) -> None:
        with self._guard:
            for fuse in self._burning:
                fuse.left -= fuse.phase is phase and (method != "GET" or not fuse.writes)
            ended = [fuse for fuse in self._burning if fuse.left <= 0]
            self._burning = [fuse for fuse in self._burning if fuse.left > 0]
        for fuse in ended:
            await asyncio.get_running_loop().run_in_executor(None, fuse.act)
