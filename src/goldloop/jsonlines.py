"""Lines of a file of traces, each one JSON object: read for the dev stack and for the backtest alike."""

import gzip
from collections.abc import Iterator
from pathlib import Path

from goldloop.errors import InputError


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that hold something, of a plain or gzipped file, each with its number; `InputError` names the file."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text or gzip of it ({error.__class__.__name__})") from None
