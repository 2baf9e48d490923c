"""Two answers to one question, people's votes on which is the better, and judges' verdicts: JSON lines.

The fields are those of docs/judges.md. Everything here is three-way: a, b or tie.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import permutations
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from goldloop.errors import InputError
from goldloop.jsonlines import numbered_lines, read_line
from goldloop.judge.groups import bootstrapped
from goldloop.judge.measures import cohen_kappa
from goldloop.numeric import Ints
from goldloop.records import Record

Winner = Literal["a", "b", "tie"]
WINNERS: tuple[Winner, ...] = ("a", "b", "tie")
_REPS = 1000


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Message(_Part):
    role: str = "user"
    content: str = ""


class Side(_Part):
    """One of the two answers; `output` is None where only the verdicts are there."""

    output: str | None = None


class Opinion(_Part):
    rater: str = ""
    winner: Winner


def _verdict(value: str) -> str:
    if three_way(value) is None:
        raise ValueError(f"{value!r} is no verdict: a, b, tie, or tie with a remark in brackets")
    return value


class Pair(_Part):
    """One line. Rows of one `group_id` (the same question) never judge each other."""

    id: str = Field(min_length=1)
    group_id: str | None = None
    input: tuple[Message, ...] = ()
    a: Side = Side()
    b: Side = Side()
    votes: tuple[Opinion, ...]
    judges: dict[str, Annotated[str, AfterValidator(_verdict)] | None] = {}

    @property
    def winner(self) -> Winner | None:
        """What most voted for; a tie where two came first, None where nobody voted."""
        counts = Counter(vote.winner for vote in self.votes).most_common()
        if not counts:
            return None
        return counts[0][0] if len(counts) == 1 or counts[0][1] > counts[1][1] else "tie"

    def verdict(self, judge: str) -> Winner | None:
        """The judge's; a judge that saw both orders and changed its mind called a tie."""
        return three_way(self.judges.get(judge) or "")


class JudgeAgreement(Record):
    """A judge with people, three-way: against each single vote, and against what most of a pair voted for.

    Kappa hangs on how often each side wins, and so on how sides were dealt; `kappa_even` is that of the same votes with
    each pair counted both ways round.
    """

    judge: str
    pairs: int
    votes: int
    same: float
    kappa: float
    low: float
    high: float
    kappa_most: float
    kappa_even: float


def three_way(verdict: str) -> Winner | None:
    """a, b or tie, of `model_a` and `tie (inconsistent)` too; None for anything else."""
    named = verdict.removeprefix("model_")
    if named == "a":
        return "a"
    if named == "b":
        return "b"
    return "tie" if named.partition(" (")[0] == "tie" else None


def holds_pairs(path: Path) -> bool:
    """Whether the file's first line has votes, and so is a pair and no trace."""
    for _, line in numbered_lines(path):
        try:
            value: Any = json.loads(line)
        except json.JSONDecodeError:
            return False
        return isinstance(value, dict) and "votes" in value
    return False


def read(path: Path) -> list[Pair]:
    """The file's pairs, plain JSON lines or gzip by its name; `InputError` names the file, the line and the field."""
    found: dict[str, Pair] = {}
    for number, line in numbered_lines(path):
        where = f"{path}:{number}"
        _, pair = read_line(Pair, line, where, "docs/judges.md")
        if pair.id in found:
            raise InputError(f"{where}: id: {pair.id} is there already; ids are unique")
        found[pair.id] = pair
    if not found:
        raise InputError(f"{path}: there is no pair in it; each line is one JSON object")
    return list(found.values())


def groups_of(pairs: Sequence[Pair]) -> Ints:
    """A number for each pair (n,), the same for those of one group."""
    return np.unique([pair.group_id or pair.id for pair in pairs], return_inverse=True)[1].astype(np.int64)


def agreement(pairs: Sequence[Pair], judge: str, seed: int = 1) -> JudgeAgreement:
    """Over the pairs that it has a verdict on and people voted on; the interval by bootstrap over groups.

    Raises:
        InputError: where there is no such pair.
    """
    both = [pair for pair in pairs if pair.votes and pair.verdict(judge)]
    if not both:
        known = sorted({name for pair in pairs for name, verdict in pair.judges.items() if verdict})
        raise InputError(
            f"no pair with votes has a verdict of {judge}; there are those of: {', '.join(known) or 'none'}"
        )
    single = [_aligned(pair, judge) for pair in both]
    given, voted = _joined(single)
    low, high = _interval(single, groups_of(both), np.random.default_rng(seed))
    return JudgeAgreement(
        judge=judge,
        pairs=len(both),
        votes=len(given),
        same=float(np.mean([one == other for one, other in zip(given, voted, strict=True)])),
        kappa=cohen_kappa(given, voted),
        low=low,
        high=high,
        kappa_even=cohen_kappa([*given, *map(_turned, given)], [*voted, *map(_turned, voted)]),
        kappa_most=cohen_kappa([str(pair.verdict(judge)) for pair in both], [str(pair.winner) for pair in both]),
    )


def among_people(pairs: Sequence[Pair]) -> float | None:
    """Cohen's kappa of all pairs of votes on the same two answers, each both ways; None where nobody met."""
    met = [both for pair in pairs for both in permutations([vote.winner for vote in pair.votes], 2)]
    return cohen_kappa([one for one, _ in met], [other for _, other in met]) if met else None


def _turned(winner: str) -> str:
    return {"a": "b", "b": "a"}.get(winner, winner)


def _aligned(pair: Pair, judge: str) -> list[tuple[str, str]]:
    return [(str(pair.verdict(judge)), vote.winner) for vote in pair.votes]


def _joined(aligned: Iterable[list[tuple[str, str]]]) -> tuple[list[str], list[str]]:
    flat = [both for one in aligned for both in one]
    return [given for given, _ in flat], [voted for _, voted in flat]


def _interval(aligned: Sequence[list[tuple[str, str]]], groups: Ints, rng: np.random.Generator) -> tuple[float, float]:
    kappas = [cohen_kappa(*_joined(aligned[row] for row in rows)) for rows in bootstrapped(groups, rng, _REPS)]
    low, high = np.percentile(kappas, [2.5, 97.5])
    return float(low), float(high)
