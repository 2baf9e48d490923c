"""A page of traces: what was answered before, what the budget leaves, votes, examples, an estimate."""

import gc
import json
import threading
import weakref
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from builders import NOW, trace
from builders_llm import CLAUDE, MODEL, PAIR, SMALL, Model, completion, judging, message, openai_error, said, tokens_of
from fakes.ledger import FakeLedger
from goldloop.adapters.llm import connect
from goldloop.codebook.controls import swapped
from goldloop.errors import ConfigError, FatalError
from goldloop.judge.examples import ShownExample
from goldloop.judge.settings import JudgeSettings
from goldloop.records import Judgement, Trace, Unjudged

FINE = completion(said("fail", sure=0.8))
SUBJECTS = ("returns", "parcels", "refunds", "sizes", "colours", "shops", "vouchers", "invoices", "gifts", "letters")


def page(count: int) -> list[Trace]:
    """Traces that have nothing in common."""
    return [
        trace(
            f"t{number}",
            output=f"About {subject}: {subject} {number}.",
            messages=[{"role": "user", "content": f"{subject}?"}],
        )
        for number, subject in enumerate(SUBJECTS[:count])
    ]


def verdicts(found: list[Judgement | Unjudged]) -> list[object]:
    return [each.answers.get("verdict") if isinstance(each, Judgement) else each.cause for each in found]


# -- known answers


def test_what_was_asked_before_is_not_asked_again_and_costs_nothing(httpserver: HTTPServer) -> None:
    model = Model(httpserver, FINE)
    ledger = FakeLedger()
    with judging(model, ledger=ledger) as judge:
        first = judge.judge(SMALL, page(3))
    with judging(model, ledger=ledger, run="another") as judge:
        second = judge.judge(SMALL, page(3))
    assert len(model.asked) == 3
    for one, again in zip(first, second, strict=True):
        assert isinstance(one, Judgement)
        assert isinstance(again, Judgement)
        assert (again.usd, again.input_tokens, again.output_tokens, again.latency_s) == (0, 0, 0, None)
        free: dict[str, Any] = {"usd": 0, "input_tokens": 0, "output_tokens": 0, "latency_s": None}
        assert again == one.model_copy(update=free)


def test_an_answer_that_came_at_the_second_asking_is_known_too(httpserver: HTTPServer) -> None:
    model = Model(httpserver, completion("?"), FINE)
    ledger = FakeLedger()
    with judging(model, ledger=ledger) as judge:
        judge.judge(SMALL, page(1))
        assert verdicts(judge.judge(SMALL, page(1))) == ["fail"]
    assert len(model.asked) == 2


def test_log_probabilities_are_known_too(httpserver: HTTPServer) -> None:
    text = said("fail", sure=0.5)
    model = Model(httpserver, completion(text, tokens=tokens_of(text, "fail", ("pass", 0.2), share=0.6)))
    ledger = FakeLedger()
    for _ in range(2):
        with judging(model, ledger=ledger, confidence="auto") as judge:
            (found,) = judge.judge(SMALL, page(1))
        assert isinstance(found, Judgement)
        assert (found.method, found.probability) == ("logprobs", 0.75)
    assert len(model.asked) == 1


def test_a_refusal_is_known_too(httpserver: HTTPServer) -> None:
    model = Model(httpserver, completion(None, refusal="No."))
    ledger = FakeLedger()
    with judging(model, ledger=ledger) as judge:
        assert [judge.judge(SMALL, page(1))[0] for _ in range(2)][1] == judge.judge(SMALL, page(1))[0]
    assert len(model.asked) == 1


def test_what_ended_without_an_answer_is_asked_again(httpserver: HTTPServer) -> None:
    model = Model(httpserver, openai_error(500, None))
    ledger = FakeLedger()
    with judging(model, ledger=ledger, attempts=1) as judge:
        assert verdicts(judge.judge(SMALL, page(1))) == ["later"]
        model.answers = [FINE]
        assert verdicts(judge.judge(SMALL, page(1))) == ["fail"]


