"""`python -m goldloop.devstack.langfuse`: serve the stand-in on 127.0.0.1 until SIGTERM or SIGINT."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import uvicorn
from pydantic import SecretStr

from goldloop.devstack.langfuse.app import create_app
from goldloop.devstack.langfuse.settings import StandInSettings

_USAGE_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve; the process ends with 0 after a signal, and with 2 where a setting is wrong."""
    given = _parser().parse_args(arguments)
    secret_key = given.secret_key or os.environ.get("LANGFUSE_SECRET_KEY", "")
    if not secret_key:
        _refuse("No secret key: set LANGFUSE_SECRET_KEY.")
    try:
        settings = StandInSettings(
            database=given.database,
            secret_key=SecretStr(secret_key),
            version=given.version,
            observation_lag=given.observation_lag,
            score_lag=given.score_lag,
            rate_limit=given.rate_limit,
            project_id=given.project_id,
        )
    except ValueError as error:
        _refuse(str(error))
    # uvicorn hands a signal on after its shutdown; without these the process would end as one that was killed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    uvicorn.run(
        create_app(settings),
        host="127.0.0.1",
        port=given.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=5,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m goldloop.devstack.langfuse",
        description="A local stand-in of Langfuse's public API, for tests and the demo.",
        epilog="The keys are better given as LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY: arguments show in the"
        " process list. As on a real server, the public key is not checked.",
    )
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", type=Path, required=True, help="the SQLite file, made where it is missing")
    parser.add_argument("--public-key", help="taken for the sake of symmetry, and not checked")
    parser.add_argument("--secret-key")
    parser.add_argument("--version", default="4.16.0", help="the server version to answer as (default: %(default)s)")
    parser.add_argument("--observation-lag", type=float, default=1.0, help="seconds (default: %(default)s)")
    parser.add_argument("--score-lag", type=float, default=5.0, help="seconds (default: %(default)s)")
    parser.add_argument("--rate-limit", type=int, help="calls a minute (default: none, as self-hosted)")
    parser.add_argument("--project-id", default="stand-in")
    return parser


def _refuse(message: str) -> None:
    print(message, file=sys.stderr)  # noqa: T201 - the answer to whoever typed the command
    raise SystemExit(_USAGE_ERROR)


def _leave(_: int, __: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
