"""What is written on a drawn trace: the policy it was drawn for, its place in the queue, and its arms."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from goldloop.numeric import Bools, Floats, Ints
from goldloop.sampling.design import Design
from goldloop.sampling.draw import Sample
from goldloop.sampling.mixture import RANDOM_FLOOR

MUST = "must_review"
"""The stamp of a must-review trace, whatever policies would have weighed it."""
_EDITED = "negative, edited"
ORDER = (
    MUST,
    "targeted",
    _EDITED,
    "negative",
    "uncertainty",
    "disagreement",
    "risk",
    "stratified",
    "diversity",
    "random",
    "audit",
    "relabel",
)
"""Whose traces annotators see first; an edit already holds half of the annotator's work."""


@dataclass(frozen=True)
class Stamps:
    """Of m drawn traces, in the order of the sample.

    `names` (k) are the policies, `mixture` (m, k) the posterior of each trace, rows sum to 1; `code` (m,) says which
    name a trace is stamped with, drawn from its row; `rank` (m,) the place of that stamp in ORDER; `priority` (m,) is
    the annotators' order 0..m-1: by rank, at random within a rank, apart from pi.
    """

    names: tuple[str, ...]
    mixture: Floats
    code: Ints
    rank: Ints
    priority: Ints
    edited: Bools

    @property
    def policy(self) -> list[str]:
        return [self.names[code] for code in self.code.tolist()]

    def mixture_of(self, place: int) -> dict[str, float]:
        """The posterior of one trace, without the policies that could not have drawn it."""
        row = zip(self.names, self.mixture[place].tolist(), strict=True)
        return {name: part for name, part in row if part > 0}


def posteriors(design: Design, index: Ints) -> tuple[tuple[str, ...], Floats]:
    """Which policy each row was drawn for, as probabilities: names (k), and (m, k) s_k q_k(i) over their sum.

    A must-review row belongs to `MUST` alone.
    """
    names = tuple(design.policies)
    parts = [design.shares[name] * design.policies[name][index] for name in names]
    must = design.frame.must[index]
    table = np.stack([must.astype(np.float64), *(np.where(must, 0.0, part) for part in parts)], axis=1)
    total = table.sum(axis=1, keepdims=True)
    return (MUST, *names), np.divide(table, total, out=np.zeros_like(table), where=total > 0)


def stamp(design: Design, sample: Sample, rng: np.random.Generator) -> Stamps:
    """One policy for each drawn trace from the posterior of its mixture, and the annotators' order."""
    names, mixture = posteriors(design, sample.index)
    dice = rng.random(len(sample))[:, None]
    code = np.minimum((mixture.cumsum(axis=1) <= dice).sum(axis=1), len(names) - 1)
    # A row's last sum may be 1 but for rounding, and dice above it would fall on a policy that has no part in it.
    code = np.where(mixture[np.arange(len(code)), code] > 0, code, mixture.argmax(axis=1))
    edited = design.frame.edited[sample.index]
    rank = _ranks(names, edited)[np.arange(len(code)), code]
    order = np.lexsort((rng.random(len(code)), rank))
    priority = np.empty(len(code), dtype=np.int64)
    priority[order] = np.arange(len(code))
    return Stamps(names, mixture, code, rank, priority, edited)


def _ranks(names: Sequence[str], edited: Bools) -> Ints:
    """(m, k): the rank that each trace would have under each policy; policies unknown to ORDER come last."""
    place = {name: rank for rank, name in enumerate(ORDER)}
    ranks = np.tile([place.get(name, len(ORDER)) for name in names], (len(edited), 1))
    if "negative" in names:
        ranks[edited, names.index("negative")] = place[_EDITED]
    return np.asarray(ranks, dtype=np.int64)


@dataclass(frozen=True)
class Kept:
    """What a queue with too little room keeps of m drawn traces: `kept` (m,), and `pi` (m,) with the cut in it."""

    kept: Bools
    pi: Floats


def keep(stamps: Stamps, pi: Floats, room: int, floor: float = RANDOM_FLOOR) -> Kept:
    """The traces that fit into the queue, by priority, lowest parked first; their pi account for it.

    Stamps are random given the mixture, and so is the order within a rank. So a trace stays with probability
    sum_k posterior_k * kept_k, kept_k the part of its rank that stays; its pi times that is the pi of a two-phase draw,
    given how many traces each rank had. `random` keeps the floor's part of the room (or all it has, where less), so
    that every trace that could be drawn still can be.
    """
    m = len(pi)
    if m <= room:
        return Kept(np.ones(m, dtype=np.bool_), pi)
    ranks = range(len(ORDER) + 1)
    counts = np.bincount(stamps.rank, minlength=len(ranks))
    random = ORDER.index("random")
    reserved = min(int(counts[random]), math.ceil(floor * room))
    left = room - reserved
    staying = np.zeros(len(ranks), dtype=np.int64)
    part = np.zeros(len(ranks))
    for rank in ranks:
        own = reserved if rank == random else 0
        staying[rank] = min(int(counts[rank]), own + left)
        part[rank] = staying[rank] / counts[rank] if counts[rank] else float(left > 0)
        left -= max(0, int(staying[rank]) - own)
    place = np.zeros(m, dtype=np.int64)  # within its rank
    order = np.argsort(stamps.priority)
    starts = np.cumsum(counts) - counts
    place[order] = np.arange(m) - starts[stamps.rank[order]]
    stays = (stamps.mixture * part[_ranks(stamps.names, stamps.edited)]).sum(axis=1)
    return Kept(place < staying[stamps.rank], pi * np.minimum(stays, 1.0))


@dataclass(frozen=True)
class Arms:
    """By arm, of m drawn traces: who is in it (m,), and with which probability given the sample (m,)."""

    member: dict[str, Bools]
    probability: dict[str, Floats]


def arms(
    m: int, shares: Mapping[str, float], rng: np.random.Generator, forced: Mapping[str, Bools] | None = None
) -> Arms:
    """Arms inside a sample of m (double label, blind, relabel), each drawn on its own, each trace equally likely.

    Each arm takes its share of m, rounded up or down at random so that every trace is in it with probability `share`
    exactly. Those `forced` (m,) into an arm are in it with probability 1, and the share is taken of the others.
    """
    member: dict[str, Bools] = {}
    probability: dict[str, Floats] = {}
    for name, share in sorted(shares.items()):
        if not 0 <= share <= 1:
            raise ValueError(f"the share of {name} is {share:g}: set it between 0 and 1.")
        sure = (forced or {}).get(name, np.zeros(m, dtype=np.bool_))
        others = np.flatnonzero(~sure)
        inside = sure.copy()
        if share > 0 and len(others):
            wanted = share * len(others)
            count = math.floor(wanted) + int(rng.random() < wanted - math.floor(wanted))
            inside[rng.permutation(others)[:count]] = True
        member[name] = inside
        probability[name] = np.where(sure, 1.0, share)
    return Arms(member, probability)
