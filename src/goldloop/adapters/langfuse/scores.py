"""Langfuse, written to: scores by the batch endpoint, which answers for each event on its own.

An event's timestamp decides which revision of a score stands (the latest), so sending again and in any order is safe.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from goldloop import ids
from goldloop.adapters.langfuse.http import SERVER, Api, MissingError, encode, unreadable
from goldloop.adapters.langfuse.listing import pages
from goldloop.adapters.langfuse.score_configs import LangfuseScoreConfigs
from goldloop.adapters.langfuse.traces import iso
from goldloop.adapters.langfuse.wire import ScoreRow
from goldloop.codebook.score_configs import unfit
from goldloop.codebook.text import clean
from goldloop.errors import FatalError, RejectedError, RetryableError
from goldloop.ports import ListedConfig
from goldloop.records import Receipt, Score, ScoreType

BATCH: Final = 500
BATCH_BYTES: Final = 3_000_000
TEXT_LENGTH: Final = 500
"""In UTF-16 units, as the server counts."""
_READ: Final = 100
_REASON_LENGTH: Final = 120

Event = dict[str, Any]


class LangfuseScores:
    """A `ScoreSink` over `POST /ingestion`, `GET /v3/scores` and `DELETE /scores/{id}`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def send(self, scores: Sequence[Score]) -> list[Receipt]:
        """Raises: RetryableError, FatalError. After an error send all again: what arrived before stays as it is.

        The server drops without a word what a score's config does not hold: that is refused here. It also drops what
        keeps to an archived config, so such a score goes without one: a revision of what an earlier version of the
        codebook asked still arrives, with the same name and value.
        """
        configs = self._configs(scores)
        refused = {index: fault for index, score in enumerate(scores) if (fault := _fault(score, configs))}
        events = {
            _event_id(score): _event(score, configs) for index, score in enumerate(scores) if index not in refused
        }
        reasons: dict[str, str] = {}
        for batch in _batches(list(events.values())):
            reasons |= self._deliver(batch)
        receipts = []
        for index, score in enumerate(scores):
            reason = refused[index] if index in refused else reasons[_event_id(score)]
            receipts.append(Receipt(key=score.score_id, accepted=not reason, reason=reason))
        return receipts

    def delete(self, score_id: str) -> None:
        try:
            self._api.delete(f"scores/{quote(score_id, safe='')}")
        except MissingError:
            return

    def read(self, score_ids: Sequence[str]) -> dict[str, str | float]:
        """Scores that another data type than the four of `ScoreType` was given to are left out."""
        found: dict[str, str | float] = {}
        for start in range(0, len(score_ids), _READ):
            wanted = ",".join(score_ids[start : start + _READ])
            for listing in pages(self._api, "v3/scores", ScoreRow, [("limit", str(_READ)), ("id", wanted)]):
                found |= {row.id: value for row in listing.rows if (value := _value(row)) is not None}
        return found

    def _configs(self, scores: Sequence[Score]) -> dict[str, ListedConfig]:
        """The server's score configs by id; none where no score keeps to one. They change by hand at any time."""
        if all(score.config_id is None for score in scores):
            return {}
        return {one.config_id: one for one in LangfuseScoreConfigs(self._api).listed()}

    def _deliver(self, batch: list[Event]) -> dict[str, str]:
        """The reason of each event's refusal by event id, "" where it was taken.

        A batch that is refused whole is halved until the event at fault stands alone.
        """
        reasons: dict[str, str] = {}

        def attempt() -> None:
            due = [event for event in batch if event["id"] not in reasons]
            reasons.update(_read(self._api.once("POST", "ingestion", body={"batch": due}), self._api.host))
            if any(event["id"] not in reasons for event in due):
                raise RetryableError(SERVER, "Langfuse took only part of a batch of scores: try again later.")

        try:
            self._api.repeat(attempt)
        except RejectedError as error:
            if len(batch) == 1:
                return {batch[0]["id"]: error.reason}
            middle = len(batch) // 2
            return self._deliver(batch[:middle]) | self._deliver(batch[middle:])
        return reasons


