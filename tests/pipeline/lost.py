"""A store that is lost, and made again from what Label Studio and Langfuse hold."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from builders import QUEUE
from goldloop.adapters.store import open_store
from goldloop.adapters.store.backup import back_up, restore
from goldloop.codebook.schema import Codebook
from goldloop.pipeline.rebuild import RebuildSummary, Sides, rebuild
from goldloop.pipeline.report import report
from goldloop.pipeline.score_configs import ensure_score_configs
from goldloop.ports import Shelf
from goldloop.records import Annotation, Draw, State
from pipeline.loop import BEN, REACH, Loop, opened, progress

TRACES = ["t1", "t2", "t3", "t4", "t5", "t6"]


class Lost:
    """Takes a loop's store away, or puts one of before in its place."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.folder, self.template, self.number = folder, template, 0

    def store(self, loop: Loop) -> None:
        loop.store.close()
        self.number += 1
        loop.store = opened(self.template, self.folder / f"new-{self.number}.db")

    def backup(self, loop: Loop) -> Path:
        file = self.folder / "goldloop.backup"
        back_up(self.url, file, force=False)
        return file

    def restore(self, loop: Loop, file: Path) -> None:
        loop.store.close()
        restore(self.url, file, force=True)
        loop.store = open_store(self.url)

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder}/{f'new-{self.number}' if self.number else 'store'}.db"


def rebuilt(loop: Loop, older: Sequence[Codebook] = (), *, dry_run: bool = False) -> RebuildSummary:
    def ensure(asked: Codebook) -> object:
        return ensure_score_configs(asked, loop.scores.configs, loop.store, loop.clock())

    shelves = [Shelf(loop.file, QUEUE), Shelf(loop.datasets, loop.codebook.dataset)]
    sides = Sides(loop.source, loop.tasks, loop.scores, shelves, ensure)
    reach = REACH.model_copy(update={"since": loop.clock() - timedelta(days=14)})
    return rebuild(
        loop.codebook, older, sides, loop.store, reach, loop.clock(), lambda _verb: progress, dry_run=dry_run
    )


def draws(loop: Loop) -> dict[str, Draw]:
    return {one.trace_id: one for state in State for one in loop.store.draws(QUEUE, state)}


def annotations(loop: Loop) -> dict[str, list[Annotation]]:
    """What stands; what was deleted is in neither server."""
    return {
        trace_id: [one for one in loop.store.annotations(QUEUE, trace_id) if not one.deleted]
        for trace_id in draws(loop)
    }


def of_people(loop: Loop) -> dict[str, object]:
    """The report, without what judges said: that is in neither server. The fake has a clock of its own."""
    made = report(loop.codebook, loop.store, loop.clock())
    shown = made.model_dump(exclude={"counts": {"predictions", "oldest_open"}, "oldest_open_hours": True})
    shown["counts"]["scores_by_state"].pop("deleted", None)  # nobody remembers what is gone
    return shown


def everything(loop: Loop) -> dict[str, object]:
    """What a queue is, for whoever looks at it."""
    store = loop.store
    return {
        "draws": draws(loop),
        "states": {trace_id: loop.state(trace_id) for trace_id in draws(loop)},
        "annotations": annotations(loop),
        "answers": {trace_id: store.answers(QUEUE, trace_id) for trace_id in draws(loop)},
        "signals": {trace_id: store.signals(trace_id) for trace_id in draws(loop)},
        "projects": store.projects(QUEUE),
        "tasks": store.standing_tasks(QUEUE),
        "scores": set(store.score_ids(QUEUE)),
        "report": of_people(loop),
        "shown": {score.score_id: score for score in loop.shown()},
        "gold": loop.gold(),
        "lineage": [(one.codebook, one.since) for one in store.lineage(QUEUE).versions],
        "configs": store.score_config_ids(QUEUE),
    }


def worked(loop: Loop) -> None:
    """A day: passes and failures, an edit, a skip, a deletion, a draw of two runs, a click."""
    loop.publish_codebook(loop.codebook)
    loop.log(*TRACES)
    loop.click("t1")
    loop.run()
    loop.log("late")
    loop.run()
    for trace_id in TRACES[:3]:
        loop.annotate(trace_id, "fail", error_type=["ungrounded"])
    changed = loop.annotate("t4", "fail", error_type=["ungrounded"])
    loop.fetch_annotations()
    loop.edit(changed, "pass")
    loop.tasks.delete_annotation(loop.annotate("t3", "pass", BEN))
    loop.annotate("t5", None)
    loop.annotate("t6", "pass", BEN)
    loop.fetch_annotations()


def as_before(loop: Loop, before: dict[str, object]) -> None:
    """Part by part, for a difference that can be read."""
    after = everything(loop)
    for part, value in before.items():
        assert after[part] == value, part
