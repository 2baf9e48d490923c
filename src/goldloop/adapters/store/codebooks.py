"""Codebooks, the projects that they own, and watermarks."""

from datetime import datetime

from sqlalchemy import select

from goldloop.adapters.store.rows import StorePart, record_of
from goldloop.adapters.store.tables import codebooks, projects, watermarks
from goldloop.codebook.lineage import CodebookVersion, Lineage, Since, first
from goldloop.codebook.schema import Codebook
from goldloop.errors import CodebookError
from goldloop.records import Project


class Codebooks(StorePart):
    def save_codebook(self, codebook: Codebook, at: datetime, since: Since | None = None) -> None:
        key = (codebooks.c.queue == codebook.name) & (codebooks.c.version == codebook.version)
        with self._db.write() as connection:
            known = connection.execute(select(codebooks.c.body).where(key)).scalar()
            # Not by its digest: one of before had not the fields that came since.
            if known is not None and Codebook.model_validate(known).digest() != codebook.digest():
                raise CodebookError(
                    f"Codebook {codebook.ref} was saved before with other questions: give the new ones a new version."
                )
            row = {
                "queue": codebook.name,
                "version": codebook.version,
                "digest": codebook.digest(),
                "body": codebook.model_dump(mode="json"),
                "saved_at": at,
            }
            if since is not None and known is None:
                row["lineage"] = dict(since)
            self._db.upsert(connection, codebooks, [row])

    def codebook(self, queue: str, version: str) -> Codebook:
        """`CodebookError` where it was never saved."""
        with self._db.read() as connection:
            key = (codebooks.c.queue == queue) & (codebooks.c.version == version)
            body = connection.execute(select(codebooks.c.body).where(key)).scalar()
        if body is None:
            raise CodebookError(f"Codebook {queue}@{version} is not in the store: run with its file once.")
        return Codebook.model_validate(body)

    def lineage(self, queue: str) -> Lineage:
        """Rows from before there was a lineage: each of their questions dates from its version, and they were used."""
        with self._db.read() as connection:
            rows = connection.execute(select(codebooks).where(codebooks.c.queue == queue)).mappings().all()
        versions = []
        for row in rows:
            codebook = Codebook.model_validate(row["body"])
            old = row["lineage"] is None
            versions.append(
                CodebookVersion(
                    codebook=codebook,
                    since=first(codebook) if old else row["lineage"],
                    published_at=row["published_at"] or (row["saved_at"] if old else None),
                )
            )
        return Lineage.of(versions)

    def save_project(self, project: Project) -> None:
        with self._db.write() as connection:
            self._db.upsert(connection, projects, [dict(project)])

    def projects(self, queue: str) -> list[Project]:
        """Oldest first."""
        with self._db.read() as connection:
            query = (
                select(projects)
                .where(projects.c.queue == queue)
                .order_by(projects.c.project_id, projects.c.codebook_version)
            )
            return [record_of(Project, row) for row in connection.execute(query).mappings()]

    def watermark(self, stream: str) -> datetime | None:
        with self._db.read() as connection:
            return connection.execute(select(watermarks.c.at).where(watermarks.c.stream == stream)).scalar()

    def set_watermark(self, stream: str, at: datetime) -> None:
        """It may be set back: that is how a range is read again."""
        with self._db.write() as connection:
            self._db.upsert(connection, watermarks, [{"stream": stream, "at": at}])
