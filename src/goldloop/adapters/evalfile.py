"""The golden set as a file: one JSON object a line, kept in the order in which rows first came."""

import json
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from goldloop.errors import ConfigError
from goldloop.records import EvalRow, Receipt, Value, labels_in


class EvalFile:
    """`<folder>/<dataset>.jsonl`, replaced as a whole by each write, so that a reader never sees half of one."""

    name = "eval file"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(
        self,
        dataset: str,
        rows: Sequence[EvalRow],
        new: Collection[str] = (),  # noqa: ARG002 - the file is read whole in any case
    ) -> list[Receipt]:
        lines = self._read(dataset)
        fresh = {row.row_id: row.model_dump_json() for row in rows}
        self._write(dataset, lines, lines | fresh)
        return [Receipt(key=row.row_id, accepted=True) for row in rows]

    def remove(self, dataset: str, row_ids: Sequence[str]) -> None:
        lines = self._read(dataset)
        self._write(dataset, lines, {row_id: line for row_id, line in lines.items() if row_id not in set(row_ids)})

    def row_ids(self, dataset: str) -> set[str]:
        return set(self._read(dataset))

    def shown(self, dataset: str, queue: str) -> dict[str, dict[str, Value]]:
        lines = {row_id: labels_in(json.loads(line), queue) for row_id, line in self._read(dataset).items()}
        return {row_id: labels for row_id, labels in lines.items() if labels is not None}

    def _path(self, dataset: str) -> Path:
        return self._folder / f"{dataset}.jsonl"

    def _read(self, dataset: str) -> dict[str, str]:
        """The lines as they stand, by row id: a line written by another version is kept to the letter."""
        path = self._path(dataset)
        if not path.exists():
            return {}
        lines: dict[str, str] = {}
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
            if not line.strip():
                continue
            try:
                lines[str(json.loads(line)["row_id"])] = line
            except (ValueError, KeyError, TypeError):
                raise ConfigError(
                    f"{path}:{number}: this line is no eval row; mend or delete it, then run `goldloop publish` again"
                ) from None
        return lines

    def _write(self, dataset: str, before: dict[str, str], after: dict[str, str]) -> None:
        if after == before:
            return
        path = self._path(dataset)
        beside = path.with_suffix(".jsonl.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("w", encoding="utf-8") as file:
                file.writelines(line + "\n" for line in after.values())
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError as error:
            raise ConfigError(
                f"{path}: cannot be written ({error.strerror}); set GOLDLOOP_EVALS to a folder that can"
            ) from None
