"""What a rebuild needs of the store beside what every verb needs: to add what is not there, and to take what stands."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from goldloop.ports.store import Store
from goldloop.ports.stored import EvalDue
from goldloop.records import Draw, DrawRun, Score, ShownScore, Task


class RebuildStore(Store, Protocol):
    """The store of a rebuild. Each method can be called again: what is there already stays as it is."""

    def standing_tasks(self, queue: str) -> list[Task]:
        """Those that existed when last looked at, by project and id."""
        ...

    def bring_back(self, run: DrawRun, draws: Sequence[Draw], queued: Mapping[str, datetime]) -> None:
        """Add the run and those of its draws that are not there.

        They are queued, since the times in `queued` by trace id: nobody makes a task of them.
        """
        ...

    def waiting_scores(self, queue: str) -> list[Score]:
        """Everything that is due to be sent, without handing it out."""
        ...

    def stand(self, shown: Mapping[str, datetime | None], at: datetime) -> None:
        """These due scores, by id, stand in Langfuse as they should: confirmed without being sent.

        The time is that of the revision that stands there, where it says so: the next one has to come after it.
        """
        ...

    def outrun(self, shown: Mapping[str, datetime]) -> None:
        """Langfuse shows these due scores, by id, in a revision of that time: theirs is made a later one."""
        ...

    def were_written(self, queue: str, row_ids: Collection[str]) -> None:
        """A sink shows these eval rows: those that are due were handed out before, whatever the store knows of it."""
        ...

    def take_back_scores(self, queue: str, shown: Sequence[ShownScore], at: datetime) -> int:
        """Langfuse shows these of traces that the queue drew: those that the store never knew are due for deletion."""
        ...

    def take_back_rows(self, queue: str, rows: Sequence[EvalDue]) -> int:
        """The same for eval rows that a sink shows."""
        ...
