"""Langfuse's score configs. There is no delete, no id of ours and no unique name: they are known by what they hold."""

import math
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final
from urllib.parse import quote

from goldloop.adapters.langfuse.http import Api, unreadable
from goldloop.adapters.langfuse.listing import Listing
from goldloop.adapters.langfuse.wire import Id, Number, OptionalText, Text, Time, Wire
from goldloop.codebook.score_configs import digest
from goldloop.ports import ListedConfig
from goldloop.records import ScoreConfig, ScoreType

_PATH: Final = "score-configs"
_PAGE: Final = 100
_FRESH_S: Final = 10.0
_OURS: Final = {ScoreType.NUMERIC, ScoreType.CATEGORICAL}


class LangfuseScoreConfigs:
    """A `ScoreConfigs` over `GET`, `POST` and `PATCH` of `/score-configs`."""

    def __init__(self, api: Api, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._kept: dict[str, ListedConfig] = {}
        self._kept_at = -math.inf

    def listed(self) -> list[ListedConfig]:
        return self._listed(retry=True)

    def by_id(self, wanted: Collection[str]) -> dict[str, ListedConfig]:
        """Those that are there, for whoever asks again and again: a list some seconds old will do.

        People change them by hand at any time, and so the list is never older; what is done here shows at once.
        """
        if self._clock() - self._kept_at > _FRESH_S or not self._kept.keys() >= set(wanted):
            self._kept_at = self._clock()
            self._kept = {one.config_id: one for one in self.listed()}
        return self._kept

    def ensure(self, config: ScoreConfig) -> str:
        self._kept_at = -math.inf
        return self._api.repeat(lambda: self._found(config) or self._create(config))

    def archive(self, config_id: str, *, archived: bool = True) -> None:
        self._kept_at = -math.inf
        path = f"{_PATH}/{quote(config_id, safe='')}"
        self._api.repeat(lambda: self._api.once("PATCH", path, body={"isArchived": archived}))

    def _listed(self, *, retry: bool) -> list[ListedConfig]:
        # A config that is made meanwhile pushes others to the next page, where they come again.
        found = {row.id: listed for row in self._rows(retry=retry) if (listed := _read(row)) is not None}
        return sorted(found.values(), key=lambda one: (one.created_at, one.config_id))

    def _rows(self, *, retry: bool) -> Iterator["ConfigRow"]:
        page = 1
        while True:
            params = [("limit", str(_PAGE)), ("page", str(page))]
            listing = Listing(self._api.get(_PATH, params, retry=retry), ConfigRow, path=_PATH, page=page)
            yield from listing.rows
            if page >= listing.total_pages:
                return
            page += 1

    def _found(self, config: ScoreConfig) -> str | None:
        wanted = digest(config)
        same = (one for one in self._listed(retry=False) if not one.archived and digest(one.config) == wanted)
        return next((one.config_id for one in same), None)

    def _create(self, config: ScoreConfig) -> str:
        # One attempt: a config that is made twice stays twice. Whoever tries again looks first.
        match self._api.once("POST", _PATH, body=_body(config)):
            case {"id": str(config_id)} if config_id:
                return config_id
            case _:
                raise unreadable("POST", _PATH)


class ConfigRow(Wire):
    """A row of `GET /score-configs`; what it holds is anybody's, and may have any form."""

    id: Id
    name: Text
    is_archived: bool = False
    created_at: Time
    data_type: Text
    min_value: Number = None
    max_value: Number = None
    categories: Any = None
    description: OptionalText = None


def _read(row: ConfigRow) -> ListedConfig | None:
    if row.data_type not in _OURS:
        return None
    data_type = ScoreType(row.data_type)
    config = ScoreConfig(
        name=row.name,
        data_type=data_type,
        categories=tuple(_categories(row.categories)) if data_type is ScoreType.CATEGORICAL else (),
        minimum=row.min_value,
        maximum=row.max_value,
        description=row.description,
    )
    return ListedConfig(config_id=row.id, config=config, archived=row.is_archived, created_at=row.created_at)


def _categories(found: Any) -> Iterator[tuple[str, float]]:
    for each in found if isinstance(found, list) else []:
        match each:
            case {"label": str(label), "value": int(value) | float(value)}:
                yield label, float(value)
            case _:
                continue


def _body(config: ScoreConfig) -> dict[str, Any]:
    body: dict[str, Any] = {"name": config.name, "dataType": config.data_type.value, "description": config.description}
    if config.data_type is ScoreType.CATEGORICAL:
        return body | {"categories": [{"label": label, "value": value} for label, value in config.categories]}
    return body | {"minValue": config.minimum, "maxValue": config.maximum}
