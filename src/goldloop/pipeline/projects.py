"""The Label Studio projects of a codebook: which there are, and what each should be.

A version that breaks a question has projects of its own. One that only adds or rewords goes on in those of the version
before: their label config is changed in place. Review projects show prelabels, blind ones none.
"""

import re
from datetime import datetime
from difflib import unified_diff
from functools import lru_cache
from typing import Final, Literal
from xml.etree import ElementTree as ET

from goldloop import ids
from goldloop.codebook.lineage import Lineage
from goldloop.codebook.render import render
from goldloop.codebook.schema import Codebook
from goldloop.codebook.task import TaskData
from goldloop.pipeline.parking import free_gone, park_deleted_tasks
from goldloop.ports import ProjectDraft, Store, TaskQueue
from goldloop.records import Project

Purpose = Literal["review", "blind", "relabel"]
_SUFFIX: Final[dict[Purpose, str]] = {"review": "", "blind": " blind", "relabel": " again"}
_PURPOSES: Final = {suffix: purpose for purpose, suffix in _SUFFIX.items()}
_VERSIONED: Final = re.compile(r".+ (?P<version>\d+\.\d+\.\d+)(?P<suffix> blind| again)?")
_KEPT: Final = "Kept by goldloop: tasks come from the queue {}."
_TITLE: Final = 50
"""Characters that Label Studio takes for a project's title."""


def purposes(codebook: Codebook, lineage: Lineage, projects: list[Project]) -> tuple[Purpose, ...]:
    """Doubles and audits are blind too: who saw what a judge said first does not disagree with it.

    A blind project that is there goes with its version, also where nothing is sent to it today; so does one for
    second judgements, which the first of them makes.
    """
    queue = codebook.queue
    audits = isinstance(queue.mix, dict) and queue.mix.get("audit", 0) > 0
    wanted: set[Purpose] = {"blind"} if queue.blind_share or queue.double_label_share or audits else set()
    others: tuple[Purpose, ...] = ("blind", "relabel")
    there = [one for one in others if one in wanted or known_project(lineage, codebook.version, one, projects)]
    return ("review", *there)


def title_of(codebook: Codebook, purpose: Purpose) -> str:
    """`<name> <version>`; a name too long for Label Studio is cut, and told apart by some letters of its id."""
    end = f" {codebook.version}" + _SUFFIX[purpose]
    room = _TITLE - len(end)
    if len(codebook.name) <= room:
        return codebook.name + end
    return f"{codebook.name[: room - 7]}-{ids.key('title', codebook.name)[:6]}{end}"


def named_by(title: str, codebook: Codebook) -> tuple[str, Purpose] | None:
    """The version and the purpose of a project of this codebook, by its title; None where it has another one."""
    found = _VERSIONED.fullmatch(title)
    if found is None:
        return None
    purpose = _PURPOSES[found["suffix"] or ""]
    same = title_of(codebook.model_copy(update={"version": found["version"]}), purpose) == title
    return (found["version"], purpose) if same else None


def kept_for(description: str, queue: str) -> bool:
    """Whether a project's description says that it is one of this queue's, whatever people made of its title."""
    return description.endswith(_KEPT.format(queue))


def draft_of(codebook: Codebook, purpose: Purpose) -> ProjectDraft:
    blind = purpose != "review"
    return ProjectDraft(
        title=title_of(codebook, purpose),
        description=f"{codebook.title}. {_KEPT.format(codebook.name)}",
        instruction=codebook.purpose,
        label_config=render(codebook, blind=blind),
        annotations_per_task=codebook.queue.annotations_per_trace,
        show_predictions=not blind,
    )


def known_project(lineage: Lineage, version: str, purpose: Purpose, projects: list[Project]) -> Project | None:
    """The row of the newest version that shares its project of this purpose with this version."""
    rows = {project.codebook_version: project for project in projects if project.purpose == purpose}
    family = lineage.family(version)
    return next((rows[one.codebook.version] for one in reversed(family) if one.codebook.version in rows), None)


