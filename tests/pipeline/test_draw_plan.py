"""What a draw goes by: mixes, slices, signals, judges, caps, arms and the queue's room, all on record."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from builders import NOW, QUEUE
from goldloop.codebook.queue import QueueSettings
from goldloop.codebook.sampling import Caps
from goldloop.errors import ConfigError, RetryableError
from goldloop.pipeline import enqueue as verb
from goldloop.pipeline.draw import DrawSummary, choose, draw
from goldloop.pipeline.plan import DrawPlan, digest, plan_of, read_frame, window_of
from goldloop.records import Draw, Judgement, NamedSlice, Parked, Prediction, State, Vote
from goldloop.sampling.frame import Frame, Names
from goldloop.signals.judges import JudgeScore, SignalSettings
from pipeline.loop import ADA, MINUTE, Loop, revised

DAY = timedelta(days=1)
EVEN = {"random": 0.5, "stratified": 0.5}
FULL = {
    "budget": 10,
    "mix": "balanced",
    "caps": {"user": 2},
    "queue_cap": 8,
    "double_label_share": 0.3,
    "blind_share": 0.2,
}


def fill(loop: Loop, number: int = 40) -> None:
    """Traces of ten users; every fifth has a thumb down, every third a judge's score."""
    for place in range(number):
        trace_id = f"t{place:02}"
        loop.log(trace_id, user_id=f"u{place % 10}", category=("billing", "returns")[place % 3 == 0], tags=("a", "b"))
        if place % 5 == 0:
            loop.click(trace_id, "thumbs", 0.0)
        if place % 3 == 0:
            loop.click(trace_id, "grounded", place / number)
    loop.pull()


def use(loop: Loop, **settings: object) -> None:
    loop.use(revised(**settings))


def drawn(loop: Loop) -> list[Draw]:
    return loop.store.draws(QUEUE, State.DRAWN)


def frame_now(loop: Loop) -> tuple[DrawPlan, Frame]:
    """What the next draw will see."""
    now = loop.clock()
    settings = loop.codebook.queue
    plan = plan_of(settings, loop.store.slices(QUEUE, now), loop.signals, None, now)
    return plan, read_frame(loop.store, QUEUE, window_of(settings, now), plan)


def target(loop: Loop, name: str = "new", **changes: object) -> None:
    fields = {"queue": QUEUE, "name": name, "made_at": NOW, "expires_at": NOW + 2 * DAY, **changes}
    loop.store.save_slice(NamedSlice.model_validate(fields))


def parked(loop: Loop) -> dict[str, str]:
    return {str(row.trace_id): row.reason for row in loop.store.parked(QUEUE)}


# -- on record


def test_a_draw_can_be_made_again_from_its_run_and_its_candidates(loop: Loop) -> None:
    loop.signals = SignalSettings(judges=(JudgeScore(name="grounded"),))
    fill(loop)
    use(loop, **FULL)
    target(loop, where={"tags": ["b"]})
    _, frame = frame_now(loop)
    made = loop.draw()
    (run,) = runs = loop.store.draw_runs(QUEUE)
    assert run.frame["digest"] == digest(frame)
    again = choose(run, frame)
    assert [one for one in again.draws if one.trace_id not in again.overflow] == drawn(loop)
    assert set(parked(loop)) == again.overflow
    assert again.shares == run.shares
    assert again.explanation == made.explanation
    assert again.explanation.model_dump(mode="json") == run.explanation
    assert len(runs) == 1
    assert run.mix == {"negative": 0.3, "random": 0.25, "stratified": 0.25, "targeted": 0.1, "uncertainty": 0.1}


@pytest.mark.parametrize(
    "column",
    [
        {"model": Names.of(["small", "large"])},
        {"tags": Names.of(["beta", None])},
        {"time": [1.0, 2.0]},
        {"sketch": [1, 2]},
        {"risk": [0.1, 0.2]},
    ],
)
def test_the_digest_tells_all_that_a_draw_goes_by(column: dict[str, Names | list[float]]) -> None:
    assert digest(Frame.of(["a", "b"], **column)) != digest(Frame.of(["a", "b"]))


