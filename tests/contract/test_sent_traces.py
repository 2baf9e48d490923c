"""What the demo sends is what goldloop reads back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from contract.langfuse_server import eventually, stand_in
from goldloop.devstack.send import ENVIRONMENT, Destination, send_traces, trace_id
from goldloop.devstack.tracefile import FileMessage, FileTrace

pytestmark = pytest.mark.servers

LONG = "Yes, within 30 days. " * 50
"""More than a listing shows of a value in the metadata where it is not asked for by name."""


def file_trace(name: str, alternative: str | None) -> FileTrace:
    return FileTrace(
        id=name,
        timestamp=datetime.now(UTC) - timedelta(minutes=5),
        input=(FileMessage(role="user", content="Can I return it?"),),
        output="Yes.",
        alternative=alternative,
    )


def test_a_second_answer_comes_back_whole(tmp_path: Path) -> None:
    with stand_in(tmp_path, version="4.59.0") as server:
        to = Destination(server.host, SecretStr(server.public_key), server.secret_key)
        traces = [file_trace("two", LONG), file_trace("one", None)]
        send_traces(traces, to, timedelta(0), lambda _sent, _of: None)
        with server.connect() as langfuse:
            two = eventually(lambda: langfuse.source.trace(trace_id("two")), lambda found: found is not None)
            one = eventually(lambda: langfuse.source.trace(trace_id("one")), lambda found: found is not None)
    assert two is not None
    assert one is not None
    assert (two.output, two.alternative, two.environment) == ("Yes.", LONG, ENVIRONMENT)
    assert (one.output, one.alternative) == ("Yes.", None)
