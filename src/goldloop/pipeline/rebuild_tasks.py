"""What Label Studio holds of a queue: its projects, and where each of their tasks comes from.

A project is the queue's by its title or its description, whichever people left; its tasks say the rest.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from goldloop.codebook.lineage import Lineage, number
from goldloop.codebook.schema import Codebook
from goldloop.pipeline.projects import Purpose, draft_of, kept_for, named_by, same_config
from goldloop.ports import Progress, ProjectSnapshot, TaskQueue
from goldloop.records import Project, Record, Task, TaskOrigin

Key = tuple[str, str, bool]
"""Trace, codebook version, whether it is a second look: of these there is one task."""


class LeftAlone(Record):
    """Tasks that are left as they are, and why."""

    what: str
    tasks: int
    why: str


@dataclass(frozen=True)
class Held:
    """One project as it is in Label Studio; `version` is that of its title, where goldloop gave it."""

    there: ProjectSnapshot
    purpose: Purpose
    version: str | None
    origins: list[TaskOrigin]
    unreadable: list[int]

    @property
    def project_id(self) -> int:
        return self.there.project_id

    @property
    def versions(self) -> list[str]:
        """Oldest first."""
        named = {origin.version for origin in self.origins} | ({self.version} if self.version else set())
        return sorted(named, key=number)


@dataclass
class Sorted:
    """What counts: project rows that the store lacks, the task of each key, and what is left alone.

    `stale` are tasks that the store has and Label Studio has not any more, though their traces have others there.
    """

    projects: list[Project] = field(default_factory=list)
    tasks: dict[Key, TaskOrigin] = field(default_factory=dict)
    stale: list[Task] = field(default_factory=list)
    left: list[LeftAlone] = field(default_factory=list)


def held(codebook: Codebook, tasks: TaskQueue, known: Collection[int], progress: Progress) -> list[Held]:
    """The queue's projects with their tasks, oldest first; `known` are those that it has by the store."""
    found = []
    done = 0
    for there in tasks.all_projects():
        named = named_by(there.title, codebook)
        if not named and there.project_id not in known and not kept_for(there.description, codebook.name):
            continue
        origins: list[TaskOrigin] = []
        unreadable: list[int] = []
        for page in tasks.origins(there.project_id):
            origins += [one for one in page.rows if one.queue == codebook.name]
            unreadable += [int(task_id) for task_id, _ in page.rejected]
            done += len(page.rows)
            progress(done, None)
        if origins or named:
            purpose = _purpose(origins[0]) if origins else named[1] if named else "review"
            found.append(Held(there, purpose, named[0] if named else None, origins, unreadable))
    return found


def sort_out(
    found: Sequence[Held],
    lineage: Lineage,
    missing: Mapping[str, str],
    rows: Sequence[Project],
    standing: Sequence[Task],
) -> Sorted:
    """Which tasks count, where a version or a trace has several; what the store has comes first, then the oldest."""
    sorted_out = Sorted()
    present = {one.project_id for one in found}
    noted = {(row.codebook_version, row.purpose): row for row in rows}
    owners = {place: row.project_id for place, row in noted.items() if row.project_id in present}
    counting: list[TaskOrigin] = []
    for one in found:
        for version in one.versions:
            theirs = [origin for origin in one.origins if origin.version == version]
            if version in missing:
                why = f"made from {_ref(theirs, version)}, and {missing[version]}"
                sorted_out.left += [LeftAlone(what=_name(one), tasks=len(theirs), why=why)] if theirs else []
                continue
            if owners.setdefault((version, one.purpose), one.project_id) != one.project_id:
                why = f"project {owners[version, one.purpose]} is the one of its version: delete one of them"
                sorted_out.left += [LeftAlone(what=_name(one), tasks=len(theirs), why=why)] if theirs else []
                continue
            counting += theirs
            row = noted.get((version, one.purpose))
            if row is None or row.project_id != one.project_id:
                sorted_out.projects.append(_row(one, version, lineage))
        if one.unreadable:
            why = "what they say of where they come from can't be read"
            sorted_out.left.append(LeftAlone(what=_name(one), tasks=len(one.unreadable), why=why))
    _one_each(sorted_out, counting, found, standing, rows)
    return sorted_out


def is_second(origin: TaskOrigin) -> bool:
    """Whether its trace was drawn again, to see how annotators drift."""
    return origin.policy == "relabel"


def _purpose(origin: TaskOrigin) -> Purpose:
    return "relabel" if is_second(origin) else "blind" if origin.blind else "review"


def _one_each(
    sorted_out: Sorted,
    counting: Iterable[TaskOrigin],
    found: Sequence[Held],
    standing: Sequence[Task],
    rows: Sequence[Project],
) -> None:
    there = {(one.project_id, origin.task_id) for one in found for origin in one.origins}
    there |= {(one.project_id, task_id) for one in found for task_id in one.unreadable}
    second = {row.project_id for row in rows if row.purpose == "relabel"}
    by_key = {(one.trace_id, one.codebook_version, one.project_id in second): one for one in standing}
    doubled: dict[int, int] = {}
    for origin in sorted(counting, key=lambda one: (one.task_id, one.project_id)):
        key = (origin.trace_id, origin.version, is_second(origin))
        ours = by_key.get(key)
        if ours and (ours.project_id, ours.task_id) not in there:
            sorted_out.stale.append(by_key.pop(key))
            ours = None
        first = sorted_out.tasks.setdefault(key, origin)
        if ours and (origin.project_id, origin.task_id) == (ours.project_id, ours.task_id):
            sorted_out.tasks[key] = origin
        if first is not origin:
            doubled[origin.project_id] = doubled.get(origin.project_id, 0) + 1
    why = "their traces have another task there: delete these, or what was said of them counts for nothing"
    names = {one.project_id: _name(one) for one in found}
    sorted_out.left += [
        LeftAlone(what=names[project_id], tasks=number_of, why=why) for project_id, number_of in doubled.items()
    ]


def _row(one: Held, version: str, lineage: Lineage) -> Project:
    """With the version's label config, unless people changed that of the newest which shares the project."""
    by_version = {found.codebook.version: found.codebook for found in lineage.versions}
    newest = next(by_version[name] for name in reversed(one.versions) if name in by_version)
    ours = same_config(one.there.label_config, draft_of(newest, one.purpose).label_config)
    return Project(
        queue=newest.name,
        codebook_version=version,
        purpose=one.purpose,
        project_id=one.project_id,
        url=one.there.url,
        label_config=draft_of(by_version[version], one.purpose).label_config if ours else None,
    )


def _ref(theirs: Sequence[TaskOrigin], version: str) -> str:
    return theirs[0].codebook if theirs else version


def _name(one: Held) -> str:
    return f"project {one.project_id} ({one.there.title})"