def test_a_dry_run_tells_what_the_draw_will_do_and_leaves_nothing(loop: Loop) -> None:
    fill(loop)
    use(loop, **FULL)
    told = draw(loop.codebook, loop.store, loop.seed + 1, loop.clock(), loop.signals, dry_run=True)
    assert (drawn(loop), loop.store.draw_runs(QUEUE), loop.store.parked()) == ([], [], [])
    made = loop.draw()
    assert told.run_id is None
    assert told == made.model_copy(update={"run_id": None})


def test_a_policy_without_candidates_gives_its_share_back_and_says_so(loop: Loop) -> None:
    loop.log(*(f"t{place}" for place in range(9)))
    loop.pull()
    use(loop, budget=4, mix={"random": 0.5, "stratified": 0.25, "negative": 0.25})
    made = loop.draw()
    assert made.explanation
    assert made.explanation.given_back == ("negative",)
    (run,) = loop.store.draw_runs(QUEUE)
    assert run.mix == {"negative": 0.25, "random": 0.5, "stratified": 0.25}
    assert run.shares == pytest.approx({"random": 2 / 3, "stratified": 1 / 3})


def test_a_mix_below_the_floor_of_random_is_refused(loop: Loop) -> None:
    fill(loop)
    use(loop, mix={"random": 0.05, "stratified": 0.95})
    with pytest.raises(ConfigError, match=r"random has a share of 0\.05, below its floor of 0\.1"):
        loop.draw()


def test_a_codebook_needs_a_budget_and_nothing_else() -> None:
    settings = QueueSettings(budget=80)
    plan = plan_of(settings, [], SignalSettings(), None, NOW)
    # Nothing is a target: the balanced mix looks at risk in its place.
    assert plan.shares == {"negative": 0.3, "random": 0.25, "risk": 0.1, "stratified": 0.25, "uncertainty": 0.1}
    assert (plan.caps, plan.double_share, plan.blind_share, plan.room) == (Caps(), 0, 0, None)
    assert plan.columns == ()


def test_settings_of_before_still_hold() -> None:
    body = {"budget": 80, "mix": EVEN, "stratified_power": 0.0, "annotations_per_trace": 3, "age_limit_days": 30}
    plan = plan_of(QueueSettings.model_validate(body), [], SignalSettings(), None, NOW)
    assert plan.shares == EVEN
    assert plan.policies.stratified_power == 0


def test_a_plan_asks_for_no_more_columns_than_it_needs() -> None:
    settings = QueueSettings.model_validate(
        {
            "budget": 1,
            "mix": {"random": 0.5, "targeted": 0.3, "diversity": 0.2},
            "caps": {"user": 3},
            "policies": {
                "slices": [{"name": "s", "prompts": ["p@1"], "start": "2026-03-01T00:00:00Z", "expires": NOW + DAY}]
            },
        }
    )
    assert plan_of(settings, [], SignalSettings(), None, NOW).columns == ("prompt", "session", "sketch", "time")


# -- what points at candidates


def test_signals_and_judges_reach_the_frame(loop: Loop) -> None:
    loop.signals = SignalSettings(judges=(JudgeScore(name="Ground*"),))
    fill(loop, 8)
    loop.click("t01", "edit", 1.0)
    loop.pull()
    _, frame = frame_now(loop)
    row = {trace_id: place for place, trace_id in enumerate(frame.ids())}
    assert frame.feedback[row["t05"]] == 2.0  # a thumb down
    assert frame.feedback[row["t01"]] == 2.0  # an edit
    assert frame.edited.tolist() == [trace_id == "t01" for trace_id in frame.ids()]
    assert frame.feedback[row["t02"]] == 0
    assert frame.risk[row["t03"]] == pytest.approx(1 - 3 / 8)  # grounded 3/8, where low is bad


