"""How gunicorn runs the ML backend: `gunicorn --config python:ml_backend.gunicorn_config ml_backend.wsgi:app`."""

import logging
import os
from typing import Any

workers = 1
"""Judges and fits are kept once a process."""
threads = 16
graceful_timeout = 45
"""Seconds from SIGTERM to SIGKILL: a retrieve may judge for 30, and what stands behind it ends in 10."""

_log = logging.getLogger(__name__)


def worker_exit(_server: object, worker: Any) -> None:
    """End what runs in the background, and then at once: Python would wait for each thread of a judge that hangs."""
    service = getattr(getattr(worker, "wsgi", None), "extensions", {}).get("goldloop")
    if service is None:
        return  # it never started, and its exit code says why
    try:
        service.stop()
    except Exception as error:  # noqa: BLE001 - it ends either way
        _log.warning("the end was not in order: %s", type(error).__name__)
    logging.shutdown()
    os._exit(0)
