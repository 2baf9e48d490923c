"""Pages handed out: in the order in which they end, with errors that come through. On real workers: tests/spread."""

import inspect
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import spread_work
from goldloop.adapters.spread import Here, as_they_come
from goldloop.adapters.spread.dask import Dask
from goldloop.adapters.spread.ray import Ray
from goldloop.bootstrap.prelabels import Prelabelling, TaskRunner, runner_of
from goldloop.errors import ConfigError, FatalError, GoldloopError, RejectedError, RetryableError
from goldloop.judge.settings import JudgeSettings
from goldloop.settings import Settings

# -- handing out ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [1, 3])
def test_every_page_is_worked_on_once(at_once: int) -> None:
    assert sorted(as_they_come(lambda page: page * 2, range(10), at_once)) == list(range(0, 20, 2))


def test_no_more_pages_are_asked_for_than_there_is_room_for() -> None:
    asked: list[int] = []

    def pages() -> Iterator[int]:
        for page in range(100):
            asked.append(page)
            yield page

    results = as_they_come(lambda page: page, pages(), 3)
    next(results)
    assert len(asked) <= 3


def test_a_page_that_takes_long_holds_no_other_up() -> None:
    held = threading.Event()

    def work(page: int) -> int:
        assert page or held.wait(10)
        return page

    results = as_they_come(work, range(4), 2)
    assert [next(results) for _ in range(3)] == [1, 2, 3]
    held.set()
    assert list(results) == [0]


@pytest.mark.parametrize("at_once", [1, 2])
def test_the_first_error_ends_it(at_once: int) -> None:
    with pytest.raises(RetryableError):
        list(as_they_come(spread_work.fails, ["later"] * 9, at_once))


# -- what comes back from another process --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        RetryableError("Langfuse", "Later.", retry_after=3.5),
        RejectedError("Langfuse", "No.", reason="trace_gone"),
        FatalError("OpenAI", "A wrong key."),
        ConfigError("LANGFUSE_HOST is not set"),
    ],
)
def test_an_error_comes_back_whole(error: GoldloopError) -> None:
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (type(back), str(back), vars(back)) == (type(error), str(error), vars(error))


# -- which one -----------------------------------------------------------------------------------------------------


def settings(**given: Any) -> Settings:
    return Settings.model_construct(store_url="sqlite:///x.db", judge=JudgeSettings(**given))


def test_without_a_task_runner_pages_are_judged_here() -> None:
    assert isinstance(runner_of(settings(), Prelabelling()), Here)
    with pytest.raises(ConfigError, match="--task-runner dask or ray"):
        runner_of(settings(), Prelabelling(workers=2))


@pytest.mark.simulation
def test_workers_elsewhere_need_postgresql() -> None:
    asked = Prelabelling(task_runner="dask", workers=2)
    for cluster in (None, "tcp://127.0.0.1:8786", "localhost:8786"):
        assert isinstance(runner_of(settings(cluster=cluster), asked), Dask)
    with pytest.raises(ConfigError, match="PostgreSQL"):
        runner_of(settings(cluster="tcp://scheduler:8786"), asked)
    elsewhere = settings(cluster="tcp://scheduler:8786").model_copy(update={"store_url": "postgresql://db/goldloop"})
    assert isinstance(runner_of(elsewhere, asked), Dask)


@pytest.mark.parametrize(("name", "module"), [("dask", "distributed"), ("ray", "ray")])
def test_a_missing_extra_is_named(name: TaskRunner, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=f"the extra `{name}`"):
        runner_of(settings(), Prelabelling(task_runner=name))


def test_no_ray_cluster_at_the_address_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", RayStub())
    for address in ("127.0.0.1:1", "ray://127.0.0.1:1"):
        with pytest.raises(RetryableError, match=f"There is no Ray cluster at {address}"), Ray(address, 2):
            pass


@pytest.mark.simulation
def test_no_cluster_at_the_address_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goldloop.adapters.spread.dask._CONNECT_SECONDS", 1)
    with (
        pytest.raises(RetryableError, match=r"There is no Dask cluster at tcp://127\.0\.0\.1:1"),
        Dask("tcp://127.0.0.1:1", 2),
    ):
        pass


# -- Ray, which is not installed here ----------------------------------------------------------------------------------


class RayStub:
    """Ray's names, as far as the adapter uses them, with the work done in this process."""

    class exceptions:  # noqa: N801 - a module's name
        class RayError(Exception): ...

        class RayTaskError(RayError):
            cause: Exception

        class WorkerCrashedError(RayError): ...

        class NodeDiedError(RayError): ...

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        self.crashes: Exception | None = None

    def init(self, **options: Any) -> None:
        self.options = options

    def shutdown(self) -> None:
        self.options["closed"] = True

    def remote(self, **_: Any) -> Callable[[Callable[..., Any]], Any]:
        def wrapped(function: Callable[..., Any]) -> Any:
            if not inspect.isfunction(function):  # as Ray is
                raise TypeError
            return type("Task", (), {"remote": staticmethod(lambda *given: lambda: function(*given))})

        return wrapped

    def get(self, task: Callable[[], Any]) -> Any:
        if self.crashes:
            raise self.crashes
        try:
            return task()
        except GoldloopError as error:
            failed = self.exceptions.RayTaskError()
            failed.cause = error
            raise failed from None


def test_ray_as_far_as_it_goes_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    stub = RayStub()
    monkeypatch.setitem(sys.modules, "ray", stub)
    with Ray(None, 2) as ray:
        assert (ray.at_once, stub.options["num_cpus"], stub.options["address"]) == (2, 2, "local")
        assert ray.do(len, "page") == 4
        with pytest.raises(RetryableError, match="503"):
            ray.do(spread_work.fails, "later")
        stub.crashes = stub.exceptions.WorkerCrashedError()
        assert ray.do(len, "page") is None
        stub.crashes = stub.exceptions.RayError()
        with pytest.raises(RetryableError, match="Ray cluster is gone"):
            ray.do(len, "page")
    assert stub.options["closed"]
