"""An OpenAI-compatible server that answers whatever it is asked after a while: `python -m benchmarks.judge_stub 8000`.

Keep-alive, one process, asyncio, nothing parsed that need not be. The answer is made to the schema that was sent, with
log-probabilities where they are asked for. `/recorded` gives the bodies of the distinct requests it saw.
"""

import argparse
import asyncio
import json
import re
from typing import Any

VERDICT = "verdict"
_ANSWERED = 0.05
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_TOKEN = re.compile(r"\w+|\W+")


class Stub:
    """Answers, kept by the request's body: what it costs to make one is no part of a measurement."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.answers: dict[bytes, bytes] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1])) if length else b""
                writer.write(_http(await self._answer(head, body)))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: bytes, body: bytes) -> bytes:
        path = head.split(b" ", 2)[1]
        if path == b"/recorded":
            return b"[" + b",".join(self.answers) + b"]"
        if not body:
            return b'{"status": "UP"}'
        if body not in self.answers:
            self.answers[body] = json.dumps(_completion(json.loads(body))).encode()
        await asyncio.sleep(self.seconds)
        return self.answers[body]


def _http(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _completion(asked: dict[str, Any]) -> dict[str, Any]:
    """As `POST /v1/chat/completions` answers; by a tool where one was given, else by the schema of the response."""
    tools = asked.get("tools") or []
    wanted = asked.get("response_format", {}).get("json_schema", {}).get("schema")
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    if wanted is None and tools:
        function = tools[0]["function"]
        arguments = json.dumps(_instance(function["parameters"], function["parameters"]))
        call = {"id": "call-1", "type": "function", "function": {"name": function["name"], "arguments": arguments}}
        message["tool_calls"] = [call]
    else:
        message["content"] = json.dumps(_instance(wanted, wanted)) if wanted else "{}"
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if "tool_calls" in message else "stop"}
    if asked.get("logprobs") and message["content"]:
        choice["logprobs"] = {"content": [_token(token) for token in _TOKEN.findall(message["content"])]}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_772_000_000,
        "model": asked["model"],
        "choices": [choice],
        "usage": {"prompt_tokens": 900, "completion_tokens": 60, "total_tokens": 960},
    }


def _token(token: str) -> dict[str, Any]:
    told = {"token": token, "logprob": -0.1, "bytes": list(token.encode())}
    return told | {"top_logprobs": [told, {"token": "?", "logprob": -2.4, "bytes": [63]}]}


def _instance(schema: dict[str, Any], root: dict[str, Any]) -> Any:
    """The plainest value that a schema allows: the first of several, nothing where nothing is allowed."""
    if "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return _instance(target, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return None if None in schema["enum"] else schema["enum"][0]
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            made = [_instance(one, root) for one in schema[several]]
            return None if None in made else made[0]
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = "null" if "null" in kind else kind[0]
    if kind == "object":
        return {name: _answer_to(name, one, root) for name, one in schema.get("properties", {}).items()}
    return {"array": [], "string": "Backed.", "number": 0.9, "integer": 1, "boolean": True}.get(str(kind))


def _answer_to(name: str, schema: dict[str, Any], root: dict[str, Any]) -> Any:
    """All may be left open but the verdict."""
    labels = [label for label in schema.get("enum", []) if label is not None]
    return labels[0] if name == VERDICT and labels else _instance(schema, root)


async def _run(port: int, seconds: float) -> None:
    server = await asyncio.start_server(Stub(seconds).serve, "127.0.0.1", port, limit=2**24, backlog=256)
    async with server:
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judge_stub", description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--seconds", type=float, default=_ANSWERED, help="how long an answer takes")
    given = parser.parse_args()
    asyncio.run(_run(given.port, given.seconds))


if __name__ == "__main__":
    main()
