"""A run in a process of its own: it takes a lock, says so, and keeps it until its input ends or it is killed.

Arguments: the store's URL, the lock's name, the owner, the lock's time to live in seconds.
"""

import sys
from datetime import timedelta

from goldloop.adapters.store import open_store
from goldloop.errors import LockedError


def main(url: str, name: str, owner: str, ttl_s: str) -> None:
    with open_store(url) as store:
        try:
            with store.lock(name, owner, timedelta(seconds=float(ttl_s))):
                print("held", flush=True)  # noqa: T201 - how it tells the test
                sys.stdin.read()
        except LockedError:
            print("locked", flush=True)  # noqa: T201 - how it tells the test


if __name__ == "__main__":
    main(*sys.argv[1:])
