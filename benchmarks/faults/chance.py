"""Chance that comes from the run's seed alone, whatever else goes on."""

import random


def chance_of(what: str) -> random.Random:
    """The same for the same text, in every run."""
    return random.Random(what)  # noqa: S311 - no secret hangs on it


def holds(chance: random.Random, share: float) -> bool:
    """True in this share of the cases."""
    return chance.random() < share
