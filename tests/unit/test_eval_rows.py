"""A confirmed failure as a line of the golden set."""

from builders import NOW, QUEUE, annotation, codebook, draw, trace
from goldloop.codebook.lineage import CodebookVersion, first
from goldloop.codebook.schema import Codebook
from goldloop.records import Answer, EvalRow, Value
from goldloop.resolution.eval_rows import eval_row

LABELS = [
    {"name": "tone", "text": "Tone", "definition": "It is rude.", "severity": "minor"},
    {"name": "fact", "text": "Fact", "definition": "It is false.", "severity": "critical"},
    {"name": "form", "text": "Form", "definition": "It is a mess."},
]
ASKED = Codebook.model_validate(
    codebook().model_dump()
    | {
        "questions": [
            codebook().verdict.model_dump(),
            {"name": "errors", "kind": "multi-choice", "text": "What is wrong?", "labels": LABELS},
            {"name": "minutes", "kind": "number", "text": "Minutes lost?", "scale": {"minimum": 0, "maximum": 9}},
            {"name": "rewrite", "kind": "correction", "text": "How should it read?"},
        ],
        "langfuse": {"dataset": "failures"},
    }
)
VERSION = CodebookVersion(codebook=ASKED, since=first(ASKED), published_at=NOW)


def answer(question: str, value: Value, **more: object) -> Answer:
    fields: dict[str, object] = {
        "queue": QUEUE,
        "codebook_version": "1.0.0",
        "trace_id": "t1",
        "question": question,
        "value": value,
        "votes": 1,
        "voters": 2,
        "annotators": ("ana",),
        "method": "majority",
        "failure": question == "verdict",
        "revised_at": NOW,
    }
    return Answer.model_validate(fields | more)


def row(*more: Answer) -> EvalRow:
    annotations = [annotation("ana", "fail"), annotation("ben", None, number=2)]
    return eval_row(VERSION, "row-1", trace(), draw(), [answer("verdict", "fail"), *more], annotations)


def test_labels_are_what_is_no_text() -> None:
    made = row(answer("errors", ["tone", "form"]), answer("minutes", 3.0), answer("rewrite", "Better."))
    assert made.labels == {"verdict": "fail", "errors": ["tone", "form"], "minutes": 3.0}
    assert (made.expected_output, made.dataset, made.output) == ("Better.", "failures", trace().output)
    assert made.provenance["annotated_at"] == [annotation("ana").updated_at.isoformat()], "a skip judged nothing"
    assert (made.provenance["votes"], made.provenance["voters"], made.provenance["pi"]) == (1, 2, 0.25)


def test_its_severity_is_that_of_the_worst_error_that_was_named() -> None:
    assert row().severity is None
    assert row(answer("errors", ["form"])).severity is None
    assert row(answer("errors", ["tone", "form"])).severity == "minor"
    assert row(answer("errors", ["tone", "fact"])).severity == "critical"


def test_what_is_quarantined_is_not_in_it() -> None:
    made = row(answer("errors", ["fact"], quarantined=True), answer("rewrite", "Better.", quarantined=True))
    assert (made.labels, made.severity, made.expected_output) == ({"verdict": "fail"}, None, None)
    assert made.provenance["since"] == {"verdict": "1.0.0"}
