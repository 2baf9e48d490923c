"""Langfuse, read: candidates, signals and single traces."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal
from urllib.parse import quote

from pydantic import TypeAdapter

from goldloop.adapters.langfuse.category import UNCATEGORISED, CategoryRule, trace_name
from goldloop.adapters.langfuse.http import SERVER, Api, PageError, Params, unreadable
from goldloop.adapters.langfuse.listing import pages
from goldloop.adapters.langfuse.payload import read_input
from goldloop.adapters.langfuse.payloads import OBSERVATIONS, PAYLOAD_PAGE, Payloads
from goldloop.adapters.langfuse.wire import ObservationHead, ScoreRow
from goldloop.codebook.sampling import WRITTEN
from goldloop.codebook.text import clean
from goldloop.errors import FatalError, RejectedError
from goldloop.judge.settings import JUDGE_ENVIRONMENT
from goldloop.ports import Page, Window
from goldloop.records import MARK, Candidate, Signal, Trace
from goldloop.sampling.sketch import NONE, simhash

OLDEST: Final = (4, 16)
BEFORE: Final = (6, 0)
_VERSION: Final = re.compile(r"v?(\d{1,6})\.(\d{1,6})(\D|$)")
_SCORES: Final = "v3/scores"
_PAGE: Final = 1000
_SCORE_PAGE: Final = 100
_CANDIDATES: Final = TypeAdapter(list[Candidate])
"""All of a page at once: that takes half of the time."""


class LangfuseSource:
    """A `TraceSource` over `v2/observations` and `v3/scores`.

    Args:
        api: the client.
        category: the rule for a candidate's stratum, see `CategoryRule`.
        environments: only traces of these; all where empty.
        rootless: also look for traces that show no root observation, at the price of reading all observations.
        cluster: the rule for a candidate's cluster; none without it.
        sketch: also read the roots' input, and keep a sketch of what the user asked, see `sampling.sketch`.
        page_size: rows a page, 1,000 at most.

    Raises:
        ConfigError: the rule of category or cluster is unknown.
    """

    def __init__(
        self,
        api: Api,
        *,
        category: str = "name",
        environments: Sequence[str] = (),
        rootless: bool = True,
        cluster: str | None = None,
        sketch: bool = False,
        public_url: str | None = None,
        page_size: int = _PAGE,
    ) -> None:
        self._api = api
        self._public_url = (public_url or api.host).rstrip("/")
        self._category = CategoryRule.parse(category)
        self._cluster = CategoryRule.parse(cluster) if cluster else None
        self._environments = tuple(environments)
        self._rootless = rootless
        self._sketch = sketch
        self._page_size = page_size
        self._payloads = Payloads(api)
        self._project: str | None = None

    def check(self) -> str:
        """One attempt, so that a wrong address shows at once.

        Langfuse looks at the secret key alone: a wrong public key beside the right secret goes unnoticed here.
        """
        try:
            health = self._api.get("health", retry=False)
        except PageError as error:
            raise FatalError(SERVER, f"There is no Langfuse API at {self._api.host}: check LANGFUSE_HOST.") from error
        version = _version(health, self._api.host)
        self._project = self._project_id()
        return version

    def candidates(self, window: Window) -> Iterator[Page[Candidate]]:
        for roots in (True, False) if self._rootless else (True,):
            for listing in pages(
                self._api, OBSERVATIONS, ObservationHead, self._selection(window, roots=roots), key="traceId"
            ):
                yield Page(self._candidates(listing.rows, roots=roots), listing.rejected)

    def signals(self, window: Window) -> Iterator[Page[Signal]]:
        params = [
            ("limit", str(_SCORE_PAGE)),
            ("fields", "details,subject"),
            ("fromTimestamp", iso(window.start)),
            ("toTimestamp", iso(window.end)),
        ]
        for listing in pages(self._api, _SCORES, ScoreRow, params):
            rows: list[Signal] = []
            rejected = list(listing.rejected)
            for score in listing.rows:
                if _is_ours(score):
                    continue
                signal = _signal(score)
                if isinstance(signal, str):
                    rejected.append((score.id, signal))
                elif signal is not None:
                    rows.append(signal)
            yield Page(rows, rejected)

    def trace(self, trace_id: str) -> Trace | None:
        """Raises: RejectedError where the server has observations of it and none can be read."""
        return self._payloads.trace(trace_id)

    def payloads(self, trace_ids: Sequence[str]) -> Iterator[Trace | RejectedError | None]:
        return self._payloads.traces(trace_ids)

    def trace_url(self, trace_id: str) -> str:
        if self._project is None:
            self._project = self._project_id()
        return f"{self._public_url}/project/{quote(self._project, safe='')}/traces/{quote(trace_id, safe='')}"

    def _project_id(self) -> str:
        match self._api.get("projects"):
            case {"data": [{"id": str(project)}, *_]}:
                return project
            case {"data": []}:
                raise FatalError(
                    SERVER, f"The key opens no project at {self._api.host}: create a key in the project's settings."
                )
            case _:
                raise unreadable("GET", "projects")

    def _selection(self, window: Window, *, roots: bool) -> Params:
        fields = "core,basic,model,prompt,trace_context"
        if self._category.needs_metadata or (self._cluster and self._cluster.needs_metadata):
            fields += ",metadata"
        io = self._sketch and roots
        return [
            ("limit", str(min(self._page_size, PAYLOAD_PAGE) if io else self._page_size)),
            ("isRootObservation", "true" if roots else "false"),
            ("fields", fields + ",io" if io else fields),
            ("fromStartTime", iso(window.start)),
            ("toStartTime", iso(window.end)),
            *(("environment", name) for name in self._environments),
        ]

    def _cluster_of(self, observation: ObservationHead) -> str | None:
        found = self._cluster.of(observation) if self._cluster else UNCATEGORISED
        return None if found == UNCATEGORISED else found

    def _candidates(self, observations: Iterable[ObservationHead], *, roots: bool) -> list[Candidate]:
        """One a trace, by its earliest observation on the page; `roots` of them counted once each.

        None of the judge's own calls: the loop would draw and judge its own judging.
        """
        by_trace: dict[str, list[ObservationHead]] = {}
        for each in observations:
            if each.environment != JUDGE_ENVIRONMENT:
                by_trace.setdefault(each.trace_id, []).append(each)
        return _CANDIDATES.validate_python([self._fields(found, roots=roots) for found in by_trace.values()])

    def _fields(self, observations: Sequence[ObservationHead], *, roots: bool) -> dict[str, Any]:
        """A candidate's, by the observations of one trace."""
        first, count = observations[0], 1
        if observations[1:]:
            once = {each.id: each for each in observations}
            first, count = min(once.values(), key=lambda each: (each.start_time, each.id)), len(once)
        return {
            "trace_id": first.trace_id,
            "environment": first.environment or "default",
            "name": trace_name(first),
            "category": self._category.of(first),
            "timestamp": first.start_time,
            "user_id": first.user_id,
            "session_id": first.session_id,
            "model": first.model,
            "release": first.release or first.version,
            "prompt": _prompt(first),
            "tags": tuple(first.tags),
            "cluster": self._cluster_of(first),
            "sketch": _asked(first) if self._sketch and roots else None,
            "roots": count if roots else 0,
        }