def test_what_our_judge_said_goes_before_a_score_and_beside_it(loop: Loop) -> None:
    loop.signals = SignalSettings(judges=(JudgeScore(name="grounded"), JudgeScore(name="other")))
    loop.log("a", "b", "c", "d")
    for trace_id in ("b", "c", "d"):
        loop.click(trace_id, "grounded", 0.1)  # 1 - 0.1 = 0.9, as low is failure
    loop.click("d", "other", 0.2)
    loop.pull()
    two = [Vote(judge=name, judge_version="1", risk=risk, method="fixed") for name, risk in (("x", 0.3), ("y", 0.7))]
    loop.store.save_predictions(
        [
            Prediction(
                queue=QUEUE,
                codebook_version="1.0.0",
                trace_id=trace_id,
                judged_at=loop.clock(),
                judgement=Judgement(
                    judge="panel", judge_version="1", risk=0.4, method="fixed", votes=two if trace_id == "c" else ()
                ),
            )
            for trace_id in ("a", "b", "c")
        ]
    )
    loop.clock.turn(MINUTE)
    now = loop.clock()
    plan = plan_of(loop.codebook.queue, [], loop.signals, None, now)
    frame = read_frame(loop.store, QUEUE, window_of(loop.codebook.queue, now), plan)
    nan = float("nan")
    # c: of its two votes 0.7 is the farther one. d: nobody of ours judged it.
    assert frame.risk.tolist() == pytest.approx([0.4, 0.4, 0.4, 0.9])
    assert frame.risk2.tolist() == pytest.approx([nan, 0.9, 0.7, 0.8], nan_ok=True)
    before = read_frame(loop.store, QUEUE, window_of(loop.codebook.queue, now - MINUTE), plan)
    assert before.risk.tolist() == pytest.approx([nan, 0.9, 0.9, 0.9], nan_ok=True)


def test_a_slice_is_what_the_targeted_policy_looks_at_until_it_ends(loop: Loop) -> None:
    fill(loop)
    use(loop, budget=4, mix={"random": 0.1, "targeted": 0.9})
    target(loop, where={"categories": ["returns"]})
    made = loop.draw()
    assert made.explanation
    asked = {line.policy: line.candidates for line in made.explanation.policies}
    assert asked == {"random": 40, "targeted": 14}
    targeted = [one for one in drawn(loop) if one.policy == "targeted"]
    assert targeted
    assert {one.stratum for one in targeted} == {"returns"}
    loop.clock.turn(3 * DAY)
    later = loop.draw().explanation
    assert later
    assert later.given_back == ("targeted",)


def test_what_must_be_reviewed_is_drawn_for_certain_however_old_it_is(loop: Loop) -> None:
    loop.log("old", timestamp=NOW - 5 * DAY)
    fill(loop)
    use(loop, budget=3, mix=EVEN, age_limit_days=1)
    target(loop, "alert", must_review=True, traces=("old", "t07"))
    made = loop.draw()
    assert made.by_policy["must_review"] == 2
    certain = [one for one in drawn(loop) if one.certain]
    assert sorted(one.trace_id for one in certain) == ["old", "t07"]
    assert [(one.policy, one.pi, one.priority) for one in certain] == [("must_review", 1.0, 0), ("must_review", 1.0, 1)]
    # The third stands for the 39 others.
    (other,) = [one for one in drawn(loop) if not one.certain]
    assert 0 < other.pi < 1 / 10


def test_a_slice_may_have_to_be_reviewed_whole(loop: Loop) -> None:
    fill(loop, 12)
    use(loop, budget=6, mix=EVEN)
    target(loop, must_review=True, where={"categories": ["returns"]})
    loop.draw()
    assert sum(one.certain for one in drawn(loop)) == 4  # places 0, 3, 6 and 9
    assert {one.stratum for one in drawn(loop) if one.certain} == {"returns"}


# -- caps, arms and room