def test_the_same_input_twice_on_a_page_is_one_call_and_one_cost(httpserver: HTTPServer) -> None:
    model = Model(httpserver, FINE)
    with judging(model) as judge:
        found = judge.judge(SMALL, [trace("t1"), trace("t2")])
    assert verdicts(found) == ["fail", "fail"]
    assert [each.usd for each in found if isinstance(each, Judgement)] == pytest.approx([0.00048, 0])
    assert len(model.asked) == 1


def test_another_model_or_another_way_is_asked_anew(httpserver: HTTPServer) -> None:
    model = Model(httpserver, FINE)
    ledger = FakeLedger()
    ways: list[dict[str, Any]] = [{}, {"confidence": "votes", "votes": 3}, {"output": "prompted"}]
    versions = set()
    for way in ways:
        with judging(model, ledger=ledger, **way) as judge:
            versions.add(judge.version(SMALL))
            judge.judge(SMALL, page(1))
    with judging(model, "openai:gpt-4.1", ledger=ledger) as judge:
        versions.add(judge.version(SMALL))
        assert judge.name == "llm:openai:gpt-4.1"
    assert len(versions) == 4
    assert all(len(version) == 12 for version in versions)


def test_nothing_is_asked_for_no_traces() -> None:
    with judging(_nowhere()) as judge:
        assert judge.judge(SMALL, []) == []


# -- budget


def test_the_budget_of_calls_is_kept_and_the_rest_waits(httpserver: HTTPServer) -> None:
    model = Model(httpserver, FINE)
    ledger = FakeLedger()
    with judging(model, ledger=ledger, calls_per_run=3) as judge:
        assert verdicts(judge.judge(SMALL, page(5))) == ["fail"] * 3 + ["budget"] * 2
        assert verdicts(judge.judge(SMALL, page(5))) == ["fail"] * 3 + ["budget"] * 2
    assert len(model.asked) == 3
    with judging(model, ledger=ledger, calls_per_run=3, run="tomorrow") as judge:
        assert verdicts(judge.judge(SMALL, page(5))) == ["fail"] * 5


def test_a_second_asking_needs_room_in_the_budget_too(httpserver: HTTPServer) -> None:
    model = Model(httpserver, completion("?"))
    with judging(model, calls_per_day=1) as judge:
        assert verdicts(judge.judge(SMALL, page(1))) == ["budget"]
    assert len(model.asked) == 1


def test_the_budget_in_money_is_kept(httpserver: HTTPServer) -> None:
    model = Model(httpserver, FINE)
    ledger = FakeLedger()
    # A call is guessed at some 800 tokens in and 250 out: at 1 USD a token no two fit into 1,500 USD, and 5 into 6,000.
    prices: dict[str, Any] = {"input_price": 1e6, "output_price": 1e6}
    with judging(model, ledger=ledger, usd_per_run=1500, **prices) as judge:
        found = judge.judge(SMALL, page(4))
    assert verdicts(found) == ["fail", "budget", "budget", "budget"]
    assert isinstance(found[0], Judgement)
    assert found[0].usd == 1050
    assert ledger.set_aside == 0


def test_a_limit_in_money_needs_a_price() -> None:
    with pytest.raises(ConfigError, match="set GOLDLOOP_JUDGE__INPUT_PRICE and GOLDLOOP_JUDGE__OUTPUT_PRICE"):
        _connect("qwen3:8b", usd_per_day=1)
    _connect("qwen3:8b", usd_per_day=1, input_price=0, output_price=0)
    _connect(MODEL, usd_per_day=1)


def test_one_price_alone_is_none() -> None:
    with pytest.raises(ConfigError, match="both, or neither"):
        _connect(MODEL, input_price=1)


