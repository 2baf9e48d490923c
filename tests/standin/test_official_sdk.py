"""The official SDK against the stand-in as its own process, over a socket."""

import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import httpx
import pytest
from langfuse import Langfuse, propagate_attributes
from langfuse.api import ConfigCategory, ScoreConfigDataType
from langfuse.api.scores import CreateScoreRequest

pytestmark = pytest.mark.servers

_T = TypeVar("_T")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def eventually(read: Callable[[], _T], seconds: float = 15) -> _T:
    """The first non-empty answer of `read`."""
    until = time.monotonic() + seconds
    while not (found := read()):
        assert time.monotonic() < until, "It never became readable."
        time.sleep(0.05)
    return found


def is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/public/health", timeout=1).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    folder: Path = tmp_path_factory.mktemp("stand-in")
    command = [sys.executable, "-m", "goldloop.devstack.langfuse", "--port", str(port)]
    command += ["--database", str(folder / "stand-in.sqlite"), "--version", "4.59.0"]
    command += ["--observation-lag", "0.1", "--score-lag", "0.2"]
    keys = {"LANGFUSE_PUBLIC_KEY": "pk-test", "LANGFUSE_SECRET_KEY": "sk-test"}
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, env={**os.environ, **keys}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        try:
            eventually(lambda: is_up(address))
            yield address
        finally:
            run.terminate()
            said, _ = run.communicate(timeout=20)
    assert run.returncode == 0
    assert said == b""


@pytest.fixture(scope="module")
def langfuse(url: str) -> Iterator[Langfuse]:
    client = Langfuse(
        public_key="pk-test",
        secret_key="sk-test",
        base_url=url,
        environment="prod",
        release="r1",
        # The test sets the pace itself, by flush.
        flush_interval=60,
    )
    yield client
    client.shutdown()


def test_nested_observations(langfuse: Langfuse) -> None:
    assert langfuse.auth_check()
    with (
        langfuse.start_as_current_observation(name="chat", as_type="agent", input={"question": "é?"}) as root,
        propagate_attributes(user_id="u1", session_id="s1", tags=["a", "b"], trace_name="support", metadata={"k": "v"}),
    ):
        with langfuse.start_as_current_observation(name="search", as_type="retriever", output=["d1"]):
            pass
        with langfuse.start_as_current_observation(
            name="llm",
            as_type="generation",
            model="m-1",
            model_parameters={"temperature": 0.5},
            usage_details={"input": 3, "output": 4},
            cost_details={"input": 0.25},
        ) as generation:
            generation.update(output="an answer", level="WARNING", status_message="slow", version="v2")
        root.update(output="an answer", metadata={"number": 3})
    langfuse.flush()
    fields = "core,basic,time,io,metadata,model,usage,prompt,metrics,trace_context"

    def read() -> list[object]:
        return list(langfuse.api.observations.get_many(trace_id=root.trace_id, fields=fields).data)

    eventually(lambda: len(read()) == 3)
    found = langfuse.api.observations.get_many(trace_id=root.trace_id, fields=fields)
    assert found.meta.cursor is None
    rows = {row.name: row for row in found.data}
    chat, search, llm = rows["chat"], rows["search"], rows["llm"]
    assert (chat.type, search.type, llm.type) == ("AGENT", "RETRIEVER", "GENERATION")
    assert (chat.is_root_observation, search.is_root_observation) == (True, False)
    assert chat.parent_observation_id is None
    assert search.parent_observation_id == llm.parent_observation_id == chat.id == root.id
    assert json.loads(chat.input) == {"question": "é?"}
    assert (chat.output, search.output) == ("an answer", '["d1"]')
    assert chat.metadata is not None
    assert chat.metadata["number"] == "3"
    assert (llm.user_id, llm.session_id, llm.tags, llm.trace_name) == ("u1", "s1", ["a", "b"], "support")
    assert llm.metadata is not None
    assert llm.metadata["k"] == "v"
    assert (llm.environment, llm.release, llm.version) == ("prod", "r1", "v2")
    assert (llm.level, llm.status_message, llm.model) == ("WARNING", "slow", "m-1")
    assert llm.model_parameters == {"temperature": 0.5}
    assert llm.usage_details == {"input": 3, "output": 4, "total": 7}
    assert llm.total_cost == 0.25
    roots = langfuse.api.observations.get_many(is_root_observation=True, trace_id=root.trace_id, environment=["prod"])
    assert [row.name for row in roots.data] == ["chat"]