def test_no_user_comes_more_often_than_its_cap(loop: Loop) -> None:
    for place in range(30):
        loop.log(f"t{place:02}", user_id="loud" if place < 25 else f"u{place}")
    loop.pull()
    use(loop, budget=6, mix=EVEN, caps={"user": 2})
    made = loop.draw()
    loud = [one for one in drawn(loop) if one.trace_id < "t25"]
    assert len(loud) == 2
    assert all(one.capped and one.pi == pytest.approx(2 / 25) for one in loud)
    assert made.explanation
    (cap,) = made.explanation.caps
    assert (cap.kind, cap.cap, cap.names) == ("user", 2, ("loud",))


def test_arms_are_drawn_apart_and_a_double_is_blind(loop: Loop) -> None:
    fill(loop)
    use(loop, budget=20, mix=EVEN, double_label_share=0.5, blind_share=0.2, annotations_per_trace=2)
    loop.draw()
    doubles = [one for one in drawn(loop) if one.double]
    assert len(doubles) == 10
    assert all(one.blind and one.annotators == 3 for one in doubles)
    assert {one.annotators for one in drawn(loop) if not one.double} == {2}
    # Neither arm with .8 * .5, so either with .6.
    assert {round(one.blind_probability, 9) for one in drawn(loop)} == {0.6}
    assert {one.double_probability for one in drawn(loop)} == {0.5}


def test_a_double_wants_one_annotator_more_in_the_blind_project(loop: Loop) -> None:
    fill(loop, 8)
    use(loop, budget=4, mix=EVEN, double_label_share=0.5, annotations_per_trace=2)
    loop.draw()
    doubles = {one.trace_id for one in drawn(loop) if one.double}
    loop.prelabel()
    loop.enqueue()
    tasks = list(loop.tasks._tasks.values())
    wanted = {task.draft.trace_id: loop.tasks.annotators_of(task.task_id) for task in tasks}
    assert {trace_id for trace_id, number in wanted.items() if number == 3} == doubles
    shown = {task.draft.trace_id for task in tasks if loop.tasks.projects[task.project_id].show_predictions}
    assert shown == set(wanted) - doubles
    for task in tasks:
        assert task.draft.data["blind"] == (task.draft.trace_id in doubles)
        assert (task.draft.prediction is None) == (task.draft.trace_id in doubles)


def test_a_failure_among_doubles_undoes_none_that_are_done(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "_AT_ONCE", 1)
    fill(loop, 8)
    use(loop, budget=6, mix=EVEN, double_label_share=0.5, blind_share=0.5)
    loop.draw()
    usual = {one.trace_id for one in drawn(loop) if not one.double}
    doubles = {one.trace_id for one in drawn(loop) if one.double}
    assert len(doubles) == 3
    loop.prelabel()
    want, told = loop.tasks.want_annotators, []

    def break_off_at_the_second(task_ids: Sequence[int], annotators: int) -> None:
        told.append(task_ids)
        if len(told) == 2:
            raise RetryableError("Label Studio", "the connection broke off: try again later")
        want(task_ids, annotators)

    monkeypatch.setattr(loop.tasks, "want_annotators", break_off_at_the_second)
    with pytest.raises(RetryableError):
        loop.enqueue()
    queued = {one.trace_id for one in loop.store.draws(QUEUE, State.QUEUED)}
    assert len(queued & doubles) == 1
    assert queued - doubles <= usual
    loop.enqueue()
    assert {one.trace_id for one in loop.store.draws(QUEUE, State.QUEUED)} == usual | doubles
    assert len(loop.traces_with_tasks()) == 6
    assert len(told) == 4  # one was done, one broke off, and two were left


def test_what_the_queue_has_no_room_for_is_parked_and_the_rest_stands_for_it(loop: Loop) -> None:
    fill(loop)
    use(loop, budget=10, mix={"random": 1.0}, queue_cap=6)
    made = loop.draw()
    assert (made.drawn, made.overflow, made.left_of_budget, made.queue_room) == (6, 4, 0, 6)
    assert list(parked(loop).values()) == ["overflow"] * 4
    # One policy: the cut is as good as a draw of 6.
    assert [one.pi for one in drawn(loop)] == pytest.approx([6 / 40] * 6)
    loop.clock.turn(DAY)
    full = loop.draw()
    assert (full.drawn, full.queue_room, full.left_of_budget, full.run_id) == (0, 0, 10, None)


