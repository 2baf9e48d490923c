"""What models' servers answer, as their documentation has it, and a server that answers so."""

import json
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response
from werkzeug.datastructures import Headers

from builders import NOW, codebook
from fakes.ledger import FakeLedger
from goldloop.adapters.llm import connect
from goldloop.adapters.llm.judge import LlmJudge
from goldloop.codebook.schema import Label, Question
from goldloop.judge.examples import ShownExample
from goldloop.judge.settings import JudgeSettings

GOOD = Label(name="pass", text="Good", definition="It serves.")
BAD = Label(name="fail", text="Bad", definition="It does not.")
SMALL = codebook().model_copy(
    update={
        "questions": (
            Question(name="verdict", kind="binary", text="Good?", labels=(GOOD, BAD), required=True, failure=("fail",)),
            Question(name="note", kind="text", text="Anything else?"),
        )
    }
)
"""Two questions, so that an answer can be read at a glance."""
PAIR = codebook().model_copy(
    update={
        "questions": (
            Question(
                name="better",
                kind="pairwise",
                text="Which?",
                labels=(
                    Label(name="output", text="Ours", definition="It helps."),
                    Label(name="alternative", text="Theirs", definition="It helps more."),
                    Label(name="tie", text="Even", definition="Nothing tells."),
                ),
                required=True,
                failure=("alternative",),
            ),
        )
    }
)
SECRET = "sk-test-6f1c3a52"
MODEL = "openai:gpt-4.1-mini"
CLAUDE = "anthropic:claude-haiku-4-5"


def said(verdict: str | None = "pass", *, sure: float | None = None, **more: Any) -> str:
    """An answer in JSON; `sure` is its confidence, left out where it is None."""
    whole: dict[str, Any] = {"reason": "So it is.", "abstained": None, "answers": {"verdict": verdict, "note": None}}
    return json.dumps(whole | more | ({} if sure is None else {"confidence": sure}))


def completion(
    text: str | None, *, finish: str = "stop", refusal: str | None = None, tokens: Sequence[Any] | None = None
) -> dict[str, Any]:
    """The body of POST /v1/chat/completions, as OpenAI answers it; 1,000 tokens in, 50 out."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_772_452_800,
        "model": "gpt-4.1-mini-2025-04-14",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": refusal, "annotations": []},
                "logprobs": None if tokens is None else {"content": [*tokens], "refusal": None},
                "finish_reason": finish,
            }
        ],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050},
        "service_tier": "default",
        "system_fingerprint": "fp_1",
    }


def tool_completion(arguments: str) -> dict[str, Any]:
    body = completion(None, finish="tool_calls")
    call = {"id": "call_1", "type": "function", "function": {"name": "judgement", "arguments": arguments}}
    body["choices"][0]["message"]["tool_calls"] = [call]
    return body


def message(text: str = "", *, stop: str = "end_turn", content: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """The body of POST /v1/messages, as Anthropic answers it; 1,000 tokens in, 50 out."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5-20251001",
        "content": [{"type": "text", "text": text}] if content is None else content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 1000,
            "output_tokens": 50,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    }


def openai_error(
    status: int, code: str | None, words: str = "No.", *, param: str | None = None, **more: str
) -> Response:
    body = {"error": {"message": words, "type": "invalid_request_error", "param": param, "code": code}}
    return Response(json.dumps(body), status=status, content_type="application/json", headers=more)


def anthropic_error(status: int, kind: str, words: str = "No.", **more: str) -> Response:
    body = {"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_1"}
    return Response(json.dumps(body), status=status, content_type="application/json", headers=more)


def token(text: str, *others: tuple[str, float], share: float = 1.0) -> dict[str, Any]:
    """A token as it is logged, itself first among its alternatives; shares are probabilities."""
    listed = [
        {"token": piece, "logprob": math.log(each), "bytes": [*piece.encode()]}
        for piece, each in ((text, share), *others)
    ]
    return {**listed[0], "top_logprobs": listed}


def tokens_of(text: str, verdict: str, *others: tuple[str, float], share: float) -> list[dict[str, Any]]:
    """The tokens of an answer: what comes before the verdict, the verdict, and the rest."""
    before, _, after = text.partition(f'"{verdict}"')
    return [token(before + '"'), token(verdict, *others, share=share), token('"' + after)]


class FakeWaits:
    """Time that passes only by sleeping, and all at once; `slept` holds how long, in order."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._now = 0.0

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._now += seconds


class Model:
    """A model's server: plays its answers one after another, the last one from then on; `asked` are the bodies."""

    def __init__(self, server: HTTPServer, *answers: dict[str, Any] | Response) -> None:
        self.url = server.url_for("/v1")
        self.root = server.url_for("")
        self.asked: list[dict[str, Any]] = []
        self.headers: list[Headers] = []
        self.raw: list[str] = []
        self.answers = [*answers]
        self._turn = threading.Lock()
        for path in ("/v1/chat/completions", "/v1/messages"):
            server.expect_request(path, method="POST").respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        with self._turn:
            self.asked.append(request.get_json())
            self.raw.append(request.get_data(as_text=True))
            self.headers.append(Headers(request.headers))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Response):
            return answer
        return Response(json.dumps(answer), content_type="application/json")

    @property
    def systems(self) -> list[str]:
        return [_text(body["system"]) if "system" in body else body["messages"][0]["content"] for body in self.asked]

    @property
    def users(self) -> list[str]:
        return [_text(body["messages"][-1]["content"]) for body in self.asked]


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "\n\n".join(part["text"] for part in content)


@contextmanager
def judging(
    model: Model,
    name: str = MODEL,
    *,
    ledger: FakeLedger | None = None,
    waits: FakeWaits | None = None,
    examples: Sequence[ShownExample] = (),
    tracer: Any = None,
    run: str = "run",
    **settings: Any,
) -> Iterator[LlmJudge]:
    """A judge that asks this server; one call at a time, so that answers come in the order of the traces."""
    base = model.root if name.startswith("anthropic:") else model.url
    given = {"base_url": base, "api_key": SECRET, "concurrency": 1, "confidence": "verbalised"} | settings
    judge = connect(
        JudgeSettings.model_validate(given),
        name,
        ledger or FakeLedger(),
        run=run,
        clock=lambda: NOW,
        examples=examples,
        tracer=tracer,
        waits=waits or FakeWaits(),
    )
    with judge:
        yield judge
