"""The whole loop, verb by verb: how much of the wall time is goldloop's own CPU. The rest is the servers'.

Scripted people answer each task in between, over the API from several threads; their time does not count. Scores show
as late as on a fast real server, five seconds after they were sent, which publish waits for; what is left without that
wait is told beside it.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.judge_table import Row
from benchmarks.sync_servers import Servers
from benchmarks.sync_store import CODEBOOK
from benchmarks.sync_traces import fill
from goldloop.bootstrap import Goldloop, Run
from goldloop.codebook.load import load
from goldloop.codebook.result import to_result
from goldloop.codebook.schema import Codebook
from goldloop.devstack.langfuse_server import StandInManner
from goldloop.settings import Settings

MANNER = StandInManner()
"""Whose lags are the lower end of what a real server was measured to take."""
_PEOPLE = 4
_MOST = 0.25
_BEFORE = ("pull", "draw", "prelabel", "enqueue")
_AFTER = ("gather", "resolve", "publish")


class Spent:
    """Wall and CPU seconds, by verb; `waited` for scores to show."""

    def __init__(self) -> None:
        self.waited = 0.0
        self.wall: dict[str, float] = {}
        self.cpu: dict[str, float] = {}

    def sleep(self, seconds: float) -> None:
        self.waited += seconds
        time.sleep(seconds)

    def run(self, goldloop: Goldloop, verbs: Sequence[str]) -> None:
        for verb in verbs:
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in goldloop.run([verb], None, Run(seed=1)):
                pass
            self.wall[verb] = time.perf_counter() - wall
            self.cpu[verb] = time.process_time() - cpu


def measure(servers: Servers, *, fast: bool) -> Iterator[Row]:
    drawn = 200 if fast else 2_000
    fill(servers.database, datetime.now(UTC) - timedelta(minutes=5), 2 * drawn, drawn)
    folder = servers.folder / "loop"
    asked = load(_write_codebook(folder / "label_configs", drawn))
    spent = Spent()
    with Goldloop(_settings(servers, folder), sleep=spent.sleep) as goldloop:
        spent.run(goldloop, _BEFORE)
        (project,) = goldloop.store.projects(asked.name)
        answered = _answer(servers, asked, project.project_id)
        spent.run(goldloop, _AFTER)
    if answered != drawn:
        raise RuntimeError(f"{drawn} traces were to be drawn, and {answered} were answered")
    wall, cpu = sum(spent.wall.values()), sum(spent.cpu.values())
    by_verb = ", ".join(f"{verb} {spent.cpu[verb]:.1f}/{spent.wall[verb]:.1f}" for verb in spent.wall)
    yield Row.at_most(
        f"{drawn:,} drawn: goldloop's own CPU, of the wall time", _MOST, cpu / wall, "%", f"CPU/wall in s: {by_verb}"
    )
    yield Row(
        what=f"the same, without the {spent.waited:.1f} s that it waited for scores to show",
        reached=cpu / (wall - spent.waited),
        unit="%",
    )


def _write_codebook(folder: Path, drawn: int) -> Path:
    """The one that ships, with a day's budget of `drawn`, one annotator a trace, and draws by chance alone."""
    folder.mkdir(parents=True)
    text, found, _ = CODEBOOK.read_text("utf-8").partition("\nqueue:\n")
    assert found
    queue = f"\nqueue:\n  budget: {drawn}\n  mix: {{random: 1.0}}\n  annotations_per_trace: 1\n"
    (folder / CODEBOOK.name).write_text(text + queue, "utf-8")
    return folder / CODEBOOK.name


def _settings(servers: Servers, folder: Path) -> Settings:
    own = {
        "store_url": f"sqlite:///{folder / 'goldloop.db'}",
        "codebooks": folder / "label_configs",
        "evals": folder / "evals",
    }
    return Settings.model_validate({**servers.environment, **own})


def _answer(servers: Servers, asked: Codebook, project_id: int) -> int:
    """An annotation for each task of the project, every seventh a failure; how many there were."""
    first, *others = asked.verdict.label_names
    with servers.raw_label_studio() as client, ThreadPoolExecutor(_PEOPLE) as people:
        params: dict[str, str | int] = {"project": project_id, "page_size": 10_000, "include": "id"}
        task_ids = [task["id"] for task in client.get("tasks/", params=params).raise_for_status().json()["tasks"]]

        def one(task_id: int) -> None:
            said = {asked.verdict.name: others[0] if task_id % 7 == 0 else first}
            body = {"result": to_result(asked, said), "lead_time": 12.0}
            client.post(f"tasks/{task_id}/annotations/", json=body).raise_for_status()

        for _ in people.map(one, task_ids):
            pass
        return len(task_ids)
