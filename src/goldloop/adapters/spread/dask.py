"""Pages on the workers of a Dask cluster (the extra `dask`): one of its own on this machine, or one by its address.

https://distributed.dask.org/en/stable/client.html and https://distributed.dask.org/en/stable/killed.html
"""

import logging
import os
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from typing import Any, Self, TypeVar

from goldloop.errors import ConfigError, RetryableError

PageT = TypeVar("PageT")
ResultT = TypeVar("ResultT")

_SERVER = "Dask"
_CONNECT_SECONDS = 30


class Dask:
    """`workers` processes of one thread each on this machine, or the workers that the cluster at `address` has.

    By default there are as many as the machine has processors, and of a cluster elsewhere all are used.

    Raises:
        ConfigError: the extra is missing.
        RetryableError: there is no cluster at the address.
    """

    def __init__(self, address: str | None, workers: int | None) -> None:
        try:
            # It takes a second to import, and is there only with its extra.
            self._dask: Any = import_module("dask")
            self._distributed: Any = import_module("distributed")
        except ImportError:
            raise ConfigError("--task-runner dask needs Dask: install goldloop with the extra `dask`") from None
        self._address = address
        self._open = ExitStack()
        self.at_once = workers or os.cpu_count() or 1
        self._all = workers is None

    def __enter__(self) -> Self:
        try:
            self._client = self._connected()
        except (OSError, TimeoutError) as error:
            self._open.close()
            where = self._address or "this machine"
            raise RetryableError(_SERVER, f"There is no Dask cluster at {where}: start it, then try again.") from error
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def do(self, work: Callable[[PageT], ResultT], page: PageT) -> ResultT | None:
        killed = self._distributed.scheduler.KilledWorker
        gone = self._distributed.client.FutureCancelledError
        try:
            # Not `pure`: the same page may be judged again by a later run on the same cluster.
            result: ResultT = self._client.submit(work, page, pure=False).result()
        except killed:
            return None
        except (gone, OSError, TimeoutError) as error:
            raise RetryableError(_SERVER, "The Dask cluster is gone: start it, then try again.") from error
        return result

    def _connected(self) -> Any:
        # A page whose worker died is tried on one more. A cluster elsewhere has a number of its own (3 by default).
        quiet = {"distributed.scheduler.allowed-failures": 1, "distributed.admin.log-format": "%(message)s"}
        self._open.enter_context(self._dask.config.set(quiet))
        if self._address:
            client = self._open.enter_context(
                self._distributed.Client(self._address, timeout=_CONNECT_SECONDS, set_as_default=False)
            )
            try:
                client.wait_for_workers(1, timeout=_CONNECT_SECONDS)  # pages would wait for one for ever
            except TimeoutError:
                raise RetryableError(
                    _SERVER, f"The Dask cluster at {self._address} has no worker: start one, then try again."
                ) from None
            if self._all:
                self.at_once = max(1, sum(client.nthreads().values()))
            return client
        cluster = self._distributed.LocalCluster(
            n_workers=self.at_once,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",  # a fixed port may be taken
            silence_logs=logging.CRITICAL,
        )
        self._open.enter_context(cluster)
        return self._open.enter_context(self._distributed.Client(cluster, set_as_default=False))
