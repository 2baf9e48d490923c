"""Writes ``sample_traces.jsonl`` anew from the material: ``python -m goldloop.devstack.sample [--check]``."""

import argparse
import sys

from goldloop.devstack.sample import sample_path
from goldloop.devstack.sample.assemble import lines


def main(arguments: list[str] | None = None) -> int:
    """0 when the file is as the material has it, 1 when ``--check`` finds it stale."""
    parser = argparse.ArgumentParser(prog="python -m goldloop.devstack.sample", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if the file is stale")
    check = parser.parse_args(arguments).check
    path, text = sample_path(), lines()
    fresh = text.encode()
    if path.exists() and path.read_bytes() == fresh:
        return 0
    if check:
        sys.stderr.write(f"{path.name} is stale: run python -m goldloop.devstack.sample and commit the file.\n")
        return 1
    path.write_bytes(fresh)
    sys.stdout.write(f"{path}: {len(text.splitlines())} traces\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
