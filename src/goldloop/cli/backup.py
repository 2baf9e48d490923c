"""`goldloop backup` and `goldloop restore`: the store in one file, and back."""

# ruff: noqa: PLC0415 - each command imports what it needs: SQLAlchemy takes a time that --help has not

from pathlib import Path
from typing import Annotated

import typer

from goldloop.cli.opened import opened
from goldloop.cli.options import AsJson, example


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("backup", epilog=example("goldloop backup goldloop.backup"))(_backup)
    app.command("restore", epilog=example("goldloop restore goldloop.backup"))(_restore)


def _backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file where it exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the store into one file, while runs may go on."""
    from goldloop.bootstrap.backups import back_up
    from goldloop.cli.output import out, plain, print_json

    with opened() as goldloop:
        made = back_up(goldloop.settings, file, force=force)
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        said = f"The store {plain(made.store)} is in {plain(made.file)}: {made.bytes:,} bytes."
        out.print(said, soft_wrap=True)


def _restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that goldloop backup wrote.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a store that is not empty.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of the store."""
    from goldloop.bootstrap.backups import restore
    from goldloop.cli.output import out, plain, print_json

    with opened() as goldloop:
        made = restore(goldloop.settings, file, force=force)
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        out.print(f"The store {plain(made.store)} is that of {plain(made.file)} now.", soft_wrap=True)
        out.print("Next: goldloop rebuild, for what was drawn and said since then")
