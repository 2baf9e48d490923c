"""One project with one label config: what it allows, what was set about it, and what was answered in it."""

import json
from dataclasses import dataclass, field

from pydantic import JsonValue

from goldloop.codebook.result import to_result
from goldloop.codebook.schema import Codebook
from goldloop.records import Value
from ml_backend.extra_params import ExtraParams
from ml_backend.kept import Kept
from ml_backend.label_config import LabelConfig, read_label_config

Result = list[JsonValue]
_ANSWERS_KEPT = 1000


@dataclass(frozen=True)
class ProjectModel:
    """What holds for every task of a project. Threads may share it."""

    project_id: int | None
    config: LabelConfig
    params: ExtraParams = field(default_factory=ExtraParams)
    _results: Kept[tuple[str, bool, str], Result | bool] = field(
        default_factory=lambda: Kept(_ANSWERS_KEPT), repr=False, compare=False
    )

    def result(self, codebook: Codebook, answers: str, *, swap: bool) -> Result | None:
        """What Label Studio is to show of these answers, in JSON; None where label config or codebook have no such.

        Most judgements of a project say one of few things: each is written and held against the label config once.
        """
        key = codebook.ref, swap, answers
        found = self._results.get_or_make(key, lambda: self._made(codebook, answers, swap=swap))
        return found if isinstance(found, list) else None

    def _made(self, codebook: Codebook, answers: str, *, swap: bool) -> Result | bool:
        try:
            given: dict[str, Value] = json.loads(answers)
            made = to_result(codebook, given, swap=swap)
        except Exception:  # noqa: BLE001 - what a judge makes up can break anything that writes it down
            return False
        known = all(codebook.question(name) is not None for name in given)
        return [*made] if known and self.config.allows(made) else False


def project_model(project_id: int | None, label_config: str, params: ExtraParams) -> ProjectModel:
    """`label_config` is XML; a broken one allows nothing, as a blind one does."""
    try:
        config = read_label_config(label_config)
    except ValueError:
        config = LabelConfig({}, blind=True)
    return ProjectModel(project_id, config, params)
