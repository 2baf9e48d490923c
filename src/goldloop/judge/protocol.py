"""What every judge is, from a regression to a panel of models."""

from collections.abc import Sequence
from typing import Protocol

from goldloop.codebook.schema import Codebook
from goldloop.records import Judgement, Trace, Unjudged


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
