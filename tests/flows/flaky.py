"""A flow of three verbs' work, for tests/flows: one comes right at the third try, one cannot, one is a fault of ours.

Run as a program against a Prefect server; its last line of output says how often each was tried and how it ended.
"""

import json
import sys
from collections.abc import Callable
from itertools import count

from prefect import State, flow

from flows.verbs import step
from goldloop.errors import FatalError, RetryableError
from goldloop.records import Record

PAYLOAD = "the customer's own words"


class Done(Record):
    tries: int


def comes_right(attempt: int) -> Record:
    if attempt <= 2:
        error = RetryableError("Langfuse", "Langfuse answered 503: try again later.", retry_after=0.1)
        raise error from ValueError(PAYLOAD)
    return Done(tries=attempt)


def stays_away(_attempt: int) -> Record:
    raise RetryableError("Langfuse", "Langfuse does not answer: is it running?")


def cannot(_attempt: int) -> Record:
    raise FatalError("Langfuse", "Langfuse refuses the key: set LANGFUSE_SECRET_KEY.")


def is_wrong(_attempt: int) -> Record:
    raise KeyError(PAYLOAD)


@flow
def flaky() -> dict[str, tuple[int, str | None]]:
    return {work.__name__: tried(work) for work in (comes_right, stays_away, cannot, is_wrong)}


def tried(work: Callable[[int], Record]) -> tuple[int, str | None]:
    attempts = count(1)
    tries = 0

    def once() -> Record:
        nonlocal tries
        tries = next(attempts)
        return work(tries)

    outcome = step.with_options(name=work.__name__, retry_delay_seconds=0.1)(once)
    return tries, outcome.message if isinstance(outcome, State) else None


if __name__ == "__main__":
    sys.stdout.write(json.dumps(flaky()) + "\n")
