"""When a call is made again: after growing waits that no two callers share, or as long as the server says."""

from collections.abc import Iterator

import pytest
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from goldloop.adapters.retries import Retries
from goldloop.errors import FatalError, RejectedError, RetryableError

RETRIES = Retries(attempts=4, wait_initial=0.5, wait_max=2.2, wait_jitter=0.25, retry_after_cap=7.0)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """How long it would have waited before each further attempt."""
    found: list[float] = []

    def note(details: RetryDetails) -> None:
        found.append(details.wait_for)

    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _seconds: None)
    set_on_retry_hooks([note])
    yield found
    set_on_retry_hooks(None)


def fails(error: Exception) -> None:
    def call() -> None:
        raise error

    with pytest.raises(type(error)):
        RETRIES(call)


def test_waits_grow_and_differ(waits: list[float]) -> None:
    for _ in range(20):
        fails(RetryableError("Langfuse", "away"))
    # 0.5, 1 and 2 seconds, each with up to 0.25 on top, and 2.2 at most; adding them up rounds.
    for place, base in enumerate((0.5, 1.0, 2.0)):
        column = waits[place::3]
        assert len(column) == 20
        assert all(base <= wait <= min(base + 0.25, 2.2) + 1e-9 for wait in column)
        assert len(set(column)) > 2


@pytest.mark.parametrize(("told", "waited"), [(3.0, 3.0), (600.0, 7.0), (0.0, 0.0)])
def test_the_servers_own_wish_counts(waits: list[float], told: float, waited: float) -> None:
    fails(RetryableError("Langfuse", "slow down", retry_after=told))
    assert waits == [waited] * 3


@pytest.mark.parametrize("error", [RejectedError("Langfuse", "no"), FatalError("Langfuse", "no"), ValueError("no")])
def test_what_cannot_succeed_is_not_tried_again(waits: list[float], error: Exception) -> None:
    fails(error)
    assert waits == []
