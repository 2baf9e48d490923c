"""The demo as a user runs it: what its last line says, that it goes on where it stopped, and that it cleans up."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from builders import ROOT
from conftest import LabelStudioServer
from e2e.traces import majority, submitted
from goldloop.devstack.sample import sample_path
from goldloop.devstack.tracefile import read

pytestmark = pytest.mark.servers

TRACES = 24


def demo_command(state: Path, traces: Path) -> list[str]:
    demo = [sys.executable, "-m", "goldloop.devstack", "demo", "--once"]
    return [*demo, "--state", str(state), "--traces", str(traces)]


def using(label_studio: LabelStudioServer) -> Mapping[str, str]:
    """The run's own Label Studio, named as a team names theirs: no second one has to start."""
    key = label_studio.api_key.get_secret_value()
    return os.environ | {"LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": key}


def left_over(state: Path) -> list[str]:
    """Command lines of processes that still speak of this state folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            said = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue
        if str(state).encode() in said:
            found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_once_and_once_more(tmp_path: Path, clear_label_studio: LabelStudioServer) -> None:
    state, file = tmp_path / "state", tmp_path / "traces.jsonl"
    lines = sample_path().read_text(encoding="utf-8").splitlines()[:TRACES]
    file.write_text("\n".join(lines), encoding="utf-8")
    traces = read(file)
    ratings = [rating for trace in traces for rating in trace.human.ratings]
    answers = Counter(majority(trace) for trace in traces)
    error_types = sum(  # a failure of which two or more raters failed it for something has this answer too
        majority(trace) == "fail" and any(rating.errors for rating in submitted(trace)) for trace in traces
    )

    def run() -> dict[str, float]:
        ended = subprocess.run(
            demo_command(state, file),
            env=using(clear_label_studio),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert left_over(state) == []
        return dict(json.loads(ended.stdout.splitlines()[-1]))

    first = run()
    seconds = first.pop("seconds")
    assert seconds > 0
    assert first == {
        "pulled": TRACES,
        "drawn": TRACES,
        "prelabelled": first["prelabelled"],
        "annotated": sum(not rating.skips for rating in ratings),
        "skipped": sum(rating.skips for rating in ratings),
        "scores": sum(not rating.skips for rating in ratings) + answers["pass"] + answers["fail"] + error_types,
        "eval_rows": answers["fail"],
        "parked": 0,
    }
    assert 0 < first["prelabelled"] <= TRACES
    again = run()
    again.pop("seconds")
    assert again == first


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_an_end_from_outside_leaves_no_process(
    tmp_path: Path, label_studio: LabelStudioServer, number: signal.Signals
) -> None:
    state = tmp_path / "state"
    with subprocess.Popen(
        demo_command(state, sample_path()),
        env=using(label_studio),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as demo:
        deadline = time.monotonic() + 60
        while len(left_over(state)) < 3:  # itself, and servers that are starting
            assert demo.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        demo.send_signal(number)
        assert demo.wait(timeout=60) != 0
    deadline = time.monotonic() + 20
    while left_over(state):
        assert time.monotonic() < deadline, left_over(state)
        time.sleep(0.1)


def test_a_bad_trace_file_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text('{"id": "a", "output": "x"}\n', encoding="utf-8")
    ended = subprocess.run(
        demo_command(tmp_path / "state", file), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert f"{file}:1: timestamp: Field required" in ended.stderr
    assert "Traceback" not in ended.stderr
