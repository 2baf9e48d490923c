"""What comes from Langfuse."""

from pydantic import Field

from goldloop.records.base import Record, Utc


class Candidate(Record):
    """A trace that can be drawn; `category` is its stratum, and nothing here is payload."""

    trace_id: str
    environment: str = "default"
    name: str = ""
    category: str
    timestamp: Utc
    user_id: str | None = None
    session_id: str | None = None
    model: str | None = None
    release: str | None = None
    prompt: str | None = Field(default=None, description="name@version of the prompt that was used")
    tags: tuple[str, ...] = ()
    cluster: str | None = Field(default=None, description="topic or cluster, where a setting says what names it")
    sketch: int | None = Field(default=None, description="64-bit simhash of the input, signed; not the text")
    roots: int = Field(default=1, ge=0, description="root observations seen; 0 where the root was never exported")


class Signal(Record):
    """What a user said or did, linked to a trace; `value` is a number, `label` a category. Free text stays away."""

    signal_id: str
    trace_id: str
    name: str
    value: float | None = None
    label: str | None = None
    at: Utc


class Message(Record):
    role: str
    content: str


class Document(Record):
    """A retrieved passage; `score` is the retriever's, in whatever unit it uses."""

    title: str
    text: str
    score: float | None = None


class Step(Record):
    """A tool call, or another observation below the root that a reviewer should see; texts as they were logged."""

    kind: str
    name: str
    input: str
    output: str


class Trace(Record):
    """One request to the app with its payload, in the form that a reviewer or a judge reads."""

    trace_id: str
    environment: str = "default"
    name: str = ""
    timestamp: Utc
    user_id: str | None = None
    session_id: str | None = None
    messages: tuple[Message, ...] = ()
    output: str = ""
    alternative: str | None = Field(default=None, description="another answer to the same input, to compare with")
    documents: tuple[Document, ...] = ()
    steps: tuple[Step, ...] = ()
    model: str | None = None
    release: str | None = None
    latency_s: float | None = None
    cost_usd: float | None = None
    tags: tuple[str, ...] = ()
    root_observation_id: str | None = None
    notes: tuple[str, ...] = Field(default=(), description="what is unusual about it, in words for the reviewer")