def ensure_project(codebook: Codebook, purpose: Purpose, tasks: TaskQueue, store: Store, now: datetime) -> Project:
    """The project for this version's tasks: the one in the store while it exists, else found by title, else made."""
    lineage = store.lineage(codebook.name)
    rows = store.projects(codebook.name)
    known = known_project(lineage, codebook.version, purpose, rows)
    family = [one.codebook for one in lineage.family(codebook.version) if one.published_at] or [codebook]
    draft = draft_of(family[-1], purpose)
    there = tasks.find_project(draft.title, known.project_id if known else None)
    if known and there and there.project_id == known.project_id:
        project = known.model_copy(update={"url": there.url, "codebook_version": codebook.version})
    else:
        project_id, url = tasks.ensure_project(draft, there.project_id if there else None)
        ours = there is None or same_config(there.label_config, draft.label_config)
        project = Project(
            queue=codebook.name,
            codebook_version=codebook.version,
            purpose=purpose,
            project_id=project_id,
            url=url,
            label_config=draft.label_config if ours else None,
        )
    if known and project.project_id != known.project_id:
        leave_project(store, known, project, now)
    if project not in rows:
        store.save_project(project)
    return project


def leave_project(store: Store, gone: Project, project: Project, now: datetime) -> None:
    """The one was deleted in Label Studio, and its tasks with it: the versions that shared it share the new one."""
    park_deleted_tasks(store, gone.project_id, store.task_ids(gone.project_id), now)
    free_gone(store, gone.project_id)
    for row in store.projects(gone.queue):
        if row.project_id == gone.project_id:
            store.save_project(project.model_copy(update={"codebook_version": row.codebook_version}))


def same_config(one: str, other: str) -> bool:
    """Whether two label configs differ in more than white space, comments and the order of attributes."""
    try:
        return one == other or _canonical(one) == _canonical(other)
    except ET.ParseError:
        return one == other


def difference(ours: str, theirs: str) -> str:
    """What was changed by hand, as a unified diff of two label configs."""
    lines = unified_diff(_lines(ours), _lines(theirs), "set by goldloop", "in Label Studio", lineterm="", n=2)
    return "\n".join(lines)


def unanswerable(codebook: Codebook, label_config: str) -> str | None:
    """What a label config that was changed by hand lacks to ask what the codebook asks; None where nothing is."""
    try:
        top = ET.fromstring(label_config)  # noqa: S314 - Label Studio has parsed and checked it
    except ET.ParseError:
        return "it is not XML"
    there = _controls(top)
    for name, ours in _controls(ET.fromstring(render(codebook))).items():  # noqa: S314 - rendered here
        theirs = there.get(name)
        if theirs is None or (theirs.tag, theirs.get("toName")) != (ours.tag, ours.get("toName")):
            return f"it has no {ours.tag} for {name}"
        missing = sorted(_choices(ours) - _choices(theirs))
        if missing:
            return f"it has no choice {missing[0]!r} for {name}"
    fields = {value[1:] for tag in top.iter() if (value := tag.get("value", "")).startswith("$")}
    unknown = sorted(fields - TaskData.model_fields.keys())
    return f"it shows ${unknown[0]}, which tasks do not have" if unknown else None


def _controls(top: ET.Element) -> dict[str, ET.Element]:
    return {tag.attrib["name"]: tag for tag in top.iter() if "name" in tag.attrib and "toName" in tag.attrib}


def _choices(control: ET.Element) -> set[str]:
    return {choice.get("alias") or choice.attrib["value"] for choice in control.iter("Choice")}


@lru_cache(maxsize=64)
def _canonical(config: str) -> str:
    return " ".join(ET.canonicalize(config, strip_text=True).split())


def _lines(config: str) -> list[str]:
    try:
        top = ET.fromstring(config)  # noqa: S314 - ours, or what Label Studio has parsed and checked
    except ET.ParseError:
        return config.splitlines()
    ET.indent(top)
    return ET.tostring(top, encoding="unicode").splitlines()
