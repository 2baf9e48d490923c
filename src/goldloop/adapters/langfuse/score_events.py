"""A score as an event of Langfuse's batch endpoint, and what is wrong with it before it is sent."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from goldloop import ids
from goldloop.adapters.langfuse.http import encode
from goldloop.adapters.langfuse.traces import iso
from goldloop.adapters.langfuse.wire import Wire
from goldloop.codebook.score_configs import unfit
from goldloop.codebook.text import clean
from goldloop.ports import ListedConfig
from goldloop.records import Receipt, Score, ScoreType, ShownScore

BATCH: Final = 500
BATCH_BYTES: Final = 3_000_000
TEXT_LENGTH: Final = 500
"""In UTF-16 units, as the server counts."""
REVISED_AT: Final = "revised_at"
"""Where a score's metadata says which revision it is: the server shows an event's own time nowhere."""

_IN_WORDS: Final = frozenset({ScoreType.CATEGORICAL.value, ScoreType.TEXT.value})
_IN_NUMBERS: Final = frozenset({ScoreType.NUMERIC.value, ScoreType.BOOLEAN.value})


@dataclass(frozen=True)
class Event:
    """One event, encoded as it is sent."""

    event_id: str
    body: bytes


class Outgoing:
    """Scores on their way: the events of those that the server would keep, made when they are asked for."""

    def __init__(self, scores: Sequence[Score], configs: Mapping[str, ListedConfig]) -> None:
        self._scores, self._configs = scores, configs
        self._event_ids: list[str] = []
        self._refused: dict[int, str] = {}

    def __iter__(self) -> Iterator[Event]:
        """Once, to the end. One revision that was handed in twice is one event."""
        made: set[str] = set()
        for index, score in enumerate(self._scores):
            named = event_id(score)
            self._event_ids.append(named)
            if wrong := fault(score, self._configs):
                self._refused[index] = wrong
            elif named not in made:
                made.add(named)
                yield event(named, score, self._configs)

    def receipts(self, reasons: Mapping[str, str]) -> list[Receipt]:
        """Of each score, in order; `reasons` are the server's by event id, "" where it took one."""
        told = (
            self._refused[index] if index in self._refused else reasons[one]
            for index, one in enumerate(self._event_ids)
        )
        return [
            Receipt(key=score.score_id, accepted=not reason, reason=reason)
            for score, reason in zip(self._scores, told, strict=True)
        ]


def event(event_id: str, score: Score, configs: Mapping[str, ListedConfig]) -> Event:
    at = iso(score.event_at)
    made = {"id": event_id, "type": "score-create", "timestamp": at, "body": _body(score, at, configs)}
    return Event(event_id, encode(made))


def event_id(score: Score) -> str:
    """The same for each repetition of one revision: the server takes a repeated event once."""
    return ids.key("score-event", score.score_id, iso(score.event_at))


def _body(score: Score, at: str, configs: Mapping[str, ListedConfig]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": score.score_id,
        "traceId": score.trace_id,
        "name": score.name,
        "value": int(score.value) if score.data_type is ScoreType.BOOLEAN else score.value,
        "dataType": score.data_type.value,
        # Sent even where empty: what is left out keeps its value from the revision before.
        "comment": score.comment or "",
        "metadata": {**score.metadata, REVISED_AT: at},
        "environment": score.environment,
    }
    if score.config_id is not None and not configs[score.config_id].archived:
        body["configId"] = score.config_id
    return body


def fault(score: Score, configs: Mapping[str, ListedConfig]) -> str:
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


def batches(events: Iterable[Event]) -> Iterator[list[Event]]:
    """As many events a batch as go into its number and its bytes; an event too large for any goes alone."""
    batch: list[Event] = []
    size = 0
    for event in events:
        length = len(event.body) + 1
        if batch and (len(batch) == BATCH or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += length
    if batch:
        yield batch


class ShownRow(Wire):
    """A row of `GET /v3/scores`, as far as it is held against what was sent: so lean because they are read in bulk."""

    id: str
    name: str | None = None
    data_type: str | None = None
    value: Any = None
    comment: str | None = None
    subject: Any = None
    metadata: Any = None


def shown_score(row: ShownRow) -> ShownScore:
    """As the server shows it; `metadata` is what was sent with it, less the mark of the revision."""
    metadata = row.metadata if isinstance(row.metadata, dict) else {}
    return ShownScore(
        score_id=row.id,
        trace_id=_trace_id(row.subject),
        name=row.name or "",
        value=_value(row),
        comment=row.comment or None,
        metadata={name: value for name, value in metadata.items() if name != REVISED_AT},
        event_at=_moment(metadata.get(REVISED_AT)),
    )


def _trace_id(subject: object) -> str | None:
    if not isinstance(subject, dict):
        return None
    trace_id = subject.get("id") if subject.get("kind") == "trace" else subject.get("traceId")
    return trace_id if isinstance(trace_id, str) else None


def _moment(text: object) -> datetime | None:
    """None for what is no time with a zone: then goldloop did not write it."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        return moment.astimezone(UTC) if moment and moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _value(row: ShownRow) -> str | float | None:
    value = row.value
    if row.data_type in _IN_WORDS:
        return clean(value) if isinstance(value, str) else None
    return float(value) if row.data_type in _IN_NUMBERS and isinstance(value, int | float) else None
