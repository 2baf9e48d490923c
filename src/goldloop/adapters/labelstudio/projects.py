"""Projects: found, made, compared with what they should be, and changed in place."""

from typing import Any, Final

from goldloop.adapters.labelstudio.faults import SERVER, MissingError, unreadable
from goldloop.adapters.labelstudio.http import NO_RETRY, Api, checked
from goldloop.errors import RejectedError
from goldloop.ports import ProjectDraft, ProjectSnapshot

_CREATE: Final = "create the project"
_CHANGE: Final = "change the project"
_CHECK: Final = "check the label config"
_ALL: Final = "list the projects"
_FIND: Final = "find the project"
_PAGE: Final = 100
_FIELDS: Final = "id,title,description,expert_instruction,label_config,maximum_annotations,show_collab_predictions"


class Projects:
    """The part of the port TaskQueue that is about projects; `public_url` is the address that people use."""

    def __init__(self, api: Api, public_url: str | None) -> None:
        self.api = api
        self._public_url = checked(public_url) if public_url else api.url

    def project_url(self, project_id: int) -> str:
        """Where people find the project."""
        return f"{self._public_url}/projects/{project_id}/data"

    def ensure_project(self, draft: ProjectDraft, known: int | None) -> tuple[int, str]:
        """An existing project stays as it is, whatever the draft says."""
        there = self.find_project(draft.title, known)
        project_id = self._new_project(draft) if there is None else there.project_id
        return project_id, self.project_url(project_id)

    def find_project(self, title: str, known: int | None) -> ProjectSnapshot | None:
        # The server counts a project's tasks for each of these answers: one is asked for, where one will do.
        found = None if known is None else self._snapshot(known)
        if found is None and (project_id := self._titled_project(title)) is not None:
            found = self._snapshot(project_id)
        return found

    def all_projects(self) -> list[ProjectSnapshot]:
        """Plain HTTP: the SDK's listing has not all the fields, and a project that is read alone is a request each."""
        found: list[ProjectSnapshot] = []
        page = 1
        while True:
            params: dict[str, str | int] = {"page": page, "page_size": _PAGE, "ordering": "id", "include": _FIELDS}
            answer: Any = self.api.read(_ALL, "api/projects/", params)
            try:
                found += [self._as_snapshot(row, row["id"]) for row in answer["results"]]
                if not answer["next"]:
                    return sorted(found, key=lambda one: one.project_id)
            except (KeyError, TypeError, ValueError):
                raise unreadable(self.api.url, _ALL) from None
            page += 1

    def check_label_config(self, project_id: int, label_config: str) -> None:
        """The server compares it with the annotations that are there; what they say is not repeated."""
        try:
            self.api.sdk_once(
                _CHECK,
                lambda sdk: sdk.projects.validate_label_config(
                    project_id, label_config=label_config, request_options=NO_RETRY
                ),
            )
        except MissingError:
            raise
        except RejectedError as error:
            raise RejectedError(
                SERVER,
                f"{SERVER} refuses the new label config of project {project_id}, for annotations there would not fit "
                "it any more: publish it as a version that breaks its questions, or correct those annotations.",
                reason="label config does not fit",
            ) from error

    def update_project(self, project_id: int, draft: ProjectDraft) -> None:
        """To do it twice is to do it once, so it is tried again like a read."""
        self.api.sdk_read(
            _CHANGE,
            lambda sdk: sdk.projects.update(project_id, **_fields(draft), request_options=NO_RETRY),
        )

    def _titled_project(self, title: str) -> int | None:
        """The oldest one, where several have the title; the server's own filter asks only whether it is part of it.

        Plain HTTP: the SDK reads an answer of another form as "there is none", and then a second one would be made.
        """
        found: list[int] = []
        page = 1
        while True:
            params: dict[str, str | int] = {"page": page, "page_size": _PAGE, "title": title, "include": "id,title"}
            answer: Any = self.api.read(_ALL, "api/projects/", params)
            try:
                found += [int(row["id"]) for row in answer["results"] if row["title"] == title]
                if not answer["next"]:
                    return min(found, default=None)
            except (KeyError, TypeError, ValueError):
                raise unreadable(self.api.url, _ALL) from None
            page += 1

    def _snapshot(self, project_id: int) -> ProjectSnapshot | None:
        """None where it is gone."""
        try:
            found: Any = self.api.read(_FIND, f"api/projects/{project_id}/")
        except MissingError:
            return None
        try:
            if found["id"] == project_id:
                return self._as_snapshot(found, project_id)
        except (KeyError, TypeError, ValueError):
            pass
        raise unreadable(self.api.url, _FIND)

    def _as_snapshot(self, found: Any, project_id: int) -> ProjectSnapshot:
        return ProjectSnapshot(
            project_id=project_id,
            url=self.project_url(project_id),
            title=found["title"] or "",
            description=found["description"] or "",
            instruction=found["expert_instruction"] or "",
            label_config=found["label_config"] or "",
            annotations_per_task=found["maximum_annotations"],
            show_predictions=found["show_collab_predictions"],
        )

    def _new_project(self, draft: ProjectDraft) -> int:
        made = self.api.sdk_once(
            _CREATE,
            lambda sdk: sdk.projects.create(
                **_fields(draft),
                show_instruction=False,  # as a dialog at each start, keys would act on the task behind it
                # Only predictions of this version are shown; without one, the first import sets it.
                model_version=draft.model_version,
                show_skip_button=True,
                # A skip counts as an answer: the task does not come back, to nobody beyond its number of annotations.
                skip_queue="IGNORE_SKIPPED",
                enable_empty_annotation=False,
                sampling="Sequential sampling",
                request_options=NO_RETRY,
            ),
        )
        if made.id is None:
            raise unreadable(self.api.url, _CREATE)
        return made.id


def _fields(draft: ProjectDraft) -> dict[str, Any]:
    return {
        "title": draft.title,
        "description": draft.description,
        "label_config": draft.label_config,
        "expert_instruction": draft.instruction,
        "maximum_annotations": draft.annotations_per_task,
        "show_collab_predictions": draft.show_predictions,
    }
