"""Pages on the workers of a Ray cluster (the extra `ray`): one of its own on this machine, or one by its address.

https://docs.ray.io/en/latest/ray-core/api/doc/ray.init.html and
https://docs.ray.io/en/latest/ray-core/fault_tolerance/tasks.html
"""

import logging
import os
import socket
from collections.abc import Callable
from importlib import import_module
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from goldloop.errors import ConfigError, RetryableError

PageT = TypeVar("PageT")
ResultT = TypeVar("ResultT")

_SERVER = "Ray"
_CONNECT_SECONDS = 10


class Ray:
    """`workers` processes on this machine, or the workers that the cluster at `address` has.

    By default there are as many as the machine has processors, and of a cluster elsewhere all are used. Ray listens on
    all addresses of a machine, also for a cluster of its own: keep its ports behind a firewall.

    Raises:
        ConfigError: the extra is missing.
        RetryableError: there is no cluster at the address.
    """

    def __init__(self, address: str | None, workers: int | None) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it calls home otherwise
        try:
            self._ray: Any = import_module("ray")
        except ImportError:
            raise ConfigError("--task-runner ray needs Ray: install goldloop with the extra `ray`") from None
        self._address = address
        self.at_once = workers or os.cpu_count() or 1
        self._all = workers is None

    def __enter__(self) -> Self:
        local = {} if self._address else {"num_cpus": self.at_once, "include_dashboard": False}
        try:
            _look_for(self._address)
            self._ray.init(
                address=self._address or "local", log_to_driver=False, logging_level=logging.CRITICAL, **local
            )
        except OSError as error:  # connections that fail or time out are of its kind
            where = self._address or "this machine"
            raise RetryableError(_SERVER, f"There is no Ray cluster at {where}: start it, then try again.") from error
        if self._address and self._all:
            self.at_once = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        return self

    def __exit__(self, *_: object) -> None:
        self._ray.shutdown()

    def do(self, work: Callable[[PageT], ResultT], page: PageT) -> ResultT | None:
        # `max_retries`: a page whose worker died is tried on one more; what the work raises is not tried again.
        task = self._ray.remote(max_retries=1, num_cpus=1)(_call)
        try:
            result: ResultT = self._ray.get(task.remote(work, page))
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except (self._ray.exceptions.WorkerCrashedError, self._ray.exceptions.NodeDiedError):
            return None
        except self._ray.exceptions.RayError as error:
            raise RetryableError(_SERVER, "The Ray cluster is gone: start it, then try again.") from error
        return result


def _look_for(address: str | None) -> None:
    """`OSError` where nobody listens: Ray itself would try for minutes."""
    where = urlsplit(address if "://" in address else f"//{address}") if address else None
    if where and where.hostname and where.port:  # the address may also be "auto"
        socket.create_connection((where.hostname, where.port), _CONNECT_SECONDS).close()


def _call(work: Callable[[PageT], ResultT], page: PageT) -> ResultT:
    """Ray takes a plain function; the work may have its arguments bound already."""
    return work(page)
