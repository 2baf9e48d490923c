"""What the demo did, read back from the servers and not from what was sent to them."""

from goldloop.bootstrap import Goldloop
from goldloop.records import Record


class Counts(Record):
    """The demo's last line of output. All but `seconds` are what stands there now, earlier runs included."""

    pulled: int
    drawn: int
    prelabelled: int
    annotated: int
    skipped: int
    scores: int
    eval_rows: int
    parked: int
    seconds: float


def read_back(goldloop: Goldloop, queue: str, seconds: float) -> Counts:
    """Tasks and annotations from Label Studio, scores and dataset items from Langfuse, the rest from the store."""
    store = goldloop.store
    tasks = [
        task
        for project_id in {project.project_id for project in store.projects(queue)}
        for page in goldloop.label_studio.changed_tasks(project_id, None)
        for task in page.rows
    ]
    annotations = [annotation for task in tasks for annotation in task.annotations]
    return Counts(
        pulled=store.candidate_count(),
        drawn=sum(store.counts(queue).by_state.values()),
        prelabelled=sum(task.predictions > 0 for task in tasks),
        annotated=sum(not annotation.skipped for annotation in annotations),
        skipped=sum(annotation.skipped for annotation in annotations),
        scores=len(goldloop.langfuse.scores.read(store.score_ids(queue))),
        eval_rows=len(goldloop.langfuse.datasets.row_ids(queue)),
        parked=len(store.parked()),
        seconds=round(seconds, 1),
    )
