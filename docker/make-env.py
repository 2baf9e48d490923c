#!/usr/bin/env python3
"""Writes `.env` for docker-compose.yml: `.env.example`, with a random secret in the place of every empty value."""

import argparse
import os
import re
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def password() -> str:
    """A password that people type: letters, digits and a sign, as the sign-up rules of web pages want them."""
    return f"gl-{secrets.token_hex(16)}"


def hex_key() -> str:
    """64 hex digits: long enough for every key, and safe inside a URL."""
    return secrets.token_hex(32)


# What is not here is a hex_key.
SHAPES: dict[str, Callable[[], str]] = {
    "LANGFUSE_ADMIN_PASSWORD": password,
    "LABEL_STUDIO_ADMIN_PASSWORD": password,
    "LABEL_STUDIO_API_KEY": lambda: secrets.token_hex(20),
    "LANGFUSE_PUBLIC_KEY": lambda: f"pk-lf-{secrets.token_hex(16)}",
    "LANGFUSE_SECRET_KEY": lambda: f"sk-lf-{secrets.token_hex(32)}",
}


def fill(example: str) -> str:
    """The text of an example file with a secret behind every `NAME=` that has nothing behind it."""

    def secret(empty: re.Match[str]) -> str:
        name = empty["name"]
        return f"{name}={SHAPES.get(name, hex_key)()}"

    return re.sub(r"^(?P<name>[A-Z][A-Z0-9_]*)=[ \t]*$", secret, example, flags=re.MULTILINE)


def write_new(path: Path, text: str) -> None:
    """Write a file that only its owner may read; raises FileExistsError where there is one already."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / ".env", help="the file to write (default: %(default)s)")
    output: Path = parser.parse_args().output
    try:
        write_new(output, fill((ROOT / ".env.example").read_text(encoding="utf-8")))
    except FileExistsError:
        sys.stderr.write(
            f"{output} exists and was left alone: the stack's data is locked with its passwords, "
            "so edit it, or move it away and start with empty volumes.\n"
        )
        return 1
    except OSError as error:
        sys.stderr.write(f"{output} was not written ({error.strerror}): name a folder that you may write to.\n")
        return 1
    sys.stdout.write(f"{output} written, mode 0600. Next: docker compose up --build -d\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
