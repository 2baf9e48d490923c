"""The fakes of Langfuse under the very tests of the Langfuse contract, and every eval sink under one suite."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from contract.langfuse_server import Server
from contract.test_langfuse import (
    eval_row,
    test_a_deleted_score_is_gone_and_deleting_again_is_no_error,
    test_a_later_revision_stands_and_an_equal_or_older_one_does_not,
    test_a_row_id_of_another_dataset_is_refused_alone,
    test_a_score_is_read_back_whole_and_as_the_revision_that_it_is,
    test_a_trace_that_nobody_sent_is_none,
    test_more_rows_than_a_page_holds_are_all_counted,
    test_more_scores_than_a_page_holds_are_read_back,
    test_one_refused_score_does_not_stop_the_others,
    test_rows_are_shown_with_their_labels_where_goldloop_wrote_them,
    test_scores_are_listed_by_name,
    test_scores_of_every_type_are_read_back,
    test_signals_are_scores_without_their_texts,
)
from fakes.langfuse import FakeEvalSink, FakeLangfuse
from goldloop.adapters.evalfile import EvalFile
from goldloop.errors import ConfigError
from goldloop.ports import EvalSink, ScoreSink, TraceSource
from goldloop.records import Receipt

# Imported to be collected here too, where `langfuse` below is the fake.
__all__ = [
    "test_a_deleted_score_is_gone_and_deleting_again_is_no_error",
    "test_a_later_revision_stands_and_an_equal_or_older_one_does_not",
    "test_a_row_id_of_another_dataset_is_refused_alone",
    "test_a_score_is_read_back_whole_and_as_the_revision_that_it_is",
    "test_a_trace_that_nobody_sent_is_none",
    "test_more_rows_than_a_page_holds_are_all_counted",
    "test_more_scores_than_a_page_holds_are_read_back",
    "test_one_refused_score_does_not_stop_the_others",
    "test_rows_are_shown_with_their_labels_where_goldloop_wrote_them",
    "test_scores_are_listed_by_name",
    "test_scores_of_every_type_are_read_back",
    "test_signals_are_scores_without_their_texts",
]

GOLD = "gold"


@pytest.fixture
def server() -> Server:
    """Nowhere: only its environment is asked for, which names what a test writes."""
    return Server("http://langfuse.test", "pk-none", SecretStr("sk-none"))


@pytest.fixture
def langfuse() -> FakeLangfuse:
    return FakeLangfuse()


@pytest.fixture(params=["fake", "file"])
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> EvalSink:
    return FakeEvalSink() if request.param == "fake" else EvalFile(tmp_path / "evals")


def test_the_fakes_have_the_shape_of_their_ports(langfuse: FakeLangfuse) -> None:
    source: TraceSource = langfuse.source
    scores: ScoreSink = langfuse.scores
    datasets: EvalSink = langfuse.datasets
    assert all((source, scores, datasets))


def test_a_sink_has_a_name(sink: EvalSink) -> None:
    assert sink.name


def test_a_dataset_that_nobody_wrote_is_empty(sink: EvalSink) -> None:
    sink.remove(GOLD, ["r1"])
    assert sink.row_ids(GOLD) == set()
    assert sink.put(GOLD, []) == []


def test_rows_are_put_replaced_removed_and_put_again(sink: EvalSink) -> None:
    first, second = eval_row("r1"), eval_row("r2")
    assert sink.put(GOLD, [first, second]) == [Receipt(key=row_id, accepted=True) for row_id in ("r1", "r2")]
    sink.put(GOLD, [second.model_copy(update={"note": "changed"})])
    assert sink.row_ids(GOLD) == {"r1", "r2"}
    sink.remove(GOLD, ["r1", "unknown"])
    sink.remove(GOLD, ["r1"])
    assert sink.row_ids(GOLD) == {"r2"}
    sink.put(GOLD, [first])
    assert sink.row_ids(GOLD) == {"r1", "r2"}


def test_what_is_shown_is_of_one_queue_with_its_labels(sink: EvalSink) -> None:
    ours, others = (eval_row(queue, provenance={"queue": queue}) for queue in ("q", "other"))
    sink.put(GOLD, [ours, others, eval_row("by-hand")])
    assert sink.shown(GOLD, "q") == {"q": ours.labels}
    assert sink.shown("silver", "q") == {}


def test_datasets_are_kept_apart(sink: EvalSink) -> None:
    sink.put(GOLD, [eval_row("r1")])
    sink.put("silver", [eval_row("r2")])
    sink.remove("silver", ["r1"])
    assert (sink.row_ids(GOLD), sink.row_ids("silver")) == ({"r1"}, {"r2"})


class TestEvalFile:
    def test_a_row_that_is_there_as_it_is_costs_no_write(self, tmp_path: Path) -> None:
        sink = EvalFile(tmp_path)
        row = eval_row("r1", note="\u2028 in a line", output="<b>\n")
        sink.put(GOLD, [row])
        path = tmp_path / "gold.jsonl"
        before = path.stat().st_ino
        sink.put(GOLD, [row])
        sink.remove(GOLD, ["unknown"])
        assert path.stat().st_ino == before
        assert path.read_text(encoding="utf-8").count("\n") == 1

    def test_a_row_keeps_its_place(self, tmp_path: Path) -> None:
        sink = EvalFile(tmp_path)
        sink.put(GOLD, [eval_row("r1"), eval_row("r2")])
        sink.put(GOLD, [eval_row("r1", note="changed"), eval_row("r0")])
        lines = (tmp_path / "gold.jsonl").read_text(encoding="utf-8").splitlines()
        assert [line[:15] for line in lines] == [f'{{"row_id":"{row_id}",' for row_id in ("r1", "r2", "r0")]
        assert '"changed"' in lines[0]

    def test_a_line_that_is_no_row_is_named(self, tmp_path: Path) -> None:
        sink = EvalFile(tmp_path)
        sink.put(GOLD, [eval_row("r1")])
        with (tmp_path / "gold.jsonl").open("a", encoding="utf-8") as file:
            file.write("<<<<<<< HEAD\n")
        with pytest.raises(ConfigError, match=r"gold\.jsonl:2: .*mend or delete it"):
            sink.put(GOLD, [eval_row("r2")])

    def test_a_folder_that_cannot_be_written_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "taken").write_text("a file", encoding="utf-8")
        with pytest.raises(ConfigError, match="GOLDLOOP_EVALS"):
            EvalFile(tmp_path / "taken").put(GOLD, [eval_row("r1")])