def _prompt(observation: ObservationHead) -> str | None:
    """Name and version of the prompt in Langfuse's prompt management that was used, where it says so."""
    if observation.prompt_name is None:
        return None
    version = observation.prompt_version
    return observation.prompt_name if version is None else f"{observation.prompt_name}@{version}"


def _asked(observation: ObservationHead) -> int | None:
    """The sketch of what the user said: system prompts and earlier answers are much the same in many traces."""
    messages = read_input(observation.input)
    spoken = [message.content for message in messages if message.role == "user"] or [one.content for one in messages]
    sketch = simhash("\n".join(spoken))
    return None if sketch == NONE else sketch


def iso(moment: datetime) -> str:
    """Such as `2026-11-21T07:06:53.728Z`: milliseconds are all that the server keeps."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _version(health: object, host: str) -> str:
    found = health.get("version") if isinstance(health, dict) else None
    parts = _VERSION.match(found) if isinstance(found, str) else None
    supported = "goldloop works with Langfuse from 4.16 and before 6.0"
    if parts is None:
        raise FatalError(SERVER, f"{host} does not say which Langfuse it is: check LANGFUSE_HOST; {supported}.")
    version = parts.string
    if (int(parts[1]), int(parts[2])) < OLDEST:
        raise FatalError(SERVER, f"Langfuse at {host} is {clean(version)}: upgrade it; {supported}.")
    if (int(parts[1]), int(parts[2])) >= BEFORE:
        raise FatalError(SERVER, f"Langfuse at {host} is {clean(version)}: upgrade goldloop; {supported}.")
    return version


def _is_ours(score: ScoreRow) -> bool:
    """By goldloop's mark: a store that is new, or another one, does not know its id."""
    return isinstance(score.metadata, dict) and MARK in score.metadata


def _signal(score: ScoreRow) -> Signal | Literal["value: not of its type", "subject: missing"] | None:
    """None for a score on something else than a trace; a text where the score cannot be read."""
    if score.subject is None:
        return "subject: missing"
    trace_id = score.subject.of_trace
    if trace_id is None:
        return None
    value: float | None = None
    label: str | None = None
    match score.data_type, score.value:
        case "NUMERIC" | "BOOLEAN", bool() | int() | float() as number:
            value = float(number)
        case "CATEGORICAL", str(category):
            label = clean(category)
        case "TEXT" | "CORRECTION", _:
            label = WRITTEN  # what was written is payload
        case _:
            return "value: not of its type"
    return Signal(signal_id=score.id, trace_id=trace_id, name=score.name, value=value, label=label, at=score.timestamp)
