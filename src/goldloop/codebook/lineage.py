"""Which labels of different versions of a codebook mean the same.

Each question of a version dates from one version: the one in which it got its present meaning. A first version's
questions date from itself. In each later one those that are new, or that changed in a way that breaks their labels,
date from it; the others date from where they dated before. Two versions' labels of one question may be mixed where
these agree, and nowhere else. So a question that goes and comes back is another one: the chain between was broken.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from goldloop.codebook.schema import Codebook
from goldloop.errors import CodebookError
from goldloop.records import Utc

Since = Mapping[str, str]
"""Question -> version from which its labels have their present meaning."""


class CodebookVersion(BaseModel):
    """One saved version. It was published at `published_at`; until then nobody annotates by it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    codebook: Codebook
    since: dict[str, str]
    published_at: Utc | None = None


def number(version: str) -> tuple[int, ...]:
    """To sort by: 1.10.0 comes after 1.9.0."""
    return tuple(int(part) for part in version.split("."))


def first(codebook: Codebook) -> dict[str, str]:
    """A version without any before it."""
    return {question.name: codebook.version for question in codebook.questions}


def successor(old: CodebookVersion, new: Codebook, breaking: Collection[str]) -> dict[str, str]:
    """A version after `old`; `breaking` names the questions whose labels do not carry over."""
    return {
        question.name: new.version if question.name in breaking else old.since.get(question.name, new.version)
        for question in new.questions
    }


@dataclass(frozen=True)
class Lineage:
    """All versions of one queue's codebook, oldest first."""

    versions: tuple[CodebookVersion, ...]

    @classmethod
    def of(cls, versions: Iterable[CodebookVersion]) -> "Lineage":
        return cls(tuple(sorted(versions, key=lambda one: number(one.codebook.version))))

    @property
    def published(self) -> CodebookVersion | None:
        """The newest version that was published."""
        return next((one for one in reversed(self.versions) if one.published_at is not None), None)

    @property
    def newest(self) -> CodebookVersion:
        """What is asked today: the newest published version, or, before the first was, the newest one."""
        found = self.published or next(reversed(self.versions), None)
        if found is None:
            raise CodebookError("no version of this codebook was saved: run `goldloop run` with its file once")
        return found

    def get(self, version: str) -> CodebookVersion | None:
        return next((one for one in self.versions if one.codebook.version == version), None)

    def since(self, version: str) -> Since:
        """That version's questions; without any for one that is unknown, so that nothing of it is mixed in."""
        found = self.get(version)
        return found.since if found else {}

    def family(self, version: str) -> tuple[CodebookVersion, ...]:
        """The versions that share their projects with this one, itself among them, oldest first.

        Between them questions and labels were only added, so that what was annotated by one can be read by a later one.
        """
        here, place = self.since(version), number(version)
        return tuple(
            one
            for one in self.versions
            if (_extends(one.since, here) if number(one.codebook.version) <= place else _extends(here, one.since))
        )


def _extends(old: Since, new: Since) -> bool:
    return all(new.get(question) == since for question, since in old.items())
