"""Which traces the end-to-end test runs on, and what must come out of them, worked out from the file alone."""

import os
from collections import Counter
from pathlib import Path

from builders import ROOT
from goldloop.devstack.sample import sample_path
from goldloop.devstack.tracefile import FileTrace, Rating

HUMAN_LABELLED = ROOT.parent / "shared" / "data" / "traces_rag_ibm.jsonl.gz"
"""Published human ratings: used where they lie beside the checkout, never part of it."""


def trace_file() -> Path:
    named = os.environ.get("GOLDLOOP_TEST_TRACES")
    if named:
        return Path(named)
    return HUMAN_LABELLED if HUMAN_LABELLED.exists() else sample_path()


def submitted(trace: FileTrace) -> list[Rating]:
    return [rating for rating in trace.human.ratings if not rating.skips]


def majority(trace: FileTrace) -> str | None:
    """The verdict of most raters; None for a tie or without any."""
    votes = Counter(rating.label for rating in submitted(trace)).most_common()
    if not votes or (len(votes) > 1 and votes[0][1] == votes[1][1]):
        return None
    return votes[0][0]
