"""Which score configs of Langfuse a queue keeps to."""

from datetime import datetime

from sqlalchemy import select

from goldloop.adapters.store.rows import StorePart
from goldloop.adapters.store.tables import score_configs


class ScoreConfigIds(StorePart):
    def score_config_ids(self, queue: str) -> dict[tuple[str, str], str]:
        with self._db.read() as connection:
            rows = connection.execute(select(score_configs).where(score_configs.c.queue == queue)).mappings()
            return {(row["name"], row["digest"]): row["config_id"] for row in rows}

    def save_score_config(self, queue: str, name: str, digest: str, config_id: str, at: datetime) -> None:
        row = {"queue": queue, "name": name, "digest": digest, "config_id": config_id, "saved_at": at}
        with self._db.write() as connection:
            self._db.upsert(connection, score_configs, [row])

    def score_config_queues(self, config_id: str) -> set[str]:
        with self._db.read() as connection:
            query = select(score_configs.c.queue).where(score_configs.c.config_id == config_id)
            return set(connection.execute(query).scalars())