def test_an_estimate_counts_what_is_open_and_asks_nothing(httpserver: HTTPServer) -> None:
    model = Model(httpserver, completion(said("fail")))
    ledger = FakeLedger()
    with judging(model, ledger=ledger, votes=2, confidence="votes") as judge:
        judge.judge(SMALL, page(1))
        asked = len(model.asked)
        guess = judge.estimate(SMALL, page(3))
    assert (guess.calls, guess.cached, guess.output_tokens) == (4, 2, 1000)
    # About four characters each, of the prompt, the schema and the trace: these hold so many characters.
    schema = model.asked[0]["response_format"]["json_schema"]["schema"]
    sent = len(model.systems[0]) + len(model.users[0]) + len(json.dumps(schema))
    assert guess.input_tokens / guess.calls == pytest.approx(sent / 4, rel=0.02)
    # 0.40 USD for a million tokens in, 1.60 out.
    assert guess.usd == pytest.approx(guess.input_tokens * 0.4e-6 + 1000 * 1.6e-6)
    assert len(model.asked) == asked
    assert ledger.set_aside == 0


def test_an_estimate_without_a_price_has_no_sum() -> None:
    with judging(_nowhere(), "qwen3:8b") as judge:
        assert judge.estimate(SMALL, page(1)).usd is None


# -- settling


class _Noting(FakeLedger):
    """Says in which portions calls are settled."""

    def __init__(self) -> None:
        super().__init__()
        self.portions: list[tuple[int, bool]] = []

    def settle(self, reservation: str, calls: Any, *, done: bool = True) -> None:
        self.portions.append((len(calls), done))
        super().settle(reservation, calls, done=done)


def test_what_was_paid_for_is_settled_as_it_comes(httpserver: HTTPServer) -> None:
    ledger = _Noting()
    traces = [trace(f"t{number}", output=f"Answer {number}") for number in range(60)]
    with judging(Model(httpserver, FINE), ledger=ledger) as judge:
        judge.judge(SMALL, traces)
    assert ledger.portions == [(50, False), (10, False), (0, True)]


def test_what_came_before_the_server_refused_all_is_settled(httpserver: HTTPServer) -> None:
    ledger = FakeLedger()
    model = Model(httpserver, FINE, FINE, openai_error(401, "invalid_api_key"))
    with judging(model, ledger=ledger) as judge, pytest.raises(FatalError):
        judge.judge(SMALL, page(5))
    assert [call.outcome for call in ledger.calls] == ["answered", "answered"]
    assert ledger.set_aside == 0


def test_a_call_is_dated_and_kept_without_the_trace(httpserver: HTTPServer) -> None:
    ledger = FakeLedger()
    with judging(Model(httpserver, FINE), ledger=ledger, run="r7") as judge:
        judge.judge(SMALL, page(1))
    (call,) = ledger.calls
    assert (call.at, call.run, call.judge, len(call.key)) == (NOW, "r7", "llm:openai:gpt-4.1-mini", 64)
    assert call.answer == {"said": json.loads(said("fail", sure=0.8))}


# -- votes


def test_the_verdict_is_what_most_votes_say(httpserver: HTTPServer) -> None:
    votes = [said("pass"), said("fail", reason="No source."), said("fail")]
    model = Model(httpserver, *(completion(vote) for vote in votes))
    with judging(model, confidence="auto", votes=3) as judge:
        (found,) = judge.judge(SMALL, page(1))
    assert isinstance(found, Judgement)
    assert (found.answers, found.reason, found.method) == ({"verdict": "fail"}, "No source.", "votes")
    # Two of three: (2 + 1) / (3 + 2).
    assert (found.probability, found.risk) == (0.6, 0.6)
    assert [(vote.answers["verdict"], vote.risk) for vote in found.votes] == [("pass", 0), ("fail", 1), ("fail", 1)]
    assert {vote.judge_version for vote in found.votes} == {found.judge_version}
    assert len({body["messages"][1]["content"] for body in model.asked}) == 1
    assert [body["temperature"] for body in model.asked] == [1.0] * 3


