"""Rebuilding the store that the settings name, from the servers that they name."""

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from goldloop.codebook.load import load
from goldloop.pipeline.rebuild import RebuildSummary, Sides, rebuild
from goldloop.pipeline.rebuild_tasks import LeftAlone
from goldloop.pipeline.score_configs import ensure_score_configs
from goldloop.ports import Progress

if TYPE_CHECKING:
    from goldloop.bootstrap import Goldloop

__all__ = ["LeftAlone", "RebuildSummary", "run_rebuild"]


def run_rebuild(
    goldloop: "Goldloop",
    queue: str | None,
    older: Sequence[Path],
    progress: Callable[[str], Progress],
    *,
    dry_run: bool = False,
) -> RebuildSummary:
    """Add to the store what the servers hold of the queue and it lacks, under the queue's lock.

    `older` are codebook files of versions before the one in the folder. Raises: as `goldloop.pipeline.rebuild.rebuild`,
    and LockedError.
    """
    codebook = goldloop.codebook(queue)
    files = [load(path) for path in older]
    with goldloop.hold(codebook, secrets.token_hex(8)):
        goldloop.on_its_own_server(codebook, dry_run=dry_run)
        now = goldloop.clock()
        langfuse = goldloop.langfuse
        sides = Sides(
            langfuse.source,
            goldloop.label_studio,
            langfuse.scores,
            goldloop.shelves(codebook),
            lambda asked: ensure_score_configs(asked, langfuse.score_configs, goldloop.store, now),
        )
        return rebuild(codebook, files, sides, goldloop.store, goldloop.reach(now), now, progress, dry_run=dry_run)
