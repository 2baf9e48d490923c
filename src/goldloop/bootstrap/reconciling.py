"""A reconcile by the settings."""

from typing import TYPE_CHECKING

from goldloop.codebook.schema import Codebook
from goldloop.pipeline.reconcile import ReconcileSummary, Sides, reconcile, rehearse

if TYPE_CHECKING:
    from goldloop.bootstrap import Goldloop, Run


def run_reconcile(goldloop: "Goldloop", codebook: Codebook, run: "Run") -> ReconcileSummary:
    """Under the lock that the caller holds."""
    return reconcile(_sides(goldloop, codebook, run), goldloop.langfuse.source, goldloop.read_back)


def rehearse_reconcile(goldloop: "Goldloop", queue: str | None, run: "Run") -> ReconcileSummary:
    """What a reconcile would find now: without a lock, and without changing anything anywhere."""
    codebook = goldloop.codebook(queue)
    goldloop.on_its_own_server(codebook, dry_run=True)
    return rehearse(_sides(goldloop, codebook, run), goldloop.clock())


def _sides(goldloop: "Goldloop", codebook: Codebook, run: "Run") -> Sides:
    return Sides(
        codebook=codebook,
        tasks=goldloop.label_studio,
        scores=goldloop.langfuse.scores,
        shelves=goldloop.shelves(codebook),
        store=goldloop.store,
        progress=run.progress,
    )
