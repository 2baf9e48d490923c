"""What a task's origin says of its draw, as the records that the store holds."""

from collections.abc import Sequence

from pydantic import JsonValue

from goldloop import __version__
from goldloop.codebook.lineage import number
from goldloop.errors import RejectedError
from goldloop.records import Candidate, Draw, DrawRun, Task, TaskOrigin, Trace


def why_not(trace: RejectedError | None) -> str:
    """Why a trace can't be a candidate again."""
    if trace is None:
        return "Langfuse has it no more: delete its task in Label Studio"
    return f"Langfuse does not give it: {trace.reason}"


def candidate_of(trace: Trace, stratum: str) -> Candidate:
    """As its root shows it; of what only a listing has, nothing."""
    return Candidate(
        trace_id=trace.trace_id,
        environment=trace.environment,
        name=trace.name,
        category=stratum,
        timestamp=trace.timestamp,
        user_id=trace.user_id,
        session_id=trace.session_id,
        model=trace.model,
        release=trace.release,
        tags=trace.tags,
        roots=int(trace.root_observation_id is not None),
    )


def run_of(origins: Sequence[TaskOrigin]) -> tuple[DrawRun, list[Draw]]:
    """What the tasks of one draw say of it: nothing of what it drew from."""
    one = origins[0]
    drawn_at = min(origin.drawn_at or origin.created_at for origin in origins)
    run = DrawRun(
        run_id=one.draw_run,
        queue=one.queue,
        codebook_version=min((origin.version for origin in origins), key=number),
        drawn_at=drawn_at,
        window_start=drawn_at,
        window_end=drawn_at,
        frame_size=0,
        budget=len(origins),
        seed=0,
        mix={},
        frame={"rebuilt": True, "kept": _kept(origins)},
        settings_hash="",
        code_version=__version__,
    )
    return run, [_draw(origin) for origin in origins]


def _kept(origins: Sequence[TaskOrigin]) -> dict[str, JsonValue]:
    """By policy, what the draw had kept when the last of its tasks were made, where that is not all."""
    least: dict[str, float] = {}
    for origin in origins:
        least[origin.policy] = min(origin.kept, least.get(origin.policy, 1.0))
    return {policy: kept for policy, kept in least.items() if kept < 1}


def _draw(origin: TaskOrigin) -> Draw:
    told = {name: getattr(origin, name) for name in Draw.model_fields if name in TaskOrigin.model_fields}
    own = {"run_id": origin.draw_run, "codebook_version": origin.version}
    return Draw.model_validate({**told, **own, "drawn_at": origin.drawn_at or origin.created_at})


def task_of(origin: TaskOrigin) -> Task:
    """The task's row."""
    return Task(
        queue=origin.queue,
        codebook_version=origin.version,
        trace_id=origin.trace_id,
        project_id=origin.project_id,
        task_id=origin.task_id,
    )
