"""What publish and reconcile remember by: what is to be sent, what was, and what was seen to have arrived."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from goldloop.ports.stored import EvalDue
from goldloop.records import Score


class OutboxStore(Protocol):
    """Every method is one transaction; times come from the caller."""

    def due_scores(self, queue: str, limit: int, after: Score | None = None) -> list[Score]:
        """What to send, after that one. Being handed out is counted: what may have been sent is never just dropped.

        A trace that is due for resolve has nothing to send until it was resolved; the same goes for its eval row.
        """
        ...

    def due_deletions(self, queue: str) -> list[str]:
        """Scores to be deleted; one that was sent for deletion stays here until it was seen to be gone."""
        ...

    def mark_scores_sent(self, score_ids: Sequence[str], at: datetime) -> None: ...
    def mark_scores_deleted(self, score_ids: Sequence[str], at: datetime) -> None:
        """They were looked for, and are gone."""
        ...

    def deleted_since(self, queue: str, since: datetime) -> list[str]:
        """Scores that were seen to be gone since then, and still should be."""
        ...

    def unconfirmed_scores(self, queue: str) -> list[tuple[Score, datetime]]:
        """Scores that were sent, and when, but not yet read back."""
        ...

    def mark_scores_confirmed(self, score_ids: Sequence[str]) -> None: ...
    def score_ids(self, queue: str) -> list[str]:
        """Scores that should stand in Langfuse: sent or confirmed."""
        ...

    def settled_scores(self, queue: str, after: str, limit: int) -> list[tuple[Score, bool]]:
        """Confirmed and deleted scores with an id above `after`, by id, and whether each should stand."""
        ...

    def known_scores(self, score_ids: Sequence[str]) -> set[str]:
        """Those of them that any queue's outbox holds, in whatever state."""
        ...

    def send_again(self, shown: Mapping[str, datetime]) -> None:
        """Sent and confirmed scores are due again, as a revision later than what is shown, which stands beside each.

        Their traces, and those of what is deleted or written again, count as published no longer.
        """
        ...

    def delete_again(self, score_ids: Sequence[str]) -> None:
        """Deleted scores are due for deletion again."""
        ...

    def due_eval_rows(self, queue: str, limit: int) -> list[EvalDue]: ...
    def mark_eval_rows_done(self, row_ids: Sequence[str]) -> None: ...
    def settled_eval_rows(self, queue: str) -> list[EvalDue]:
        """Rows that were written or, with `remove`, taken out; nothing of their traces is waiting to be resolved."""
        ...

    def known_eval_rows(self, row_ids: Sequence[str]) -> set[str]:
        """Those of them that any queue's outbox holds, in whatever state."""
        ...

    def write_eval_rows_again(self, row_ids: Sequence[str]) -> None:
        """What was written or taken out is due for it again."""
        ...

    def mark_published(self, queue: str) -> int:
        """Resolved traces with nothing left in the outbox turn to published; how many did."""
        ...
