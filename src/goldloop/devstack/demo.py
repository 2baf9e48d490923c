"""The loop once, on real servers, with scripted annotators in the place of people.

It does what a team does: an app sends traces, flows draw some of them into Label Studio, annotators judge, flows
bring the judgements back. Done again it goes on where it stopped, and doubles nothing.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from goldloop import settings
from goldloop.adapters.labelstudio.accounts import sign_up
from goldloop.bootstrap import Goldloop
from goldloop.bootstrap.backends import MlBackend
from goldloop.devstack import annotators, send
from goldloop.devstack.counts import Counts, read_back
from goldloop.devstack.stack import Stack
from goldloop.devstack.tracefile import FileTrace
from goldloop.errors import GoldloopError, RejectedError
from goldloop.ports import Progress, Window
from goldloop.records import Project

QUEUE = "answer-quality"
"""The sample's traces are rated by this codebook."""
IN = ("pull", "draw", "prelabel", "enqueue")
OUT = ("gather", "resolve", "publish", "report")

_NEWEST_BEFORE_NOW = timedelta(minutes=5)
_READABLE_WITHIN = 120.0
_POLL = 0.5


@dataclass(frozen=True)
class Demo:
    """One round. `progress` gives each step its bar; `say` prints a line that stays."""

    stack: Stack
    traces: Sequence[FileTrace]
    progress: Callable[[str], Progress]
    say: Callable[[str], None]

    @staticmethod
    def variables(stack: Stack) -> dict[str, str]:
        """What the demo sets on top of the stack's: its own environment in Langfuse, its category tags, its files."""
        return {
            # The port of the local one may be another than last time.
            "GOLDLOOP_LABEL_STUDIO_MOVED": str(stack.external.label_studio is None).lower(),
            "GOLDLOOP_PULL__CATEGORY": f"tag:{send.CATEGORY_TAG}",
            "GOLDLOOP_PULL__ENVIRONMENTS": send.ENVIRONMENT,
            "GOLDLOOP_PULL__LOOKBACK_DAYS": "30",
            "GOLDLOOP_EVALS": str(stack.places.state / "evals"),
            "GOLDLOOP_QUEUE": QUEUE,
            # So that there is something to see before there are labels to learn from: marked as uncalibrated.
            "GOLDLOOP_JUDGE__MEMBERS": os.environ.get("GOLDLOOP_JUDGE__MEMBERS") or "learned,lexical",
            "GOLDLOOP_CODEBOOKS": str(stack.places.checkout / "label_configs"),
        }

    def run(self, queue: str, run_flow: Callable[[str, Sequence[str]], None]) -> tuple[Counts, Project]:
        """Send, run the flows in, annotate, run the flows out; `run_flow` runs verbs of a queue as a Prefect flow."""
        started = time.monotonic()
        os.environ.update(self.stack.environment() | self.variables(self.stack))
        with Goldloop(settings.load()) as goldloop:
            self._send(goldloop)
            run_flow(queue, IN)
            project = self._project(goldloop, queue)
            self._connect_backend(goldloop, project)
            self._annotate(goldloop, project)
            run_flow(queue, OUT)
            return read_back(goldloop, queue, time.monotonic() - started), project

    def _send(self, goldloop: Goldloop) -> None:
        """Send what is not there yet, dated so that the newest is minutes old, and wait until it can be read."""
        wanted = {send.trace_id(trace.id): trace for trace in self.traces}
        there = self._readable(goldloop)
        missing = [trace for trace_id, trace in wanted.items() if trace_id not in there]
        if not missing:
            return
        where = goldloop.settings.langfuse_host or ""
        self.say(f"Sending {len(missing)} traces to {where}, environment {send.ENVIRONMENT}")
        shift = send.shift_to(self.traces, datetime.now(UTC) - _NEWEST_BEFORE_NOW)
        assert goldloop.settings.langfuse_public_key
        assert goldloop.settings.langfuse_secret_key
        to = send.Destination(where, goldloop.settings.langfuse_public_key, goldloop.settings.langfuse_secret_key)
        send.send_traces(missing, to, shift, self.progress("sending traces"))
        signals = send.send_signals(missing, goldloop.langfuse.scores, shift)
        self._wait("traces readable", lambda: len(self._readable(goldloop) & wanted.keys()), len(wanted))
        self._wait("signals readable", lambda: len(goldloop.langfuse.scores.read(signals)), len(signals))

    def _wait(self, what: str, there: Callable[[], int], wanted: int) -> None:
        """Poll until all is there: Langfuse shows what it took only after a lag."""
        arriving = self.progress(what)
        deadline = time.monotonic() + _READABLE_WITHIN
        while (count := there()) < wanted:
            arriving(count, wanted)
            if time.monotonic() > deadline:
                self.say(f"{what}: {count} of {wanted} after {_READABLE_WITHIN:.0f} s; going on without the rest")
                return
            time.sleep(_POLL)
        arriving(count, wanted)

    def _readable(self, goldloop: Goldloop) -> set[str]:
        now = datetime.now(UTC)
        window = Window(start=now - timedelta(days=400), end=now)
        return {row.trace_id for page in goldloop.langfuse.source.candidates(window) for row in page.rows}

    def _project(self, goldloop: Goldloop, queue: str) -> Project:
        version = goldloop.codebook(queue).version
        for project in goldloop.store.projects(queue):
            if (project.codebook_version, project.purpose) == (version, "review"):
                return project
        raise GoldloopError(f"nothing was drawn for {queue}: are the file's traces younger than its age limit?")

    def _connect_backend(self, goldloop: Goldloop, project: Project) -> None:
        backend = goldloop.settings.ml_backend
        if not (backend.url and backend.username and backend.password):
            return
        projects = [one for one in goldloop.store.projects(project.queue) if one.project_id == project.project_id]
        for one in MlBackend.of(backend).connect(goldloop.label_studio, projects):
            if not one.served:
                self.say(f"Label Studio could not reach the ML backend: {one.reason}")

    def _annotate(self, goldloop: Goldloop, project: Project) -> None:
        names = annotators.raters(self.traces)
        url, key = goldloop.settings.label_studio_url, goldloop.settings.label_studio_api_key
        assert url
        assert key
        signing_up = self.progress("annotator accounts")
        keys = {}
        for done, name in enumerate(names, start=1):
            try:
                keys[name] = sign_up(url, key, annotators.email(name), self.stack.credentials.annotator_password)
            except RejectedError as error:
                raise GoldloopError(f"the scripted annotator {name} has no account: {error}") from None
            signing_up(done, len(names))
        annotators.play(
            goldloop.store.codebook(project.queue, project.codebook_version),
            self.traces,
            goldloop.label_studio,
            project.project_id,
            url,
            keys,
            self.progress("scripted annotators"),
        )


def sample_or(path: Path | None) -> Path:
    """The trace file that was asked for, or the project's own sample."""
    from goldloop.devstack.sample import sample_path  # noqa: PLC0415 - reading it is only needed without a file

    return path or sample_path()