def test_a_trace_id_of_ones_own(langfuse: Langfuse) -> None:
    trace_id = langfuse.create_trace_id(seed="a request of mine")
    with langfuse.start_as_current_observation(name="own", trace_context={"trace_id": trace_id}):
        pass
    langfuse.flush()
    (row,) = eventually(lambda: langfuse.api.observations.get_many(trace_id=trace_id).data)
    assert row.is_root_observation


def test_scores_and_configs(langfuse: Langfuse) -> None:
    config = langfuse.api.score_configs.create(
        name="verdict",
        data_type=ScoreConfigDataType.CATEGORICAL,
        categories=[ConfigCategory(label="pass", value=1), ConfigCategory(label="fail", value=0)],
    )
    assert langfuse.api.score_configs.get_by_id(config.id).categories == config.categories
    assert config.id in [each.id for each in langfuse.api.score_configs.get().data]
    assert langfuse.api.score_configs.update(config.id, description="new").description == "new"
    trace_id = uuid.uuid4().hex
    langfuse.create_score(
        name="verdict", value="pass", trace_id=trace_id, score_id=f"{trace_id}-v", config_id=config.id, comment="good"
    )
    langfuse.create_score(name="useful", value=1, trace_id=trace_id, data_type="BOOLEAN")
    langfuse.flush()
    langfuse.api.scores.create(request=[CreateScoreRequest(name="length", value=7.5, trace_id=trace_id)])

    def read() -> bool:
        return len(langfuse.api.scores.get_many(trace_id=trace_id).data) == 3

    eventually(read)
    found = langfuse.api.scores.get_many(trace_id=trace_id, fields="details,subject,annotation").data
    assert {score.name: score.value for score in found} == {"verdict": "pass", "useful": True, "length": 7.5}
    verdict = next(score for score in found if score.name == "verdict")
    assert (verdict.comment, verdict.config_id, verdict.id) == ("good", config.id, f"{trace_id}-v")
    assert verdict.subject is not None
    assert (verdict.subject.kind, verdict.subject.id) == ("trace", trace_id)
    langfuse.api.scores.delete(verdict.id)
    eventually(lambda: not langfuse.api.scores.get_many(id=verdict.id).data)


def test_datasets(langfuse: Langfuse) -> None:
    name = "golden/answers v1"
    langfuse.create_dataset(name=name, description="d", metadata={"a": 1})
    item = langfuse.create_dataset_item(dataset_name=name, id="i1", input={"q": 1}, expected_output="a")
    assert item.status == "ACTIVE"
    dataset = langfuse.get_dataset(name)
    assert dataset.description == "d"
    assert [(each.id, each.input, each.expected_output) for each in dataset.items] == [("i1", {"q": 1}, "a")]
    assert langfuse.api.dataset_items.get("i1").dataset_name == name
    langfuse.api.dataset_items.delete("i1")
    assert langfuse.get_dataset(name).items == []
    assert name in [each.name for each in langfuse.api.datasets.list().data]


def test_a_missing_key_is_one_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "goldloop.devstack.langfuse", "--port", "1", "--database", str(tmp_path / "x")]
    bare = {key: value for key, value in os.environ.items() if not key.startswith("LANGFUSE_")}
    run = subprocess.run(command, env=bare, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stderr) == (2, "No secret key: set LANGFUSE_SECRET_KEY.\n")
