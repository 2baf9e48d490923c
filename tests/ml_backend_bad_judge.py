"""The ML backend's real app with a judge that does to each trace what its id says: `hangs-3`, `dies-1`, `quits`, ...

gunicorn serves it in the backend's environment. What a fit does stands in the file `fit` beside the store.
"""

import logging
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from goldloop.bootstrap import Goldloop
from goldloop.codebook.schema import Codebook
from goldloop.records import Judgement, Trace, Unjudged
from goldloop.settings import load
from ml_backend.basic_auth import Credentials
from ml_backend.fitting import Debounce
from ml_backend.server import serve
from ml_backend.service import Service

HANGS_SECONDS = 10.0

logging.basicConfig(stream=sys.stderr, level=logging.INFO)


class BadJudge:
    """Says `pass`, where it is not told otherwise."""

    name = "bad"

    def version(self, _codebook: Codebook) -> str:
        return "1"

    def judge(self, _codebook: Codebook, traces: Sequence[Trace]) -> Any:
        (trace,) = traces
        said = Judgement(
            judge=self.name, judge_version="1", answers={"verdict": "pass"}, probability=0.9, method="lexical"
        )
        kind = trace.trace_id.partition("-")[0]
        match kind:
            case "hangs":
                time.sleep(HANGS_SECONDS)
            case "stuck":
                with ThreadPoolExecutor(1) as threads:  # Python waits for such a thread at its end
                    threads.submit(time.sleep, 60).result()
            case "slow":
                time.sleep(1.0)
            case "dies":
                raise RuntimeError(trace.output)
            case "quits":
                sys.exit(7)
            case "budget":
                return [Unjudged(cause="budget", reason="spent")]
        rubbish: dict[str, Any] = {
            "nothing": None,
            "none": [None],
            "many": [said, said],
            "label": [said.model_copy(update={"answers": {"verdict": "weather"}})],
            "nan": [said.model_copy(update={"probability": float("nan")})],
        }
        return rubbish.get(kind, [said])


def learn(queue: str) -> None:
    """Does what the file says."""
    how = folder / "fit"
    if not how.exists():
        return
    if how.read_text(encoding="utf-8") == "hangs":
        time.sleep(60)
    raise RuntimeError(queue)


settings = load()
folder = Path(settings.store_url.removeprefix("sqlite:///")).parent
service = Service(
    Goldloop(settings), judge=lambda _queue, _run: BadJudge(), learn=learn, debounce=Debounce(quiet=0.2, longest=1)
)
app = serve(service, Credentials.of(settings.ml_backend))