def test_overflow_can_be_tried_again(loop: Loop) -> None:
    fill(loop)
    use(loop, budget=10, mix=EVEN, queue_cap=6)
    loop.draw()
    assert loop.retry() == 4
    assert len(drawn(loop)) == 10


def summary_of(loop: Loop, **settings: object) -> DrawSummary:
    use(loop, **settings)
    return loop.draw()


def test_what_nobody_came_to_expires_and_the_rest_of_its_draw_stands_for_it(loop: Loop) -> None:
    for place in range(10):
        age = 5 * DAY if place < 5 else timedelta(hours=1)
        loop.log(f"t{place}", timestamp=NOW - age)
    loop.pull()
    assert summary_of(loop, budget=10, mix={"random": 1.0}, age_limit_days=7).drawn == 10
    loop.prelabel()
    loop.enqueue()
    loop.annotate("t0", "fail", by=ADA)
    loop.gather()
    loop.clock.turn(3 * DAY)
    made = loop.draw()
    # t1 to t4 are 8 days old by now; t0 is as well, but has an answer.
    assert (made.expired, made.drawn) == (4, 0)
    assert parked(loop) == {f"t{place}": "expired" for place in range(1, 5)}
    left = {one.trace_id: one for state in (State.QUEUED, State.ANNOTATED) for one in loop.store.draws(QUEUE, state)}
    assert set(left) == {"t0", *(f"t{place}" for place in range(5, 10))}
    assert {(one.pi, one.kept) for one in left.values()} == {(1.0, 0.6)}
    assert {one.inclusion for one in left.values()} == {0.6}
    assert loop.draw().expired == 0


def test_a_lower_cap_parks_from_the_end_of_the_annotators_order(loop: Loop) -> None:
    fill(loop)
    assert summary_of(loop, budget=10, mix={"random": 1.0}).drawn == 10
    order = [one.trace_id for one in drawn(loop)]
    loop.clock.turn(MINUTE)
    made = summary_of(loop, budget=10, mix={"random": 1.0}, queue_cap=7)
    assert (made.overflow, made.drawn, made.queue_room) == (3, 0, 0)
    assert [one.trace_id for one in drawn(loop)] == order[:7]
    assert set(parked(loop)) == set(order[7:])
    assert {one.kept for one in drawn(loop)} == {0.7}
    assert loop.retry() == 3  # and so nothing was lost
    assert [one.kept for one in drawn(loop)] == [1.0] * 10


def test_an_overflow_at_the_draw_is_in_pi_and_not_in_what_was_kept(loop: Loop) -> None:
    fill(loop)
    summary_of(loop, budget=10, mix={"random": 1.0}, queue_cap=8)
    loop.clock.turn(MINUTE)
    summary_of(loop, budget=10, mix={"random": 1.0}, queue_cap=6)
    assert [one.pi for one in drawn(loop)] == pytest.approx([8 / 40] * 6)
    assert {one.kept for one in drawn(loop)} == {0.75}


