"""Publishing a version of a codebook: from now on it is what is asked.

Everything that can refuse is asked before anything is written. Each write is one that can be done again: a run that is
killed between two of them and started again finds what it made (a project by its title, a version by its number) and
ends where it would have ended.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from goldloop.codebook.diff import CodebookDiff, diff
from goldloop.codebook.lineage import CodebookVersion, Lineage, Since, first, number, successor
from goldloop.codebook.schema import Codebook
from goldloop.errors import CodebookError, ConfigError
from goldloop.pipeline.project_plans import ByHand, ProjectStep, plan
from goldloop.pipeline.projects import purposes
from goldloop.ports import Store, TaskQueue
from goldloop.records import Record

Level = Literal["first", "same", "editorial", "compatible", "breaking"]


class PublishedCodebook(Record):
    """What publishing did, or, by a dry run, would do."""

    queue: str
    version: str
    before: str | None
    level: Level
    breaking: list[str]
    projects: list[ProjectStep]
    score_configs: dict[str, str]
    quarantined: int
    nothing_to_do: bool
    dry_run: bool


@dataclass(frozen=True)
class Succession:
    """How a codebook follows on the versions that the store has."""

    level: Level
    since: Since
    before: CodebookVersion | None
    changes: CodebookDiff | None = None

    @property
    def breaking(self) -> list[str]:
        return [*self.changes.breaking] if self.changes else []

    def __str__(self) -> str:
        names = f" for {', '.join(self.breaking)}" if self.breaking else ""
        return f"{self.level}{names}"


def succession(codebook: Codebook, lineage: Lineage) -> Succession:
    """`CodebookError` where the version's number does not fit: it is older, was used for others, or says too little."""
    published = lineage.published
    same = lineage.get(codebook.version)
    if same and same.codebook.digest() != codebook.digest():
        raise CodebookError(
            diff(same.codebook, codebook).complaint
            or f"codebook {codebook.ref} was saved before with other questions: give the new ones a new version"
        )
    if published is None:
        return Succession("first", first(codebook), None)
    if codebook.version == published.codebook.version:
        return Succession("same", published.since, published)
    if number(codebook.version) < number(published.codebook.version):
        raise CodebookError(
            f"codebook {codebook.ref} is older than {published.codebook.version}, which is published: take the newer "
            "file, or give this one a higher version"
        )
    changes = diff(published.codebook, codebook)
    if changes.complaint:
        raise CodebookError(changes.complaint)
    since = successor(published, codebook, changes.breaking)
    return Succession(changes.level or "editorial", since, published, changes)


def admit(codebook: Codebook, store: Store, now: datetime) -> bool:
    """Whether a run may go on with this file, which its queue settings are taken from; False: publish it first.

    A first version is saved, and can be drawn for before Label Studio is there. `ConfigError` for a later version that
    nobody published.
    """
    lineage = store.lineage(codebook.name)
    step = succession(codebook, lineage)
    if step.level not in {"first", "same"}:
        raise ConfigError(
            f"codebook {codebook.ref} is not published, while {lineage.newest.codebook.version} is: run `goldloop "
            f"codebook publish` (it would be: {step})"
        )
    store.save_codebook(codebook, now, step.since)
    if step.level == "same":
        store.take_over(codebook.name, codebook.version, step.since)
    return step.level == "same"


def publish_codebook(
    codebook: Codebook,
    tasks: TaskQueue,
    store: Store,
    ensure_configs: Callable[[], Mapping[str, str]],
    now: datetime,
    *,
    by_hand: ByHand = "refuse",
    dry_run: bool = False,
) -> PublishedCodebook:
    """Make this version what is asked: its score configs, its projects, and what becomes of labels given before.

    Args:
        codebook: the file's content; its version is newer than the published one, or the same.
        tasks: Label Studio.
        store: what is known of the versions before.
        ensure_configs: makes Langfuse's score configs where they are missing; ids by score name.
        now: when.
        by_hand: what becomes of a label config that was changed in Label Studio.
        dry_run: say what would be done, and do nothing.

    Raises:
        CodebookError: the version does not fit those before.
        ChangedByHandError: see `by_hand`.
        RejectedError: annotations in Label Studio would not fit the new label config.
    """
    lineage = store.lineage(codebook.name)
    step = succession(codebook, lineage)
    heirs = Lineage.of(
        [one for one in lineage.versions if one.codebook.version != codebook.version]
        + [CodebookVersion(codebook=codebook, since=dict(step.since), published_at=now)]
    )
    rows = store.projects(codebook.name)
    plans = [plan(codebook, purpose, heirs, rows, tasks, by_hand) for purpose in purposes(codebook, heirs, rows)]
    steps = [one.step for one in plans]
    before = sum(map(len, store.quarantined(codebook.name).values()))
    configs: Mapping[str, str] = {}
    if not dry_run:
        store.save_codebook(codebook, now, step.since)
        configs = ensure_configs()
        steps = [one.carry_out(tasks, store, now) for one in plans]
        if step.level != "same":
            renamed = step.before is not None and _names(step.before.codebook) != _names(codebook)
            store.publish_codebook(
                codebook.name, codebook.version, step.since, now, resolve_all=bool(step.breaking) or renamed
            )
    after = sum(map(len, store.quarantined(codebook.name).values()))
    return PublishedCodebook(
        queue=codebook.name,
        version=codebook.version,
        before=step.before.codebook.version if step.before else None,
        level=step.level,
        breaking=step.breaking,
        projects=steps,
        score_configs=dict(configs),
        quarantined=after - before,
        nothing_to_do=step.level == "same" and all(one.action == "none" for one in steps),
        dry_run=dry_run,
    )


def _names(codebook: Codebook) -> object:
    """Where answers go: what is there under other names has to be taken down, and sent again."""
    scores = {question.name: question.score_name for question in codebook.questions}
    return scores, codebook.annotation_score, codebook.dataset
