"""What has to be so: always, and after a sync in quiet."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import select

from builders import QUEUE
from fakes.task_queue import _Task
from goldloop.adapters.store import tables
from goldloop.records import Candidate, EvalRow, Score, State
from properties.said import decided, fits, most_named, only_label, verdict_of
from properties.stage import FOREIGN
from properties.tampering import Tampering

Row = tuple[str, str, str, str, str]
"""Of a score: trace, name, value, whose it is, and the severity that stands beside it."""


class Audit(Tampering):
    # -- always, whatever is under way

    def nothing_is_made_up(self) -> None:
        """Whatever was ever sent, somebody had submitted by then."""
        sent = self.loop.scores.sent
        for score in sent[self.seen_sent :]:
            if score.name == "annotation_verdict":
                assert (score.trace_id, score.metadata["annotator"], score.value) in self.told
            elif score.name == "human_verdict":
                assert any((score.trace_id, who, score.value) in self.told for who in self.voters(score))
        self.seen_sent = len(sent)

    @staticmethod
    def voters(score: Score) -> list[str]:
        who = score.metadata["annotators"]
        assert isinstance(who, list)
        return [str(one) for one in who]

    def what_was_read_back_is_there(self) -> None:
        """The very revision: not another one of the same value."""
        if self.tampered:
            return
        shown = self.loop.scores.shown()
        scores = tables.scores.c
        with self.loop.store._db.read() as connection:
            rows = connection.execute(select(scores.score_id, scores.state, scores.event_at)).all()
        for score_id, state, event_at in rows:
            if state == "confirmed":
                assert score_id in shown
                assert shown[score_id].event_at == event_at
            elif state == "deleted" and not self.in_flight:
                assert score_id not in shown

    def what_is_published_is_there(self) -> None:
        if self.tampered:
            return
        draws = tables.draws.c
        with self.loop.store._db.read() as connection:
            query = select(draws.trace_id).where(draws.state == State.PUBLISHED.value, draws.resolve_due.is_(False))
            published = list(connection.execute(query).scalars())
        values = {(score.trace_id, score.name): score.value for score in self.loop.scores.shown().values()}
        rows = {row.trace_id for row in self.loop.datasets.rows(QUEUE).values()}
        for trace_id in published:
            answers = self.loop.store.answers(QUEUE, trace_id)
            verdict = next((one.value for one in answers if one.question == "verdict"), None)
            assert values.get((trace_id, "human_verdict")) == verdict
            assert (trace_id in rows) == any(one.failure for one in answers)

    def times_of_events_grow(self) -> None:
        """Of one score, a later event is of a later time; what is sent again is the same to the letter."""
        last: dict[str, Score] = {}
        for score in self.loop.scores.sent:
            before = last.get(score.score_id)
            assert before is None or score == before or score.event_at > before.event_at
            last[score.score_id] = score

    # -- in quiet

    def everything(self) -> list[object]:
        return [*self.what_stands(), self.loop.store.parked(), self.loop.store.counts(QUEUE)]

    def come_to_rest(self, *, retrying: bool) -> None:
        before: list[object] = []
        for number in range(6):
            self.loop.clock.turn(timedelta(minutes=16))  # what Langfuse forgot is noticed
            if retrying and number in {1, 2}:
                self.loop.retry()
            self.loop.run()
            if self.tampered and number in {0, 1}:
                self.loop.reconcile()
            now = self.everything()
            if now == before and number >= (3 if retrying or self.in_flight else 1):
                self.tampered = self.in_flight = False
                return
            before = now
        raise AssertionError("it does not come to rest")

    def all_is_well(self, *, retried: bool) -> None:
        unsent = self.traces_held_back(retried=retried)
        self.every_trace_is_one_task_or_parked(retried=retried)
        self.what_was_pulled_is_what_was_sent()
        self.what_is_unfit_is_parked()
        self.scores_are_what_people_say(unsent)
        self.failures_are_eval_rows(unsent)
        self.times_of_events_grow()

    def traces_held_back(self, *, retried: bool) -> set[str | None]:
        """Traces of which something is parked on its way out, for Langfuse would not have it; nothing once retried."""
        held = {row.trace_id for row in self.loop.store.parked() if row.verb == "publish"}
        assert held <= (set() if retried else self.meddled)
        return held

    def every_trace_is_one_task_or_parked(self, *, retried: bool) -> None:
        reasons = {s.removeprefix("trace:"): why for s, why in self.loop.parked().items() if s.startswith("trace:")}
        with_tasks = [task.draft.trace_id for task in self.ours()]
        assert Counter([*with_tasks, *reasons]) == Counter(self.logged)
        assert {trace_id for trace_id, why in reasons.items() if why == "no_payload"} == self.hollow
        others = set(reasons.values()) - {"no_payload"}
        assert others <= (set() if retried else {"task_deleted"})

    def what_was_pulled_is_what_was_sent(self) -> None:
        """Each trace once, by its earliest root, and all that users said of it."""
        with self.loop.store._db.read() as connection:
            rows = connection.execute(select(tables.candidates)).mappings().all()
        pulled = {row["trace_id"]: (row["timestamp"], row["category"], row["user_id"]) for row in rows}
        assert sorted(pulled) == sorted(self.logged)
        for trace_id, roots in self.roots.items():
            assert pulled[trace_id] in {_known_by(root) for root in _earliest(roots)}
            signals = self.loop.store.signals(trace_id)
            assert sorted(one.signal_id for one in signals) == sorted(self.clicks.get(trace_id, ()))

    def what_is_unfit_is_parked(self) -> None:
        kinds = ("annotation:", "task:")
        parked = {subject for subject in self.loop.parked() if subject.startswith(kinds)}
        unfit = {
            f"annotation:{task.project_id}/{task.task_id}/{one.annotation_id}"
            for task in self.ours()
            for one in task.annotations.values()
            if not fits(one)
        }
        foreign = {f"task:{task.project_id}/{task.task_id}" for task in self.tasks() if task.draft.trace_id == FOREIGN}
        assert parked == unfit | foreign

    def scores_are_what_people_say(self, unsent: set[str | None]) -> None:
        due: list[Row] = []
        for task in self.ours():
            trace_id = task.draft.trace_id
            due += [
                (trace_id, "annotation_verdict", said, one.annotator, str(only_label(list(one.result), "severity")))
                for one in filter(fits, task.annotations.values())
                if (said := verdict_of(one))
            ]
            verdict, severity = self.answers(task)
            due += [(trace_id, "human_verdict", verdict, "", "None")] if verdict else []
            due += [(trace_id, "human_severity", severity, "", "None")] if severity else []
        shown = [
            (one.trace_id, one.name, str(one.value), str(one.metadata.get("annotator", "")), _severity(one))
            for one in self.loop.shown()
        ]
        assert _of_others(shown, unsent) == _of_others(due, unsent)

    def answers(self, task: _Task) -> tuple[str | None, str | None]:
        """The verdict and the severity that the task's annotators agree on: each one's last word counts."""
        voices = {
            one.annotator: one
            for one in sorted(task.annotations.values(), key=lambda each: (each.updated_at, each.created_at))
            if fits(one)
        }
        verdict = decided([verdict_of(one) for one in voices.values()], self.loop.tasks.annotators_of(task.task_id))
        agreeing = [one for one in voices.values() if verdict and verdict_of(one) == verdict]
        return verdict, most_named(only_label(list(one.result), "severity") for one in agreeing)

    def failures_are_eval_rows(self, unsent: set[str | None]) -> None:
        failed = {task.draft.trace_id for task in self.ours() if self.answers(task)[0] == "fail"}
        in_dataset = list(self.loop.datasets.rows(QUEUE).values())
        path = self.folder / "evals" / f"{QUEUE}.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        in_file = [EvalRow.model_validate(json.loads(line)) for line in lines]
        for rows in (in_dataset, in_file):
            assert sorted(row.trace_id for row in rows if row.trace_id not in unsent) == sorted(failed - unsent)

        def settled(rows: list[EvalRow]) -> list[EvalRow]:
            return sorted((row for row in rows if row.trace_id not in unsent), key=lambda row: row.row_id)

        assert settled(in_file) == settled(in_dataset)
        severities = {task.draft.trace_id: self.answers(task)[1] for task in self.ours()}
        assert all(row.labels.get("severity") == severities[row.trace_id] for row in settled(in_file))
        assert self.loop.datasets._rows.keys() <= {QUEUE}
        assert [one.name for one in (self.folder / "evals").iterdir()] == [f"{QUEUE}.jsonl"] if lines else True


def _severity(score: Score) -> str:
    return str(score.metadata.get("severity"))


def _of_others(rows: Iterable[Row], unsent: set[str | None]) -> list[Row]:
    return sorted(row for row in rows if row[0] not in unsent)


def _earliest(roots: list[Candidate]) -> list[Candidate]:
    first = min(root.timestamp for root in roots)
    return [root for root in roots if root.timestamp == first]


def _known_by(root: Candidate) -> tuple[datetime, str, str | None]:
    return root.timestamp, root.category, root.user_id
