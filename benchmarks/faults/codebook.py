"""What the run's annotators are asked: small, with a verdict, a question that hangs on it, and a note."""

from pathlib import Path
from string import Template

QUEUE = "faults"
VERDICT = "verdict"
REASON = "reason"
REASONS = ("wrong", "rude", "late")
NOTE = "note"

_TEXT = Template("""\
name: $queue
version: 1.0.0
title: Faults
owner: Nobody
purpose: Made up, to see whether anything gets lost.
questions:
  - name: verdict
    kind: binary
    text: Is it good?
    required: true
    failure: [fail]
    labels:
      - { name: pass, text: Pass, definition: It is good. }
      - { name: fail, text: Fail, definition: It is not. }
  - name: reason
    kind: multi-choice
    text: Why not?
    only_if: { verdict: fail }
    labels:
      - { name: wrong, text: Wrong, definition: It says what is not so., severity: major }
      - { name: rude, text: Rude, definition: It is unkind., severity: minor }
      - { name: late, text: Late, definition: It came too late., severity: minor }
  - name: note
    kind: text
    text: A note
    only_if: { verdict: fail }
queue:
  budget: $budget
  mix: balanced
  annotations_per_trace: 1
  double_label_share: 0.05
  blind_share: 0.1
  age_limit_days: 30
""")


def write(folder: Path, traces: int) -> None:
    """The codebook's file, with a day's budget that has room for all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    text = _TEXT.substitute(queue=QUEUE, budget=max(100, traces))
    (folder / f"{QUEUE}.yaml").write_text(text, encoding="utf-8")
