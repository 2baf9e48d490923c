"""The traces that the browser shows: some of the sample's, and one that tries to break out of the page."""

import json
from collections.abc import Sequence

from pydantic import JsonValue

from builders import NOW, codebook, draw
from goldloop.codebook.controls import swapped
from goldloop.codebook.result import MODEL_VERSION, to_result
from goldloop.codebook.schema import Codebook
from goldloop.codebook.task import task_data
from goldloop.devstack.sample import sample_path
from goldloop.devstack.tracefile import FileTrace, read
from goldloop.judge.lexical import LexicalJudge
from goldloop.ports import TaskDraft
from goldloop.records import Document, Judgement, Message, Signal, Step, Trace

CHAT = "856361e3"
"""Several turns; the judge would let the answer pass, every rater would not."""
AGENT = "d40214df"
"""Tools were called, one of them with a wrong argument, and the user asked again."""
UNSAFE_ADVICE = "5962e5a6"
"""The judge says fail, and so does everyone else."""

MARKER = "goldlooped"
"""Set on the window by whatever of the hostile trace gets to run."""

_SCRIPT = f"window.{MARKER} = 1; parent.{MARKER} = 1; alert(1)"
_FETCHED = "https://evil.example/pixel.png"
SNIPPETS = (
    f"<script>{_SCRIPT}</script>",
    f'<iframe srcdoc="<script>{_SCRIPT}</script>"></iframe>',
    f'<img src="/nothing-here" onerror="{_SCRIPT}">',
    f'<img src="{_FETCHED}"><link rel="stylesheet" href="{_FETCHED}"><style>@import url({_FETCHED});</style>',
    f'<b onmouseover="{_SCRIPT}" style="position:fixed;inset:0;background:url({_FETCHED})">bold</b>',
    f'<svg onload="{_SCRIPT}"><a xlink:href="javascript:{_SCRIPT}">link</a></svg>',
    f"[click](javascript:{_SCRIPT}) ![picture]({_FETCHED}) &lt;script&gt; &amp;amp; &#x3c;b&#62;",
    "</span></div></textarea></style><h1>outside</h1>",
    "{{constructor.constructor('x')()}} ${7*7} $output",
)
"""Each must be on the page letter by letter."""
READABLE = (
    "שלום, עולם! مرحبا",
    "cafe\u0301 nin\u0303o 👩🏽‍🚀 Z\u0351\u036bA\u034aL\u0343",
    '{\n  "order": "ML-1",\n  "nested": {"a": [1, 2]}\n}',
    "def f(x):\n    return x < 1 and x > -1",
    "| size | fits |\n|---|---|\n| M | 170 |",
    "<table><tr><td>cell</td></tr></table>",
    "bell\N{SYMBOL FOR BELL} escape\N{SYMBOL FOR ESCAPE}[31m null\N{SYMBOL FOR NULL}",
)
_LONG_LINE = "0123456789" * 10_000


def sample(prefix: str) -> FileTrace:
    """The sample's trace whose id starts so."""
    return next(trace for trace in read(sample_path()) if trace.id.startswith(prefix))


def from_file(file: FileTrace) -> Trace:
    """As Langfuse would give it back."""
    return Trace(
        trace_id=file.id,
        name=file.name,
        timestamp=file.timestamp,
        messages=tuple(Message(role=said.role, content=said.content) for said in file.input),
        output=file.output,
        documents=tuple(Document(title=one.title or "", text=one.text, score=one.score) for one in file.context),
        steps=tuple(
            Step(kind=step.type, name=step.name, input=_text(step.input), output=_text(step.output))
            for step in file.steps
            if step.type == "tool"
        ),
        model=file.model,
        release=file.release,
        latency_s=file.latency_s,
        cost_usd=file.cost_usd,
    )


