"""Options that several commands take, and how their help shows an example."""

from typing import Annotated

import typer

Queue = Annotated[str | None, typer.Option("--queue", "-q", help="The codebook's name; not needed where there is one.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Start of the draw's randomness; a random one without it.")]


def example(call: str) -> str:
    """The end of a command's help."""
    return f"Example: [bold]{call}[/bold]"