def test_old_answers_are_drawn_again_apart_from_their_first_draw(loop: Loop) -> None:
    fill(loop, 6)
    use(loop, budget=6, mix={"random": 1.0}, annotations_per_trace=1, age_limit_days=90)
    loop.draw()
    loop.prelabel()
    loop.enqueue()
    for place in range(4):
        loop.annotate(f"t{place:02}", by=ADA)
    loop.fetch_annotations()
    before = [loop.store.draw(QUEUE, f"t{place:02}") for place in range(4)]
    loop.clock.turn(40 * DAY)
    loop.log("fresh")
    loop.pull()
    use(loop, budget=3, mix={"random": 1.0}, relabel_share=0.5, age_limit_days=90)
    made = loop.draw()
    assert made.frame_size == 5  # one that is fresh, four with an answer
    assert made.by_policy == {"random": 1, "relabel": 2}
    assert [loop.store.draw(QUEUE, one.trace_id) for one in before] == before
    assert loop.store.drawn_since(QUEUE, loop.clock() - DAY) == 3

    # They are put up without a suggestion, in a project apart, and change nothing of what was answered.
    shown, gold = loop.values(), loop.gold()
    loop.enqueue()
    tasks = list(loop.tasks._tasks.values())
    again = [one for one in tasks if loop.tasks.projects[one.project_id].title.endswith(" again")]
    assert len(again) == 2
    assert all(one.draft.prediction is None for one in again)
    assert loop.store.relabels(QUEUE) == []
    for one in again:
        loop.tasks.annotate(one.task_id, loop.answer(verdict="fail"), annotator=ADA, at=loop.clock())
    loop.fetch_annotations()
    assert (loop.values(), loop.gold()) == (shown, gold)
    for one in again:
        (first,) = loop.store.annotations(QUEUE, one.draft.trace_id)
        (later,) = loop.store.annotations(QUEUE, one.draft.trace_id, second=True)
        assert (first.answers["verdict"], later.answers["verdict"]) == ("pass", "fail")
    loop.tasks.delete_task(again[0].task_id)
    loop.gather()
    assert loop.store.parked(QUEUE) == []
    loop.clock.turn(DAY)
    assert loop.draw().by_policy == {"random": 0, "relabel": 2}  # the two that were not


def test_a_second_look_without_room_leaves_its_trace_as_it_was(loop: Loop) -> None:
    fill(loop, 6)
    use(loop, budget=6, mix={"random": 1.0}, annotations_per_trace=1, age_limit_days=90)
    loop.draw()
    loop.prelabel()
    loop.enqueue()
    for place in range(6):
        loop.annotate(f"t{place:02}", by=ADA)
    loop.fetch_annotations()
    before = loop.store.draws(QUEUE, State.PUBLISHED)
    loop.clock.turn(40 * DAY)
    loop.log("fresh0", "fresh1")  # each with probability 1: 4 * 0.5 / 2
    loop.pull()
    made = summary_of(loop, budget=4, mix={"random": 1.0}, relabel_share=0.5, age_limit_days=90, queue_cap=2)
    assert (made.by_policy, made.overflow, made.left_of_budget) == ({"random": 2, "relabel": 0}, 2, 2)
    assert loop.store.draws(QUEUE, State.PUBLISHED) == before
    assert loop.store.relabels(QUEUE) == []
    assert {row.subject.partition(":")[0] for row in loop.store.parked(QUEUE)} == {"relabel"}
    # Nor does it count as one that its first draw lost, when that is worked out next.
    loop.clock.turn(MINUTE)
    summary_of(loop, budget=4, mix={"random": 1.0}, age_limit_days=90, queue_cap=1)
    assert {one.kept for one in loop.store.draws(QUEUE, State.PUBLISHED)} == {1.0}


def test_what_must_be_reviewed_and_does_not_fit_is_not_certain(loop: Loop) -> None:
    fill(loop)
    use(loop, budget=2, mix=EVEN)
    target(loop, must_review=True, traces=("t01", "t02", "t03", "t04"))
    loop.draw()
    assert [(one.policy, one.pi, one.certain) for one in drawn(loop)] == [("must_review", 0.5, False)] * 2


def test_a_must_review_slice_in_a_queue_that_is_full_waits(loop: Loop) -> None:
    fill(loop)
    summary_of(loop, budget=4, mix=EVEN, queue_cap=4)
    target(loop, must_review=True, traces=tuple(f"t{place:02}" for place in range(40)))
    loop.clock.turn(DAY)
    assert loop.draw().drawn == 0


def test_a_row_says_when_and_why(loop: Loop) -> None:
    fill(loop)
    summary_of(loop, budget=5, mix=EVEN, queue_cap=4)
    (row,) = loop.store.parked(QUEUE)
    assert isinstance(row, Parked)
    assert (row.verb, row.parked_at, row.detail) == ("draw", NOW, "the queue had no room for it when it was drawn")
    assert isinstance(row.parked_at, datetime)
