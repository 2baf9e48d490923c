"""Lines of a file of traces or pairs, each one JSON object: read for the dev stack and for the backtest alike."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from goldloop.errors import InputError

ShapeT = TypeVar("ShapeT", bound=BaseModel)


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


def read_line(shape: type[ShapeT], line: str, where: str, page: str) -> tuple[Any, ShapeT]:
    """The line's JSON, and what it is by its shape; `InputError` names its place, the field, and the page on fields."""
    try:
        value = json.loads(line)
        return value, shape.model_validate(value)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: this line is not JSON: {error.msg} at column {error.colno}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the line"
        said = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{where}: {field}: {said}; {page} has the fields") from None
