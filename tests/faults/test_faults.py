"""A short run of the loop under faults, on real servers: `make faults` is the same, with more traces."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.faults.kinds import Fault
from builders import ROOT

LINE = re.compile(
    r"traces 40, annotations \d+, faults injected (\d+), lost 0, duplicated 0, wrong 0, seconds \d+", re.ASCII
)


@pytest.mark.servers
def test_nothing_is_lost_and_nothing_doubled(tmp_path: Path) -> None:
    details = tmp_path / "details.json"
    asked = ["--seed", "1", "--traces", "40", "--store", "sqlite", "--rounds", "8", "--json", str(details)]
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.faults", *asked], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-3000:] + ended.stdout
    line = LINE.fullmatch(ended.stdout.strip())
    assert line
    told = json.loads(details.read_text(encoding="utf-8"))
    assert sum(told["faults"].values()) == int(line[1]) >= 10
    assert {kind for kind in Fault if told["faults"].get(kind)} == set(Fault)
    assert any(kind.startswith("kill -9") for kind in told["faults"])


def test_a_call_that_makes_no_sense() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.faults", "--traces", "20000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "--traces" in ended.stderr
