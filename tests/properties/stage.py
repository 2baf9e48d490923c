"""The stage of the sync test: the loop over its fakes, the servers' clock, and what was done on it so far."""

import shutil
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from fakes.task_queue import _Task
from goldloop.adapters.store import SqlStore
from goldloop.records import AnnotationSnapshot, Candidate, Score
from pipeline.loop import ADA, BEN, CLEO, Loop, revised
from properties.said import verdict_of
from properties.trouble import Trouble

CODEBOOK = revised(annotations_per_trace=2, budget=5000, blind_share=0.3, double_label_share=0.3)
FOREIGN = "foreign"
MILLISECOND = timedelta(milliseconds=1)
SCORE_LAG = timedelta(seconds=5)
PICK = st.integers(0, 10**6)
PEOPLE = st.sampled_from([ADA, BEN, CLEO])
# What is submitted: a verdict and a severity; None is a skip, "unfit" what the codebook does not allow.
SAID = st.sampled_from(["pass", "pass", "fail", "fail", "fail minor", "fail major", "fail critical", None, "unfit"])
_LABEL_STUDIO = [
    "ensure_project",
    "find_project",
    "find_tasks",
    "import_tasks",
    "want_annotators",
    "changed_tasks",
    "task_count",
    "task_ids",
    "peek",
]


class Stage(RuleBasedStateMachine):
    """What Label Studio holds is what the annotators did; all else has to follow from it and from what was logged.

    The servers' clock only goes forward. The worker's is `behind` it after it was set back, and a little ahead of it
    where that is negative.

    Attributes:
        refusing: traces whose scores and rows Langfuse refuses.
        dropping: traces whose scores it takes and forgets.
        forgetting: how many of the next scores it takes and forgets, whosever they are.
        tampered: whether something was changed behind goldloop's back, and not mended since.
        in_flight: whether Langfuse may show what was sent before something that it shows already.
        meddled: traces of which something may have been parked on its way out.
        roots: what apps sent, by trace, each as it is to be read.
        clicks: ids of what users said, by trace.
        told: (trace, annotator, verdict) that somebody ever submitted.
        steps: one entry a step, of all examples.
    """

    template: Path
    steps: list[str]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.loop = loop = Loop(self.folder, self.template)
        loop.use(CODEBOOK)
        self.behind = timedelta(0)
        self.refusing: set[str] = set()
        self.dropping: set[str] = set()
        self.meddled: set[str] = set()
        self.forgetting = 0
        self.tampering = self.tampered = self.in_flight = False
        self.logged: list[str] = []
        self.hollow: set[str] = set()
        self.roots: dict[str, list[Candidate]] = {}
        self.clicks: dict[str, set[str]] = {}
        self.told: set[tuple[str, str, str]] = set()
        self.seen_sent = 0
        loop.tasks._page_size = loop.source._page_size = 3
        loop.tasks.clock = loop.scores.clock = self.now
        loop.scores.lag = SCORE_LAG
        loop.scores.refuses = lambda score: "400" if score.trace_id in self.refusing else ""
        loop.scores.drops = self.forgets
        loop.datasets.refuses = lambda row: "400" if row.trace_id in self.refusing else ""
        delete = loop.scores.delete

        def delete_soon(score_ids: Sequence[str]) -> None:
            """Never late: a deletion that the score's return has overtaken is for reconcile to find."""
            slow, loop.scores.lag = loop.scores.lag, SCORE_LAG
            delete(score_ids)
            loop.scores.lag = slow

        loop.scores.delete = delete_soon  # type: ignore[method-assign] # this server's
        self.trouble = Trouble()
        store = [name for name in dir(SqlStore) if not name.startswith("_") and name != "close"]
        self.trouble.watch(loop.store, store, server=False)
        self.trouble.watch(loop.file, ["put", "remove"], server=False)
        self.trouble.watch(loop.datasets, ["put", "remove"], server=True)
        self.trouble.watch(loop.scores, ["send", "delete", "read", "listed"], server=True)
        self.trouble.watch(loop.source, ["candidates", "signals", "payloads"], server=True)
        self.trouble.watch(loop.tasks, [name for name in _LABEL_STUDIO if hasattr(loop.tasks, name)], server=True)

    def close(self) -> None:
        self.loop.store.close()
        shutil.rmtree(self.folder)

    def now(self) -> datetime:
        """By the servers' clock."""
        return self.loop.clock() + self.behind

    def forgets(self, score: Score) -> bool:
        if score.trace_id in self.dropping:
            return True
        if not self.forgetting:
            return False
        self.forgetting -= 1
        self.meddled.add(score.trace_id)
        return True

    # -- what is there

    def tasks(self) -> list[_Task]:
        return list(self.loop.tasks._tasks.values())

    def ours(self) -> list[_Task]:
        return [task for task in self.tasks() if task.draft.trace_id != FOREIGN]

    def task(self, pick: int) -> _Task:
        return self.tasks()[pick % len(self.tasks())]

    def last_task(self) -> _Task:
        return max(self.tasks(), key=lambda task: task.task_id)

    def annotations(self) -> list[AnnotationSnapshot]:
        return [one for task in self.tasks() for one in task.annotations.values()]

    def annotation(self, pick: int) -> AnnotationSnapshot:
        return self.annotations()[pick % len(self.annotations())]

    def remember(self) -> None:
        """What annotators say now, before anybody takes it back."""
        for task in self.tasks():
            for one in task.annotations.values():
                if verdict := verdict_of(one):
                    self.told.add((task.draft.trace_id, one.annotator, verdict))
