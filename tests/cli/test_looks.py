"""What a person sees: summaries, tables that fit 80 columns, what was kept aside, and what comes next."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from builders import NOW, QUEUE, candidate
from cli.terminal import Goldloop
from goldloop import ids
from goldloop.adapters.store import open_store
from goldloop.ports import Window
from goldloop.records import Parked

_STORE = "sqlite:///.goldloop/goldloop.db"


def _parked(subject: str, reason: str = "rejected", detail: str = "Langfuse refuses it") -> Parked:
    return Parked(
        parked_id=ids.parked_id("publish", subject),
        verb="publish",
        subject=subject,
        queue=QUEUE,
        trace_id="t1",
        reason=reason,
        detail=detail,
        parked_at=NOW,
    )


def _park(*rows: Parked) -> None:
    with open_store(_STORE) as store:
        for row in rows:
            store.park(row)


def _fits(text: str) -> bool:
    return all(len(line) <= 80 for line in text.splitlines())


def _candidates(count: int) -> None:
    from goldloop.bootstrap import utc_now  # noqa: PLC0415 - the real clock: the command has it too

    now = utc_now()
    found = [
        candidate(f"t{number}", user=f"u{number % 5}").model_copy(update={"timestamp": now - timedelta(hours=1)})
        for number in range(count)
    ]
    with open_store(_STORE) as store:
        store.save_candidates(found, now)
        assert len(store.frame(QUEUE, Window(start=now - timedelta(days=1), end=now))) == count


def test_doctor_on_a_sound_installation(goldloop: Goldloop, servers: HTTPServer) -> None:
    ended = goldloop("doctor")
    assert ended.code == 0
    assert [line.split()[0] for line in ended.out.splitlines() if " answer-quality@" in line or " at http" in line] == [
        "ok"
    ] * 3
    assert "4.16.0 at http" in ended.out
    assert "1.23.2 at http" in ended.out
    assert "learned (uncalibrated) for answer-quality" in ended.out
    assert ended.out.rstrip().endswith("Next: goldloop run")
    assert _fits(ended.out)


def test_doctor_looks_at_a_model_s_settings(
    goldloop: Goldloop, servers: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("GOLDLOOP_JUDGE__MODEL", "openai:gpt-4.1-mini")
    ended = goldloop("doctor")
    assert ended.code == 1
    assert "set GOLDLOOP_JUDGE__API_KEY, or OPENAI_API_KEY" in " ".join(ended.out.split())


def test_doctor_says_for_each_part_what_to_do(goldloop: Goldloop, servers: HTTPServer) -> None:
    servers.clear()
    servers.expect_request("/api/public/health").respond_with_json({"status": "OK", "version": "4.16.0"})
    servers.expect_request("/api/public/projects").respond_with_json({"message": "no"}, status=401)
    servers.expect_request("/api/version").respond_with_json({"release": "1.23.2"})
    servers.expect_request("/api/current-user/whoami").respond_with_json({"detail": "Invalid token."}, status=401)
    Path("label_configs/answer-quality.yaml").write_text("name: 7\n", encoding="utf-8")
    ended = goldloop("doctor")
    assert ended.code == 1
    told = " ".join(ended.out.split())
    assert len(re.findall(r"\bfault\b", told)) == 4  # three parts, and the word in what comes next
    assert "answer-quality.yaml:1: name" in told
    assert "LANGFUSE_SECRET_KEY" in told
    assert "LABEL_STUDIO_API_KEY" in told
    assert "ok store sqlite, 0 candidates" in told
    assert "goldloop doctor again" in told
    assert _fits(ended.out)


def test_status_asks_no_server(goldloop: Goldloop) -> None:
    ended = goldloop("status")
    assert ended.code == 0
    assert "answer-quality 1.0.0" in ended.out
    assert "0 prelabels, 0 annotations, 0 skips, 0 eval rows" in ended.out
    assert "Next: goldloop run" in ended.out
    assert _fits(ended.out)


def test_a_verb_counts_what_it_did_and_names_the_next(goldloop: Goldloop) -> None:
    _candidates(30)
    ended = goldloop("draw", "--seed", "7")
    assert re.search(r"^draw drawn 30 .*by policy \(random \d+, stratified \d+\)", " ".join(ended.out.split()))
    assert "Next: goldloop prelabel" in ended.out
    assert _fits(ended.out)


def test_a_second_draw_finds_nothing_left(goldloop: Goldloop) -> None:
    _candidates(30)
    assert "drawn 30" in goldloop("draw").out
    assert "drawn 0" in goldloop("draw").out


def test_nothing_is_parked(goldloop: Goldloop) -> None:
    assert goldloop("parked", "list").out == "Nothing is parked.\n"


def test_what_is_parked_is_shown_as_it_is(goldloop: Goldloop) -> None:
    _park(_parked("score:[red]\x1b[31mone", detail="Langfuse refuses it (400 [body]: too long)"), _parked("score:two"))
    ended = goldloop("parked", "list")
    assert "score:[red]␛[31mone" in ended.out
    assert "(400 [body]: too long)" in " ".join(ended.out.split())
    assert ids.parked_id("publish", "score:two")[:8] in ended.out
    assert "\x1b" not in ended.out
    assert "goldloop parked retry" in ended.out
    assert _fits(ended.out)


def test_a_misspelled_queue_is_not_one_without_parked_rows(goldloop: Goldloop) -> None:
    assert goldloop("parked", "list", "--queue", QUEUE).code == 0
    assert goldloop("parked", "list", "--queue", "answer-qualiti").code == 2


def test_parked_rows_are_tried_again_by_the_first_characters_of_an_id(goldloop: Goldloop) -> None:
    one, two = _parked("score:one"), _parked("score:two")
    _park(one, two)
    ended = goldloop("parked", "retry", one.parked_id[:8])
    assert ended.out == "1 will be tried again. Next: goldloop run\n"
    with open_store(_STORE) as store:
        assert [row.parked_id for row in store.parked()] == [two.parked_id]


def test_all_parked_rows_are_tried_again(goldloop: Goldloop) -> None:
    _park(_parked("score:one"), _parked("score:two"))
    assert goldloop("parked", "retry", "--all").out.startswith("2 will be tried again")
    assert goldloop("parked", "list").out == "Nothing is parked.\n"
    assert goldloop("parked", "retry", "--all").code == 0


@pytest.mark.parametrize("words", [[], [""], ["ffffffff"], ["--all", "00000000"]])
def test_an_id_that_nothing_has_is_an_error_and_changes_nothing(goldloop: Goldloop, words: list[str]) -> None:
    row = _parked("score:one")
    _park(row)
    ended = goldloop("parked", "retry", *words)
    assert ended.code == 2
    assert "`goldloop parked list` shows the ids" in ended.sentence
    with open_store(_STORE) as store:
        assert store.parked() == [row]


def test_an_unknown_id_beside_a_known_one_retries_neither(goldloop: Goldloop) -> None:
    row = _parked("score:one")
    _park(row)
    assert goldloop("parked", "retry", row.parked_id, "nosuch").code == 2
    with open_store(_STORE) as store:
        assert store.parked() == [row]
