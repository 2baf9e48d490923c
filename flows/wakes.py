"""Hints that something may have changed in Label Studio become runs that poll it early, and few of them.

A hint says nothing but "look": what has changed a run finds out by asking. So hints need no queue and no memory: one
flag for each deployment, which is down only while a run that began after the last hint is under way or has ended.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Final, Protocol, TypeVar
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import State, StateType
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

from goldloop.errors import RetryableError

EARLY: Final = ("gather", "resolve", "publish")
"""What a run that was woken does: what annotators have done goes back; nothing new is drawn."""
TAG: Final = "goldloop-woken"
"""What tells a run that a hint started from one of the schedule, on Prefect's pages."""
ASK_S: Final = 30.0
LOOK_S: Final = 5.0
PATIENCE_S: Final = 900.0
"""A run that has no worker, or that died unseen, is not waited for longer: whether it is in the way, its slot tells."""

_SERVER: Final = "Prefect"
_log = logging.getLogger("goldloop.webhook")

AnswerT = TypeVar("AnswerT")


class Ending(Enum):
    """How a run came to its end. `TURNED_AWAY`: another one was under way, and it did nothing."""

    DONE = auto()
    FAILED = auto()
    TURNED_AWAY = auto()


class Runs(Protocol):
    """The runs of one deployment. Every method raises `RetryableError`, and nothing else."""

    name: str

    async def busy(self) -> bool:
        """Whether one is under way, so that another would be turned away."""

    async def start(self) -> UUID:
        """Ask for a run; its id."""

    async def ending(self, run: UUID) -> Ending | None:
        """How it ended; None where it has not."""


class PrefectRuns:
    """The runs of one of Prefect's deployments, by its name `FLOW/DEPLOYMENT`, at the server `api_url`."""

    def __init__(self, name: str, api_url: str) -> None:
        self.name = name
        self._api_url = api_url

    async def busy(self) -> bool:
        async def ask(client: PrefectClient) -> bool:
            limit = (await client.read_deployment_by_name(self.name)).global_concurrency_limit
            return limit is not None and limit.active_slots >= limit.limit

        return await self._asked(ask)

    async def start(self) -> UUID:
        async def ask(client: PrefectClient) -> UUID:
            deployment = await client.read_deployment_by_name(self.name)
            # The deployment's own parameters, as its queue, hold for what is not named here.
            run = await client.create_flow_run_from_deployment(
                deployment.id, parameters={"verbs": list(EARLY)}, tags=[TAG]
            )
            return run.id

        return await self._asked(ask)

    async def ending(self, run: UUID) -> Ending | None:
        async def ask(client: PrefectClient) -> Ending | None:
            try:
                known = await client.read_flow_run(run)
            except ObjectNotFound:  # somebody has deleted it
                return Ending.DONE
            return _ending(known.state, known.run_count)

        return await self._asked(ask)

    async def _asked(self, ask: Callable[[PrefectClient], Awaitable[AnswerT]]) -> AnswerT:
        # A client for each question: one that was made while the server was away would have to be mended.
        try:
            async with asyncio.timeout(ASK_S), get_client() as client:
                return await ask(client)
        except Exception as error:  # noqa: BLE001 - whatever Prefect's client raises, the receiver goes on
            raise RetryableError(_SERVER, self._told(error)) from None

    def _told(self, error: Exception) -> str:
        """One sentence on what is wrong, and not the error's text: it can quote an answer."""
        if isinstance(error, ObjectNotFound):
            return f"Prefect has no deployment {self.name}: deploy it, or set GOLDLOOP_WEBHOOK__DEPLOYMENTS"
        if isinstance(error, PrefectHTTPStatusError):
            status = error.response.status_code
            if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
                return f"Prefect at {self._api_url} refuses the password: set PREFECT_API_AUTH_STRING to the server's"
            return f"Prefect at {self._api_url} answered {status}: look into its log"
        what = "did not answer in time" if isinstance(error, TimeoutError) else f"is away ({type(error).__name__})"
        return f"Prefect at {self._api_url} {what}: check PREFECT_API_URL and that the server runs"


def _ending(state: State | None, starts: int) -> Ending | None:
    if state is None or not state.is_final():
        return None
    if state.type is StateType.COMPLETED:
        return Ending.DONE
    if state.type is not StateType.CANCELLED:
        return Ending.FAILED
    # It never began, as another one had its place, or found the queue's lock held; else a person has cancelled it.
    return Ending.TURNED_AWAY if starts == 0 or state.name == "Skipped" else Ending.DONE


class Waker:
    """Starts a run early where it is hinted at, for one deployment.

    After the first hint it is quiet for `quiet_s` seconds, for annotators submit in a row. Runs are asked for at least
    `interval_s` seconds apart, and one at a time: what is hinted at while one is under way leads to one more after it.
    No hint is lost while this lives: where a run cannot be had, another is asked for after the interval.
    """

    def __init__(self, runs: Runs, quiet_s: float, interval_s: float, look_s: float = LOOK_S) -> None:
        self._runs = runs
        self._quiet_s = quiet_s
        self._interval_s = interval_s
        self._look_s = look_s
        self._hinted = asyncio.Event()

    def hint(self) -> None:
        """Something may have changed. Returns at once."""
        self._hinted.set()

    async def keep_on(self) -> None:
        """Until it is cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            await self._hinted.wait()
            await asyncio.sleep(self._quiet_s)
            begun = clock()
            self._hinted.clear()  # before the run is asked for: what is hinted at from here on is not of it
            try:
                woken = await self._wake()
            except RetryableError as error:
                _log.warning("%s; tried again in %g s.", str(error).rstrip("."), self._interval_s)
                woken = False
            if not woken:
                self._hinted.set()
            await asyncio.sleep(max(0.0, begun + self._interval_s - clock()))

    async def _wake(self) -> bool:
        """Whether what was hinted at is looked after. Raises: RetryableError, where no run could be asked for."""
        name = self._runs.name
        if await self._runs.busy():
            _log.info("A run of %s is under way: another is asked for in %g s.", name, self._interval_s)
            return False
        run = await self._runs.start()
        _log.info("Asked for a run of %s: %s.", name, run)
        ending = await self._ended(run)
        if ending is Ending.FAILED:
            _log.warning("The run %s of %s failed: its page says why, and the next one makes up for it.", run, name)
        if ending is Ending.TURNED_AWAY:
            _log.info("Another run had the place of %s: tried again in %g s.", run, self._interval_s)
        return ending is not Ending.TURNED_AWAY

    async def _ended(self, run: UUID) -> Ending | None:
        """How the run ended; None where that was not seen for too long."""
        ending, away = None, False
        try:
            async with asyncio.timeout(PATIENCE_S):
                while ending is None:
                    await asyncio.sleep(self._look_s)
                    try:
                        ending, away = await self._runs.ending(run), False
                    except RetryableError as error:
                        if not away:
                            _log.warning("%s; the run %s goes on.", str(error).rstrip("."), run)
                        away = True
        except TimeoutError:
            _log.warning("The run %s has not ended in %g s: is there a worker?", run, PATIENCE_S)
        return ending
