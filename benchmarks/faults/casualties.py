"""Who is killed, and started again: each a kill -9 of all of its processes, with nobody told."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable

from benchmarks.faults.flowruns import FlowRun
from benchmarks.faults.ground import Ground
from benchmarks.faults.kinds import Kill
from goldloop.devstack.environments import label_studio_environment, ml_backend_environment
from goldloop.devstack.label_studio import start_label_studio
from goldloop.devstack.ml_backend_server import start_ml_backend
from goldloop.devstack.processes import Process

_AWAY_SECONDS = 1.0
"""Between a server's death and the start of its successor."""


class Casualties:
    """`runs` are goldloop's own processes that work now, and `flow` the flow run, each a target while it does."""

    def __init__(self, ground: Ground, say: Callable[[str], None]) -> None:
        self.count: Counter[str] = Counter()
        self.runs: list[Process] = []
        self.flow: FlowRun | None = None
        self._ground, self._say = ground, say
        self._restarts: list[threading.Thread] = []
        self._failed: list[BaseException] = []
        self._down: set[Kill] = set()

    def kill(self, whom: Kill) -> None:
        """Kill now, if it is there to be killed; a server starts again by itself a little later."""
        stack = self._ground.stack
        match whom:
            case Kill.RUN:
                done = self._kill_run()
            case Kill.FLOW:
                done = self.flow is not None and self.flow.kill()
            case Kill.WORKER:
                done = self._server(whom, stack.worker, self._start_worker)
            case Kill.BACKEND:
                done = self._server(whom, stack.ml_backend.process if stack.ml_backend else None, self._start_backend)
            case Kill.LABEL_STUDIO:
                done = self._server(
                    whom, stack.label_studio.process if stack.label_studio else None, self._start_label_studio
                )
            case Kill.POSTGRES:
                done = self._server(whom, self._ground.store.process, self._ground.store.start)
        if done:
            self.count[whom] += 1
            self._say(whom.value)

    def mend(self) -> None:
        """Wait until all servers are there again; one that ended by itself (a full disk ends PostgreSQL) is started."""
        for thread in self._restarts:
            thread.join()
        self._restarts.clear()
        store = self._ground.store
        if store.process is not None and store.process.exit_code is not None:
            store.start()
        if self._failed:
            raise self._failed[0]

    def _kill_run(self) -> bool:
        alive = [process for process in self.runs if process.exit_code is None and process.descendants()]
        for process in alive[:1]:
            process.kill()
        return bool(alive)

    def _server(self, whom: Kill, process: Process | None, start: Callable[[], None]) -> bool:
        if process is None or whom in self._down:
            return False
        self._down.add(whom)
        process.kill()

        def again() -> None:
            process.stop()
            time.sleep(_AWAY_SECONDS)
            try:
                start()
            except BaseException as error:  # noqa: BLE001 - told to whoever waits
                self._failed.append(error)
            self._down.discard(whom)

        thread = threading.Thread(target=again, name=f"restart after {whom}")
        self._restarts.append(thread)
        thread.start()
        return True

    def _start_worker(self) -> None:
        self._ground.stack.start_worker(self._ground.variables())
        flow = self.flow
        if flow is not None:
            with contextlib.suppress(Exception):  # it may have ended before, or hear of it later
                flow.declare_dead()

    def _start_label_studio(self) -> None:
        stack = self._ground.stack
        assert stack.label_studio
        stack.label_studio = start_label_studio(
            stack.supervisor,
            stack.places,
            stack.credentials,
            int(stack.label_studio.url.rpartition(":")[2]),
            environment=label_studio_environment(stack.places),
            progress=lambda *_: None,
        )

    def _start_backend(self) -> None:
        stack = self._ground.stack
        assert stack.ml_backend
        stack.ml_backend = start_ml_backend(
            stack.supervisor,
            stack.places,
            stack.credentials,
            int(stack.ml_backend.url.rpartition(":")[2]),
            environment=ml_backend_environment(stack.places),
            variables=self._ground.variables(),
            progress=lambda *_: None,
        )
