"""`python -m benchmarks.faults.app SEED FIRST LAST`: an app that sends these traces to Langfuse, and ends.

A process of its own, because the official SDK cannot be started a second time in one.
"""

import os
import sys
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from benchmarks.faults import traces
from goldloop.adapters.langfuse import connect
from goldloop.devstack import send


def main(seed: int, first: int, last: int) -> None:
    """Send traces FIRST to LAST - 1, dated as if they had ended just now, and what their users said."""
    made = traces.portion(seed, range(first, last), datetime.now(UTC))
    url = os.environ["LANGFUSE_HOST"]
    public, secret = (SecretStr(os.environ[f"LANGFUSE_{name}_KEY"]) for name in ("PUBLIC", "SECRET"))
    send.send_traces(made, send.Destination(url, public, secret), timedelta(0), lambda *_: None)
    api = connect(url, public, secret)
    try:
        send.send_signals(made, api.scores, timedelta(0))
    finally:
        api.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
