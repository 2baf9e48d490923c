"""Langfuse, written to: scores by the batch endpoint, which answers for each event on its own.

An event's timestamp decides which revision of a score stands (the latest), so sending again and in any order is safe.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar
from urllib.parse import quote

from goldloop.adapters.langfuse.http import SERVER, Api, MissingError, unreadable
from goldloop.adapters.langfuse.listing import Listing, pages
from goldloop.adapters.langfuse.score_configs import LangfuseScoreConfigs
from goldloop.adapters.langfuse.score_events import Event, Outgoing, ShownRow, batches, shown_score
from goldloop.ahead import ahead
from goldloop.codebook.text import clean
from goldloop.errors import FatalError, RejectedError, RetryableError
from goldloop.ports import ListedConfig
from goldloop.records import Receipt, Score, ShownScore

_PATH: Final = "v3/scores"
_PAGE: Final = 100
_NAMES: Final = 40
_FIELDS: Final = ("fields", "details,subject")
_SIDE_BY_SIDE: Final = 8
_REASON_LENGTH: Final = 120

AskedT = TypeVar("AskedT")
AnswerT = TypeVar("AnswerT")


class LangfuseScores:
    """A `ScoreSink` over `POST /ingestion`, `GET /v3/scores` and `DELETE /scores/{id}`.

    `configs` are the project's score configs; whoever changes them through it is seen here at once.
    """

    def __init__(self, api: Api, configs: LangfuseScoreConfigs | None = None) -> None:
        self._api = api
        self._known = configs or LangfuseScoreConfigs(api)

    def send(self, scores: Sequence[Score]) -> list[Receipt]:
        """Raises: RetryableError, FatalError. After an error send all again: what arrived before stays as it is.

        The server drops without a word what a score's config does not hold: that is refused here. It also drops what
        keeps to an archived config, so such a score goes without one: a revision of what an earlier version of the
        codebook asked still arrives, with the same name and value.
        """
        outgoing = Outgoing(scores, self._configs(scores))
        reasons: dict[str, str] = {}
        for batch in ahead(batches(outgoing)):
            reasons |= self._deliver(batch)
        return outgoing.receipts(reasons)

    def delete(self, score_ids: Sequence[str]) -> None:
        """A request each, some of them under way at once."""
        _side_by_side(self._delete, score_ids)

    def read(self, score_ids: Sequence[str]) -> dict[str, ShownScore]:
        """The value of a score of another data type than the four of `ScoreType` is None."""
        asked = [score_ids[start : start + _PAGE] for start in range(0, len(score_ids), _PAGE)]
        return {one.score_id: one for found in _side_by_side(self._read, asked) for one in found}

    def listed(self, names: Sequence[str]) -> Iterator[list[ShownScore]]:
        for start in range(0, len(names), _NAMES):
            wanted = ",".join(names[start : start + _NAMES])
            for listing in pages(self._api, _PATH, ShownRow, [("limit", str(_PAGE)), ("name", wanted), _FIELDS]):
                yield [shown_score(row) for row in listing.rows]

    def _delete(self, score_id: str) -> None:
        try:
            self._api.delete(f"scores/{quote(score_id, safe='')}")
        except MissingError:
            return

    def _read(self, score_ids: Sequence[str]) -> list[ShownScore]:
        """Not by `pages`: an id has one row, so that one page holds them all, and nothing is to be fetched ahead."""
        params = [("limit", str(_PAGE)), ("id", ",".join(score_ids)), _FIELDS]
        return [shown_score(row) for row in Listing(self._api.get(_PATH, params), ShownRow, path=_PATH).rows]

    def _configs(self, scores: Sequence[Score]) -> dict[str, ListedConfig]:
        """The server's score configs by id; none where no score keeps to one."""
        wanted = {score.config_id for score in scores if score.config_id is not None}
        return self._known.by_id(wanted) if wanted else {}

    def _deliver(self, batch: list[Event]) -> dict[str, str]:
        """The reason of each event's refusal by event id, "" where it was taken.

        A batch that is refused whole is halved until the event at fault stands alone.
        """
        reasons: dict[str, str] = {}

        def attempt() -> None:
            due = [one for one in batch if one.event_id not in reasons]
            content = b'{"batch":[' + b",".join(one.body for one in due) + b"]}"
            reasons.update(_decided(self._api.once("POST", "ingestion", content=content), self._api.host))
            if any(one.event_id not in reasons for one in due):
                raise RetryableError(SERVER, "Langfuse took only part of a batch of scores: try again later.")

        try:
            self._api.repeat(attempt)
        except RejectedError as error:
            if len(batch) == 1:
                return {batch[0].event_id: error.reason}
            middle = len(batch) // 2
            return self._deliver(batch[:middle]) | self._deliver(batch[middle:])
        return reasons


def _side_by_side(call: Callable[[AskedT], AnswerT], asked: Sequence[AskedT]) -> list[AnswerT]:
    """Each one's answer, in order; after the first error none is begun any more."""
    if len(asked) <= 1:
        return [call(one) for one in asked]
    with ThreadPoolExecutor(min(_SIDE_BY_SIDE, len(asked)), thread_name_prefix="score") as threads:
        return list(threads.map(call, asked))


def _decided(answer: Any, host: str) -> dict[str, str]:
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
