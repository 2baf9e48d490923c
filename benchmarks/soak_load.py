"""The load of a soak: an app that sends traces, and scripted annotators who keep pace with it."""

import random
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from pydantic import JsonValue, SecretStr

from goldloop.adapters.labelstudio.auth import KeyAuth
from goldloop.codebook.result import to_result, to_skip_result
from goldloop.codebook.schema import Codebook
from goldloop.devstack.annotators import answers_of
from goldloop.devstack.send import Destination, send_signals, send_traces
from goldloop.devstack.tracefile import FileTrace, Rating
from goldloop.ports import ScoreSink

AT_ONCE = 12
"""Traces that are there when the soak begins, so that there is a project to annotate in."""
_DATED_BACK = timedelta(seconds=90)
"""Traces are sent when their users have said what they think: the signals come a minute after the trace."""
_PAUSE_S = (4.0, 10.0)
"""Between two acts of an annotator: someone quick, so that the three together are faster than the inflow."""
_ACTS = {"submit": 80, "edit": 9, "skip": 6, "delete": 5}


class Inflow(Collection[FileTrace]):
    """Traces at random moments (a Poisson process), of which each is handed on only when its moment has come.

    They are the file's, again and again in an order of their own, each under an id that it has only once.
    """

    def __init__(
        self,
        rows: Sequence[FileTrace],
        per_minute: float,
        minutes: float,
        chooser: random.Random,
        stop: threading.Event,
    ) -> None:
        self._stop = stop
        self.traces: list[FileTrace] = []
        self._begins = datetime.now(UTC)
        after, ends = 0.0, 60 * minutes
        while after < ends:
            if len(self.traces) >= AT_ONCE:
                after += chooser.expovariate(per_minute / 60)
            at = self._begins + timedelta(seconds=after) - _DATED_BACK
            of = {"id": f"soak-{chooser.getrandbits(64):016x}", "timestamp": at}
            self.traces.append(chooser.choice(rows).model_copy(update=of))

    def __len__(self) -> int:
        return len(self.traces)

    def __contains__(self, trace: object) -> bool:
        return trace in self.traces

    def __iter__(self) -> Iterator[FileTrace]:
        for trace in self.traces:
            due = trace.timestamp + _DATED_BACK
            if self._stop.wait(max(0.0, (due - datetime.now(UTC)).total_seconds())):
                return
            yield trace

    def send(self, to: Destination, scores: ScoreSink) -> None:
        """Send each trace at its moment with what its user said, until all are sent or it is stopped."""

        def sent(done: int, _total: int | None) -> None:
            send_signals([self.traces[done - 1]], scores, timedelta(0))

        send_traces(self, to, timedelta(0), sent)


class Annotator:
    """Somebody scripted: opens the next task, submits or skips it, sometimes edits or deletes what they said before."""

    def __init__(
        self, codebook: Codebook, ratings: Sequence[Rating], url: str, key: SecretStr, chooser: random.Random
    ) -> None:
        self._codebook = codebook
        self._ratings = ratings
        self._chooser = chooser
        self._client = httpx.Client(
            base_url=url, auth=KeyAuth(url, key), headers={"Connection": "close"}, timeout=60, trust_env=False
        )
        self._last: int | None = None
        self.acts: Counter[str] = Counter()
        """What was done, and `refused` for what Label Studio did not take."""

    def work(self, stop: threading.Event) -> None:
        """Act, pause, act, until stopped."""
        with self._client:
            while not stop.wait(self._chooser.uniform(*_PAUSE_S)):
                [act] = self._chooser.choices(list(_ACTS), list(_ACTS.values()))
                if act in ("edit", "delete") and self._last is None:
                    act = "submit"
                try:
                    done = self._do(act)
                except (httpx.HTTPError, ValueError, KeyError):
                    done = "refused"
                if done:
                    self.acts[done] += 1

    def _do(self, act: str) -> str:
        """What was done; nothing where there is no task to do."""
        if act == "edit":
            self._ask("PATCH", f"annotations/{self._last}/", {"result": self._result()})
            return act
        if act == "delete":
            # Only what was said last: an answer that was given long ago and is missing now would be a queue's old age.
            self._ask("DELETE", f"annotations/{self._last}/")
            self._last = None
            return act
        task = self._next_task()
        if task is None:
            return ""
        skips = act == "skip"
        body: dict[str, JsonValue] = {"was_cancelled": skips, "lead_time": self._chooser.uniform(5, 60)}
        made = self._ask("POST", f"tasks/{task}/annotations/", {**body, "result": self._result(skips=skips)})
        self._last = made["id"]
        return act

    def _next_task(self) -> int | None:
        """As the page asks when somebody presses "Label all tasks", in one project after the other."""
        projects = self._ask("GET", "projects/?page_size=100")["results"]
        for project in sorted(projects, key=lambda project: int(project["id"])):
            answer = self._client.get(f"/api/projects/{project['id']}/next/")
            if answer.is_success:
                return int(answer.json()["id"])
            if answer.status_code != httpx.codes.NOT_FOUND:
                answer.raise_for_status()
        return None

    def _result(self, *, skips: bool = False) -> list[JsonValue]:
        if skips:
            reasons = [reason.name for reason in self._codebook.skip_reasons]
            return [*to_skip_result(self._codebook, self._chooser.choice(reasons))] if reasons else []
        return [*to_result(self._codebook, answers_of(self._codebook, self._chooser.choice(self._ratings)))]

    def _ask(self, method: str, path: str, body: object = None) -> Mapping[str, Any]:
        answer = self._client.request(method, f"/api/{path}", json=body)
        answer.raise_for_status()
        told: Mapping[str, Any] = answer.json() if answer.content else {}
        return told
