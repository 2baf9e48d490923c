"""What publishing a codebook does to its projects in Label Studio, said before it is done.

A label config that is neither what goldloop set last nor what it would set now was changed by hand. That may have had
its reason, so it is shown, and stays until somebody says which of the two is to be in force.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from goldloop.codebook.lineage import Lineage
from goldloop.codebook.schema import Codebook
from goldloop.errors import ConfigError
from goldloop.pipeline.projects import (
    Purpose,
    difference,
    draft_of,
    known_project,
    leave_project,
    same_config,
    title_of,
    unanswerable,
)
from goldloop.ports import ProjectDraft, ProjectSnapshot, Store, TaskQueue
from goldloop.records import Project, Record

ByHand = Literal["refuse", "adopt", "overwrite"]
"""What to do with a project whose label config was changed by hand."""
Action = Literal["none", "create", "update", "adopt", "overwrite"]


class ChangedByHandError(ConfigError):
    """A project's label config was changed in Label Studio; `difference` is a unified diff."""

    def __init__(self, message: str, difference: str) -> None:
        super().__init__(message)
        self.difference = difference


class ProjectStep(Record):
    """What publishing does to one project; without an id it is still to be made."""

    purpose: Purpose
    action: Action
    title: str
    project_id: int | None
    url: str | None


@dataclass(frozen=True)
class Plan:
    """One project: what it is to be, and what the store knew of it."""

    codebook: Codebook
    purpose: Purpose
    action: Action
    wanted: ProjectDraft
    adopted: bool
    there: ProjectSnapshot | None
    known: Project | None

    @property
    def step(self) -> ProjectStep:
        return ProjectStep(
            purpose=self.purpose,
            action=self.action,
            title=self.wanted.title,
            project_id=self.there.project_id if self.there else None,
            url=self.there.url if self.there else None,
        )

    def carry_out(self, tasks: TaskQueue, store: Store, now: datetime) -> ProjectStep:
        """Make or change the project, then note it: the other way round a killed run would think that it was done."""
        if self.there is None:
            project_id, url = tasks.ensure_project(self.wanted, None)
        else:
            project_id, url = self.there.project_id, self.there.url
            if not _is(self.there, self.wanted):
                tasks.update_project(project_id, self.wanted)
        row = Project(
            queue=self.codebook.name,
            codebook_version=self.codebook.version,
            purpose=self.purpose,
            project_id=project_id,
            url=url,
            label_config=self.wanted.label_config,
            adopted=self.adopted,
        )
        if self.known and self.known.project_id != project_id:
            leave_project(store, self.known, row, now)
        if row != self.known:
            store.save_project(row)
        return self.step.model_copy(update={"project_id": project_id, "url": url})


def plan(
    codebook: Codebook, purpose: Purpose, lineage: Lineage, rows: list[Project], tasks: TaskQueue, by_hand: ByHand
) -> Plan:
    """What is to be done with the project of this purpose; `lineage` holds the codebook as if it was published.

    Raises:
        ChangedByHandError: see `by_hand`.
        ConfigError: what was changed by hand, and is to be taken over, can't ask what the codebook asks.
        RejectedError: annotations there would not fit the new label config.
    """
    known = known_project(lineage, codebook.version, purpose, rows)
    draft = draft_of(codebook, purpose)
    there = tasks.find_project(draft.title, known.project_id if known else None)
    if there is None:
        return Plan(codebook, purpose, "create", draft, adopted=False, there=None, known=known)
    same = known if known and known.project_id == there.project_id else None
    ours = {title_of(one.codebook, purpose) for one in lineage.family(codebook.version)}
    # A title that people gave it is theirs: the project is known by its number. And its number of annotators stays, for
    # another would reset that of each task, which is what its trace was drawn for; `enqueue` asks for today's by task.
    kept: dict[str, object] = {"annotations_per_task": there.annotations_per_task}
    wanted = draft.model_copy(update=kept if there.title in ours else {**kept, "title": there.title})
    if _was_adopted(codebook, there, same) and by_hand != "overwrite":
        wanted = wanted.model_copy(update={"label_config": there.label_config})
        return Plan(codebook, purpose, _change(there, wanted, known), wanted, adopted=True, there=there, known=known)
    if _is_ours(draft, there, same):
        if not same_config(there.label_config, wanted.label_config):
            tasks.check_label_config(there.project_id, wanted.label_config)
        return Plan(codebook, purpose, _change(there, wanted, known), wanted, adopted=False, there=there, known=known)
    if by_hand == "refuse":
        raise _refusal(there, same, draft)
    if by_hand == "adopt":
        lacks = unanswerable(codebook, there.label_config)
        if lacks:
            raise ConfigError(
                f"the label config of project {there.project_id} ({there.title}) cannot be adopted, for {lacks}: mend "
                "it in Label Studio, or replace it with --overwrite"
            )
        wanted = wanted.model_copy(update={"label_config": there.label_config})
    else:
        tasks.check_label_config(there.project_id, wanted.label_config)
    return Plan(codebook, purpose, by_hand, wanted, adopted=by_hand == "adopt", there=there, known=known)


def _refusal(there: ProjectSnapshot, known: Project | None, draft: ProjectDraft) -> ChangedByHandError:
    set_last = known.label_config if known else None
    what = "was changed in Label Studio" if set_last else "is another than the codebook's, and nothing tells who set it"
    return ChangedByHandError(
        f"the label config of project {there.project_id} ({there.title}) {what}: run `goldloop codebook publish` "
        "with --adopt to keep it as it is there, or with --overwrite to replace it by the codebook's",
        difference(set_last or draft.label_config, there.label_config),
    )


def _was_adopted(codebook: Codebook, there: ProjectSnapshot, known: Project | None) -> bool:
    """Whether it was taken over for this very version; a new version's config has to be decided upon again."""
    return (
        known is not None
        and known.adopted
        and known.codebook_version == codebook.version
        and same_config(there.label_config, known.label_config or "")
    )


def _is_ours(draft: ProjectDraft, there: ProjectSnapshot, known: Project | None) -> bool:
    """Whether it is what goldloop would set now, or what it has set last."""
    if same_config(there.label_config, draft.label_config):
        return True
    set_last = known.label_config if known and not known.adopted else None
    return set_last is not None and same_config(there.label_config, set_last)


def _change(there: ProjectSnapshot, wanted: ProjectDraft, known: Project | None) -> Action:
    noted = known is not None and known.project_id == there.project_id and known.label_config is not None
    return "none" if noted and _is(there, wanted) else "update"


def _is(there: ProjectSnapshot, wanted: ProjectDraft) -> bool:
    if not same_config(there.label_config, wanted.label_config):
        return False
    return all(
        getattr(there, name) == getattr(wanted, name)
        for name in ("title", "description", "instruction", "annotations_per_task", "show_predictions")
    )
