"""What every judge is, from a regression to a panel of models."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from goldloop.codebook.schema import Codebook
from goldloop.records import Estimate, Judgement, Trace, Unjudged


class Judge(Protocol):
    """Judges traces by one codebook. It never raises for a single trace: it abstains, and says why.

    Raises:
        FatalError: its server refuses whatever it is asked (a wrong key, an unknown model).
    """

    @property
    def name(self) -> str: ...

    def version(self, codebook: Codebook) -> str:
        """Changes when the same trace could get another answer."""
        ...

    def judge(self, codebook: Codebook, traces: Sequence[Trace]) -> list[Judgement | Unjudged]:
        """One for each trace, in order."""
        ...


@runtime_checkable
class Estimating(Protocol):
    """A judge whose answers cost something, and that can tell how much beforehand."""

    def estimate(self, codebook: Codebook, traces: Sequence[Trace]) -> Estimate:
        """What judging these would take; nothing is asked."""
        ...
