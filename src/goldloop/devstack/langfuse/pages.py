"""Two pages for people, which say that this is a stand-in: what is stored, and one trace."""

import html
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from starlette.responses import HTMLResponse

from goldloop.devstack.langfuse import observations, scores
from goldloop.devstack.langfuse.call import Call

_SHOWN = 50
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1c1c1c }
aside { background: #fff4d6; border-left: 4px solid #c98a00; padding: .6rem 1rem; margin-bottom: 1.5rem }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .3rem .6rem .3rem 0;
border-bottom: 1px solid #ddd; vertical-align: top; overflow-wrap: anywhere }
pre { background: #f5f5f5; padding: .6rem; white-space: pre-wrap; overflow-wrap: anywhere; margin: .3rem 0 }
section { border-top: 1px solid #ddd; margin-top: 1rem } small { color: #666 }
"""
_NOTICE = (
    "<aside><strong>This is not Langfuse.</strong> It is goldloop's local stand-in of its public API, "
    "for tests and the demo.</aside>"
)
_GROUPS = frozenset({"core", "basic", "io", "model", "metrics", "trace_context"})


def home(call: Call) -> HTMLResponse:
    """How much is stored, and the newest roots and scores."""
    store, project = call.store, call.settings.project_id
    counts = [
        ("traces", store.count("SELECT count(DISTINCT trace_id) FROM observations")),
        ("observations", store.count("SELECT count(*) FROM observations")),
        ("scores", store.count("SELECT count(*) FROM scores")),
        ("score configs", store.count("SELECT count(*) FROM score_configs")),
        ("datasets", store.count("SELECT count(*) FROM datasets")),
        ("dataset items", store.count("SELECT count(*) FROM dataset_items")),
        ("not yet readable", store.count("SELECT count(*) FROM pending")),
    ]
    roots = store.rows(
        "SELECT trace_id, name, environment FROM observations WHERE is_root = 1"
        " ORDER BY start_ms DESC, trace_id DESC, id DESC LIMIT ?",
        (_SHOWN,),
    )
    recent = store.rows("SELECT * FROM scores ORDER BY timestamp_ms DESC, id DESC LIMIT ?", (_SHOWN,))
    return _page(
        f"Stand-in of Langfuse {call.settings.version}",
        _table(["stored", "count"], ([_text(name), str(count)] for name, count in counts)),
        "<h2>Newest traces</h2>",
        _table(
            ["trace", "name", "environment"],
            ([_trace_link(project, row["trace_id"]), _text(row["name"]), _text(row["environment"])] for row in roots),
        ),
        "<h2>Newest scores</h2>",
        _score_table(call, recent),
    )


def trace(call: Call) -> HTMLResponse:
    """One trace: its observations in order of start, input and output as they came, its scores."""
    trace_id = call.path["trace_id"]
    rows = call.store.rows(
        "SELECT * FROM observations WHERE trace_id = ? ORDER BY start_ms, is_root DESC, id", (trace_id,)
    )
    scored = call.store.rows("SELECT * FROM scores WHERE trace_id = ? ORDER BY timestamp_ms DESC, id DESC", (trace_id,))
    if not rows and not scored:
        return _page("No such trace", f"<p>Nothing is stored under {_text(trace_id)}.</p>", status=404)
    steps = [observations.render(row, _GROUPS, call.settings.project_id) for row in rows]
    return _page(
        f"Trace {trace_id}",
        *(_step(step) for step in steps),
        "<h2>Scores</h2>",
        _score_table(call, scored),
    )


def _step(step: dict[str, Any]) -> str:
    facts = [step["type"], step["startTime"], step["environment"], step["model"], step["userId"]]
    facts += [step["sessionId"], *step["tags"], step["statusMessage"]]
    known = " · ".join(_text(fact) for fact in facts if fact)
    payloads = "".join(
        f"<h4>{side}</h4><pre>{_text(step[side])}</pre>" for side in ("input", "output") if step[side] is not None
    )
    return f"<section><h3>{_text(step['name'])}</h3><small>{known}</small>{payloads}</section>"


def _score_table(call: Call, rows: Iterable[Any]) -> str:
    project = call.settings.project_id
    rendered = [scores.render(row, ["details", "subject"], project) for row in rows]
    return _table(
        ["time", "name", "value", "of", "comment", "metadata"],
        (
            [
                _text(score["timestamp"]),
                _text(score["name"]),
                _text(score["value"]),
                _subject(project, score["subject"]),
                _text(score["comment"] or ""),
                _text(json.dumps(score["metadata"], ensure_ascii=False)) if score["metadata"] else "",
            ]
            for score in rendered
        ),
    )


def _subject(project: str, subject: dict[str, Any]) -> str:
    trace_id = subject["id"] if subject["kind"] == "trace" else subject.get("traceId")
    return _trace_link(project, trace_id) if trace_id else _text(f"{subject['kind']} {subject['id']}")


def _trace_link(project: str, trace_id: str) -> str:
    path = f"/project/{quote(project, safe='')}/traces/{quote(trace_id, safe='')}"
    return f'<a href="{html.escape(path)}">{_text(trace_id)}</a>'


def _table(heads: list[str], rows: Iterable[list[str]]) -> str:
    """A table of cells that are HTML already."""
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>" for cells in rows)
    return f"<table><tr>{''.join(f'<th>{_text(head)}</th>' for head in heads)}</tr>{body}</table>"


def _text(value: object) -> str:
    return html.escape(str(value))


def _page(title: str, *parts: str, status: int = 200) -> HTMLResponse:
    head = f"<meta charset=utf-8><title>{_text(title)}</title><style>{_STYLE}</style>"
    page = f"<!DOCTYPE html><html lang=en><head>{head}</head><body>{_NOTICE}<h1>{_text(title)}</h1>"
    # Traces hold text of strangers: nothing on these pages may run or load anything.
    policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return HTMLResponse(page + "".join(parts) + "</body></html>", status, policy)
