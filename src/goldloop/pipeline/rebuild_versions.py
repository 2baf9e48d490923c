"""The codebook versions that tasks were made from, saved again from the files at hand.

A version's tasks say since when each of its questions means what it means. Where they do not, for they are of before,
it is worked out from the version before, as when it was published. Without that one nobody knows, and the version is
left alone: answers under a wrong version would stand beside those that are there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from goldloop.codebook.diff import diff
from goldloop.codebook.lineage import CodebookVersion, Lineage, Since, first, number, successor
from goldloop.codebook.schema import Codebook
from goldloop.errors import CodebookError, ConfigError
from goldloop.ports import Store
from goldloop.records import TaskOrigin


@dataclass(frozen=True)
class Versions:
    """`lineage` holds what there is from now on, `brought` what is new in it, `missing` why a version is not in it."""

    lineage: Lineage
    brought: tuple[CodebookVersion, ...]
    missing: Mapping[str, str]

    def save(self, store: Store, now: datetime) -> None:
        """In their order, each as published: those that ask something else set aside what was answered before."""
        for one in self.brought:
            codebook = one.codebook
            store.save_codebook(codebook, now, one.since)
            store.publish_codebook(codebook.name, codebook.version, one.since, now, resolve_all=True)


def versions(
    asked: Codebook,
    older: Sequence[Codebook],
    origins: Iterable[TaskOrigin],
    titles: Iterable[str],
    store: Store,
    now: datetime,
) -> Versions:
    """What can be had of the versions that tasks (`origins`) and projects' titles name.

    Raises:
        ConfigError: Label Studio has tasks of a version that is newer than every one at hand.
        CodebookError: a file is of another queue, or is not what was saved under its version or asked by its tasks.
    """
    told: dict[str, Since] = {}
    needed = set(titles)
    for origin in origins:
        needed.add(origin.version)
        if origin.since:
            told.setdefault(origin.version, origin.since)
    files = _files(asked, older)
    known = {one.codebook.version: one for one in store.lineage(asked.name).versions}
    newest = max(needed, key=number, default=None)
    if newest and newest not in known and number(newest) > max(map(number, files)):
        raise ConfigError(
            f"Label Studio has tasks of {asked.name}@{newest}, which is newer than {asked.ref}, the file at hand: take "
            "the newer file"
        )
    brought: list[CodebookVersion] = []
    missing: dict[str, str] = {}
    # Older ones without a task stand in the line all the same.
    wanted = needed | {one for one in files if newest and number(one) < number(newest)}
    for version in sorted(wanted, key=number):
        before = known.get(version)
        if before is not None and before.published_at is not None:
            continue
        codebook = before.codebook if before else files.get(version)
        if codebook is None:
            missing[version] = "its file is not here: name it by --codebook FILE to bring them back"
            continue
        since = _since(codebook, told.get(version), [*known.values()], missing)
        if since is None:
            gap = ", ".join(f"{asked.name}@{one}" for one in missing)
            missing[version] = (
                f"nobody knows since when its questions mean what they mean: name the file of {gap} by --codebook FILE"
            )
            continue
        made = CodebookVersion(codebook=codebook, since=dict(since), published_at=now)
        known[version] = made
        brought.append(made)
    return Versions(Lineage.of(known.values()), tuple(brought), missing)


def _files(asked: Codebook, older: Sequence[Codebook]) -> dict[str, Codebook]:
    found = {asked.version: asked}
    for codebook in older:
        if codebook.name != asked.name:
            raise CodebookError(f"codebook {codebook.ref} is of another queue than {asked.name}: leave it out")
        if found.setdefault(codebook.version, codebook).digest() != codebook.digest():
            raise CodebookError(f"two files are both {codebook.ref} and ask different questions: leave one out")
    return found


def _since(
    codebook: Codebook, told: Since | None, known: Sequence[CodebookVersion], missing: Iterable[str]
) -> Since | None:
    """None where nobody knows: a version between it and the one before is not at hand."""
    if told is not None:
        if set(told) != {question.name for question in codebook.questions}:
            raise CodebookError(
                f"the file of {codebook.ref} has other questions than its tasks say: take the file that they were made "
                "from"
            )
        return told
    place = number(codebook.version)
    earlier = [one for one in known if number(one.codebook.version) < place]
    before = max(earlier, key=lambda one: number(one.codebook.version), default=None)
    floor = number(before.codebook.version) if before else ()
    if any(floor < number(one) < place for one in missing):
        return None
    if before is None:
        return first(codebook)
    changes = diff(before.codebook, codebook)
    if changes.complaint:
        raise CodebookError(changes.complaint)
    return successor(before, codebook, changes.breaking)
