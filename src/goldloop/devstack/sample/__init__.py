"""A sample of traces, invented for goldloop: the support assistant of Marlowick, an e-bike maker that does not exist.

``material/`` holds the prose: articles, customers, and what was asked, answered and objected to. ``python -m
goldloop.devstack.sample`` assembles it into ``sample_traces.jsonl``, always the same bytes.
"""

from importlib.resources import files
from pathlib import Path


def sample_path() -> Path:
    """Where the sample lies: JSON lines, one trace a line, oldest first."""
    return Path(str(files(__name__) / "sample_traces.jsonl"))
