"""The traces that the browser shows: some of the sample's, and one that tries to break out of the page."""

import json
from collections.abc import Sequence

from pydantic import JsonValue

from builders import NOW, QUEUE, codebook, draw
from goldloop.codebook.task import task_data
from goldloop.devstack.sample import sample_path
from goldloop.devstack.tracefile import FileTrace, read
from goldloop.judge.lexical import LexicalJudge
from goldloop.pipeline.enqueue import prelabel_of
from goldloop.ports import TaskDraft
from goldloop.records import Document, Message, Prediction, Signal, Step, Trace

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
        trace_id="hostile",
        name=SNIPPETS[0],
        timestamp=NOW,
        messages=(
            Message(role="system", content=snippets),
            Message(role="user", content=snippets),
            Message(role=SNIPPETS[2], content=raw),
            Message(role="user", content=_LONG_LINE),
        ),
        output=f"{snippets}\n{raw}",
        documents=(Document(title=SNIPPETS[2], text=snippets), Document(title="long", text=_LONG_LINE)),
        steps=(Step(kind="tool", name=SNIPPETS[0], input=snippets, output=raw),),
        model=SNIPPETS[2],
        notes=(SNIPPETS[0],),
    )


def task_draft(trace: Trace, category: str, signals: Sequence[Signal] = ()) -> TaskDraft:
    """The task that goldloop makes of it, the lexical judge's prelabel in it."""
    asked = codebook()
    drawn = draw(trace.trace_id).model_copy(update={"stratum": category})
    judgement = LexicalJudge().judge(asked, trace)
    prediction = Prediction(
        queue=QUEUE, codebook_version=asked.version, trace_id=trace.trace_id, judged_at=NOW, judgement=judgement
    )
    data = task_data(asked, trace, drawn, signals, judgement, f"https://langfuse.example/traces/{trace.trace_id}")
    return TaskDraft(
        trace_id=trace.trace_id, data=data.model_dump(mode="json"), prediction=prelabel_of(asked, prediction)
    )


def sample_draft(prefix: str) -> TaskDraft:
    """The task of the sample's trace whose id starts so."""
    file = sample(prefix)
    signals = [
        Signal(signal_id=one.name, trace_id=file.id, name=one.name, value=one.value, at=file.timestamp)
        for one in file.signals
    ]
    return task_draft(from_file(file), file.category, signals)


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