def test_two_answers_change_places_with_each_vote(httpserver: HTTPServer) -> None:
    # The model always takes the one that stands first: by its places that is each of them in turn.
    whole = {"reason": "A.", "abstained": None, "answers": {"better": "a"}}
    model = Model(httpserver, completion(json.dumps(whole)))
    pair = trace("t1", output="ours", alternative="theirs")
    with judging(model, confidence="votes", votes=4) as judge:
        (found,) = judge.judge(PAIR, [pair])
    first_places = [json.loads(user.split("\n")[1])["answer_a"] for user in model.users]
    own = "theirs" if swapped(PAIR.name, "t1") else "ours"
    other = {"ours": "theirs", "theirs": "ours"}[own]
    assert first_places == [own, other, own, other]
    assert isinstance(found, Judgement)
    # Two say output, two alternative: (2 + 1) / (4 + 2).
    assert (found.probability, found.risk) == (0.5, 0.5)
    assert [vote.answers["better"] for vote in found.votes].count("output") == 2


def test_a_side_has_the_probability_of_the_label_that_it_is(httpserver: HTTPServer) -> None:
    text = json.dumps({"reason": "A.", "abstained": None, "answers": {"better": "a"}, "confidence": 0.5})
    tokens = tokens_of(text, "a", ("b", 0.2), ("tie", 0.2), share=0.6)
    model = Model(httpserver, completion(text, tokens=tokens))
    with judging(model, confidence="auto") as judge:
        (found,) = judge.judge(PAIR, [trace("t1", output="ours", alternative="theirs")])
    assert isinstance(found, Judgement)
    own_is_first = not swapped(PAIR.name, "t1")
    assert found.answers["better"] == ("output" if own_is_first else "alternative")
    assert found.probability == 0.6
    assert found.risk == (0.2 if own_is_first else 0.6)


def test_a_vote_of_no_use_is_asked_for_again_and_else_left_out(httpserver: HTTPServer) -> None:
    rubbish = completion("?")
    model = Model(httpserver, rubbish, completion(said("fail")), completion(said("fail")), rubbish)
    with judging(model, confidence="votes", votes=3) as judge:
        (found,) = judge.judge(SMALL, page(1))
    assert isinstance(found, Judgement)
    assert len(model.asked) == 4
    # Two votes of two: (2 + 1) / (2 + 2).
    assert (found.probability, len(found.votes)) == (0.75, 2)


def test_a_vote_that_is_not_there_leaves_the_trace_for_later(httpserver: HTTPServer) -> None:
    model = Model(httpserver, completion(said("fail")), openai_error(500, None), completion(said("fail")))
    ledger = FakeLedger()
    with judging(model, ledger=ledger, confidence="votes", votes=3, attempts=1) as judge:
        assert verdicts(judge.judge(SMALL, page(1))) == ["later"]
        model.answers = [completion(said("pass"))]
        assert verdicts(judge.judge(SMALL, page(1))) == ["fail"]
    assert len(model.asked) == 4


def test_most_votes_that_abstain_are_an_abstention(httpserver: HTTPServer) -> None:
    out = completion(said(None, abstained="No documents."))
    model = Model(httpserver, completion(said("fail")), out, out)
    with judging(model, confidence="votes", votes=3) as judge:
        (found,) = judge.judge(SMALL, page(1))
    assert isinstance(found, Judgement)
    assert (found.abstained, found.probability, found.risk) == ("No documents.", None, None)
    assert [vote.abstained for vote in found.votes] == [None, "No documents.", "No documents."]


def test_a_panel_is_a_judge_for_each_model(httpserver: HTTPServer) -> None:
    model = Model(httpserver, FINE, message(said("pass", sure=0.9)))
    ledger = FakeLedger()
    found = []
    for name in (MODEL, CLAUDE):
        with judging(model, name, ledger=ledger) as judge:
            found += judge.judge(SMALL, page(1))
    assert verdicts(found) == ["fail", "pass"]
    assert [each.judge for each in found if isinstance(each, Judgement)] == [f"llm:{MODEL}", f"llm:{CLAUDE}"]
    assert len({call.key for call in ledger.calls}) == 2


# -- examples