def hostile() -> Trace:
    """The snippets wherever a trace holds text of strangers, and text that is hard to show."""
    snippets = "\n".join(SNIPPETS)
    raw = "\n".join(READABLE).translate({0x2407: 7, 0x241B: 0x1B, 0x2400: 0})
    return Trace(
        trace_id=SNIPPETS[2],
        name=SNIPPETS[0],
        timestamp=NOW,
        messages=(
            Message(role="system", content=f"{snippets}\n{raw}"),
            Message(role="user", content=f"{snippets}\n{raw}"),
            Message(role=SNIPPETS[2], content=raw),
            Message(role="user", content=_LONG_LINE),
        ),
        output=f"{snippets}\n{raw}",
        alternative=f"{snippets}\n{raw}\nother",
        documents=(Document(title=SNIPPETS[2], text=snippets), Document(title="long", text=_LONG_LINE)),
        steps=(
            Step(kind="tool", name=SNIPPETS[0], input=snippets, output=raw),
            Step(kind="tool", name=SNIPPETS[1], input=_LONG_LINE, output=raw),
        ),
        model=SNIPPETS[2],
        release=SNIPPETS[5],
        notes=(*SNIPPETS, *READABLE),
    )


def agent() -> Trace:
    """Twelve tool calls, the last with a result that is longer than its place on the screen."""
    file = from_file(sample(AGENT))
    listed = json.dumps({"mails": [{"id": f"M-{number}", "state": "sent"} for number in range(40)]}, indent=2)
    calls = (
        ("order_search", {"text": "wrong house number"}, {"found": 0}),
        ("order_search", {"order": "ML-65202"}, {"found": 1}),
        ("order_lookup", {"order": "ML-65202"}, {"customer": "Wolfgang Ehlers", "state": "paid", "dispatched": False}),
        ("customer_lookup", {"customer": "Wolfgang Ehlers"}, {"id": "C-4410", "mail": "confirmed"}),
        ("address_lookup", {"customer": "C-4410"}, {"street": "Lindenhof 71", "city": "Hanover"}),
        ("address_check", {"street": "Lindenhof 17", "city": "Hanover"}, {"known": True}),
        ("update_address", {"order": "ML-65202", "street": "Lindenhof 71", "city": "Hanover"}, {"ok": True}),
        ("delivery_quote", {"order": "ML-65202"}, {"eur": 49}),
        ("order_lookup", {"order": "ML-65202"}, {"state": "paid", "dispatched": False}),
        ("ticket_open", {"order": "ML-65202"}, {"ticket": "T-881"}),
        ("ticket_close", {"ticket": "T-881"}, {"ok": True}),
    )
    steps = [
        Step(kind="tool", name=name, input=json.dumps(given), output=json.dumps(answer))
        for name, given, answer in calls
    ]
    steps.append(Step(kind="tool", name="mail_log", input=json.dumps({"customer": "C-4410"}), output=listed))
    return file.model_copy(update={"trace_id": "agent", "steps": tuple(steps), "documents": ()})


def judged(
    asked: Codebook, label: str, reason: str = "Most words of its second sentence are in no document."
) -> Judgement:
    """What a judge says that answers the verdict alone."""
    return Judgement(
        judge="test", judge_version="1", answers={asked.verdict.name: label}, probability=0.8, method="m", reason=reason
    )


def task_draft(
    trace: Trace,
    category: str,
    signals: Sequence[Signal] = (),
    *,
    asked: Codebook | None = None,
    judgement: Judgement | None = None,
    url: str | None = None,
) -> TaskDraft:
    """The task that goldloop makes of it, with a prelabel where there is a judgement."""
    asked = asked or codebook()
    drawn = draw(trace.trace_id).model_copy(update={"stratum": category, "queue": asked.name})
    url = url or f"https://langfuse.example/project/p/traces/{trace.trace_id}"
    data = task_data(asked, trace, drawn, signals, judgement, url)
    prelabel: dict[str, JsonValue] | None = None
    if judgement:
        swap = swapped(asked.name, trace.trace_id)
        result = to_result(asked, judgement.answers, swap=swap)
        prelabel = {"model_version": MODEL_VERSION, "score": judgement.probability, "result": [*result]}
    return TaskDraft(trace_id=trace.trace_id, data=data.model_dump(mode="json"), prediction=prelabel)


def sample_draft(prefix: str, url: str | None = None) -> TaskDraft:
    """The task of the sample's trace whose id starts so, with the lexical judge's prelabel."""
    file = sample(prefix)
    signals = [
        Signal(signal_id=one.name, trace_id=file.id, name=one.name, value=one.value, at=file.timestamp)
        for one in file.signals
    ]
    trace = from_file(file)
    (said,) = LexicalJudge().judge(codebook(), [trace])
    assert isinstance(said, Judgement)
    return task_draft(trace, file.category, signals, judgement=said, url=url)


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
