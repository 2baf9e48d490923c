"""What a rebuild adds: draws and runs as tasks tell of them, and what stands in Langfuse and in the golden set."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, case, select, update

from goldloop.adapters.store import tables
from goldloop.adapters.store.candidates import environments
from goldloop.adapters.store.draws import apart
from goldloop.adapters.store.resolutions import TICK
from goldloop.adapters.store.rows import StorePart, batches, found, record_of
from goldloop.adapters.store.tasks import ENDED
from goldloop.ports import EvalDue
from goldloop.records import Draw, DrawRun, Score, ScoreType, ShownScore, State, Task


class Rebuilding(StorePart):
    def standing_tasks(self, queue: str) -> list[Task]:
        tasks = tables.tasks.c
        query = select(tables.tasks).where(tasks.queue == queue, tasks.deleted_at.is_(None))
        with self._db.read() as connection:
            rows = connection.execute(query.order_by(tasks.project_id, tasks.task_id)).mappings()
            return [record_of(Task, row) for row in rows]

    def bring_back(self, run: DrawRun, draws: Sequence[Draw], queued: Mapping[str, datetime]) -> None:
        rows = []
        for draw in draws:
            drawn_at = draw.drawn_at or run.drawn_at
            at = queued[draw.trace_id]
            made = {"state": State.QUEUED.value, "resolve_due": False, "import_begun_at": ENDED, "queued_at": at}
            rows.append({**dict(draw), **made, "drawn_at": drawn_at})
        with self._db.write() as connection:
            self._add(connection, tables.draw_runs, [{**dict(run), "seed": str(run.seed)}])
            for table, those in apart(rows):
                self._add(connection, table, those)

    def _add(self, connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        """Insert those that are not there, by primary key."""
        columns = {column.name for column in table.columns}
        for batch in batches(rows):
            connection.execute(
                self._db.insert(table).on_conflict_do_nothing(),
                [{name: value for name, value in row.items() if name in columns} for row in batch],
            )

    def waiting_scores(self, queue: str) -> list[Score]:
        scores = tables.scores
        query = select(scores).where(scores.c.queue == queue, scores.c.state == "due").order_by(scores.c.score_id)
        with self._db.read() as connection:
            return [record_of(Score, row) for row in connection.execute(query).mappings()]

    def stand(self, shown: Mapping[str, datetime | None], at: datetime) -> None:
        """They count as tried, for the server knows them."""
        with self._db.write() as connection:
            self._set_due(connection, shown, {"state": "confirmed", "sent_at": at})

    def outrun(self, shown: Mapping[str, datetime]) -> None:
        with self._db.write() as connection:
            known = found(connection, tables.scores, "score_id", [*shown])
            later = {one: max(known[one]["event_at"], at + TICK) for one, at in shown.items() if one in known}
            self._set_due(connection, later, {})

    def _set_due(
        self, connection: Connection, times: Mapping[str, datetime | None], values: Mapping[str, object]
    ) -> None:
        scores = tables.scores
        tried = case((scores.c.attempts > 0, scores.c.attempts), else_=1)
        for score_id, event_at in times.items():
            this = (scores.c.score_id == score_id) & (scores.c.state == "due")
            told = {} if event_at is None else {"event_at": event_at}
            connection.execute(update(scores).where(this).values(attempts=tried, **values, **told))

    def were_written(self, queue: str, row_ids: Collection[str]) -> None:
        eval_rows = tables.eval_rows.c
        with self._db.write() as connection:
            for batch in batches(sorted(row_ids)):
                untried = (eval_rows.queue == queue) & eval_rows.row_id.in_(batch) & (eval_rows.attempts == 0)
                connection.execute(update(tables.eval_rows).where(untried).values(attempts=1))

    def take_back_scores(self, queue: str, shown: Sequence[ShownScore], at: datetime) -> int:
        with self._db.write() as connection:
            known_in = environments(connection, list(dict.fromkeys(one.trace_id for one in shown if one.trace_id)))
            rows = [
                {
                    "score_id": one.score_id,
                    "queue": queue,
                    "trace_id": one.trace_id,
                    "name": one.name,
                    "data_type": (ScoreType.CATEGORICAL if isinstance(one.value, str) else ScoreType.NUMERIC).value,
                    "value": "" if one.value is None else one.value,
                    "metadata": one.metadata,
                    "environment": known_in[one.trace_id],
                    "event_at": one.event_at or at,
                    "digest": "",
                    "state": "delete_due",
                    "attempts": 1,
                    "sent_at": at,
                }
                for one in shown
                if one.trace_id in known_in
            ]
            ids = [one.score_id for one in shown if one.trace_id in known_in]
            known = found(connection, tables.scores, "score_id", ids)
            self._add(connection, tables.scores, rows)
            return len({*ids} - known.keys())

    def take_back_rows(self, queue: str, rows: Sequence[EvalDue]) -> int:
        fixed = {"queue": queue, "digest": "", "state": "remove_due", "attempts": 1}
        with self._db.write() as connection:
            known = found(connection, tables.eval_rows, "row_id", [row.row_id for row in rows])
            self._add(connection, tables.eval_rows, [{**dict(row), **fixed} for row in rows])
            return len({row.row_id for row in rows} - known.keys())