def test_examples_stand_before_the_trace_and_never_give_it_away(httpserver: HTTPServer) -> None:
    model = Model(httpserver, FINE)
    shown, same, near = page(3)
    near = near.model_copy(update={"messages": same.messages})
    examples = [ShownExample(each, {"verdict": "pass"}) for each in (shown, same, near)]
    with judging(model, examples=examples) as judge:
        judge.judge(SMALL, [same])
        version = judge.version(SMALL)
    (user,) = model.users
    assert user.startswith("<example>\n")
    assert "About returns" in user
    assert user.count("<example>") == 1  # not the trace itself, nor one that asks the same
    assert user.endswith("\n</trace>")
    assert "# Examples" in model.systems[0]
    with judging(model, examples=examples[:1]) as judge:
        assert judge.version(SMALL) != version
    with judging(model) as judge:
        judge.judge(SMALL, [same])
        assert judge.version(SMALL) != version
    assert "# Examples" not in model.systems[1]


# -- threads


def test_several_threads_share_the_cap(httpserver: HTTPServer) -> None:
    under_way, most = [0], [0]
    lock = threading.Lock()
    pause = threading.Event()

    def answer(_: Request) -> Response:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        pause.wait(0.01)
        with lock:
            under_way[0] -= 1
        return Response(json.dumps(FINE), content_type="application/json")

    httpserver.expect_request("/v1/chat/completions").respond_with_handler(answer)
    model = _nowhere(httpserver.url_for("/v1"))
    found: list[object] = []
    with judging(model, concurrency=2) as judge:
        threads = [
            threading.Thread(target=lambda one=one: found.extend(verdicts(judge.judge(SMALL, [one]))))
            for one in page(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == ["fail"] * 8
    assert most[0] <= 2


def test_a_closed_judge_says_so(httpserver: HTTPServer) -> None:
    with judging(Model(httpserver, FINE)) as judge:
        judge.judge(SMALL, page(1))
    with pytest.raises(FatalError, match="closed"):
        judge.judge(SMALL, page(2))


def test_closing_breaks_off_what_is_under_way(httpserver: HTTPServer) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def answer(_: Request) -> Response:
        asked.set()
        go_on.wait(5)
        return Response(json.dumps(FINE), content_type="application/json")

    httpserver.expect_request("/v1/chat/completions").respond_with_handler(answer)
    ledger = FakeLedger()
    with judging(_nowhere(httpserver.url_for("/v1")), ledger=ledger) as judge:

        def close_it() -> None:
            asked.wait(5)
            judge.close()

        closing = threading.Thread(target=close_it)
        closing.start()
        with pytest.raises(FatalError, match="closed"):
            judge.judge(SMALL, page(2))
        closing.join()
    go_on.set()
    assert ledger.set_aside == 0


def test_a_client_that_cannot_be_opened_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise OSError("canary-5b1f")

    monkeypatch.setattr("goldloop.adapters.llm.models.NamedModel.open", broken)
    with judging(_nowhere()) as judge, pytest.raises(FatalError) as caught:
        judge.judge(SMALL, page(1))
    assert "its client cannot be opened (OSError)" in str(caught.value)
    assert "canary-5b1f" not in str(caught.value)


def test_a_judge_that_nobody_has_any_more_leaves_no_thread(httpserver: HTTPServer) -> None:
    settings = JudgeSettings(base_url=Model(httpserver, FINE).url, confidence="verbalised")
    judge = connect(settings, "qwen3:8b", FakeLedger(), run="r", clock=lambda: NOW)
    assert verdicts(judge.judge(SMALL, page(1))) == ["fail"]
    line, thread = weakref.ref(judge._line), judge._line._thread.thread
    assert thread is not None
    assert thread.is_alive()
    del judge
    gc.collect()
    assert line() is None
    assert not thread.is_alive()


def _nowhere(url: str = "http://127.0.0.1:1/v1") -> Model:
    model = Model.__new__(Model)
    model.url = url
    return model


def _connect(name: str, **settings: Any) -> None:
    with judging(_nowhere(), name, **settings):
        pass
