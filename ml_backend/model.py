"""The two classes that label-studio-ml asks for: a model, and what keeps models."""

import logging
import re
import threading
from collections.abc import Sequence
from typing import Any

from label_studio_ml.model import LabelStudioMLBase, LabelStudioMLManager, ModelWrapper
from pydantic import JsonValue

from goldloop.codebook.result import MODEL_VERSION
from ml_backend.prelabels import Prelabels

_log = logging.getLogger(__name__)
_ACTION = re.compile(r"[A-Z_]{1,40}")


class PrelabelModel(LabelStudioMLBase):  # type: ignore[misc]  # the library has no types
    """goldloop's judge for one label config, and so for one request."""

    def __init__(self, label_config: str = "", *, prelabels: Prelabels, project_id: int | None = None) -> None:
        # The base class would parse the label config with lxml, entities and all: ours is read in `Prelabels`.
        super().__init__(label_config=None)
        self.label_config = label_config
        self._prelabels = prelabels
        self._project_id = project_id

    def predict(self, tasks: Sequence[object], **_context: Any) -> list[dict[str, JsonValue]]:
        """One prediction for each task, in order."""
        return self._prelabels.predict(tasks, self.label_config, self._project_id)


class PrelabelModels(LabelStudioMLManager):  # type: ignore[misc]  # the library has no types
    """A fresh model for every request.

    The library's own keeps one model in its class for all projects, generates versions from the clock, and starts a
    process (or a job in Redis) for each webhook. This one keeps nothing but a count.
    """

    def __init__(self) -> None:
        self._webhooks = 0
        self._counting = threading.Lock()

    def initialize(self, model_class: type[PrelabelModel], *, prelabels: Prelabels) -> None:
        """What `init_app` hands on."""
        self._model_class, self._prelabels = model_class, prelabels

    def fetch(self, project: str | None = None, label_config: str | None = None, *_args: Any, **_kwargs: Any) -> Any:
        """The model of a project (`<id>.<time of its creation>`); an access token that comes with it goes nowhere.

        Its version is the one that every prediction carries: where they differ, each retrieve duplicates predictions.
        """
        model = self._model_class(label_config or "", prelabels=self._prelabels, project_id=_project_id(project))
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

    def webhook(self, event: object, _data: object = None) -> dict[str, JsonValue]:
        """Counted, and nothing else: no process, no job."""
        with self._counting:
            self._webhooks += 1
            count = self._webhooks
        action = event if isinstance(event, str) and _ACTION.fullmatch(event) else "of an unknown action"
        _log.info("webhook %s, %d since the start", action, count)
        return {"webhooks": count}


def _project_id(project: str | None) -> int | None:
    number = str(project or "").partition(".")[0]
    return int(number) if number.isdecimal() else None
