"""Repeatable chance: each number depends on the seed, on whom it is for, and on what it decides.

A stream of random numbers would shift under every edit of the material; these stay where they are, on every
platform and Python.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from statistics import NormalDist
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Chance:
    """All the chance that one scene or trace has."""

    seed: int
    key: str

    def hex(self, what: str) -> str:
        """64 hex digits."""
        return sha256(f"{self.seed}/{self.key}/{what}".encode()).hexdigest()

    def number(self, what: str) -> float:
        """Uniform in [0, 1)."""
        return int(self.hex(what)[:13], 16) / 2.0**52

    def happens(self, what: str, probability: float) -> bool:
        return self.number(what) < probability

    def pick(self, what: str, choices: Sequence[T]) -> T:
        return choices[int(self.number(what) * len(choices))]

    def around(self, what: str, median: float, spread: float) -> float:
        """Log-normal about ``median``; ``spread`` is the standard deviation of the logarithm."""
        deviate = NormalDist().inv_cdf(max(self.number(what), 1e-9))
        return median * math.exp(spread * deviate)

    def digits(self, what: str, count: int) -> str:
        """A number of ``count`` digits that does not begin with 0."""
        low = 10 ** (count - 1)
        return str(low + int(self.number(what) * 9 * low))