def _event_id(score: Score) -> str:
    """The same for each repetition of one revision: the server takes a repeated event once."""
    return ids.key("score-event", score.score_id, iso(score.event_at))


def _event(score: Score, configs: Mapping[str, ListedConfig]) -> Event:
    body: dict[str, Any] = {
        "id": score.score_id,
        "traceId": score.trace_id,
        "name": score.name,
        "value": int(score.value) if score.data_type is ScoreType.BOOLEAN else score.value,
        "dataType": score.data_type.value,
        # Sent even where empty: what is left out keeps its value from the revision before.
        "comment": score.comment or "",
        "metadata": score.metadata,
        "environment": score.environment,
    }
    if score.config_id is not None and not configs[score.config_id].archived:
        body["configId"] = score.config_id
    return {"id": _event_id(score), "type": "score-create", "timestamp": iso(score.event_at), "body": body}


def _fault(score: Score, configs: Mapping[str, ListedConfig]) -> str:
    """Why the server would refuse or, worse, silently drop this score; "" where nothing is wrong."""
    return _value_fault(score) or _config_fault(score, configs)


def _config_fault(score: Score, configs: Mapping[str, ListedConfig]) -> str:
    if score.config_id is None:
        return ""
    if score.config_id not in configs:
        return "its score config is not in Langfuse: publish the codebook again"
    return unfit(configs[score.config_id].config, score)


def _value_fault(score: Score) -> str:
    value = score.value
    match score.data_type:
        case ScoreType.TEXT if not isinstance(value, str) or not value:
            return "a text score needs a text"
        case ScoreType.TEXT if isinstance(value, str) and _length(value) > TEXT_LENGTH:
            return f"the text has {_length(value)} characters, of {TEXT_LENGTH} allowed"
        case ScoreType.CATEGORICAL if not isinstance(value, str) or not value:
            return "a categorical score needs a label"
        case ScoreType.BOOLEAN if value not in (0.0, 1.0):
            return "a boolean score is 1 or 0"
        case ScoreType.NUMERIC if isinstance(value, str) or not math.isfinite(value):
            return "a numeric score needs a finite number"
        case _:
            return ""


def _length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _batches(events: Sequence[Event]) -> Iterator[list[Event]]:
    """As many events a batch as go into its number and its bytes; an event too large for any goes alone."""
    batch: list[Event] = []
    size = 0
    for event in events:
        length = len(encode(event)) + 1
        if batch and (len(batch) == BATCH or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += length
    if batch:
        yield batch


def _read(answer: Any, host: str) -> dict[str, str]:
    """Reasons by event id, of the events that the server has decided on; it may still take others later."""
    match answer:
        case {"successes": list() as successes, "errors": list() as errors}:
            pass
        case _:
            raise unreadable("POST", "ingestion")
    taken = {each["id"]: "" for each in successes if isinstance(each, dict) and isinstance(each.get("id"), str)}
    for each in errors:
        match each:
            case {"status": 401 | 403}:
                raise FatalError(
                    SERVER,
                    f"Langfuse at {host} lets this key write no scores: check LANGFUSE_PUBLIC_KEY and"
                    " LANGFUSE_SECRET_KEY, and LANGFUSE_HOST.",
                )
            case {"id": str(event_id), "status": int(status)} if 400 <= status < 500 and status != 429:  # noqa: PLR2004 - HTTP
                taken[event_id] = clean(f"{status} {each.get('message') or 'refused'}")[:_REASON_LENGTH]
            case _:
                continue
    return taken


def _value(row: ScoreRow) -> str | float | None:
    match row.data_type, row.value:
        case (("NUMERIC" | "BOOLEAN"), (bool() | int() | float()) as number):
            return float(number)
        case (("CATEGORICAL" | "TEXT"), str(text)):
            return clean(text)
        case _:
            return None
