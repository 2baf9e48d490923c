"""Backups of the store that the settings name."""

from pathlib import Path

from goldloop.adapters.store import backup
from goldloop.adapters.store.backup import Backup, Restored
from goldloop.settings import Settings

__all__ = ["Backup", "Restored", "back_up", "restore"]


def back_up(settings: Settings, file: Path, *, force: bool) -> Backup:
    """Write the store into a file: see `goldloop.adapters.store.backup`."""
    return backup.back_up(settings.store_url, file, force=force)


def restore(settings: Settings, file: Path, *, force: bool) -> Restored:
    """Put a backup in the store's place: see `goldloop.adapters.store.backup`."""
    return backup.restore(settings.store_url, file, force=force)
