"""What the ML backend reads of goldloop's store: within a deadline, and once where it cannot change."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

from goldloop.codebook.schema import Codebook
from goldloop.errors import CodebookError, RejectedError
from goldloop.ports import Prelabel
from goldloop.records import Project
from ml_backend.kept import Kept
from ml_backend.threads import Threads

FoundT = TypeVar("FoundT")

READ_SECONDS: Final = 0.5
"""How long a page waits for the store: three times at most, for its codebook, its project and its prediction."""
RETRIEVE_SECONDS: Final = 10.0
"""How long a retrieve waits for the predictions of all its tasks: nobody's page is held up by it."""
PAUSE_SECONDS: Final = 5.0
"""How long the store is left alone after it did not answer: nobody waits for it again meanwhile."""
PROJECTS_SECONDS: Final = 10.0
"""How long a queue's projects are taken to be the same."""
_READERS: Final = 16
_CODEBOOKS_KEPT: Final = 64

_log = logging.getLogger(__name__)


class Reads(Protocol):
    """What is read of the store."""

    def codebook(self, queue: str, version: str) -> Codebook: ...
    def prelabels(self, queue: str, codebook_version: str, trace_ids: Sequence[str]) -> dict[str, Prelabel]: ...
    def projects(self, queue: str) -> list[Project]: ...


class Memory:
    """Threads may share it. A store that does not answer knows nothing: predictions are then made live.

    `near` says that the store is a file here: reading it waits for nobody, so that no deadline needs to be kept, which
    would cost more than the reading.
    """

    def __init__(
        self,
        store: Reads,
        codebooks: Mapping[str, Codebook],
        now: Callable[[], float] = time.monotonic,
        *,
        near: bool = False,
    ) -> None:
        self._store, self._of_folder, self._now, self._near = store, codebooks, now, near
        self._readers = Threads("store", _READERS)
        self._codebooks: Kept[str, Codebook] = Kept(_CODEBOOKS_KEPT)
        self._projects: Kept[str, tuple[float, list[Project]]] = Kept(_CODEBOOKS_KEPT)
        self._closed_until = 0.0
        self.reachable = True

    def codebook(self, ref: str) -> Codebook | None:
        """The codebook of a task: of the store, which keeps all versions, else of the folder; None for an unknown."""
        known = self._codebooks.get(ref)
        if known is not None:
            return known
        name, _, version = ref.partition("@")
        known = self._ask(lambda: self._store.codebook(name, version))
        if known is not None:
            self._codebooks.put(ref, known)  # what a version asks never changes
            return known
        of_folder = self._of_folder.get(name)
        return of_folder if of_folder is not None and of_folder.version == version else None

    def prelabels(self, codebook: Codebook, trace_ids: Sequence[str]) -> dict[str, Prelabel]:
        """The newest one of each trace, of whichever judge: what the annotator's task carries already."""
        seconds = READ_SECONDS if len(trace_ids) == 1 else RETRIEVE_SECONDS
        found = self._ask(lambda: self._store.prelabels(codebook.name, codebook.version, trace_ids), seconds)
        return found or {}

    def shows_predictions(self, project_id: int | None, queue: str) -> bool:
        """False for a blind project, or one for second looks: whatever its label config says."""
        return all(
            project.purpose == "review" for project in self._projects_of(queue) if project.project_id == project_id
        )

    def queue_of(self, project_id: int) -> str | None:
        """Whose project it is."""
        for queue in self._of_folder:
            if any(project.project_id == project_id for project in self._projects_of(queue)):
                return queue
        return None

    def look(self) -> bool:
        """Ask the store something, and see whether it answers."""
        self._closed_until = 0.0
        return self._ask(lambda: [self._store.projects(queue) for queue in self._of_folder]) is not None

    def _projects_of(self, queue: str) -> list[Project]:
        kept = self._projects.get(queue)
        if kept is not None and self._now() < kept[0]:
            return kept[1]
        found = self._ask(lambda: self._store.projects(queue))
        if found is None:
            return kept[1] if kept else []
        self._projects.put(queue, (self._now() + PROJECTS_SECONDS, found))
        return found

    def _ask(self, read: Callable[[], FoundT], seconds: float = READ_SECONDS) -> FoundT | None:
        if self._now() < self._closed_until:
            return None
        try:
            found = read() if self._near else self._readers.within(seconds, read)
        except (RejectedError, CodebookError):  # an id that no row can have: the store itself is well
            self.reachable = True
            return None
        except Exception as error:  # noqa: BLE001 - whatever ails the store, the page opens
            self._closed_until = self._now() + PAUSE_SECONDS
            self.reachable = False
            _log.warning("the store does not answer, so predictions are made live: %s", type(error).__name__)
            return None
        self.reachable = True
        return found
