"""The two classes that label-studio-ml asks for: a model, and what keeps models."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from label_studio_ml.model import LabelStudioMLBase, LabelStudioMLManager, ModelWrapper
from pydantic import JsonValue

from goldloop.codebook.result import MODEL_VERSION
from ml_backend.extra_params import ExtraParams
from ml_backend.kept import Kept
from ml_backend.project_model import project_model
from ml_backend.service import Service

MODELS: Final = 200
"""Projects with their label configs that are kept at once; one that fell out is made anew when it is asked for."""

_log = logging.getLogger(__name__)


class PrelabelModel(LabelStudioMLBase):  # type: ignore[misc]  # the library has no types
    """goldloop's judge for one project with one label config."""

    def __init__(
        self, label_config: str = "", *, service: Service, project_id: int | None = None, params: ExtraParams
    ) -> None:
        # The base class would parse the label config with lxml, entities and all: ours is read in `project_model`.
        super().__init__(label_config=None)
        self._service = service
        self.project = project_model(project_id, label_config, params)

    def predict(self, tasks: Sequence[object], **_context: Any) -> list[dict[str, JsonValue]]:
        """One prediction for each task, in order."""
        return self._service.prelabels.predict(tasks, self.project)


class PrelabelModels(LabelStudioMLManager):  # type: ignore[misc]  # the library has no types
    """One model for each project and label config.

    The library's own keeps one model in its class for all projects, generates versions from the clock, and starts a
    process (or a job in Redis) for each webhook.
    """

    def __init__(self) -> None:
        self._models: Kept[tuple[int | None, str], PrelabelModel] = Kept(MODELS)
        self._params: Kept[int | None, ExtraParams] = Kept(MODELS)

    def initialize(self, model_class: type[PrelabelModel], *, service: Service) -> None:
        """What `init_app` hands on."""
        self._model_class, self._service = model_class, service

    def set_up(self, project: str, label_config: str, params: ExtraParams) -> Any:
        """The model of a project (`<id>.<time of its creation>`), with these parameters from now on.

        Its version is the one that every prediction carries: where they differ, each retrieve duplicates predictions.
        """
        project_id = _project_id(project)
        self._params.put(project_id, params)
        return self.fetch(project, label_config)

    def fetch(self, project: str | None = None, label_config: str | None = None, *_args: Any, **_kwargs: Any) -> Any:
        """The model of a project; an access token that comes with it goes nowhere."""
        project_id, xml = _project_id(project), label_config or ""
        params = self._params.get(project_id) or ExtraParams()
        key = project_id, hashlib.sha256(xml.encode(errors="surrogatepass")).hexdigest()
        model = self._models.get(key)
        if model is None or model.project.params != params:
            model = self._model_class(xml, service=self._service, project_id=project_id, params=params)
            self._models.put(key, model)
        return ModelWrapper(model=model, model_version=MODEL_VERSION)

    def predict(
        self,
        tasks: Sequence[object],
        project: str | None = None,
        label_config: str | None = None,
        *_args: Any,
        **_kwargs: Any,
    ) -> tuple[list[dict[str, JsonValue]], Any]:
        """The predictions, and the model that they are of."""
        model = self.fetch(project, label_config)
        return model.model.predict(tasks), model

    def webhook(self, event: object, data: object = None) -> dict[str, JsonValue]:
        """Noted, and nothing else here: no process, no job. Labels are fitted to in the background."""
        action = event if isinstance(event, str) else ""
        return {"webhooks": self._service.heard(action, _told_project(data))}


def _project_id(project: object) -> int | None:
    number = str(project or "").partition(".")[0]
    return int(number) if number.isascii() and number.isdecimal() and len(number) < _DIGITS else None


def _told_project(data: object) -> int | None:
    project = data.get("project") if isinstance(data, Mapping) else None
    return _project_id(project.get("id") if isinstance(project, Mapping) else project)


_DIGITS: Final = 19
"""What a database's number has at most."""
