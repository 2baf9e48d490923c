"""Traces with their payload: one, or many in few requests.

Many are asked for by a filter on their ids. It is documented, and not every server need take it; so what comes back is
not trusted to be all: whatever is not in it is asked for alone, and where the filter is refused or has no effect,
everything is.
"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from goldloop.adapters.langfuse.assemble import ALTERNATIVE_KEY, DOCUMENT_KEYS, assemble
from goldloop.adapters.langfuse.http import SERVER, Api, Params
from goldloop.adapters.langfuse.listing import pages
from goldloop.adapters.langfuse.wire import Observation
from goldloop.codebook.text import clean
from goldloop.errors import RejectedError
from goldloop.records import Trace

OBSERVATIONS: Final = "v2/observations"
PAYLOAD_PAGE: Final = 100
"""Rows with input and output are as large as the app makes them, so few come at once."""
_TOGETHER: Final = 25
"""Traces in one filter: it travels in the address, of which a server may take no more than 4 KB."""
_SIDE_BY_SIDE: Final = 8
"""Requests under way at once. Each thread keeps to the waits that the server asks for."""
_FIELDS: Final = "core,basic,time,io,metadata,model,usage,metrics,trace_context"

Found = Trace | RejectedError | None


class Payloads:
    """Reads payloads; it remembers whether the server takes the filter."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._filters = True

    def trace(self, trace_id: str) -> Trace | None:
        """None where the server has no observation of it.

        Raises: RejectedError where it has some and none can be read; RetryableError, FatalError.
        """
        rows: list[Observation] = []
        unreadable = 0
        for listing in pages(self._api, OBSERVATIONS, Observation, _params(("traceId", trace_id))):
            rows.extend(listing.rows)
            unreadable += len(listing.rejected)
        if rows:
            return assemble(rows, unreadable=unreadable)
        if unreadable:
            raise RejectedError(
                SERVER,
                f"No observation of trace {clean(trace_id)} can be read: look at it in Langfuse.",
                reason="no readable observation",
            )
        return None

    def traces(self, trace_ids: Sequence[str]) -> Iterator[Found]:
        """Each as `trace` gives it, in order; what it raises of one trace alone stands in its place."""
        some = [trace_ids[start : start + _TOGETHER] for start in range(0, len(trace_ids), _TOGETHER)]
        if not some:
            return
        with ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="payload") as threads:
            for asked, together in zip(some, threads.map(self._together, some), strict=True):
                alone = [trace_id for trace_id in asked if trace_id not in together]
                found = dict(zip(alone, threads.map(self._alone, alone), strict=True))
                yield from (together[one] if one in together else found[one] for one in asked)

    def _alone(self, trace_id: str) -> Found:
        try:
            return self.trace(trace_id)
        except RejectedError as error:
            return error

    def _together(self, trace_ids: Sequence[str]) -> dict[str, Trace]:
        """Those that came whole; none where there is but one, or the server does not filter by ids."""
        if len(trace_ids) == 1 or not self._filters:
            return {}
        wanted = {"type": "stringOptions", "column": "traceId", "operator": "any of", "value": list(trace_ids)}
        rows: dict[str, list[Observation]] = {trace_id: [] for trace_id in trace_ids}
        params = _params(("filter", json.dumps([wanted], separators=(",", ":"))))
        try:
            for listing in pages(self._api, OBSERVATIONS, Observation, params):
                if listing.rejected:
                    return {}  # whose rows these are is plain only where each trace is asked for alone
                for row in listing.rows:
                    rows[row.trace_id].append(row)
        except (RejectedError, KeyError):
            self._filters = False
            return {}
        return {trace_id: assemble(its) for trace_id, its in rows.items() if its}


def _params(selection: tuple[str, str]) -> Params:
    return [
        ("limit", str(PAYLOAD_PAGE)),
        selection,
        ("fields", _FIELDS),
        ("expandMetadata", ",".join((*DOCUMENT_KEYS, ALTERNATIVE_KEY))),
    ]
