"""`goldloop judge`: what labels make of the judges, who judges, and approved examples."""

import json

import pytest

from builders import NOW, QUEUE, codebook
from builders_labelled import logged
from cli.labelled import label, opened
from cli.terminal import Goldloop
from goldloop.records import JudgeCall


def words(text: str) -> str:
    return " ".join(text.split())


class TestFit:
    def test_without_labels_it_says_where_they_come_from(self, goldloop: Goldloop) -> None:
        ended = goldloop("judge", "fit")
        assert ended.code == 0, ended.err
        assert "There are no blind labels" in words(ended.out)
        assert "Next:" in ended.out

    def test_too_few_labels_are_counted(self, goldloop: Goldloop) -> None:
        label(20)
        fails = sum(logged(number)[1] == "fail" for number in range(20))
        ended = goldloop("judge", "fit")
        assert ended.code == 0, ended.err
        told = words(ended.out)
        assert f"verdict is short of blind labels: pass {20 - fails}, fail {fails}; two labels need 50 each" in told
        assert "Next: annotators judge blind traces" in told

    def test_what_was_shown_a_suggestion_does_not_count(self, goldloop: Goldloop) -> None:
        label(20, blind=False)
        assert "There are no blind labels" in words(goldloop("judge", "fit").out)

    def test_enough_labels_make_a_table(self, goldloop: Goldloop, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GOLDLOOP_JUDGE__FLOOR", "20")
        label(60)
        made = json.loads(goldloop("judge", "fit", "--json").out)
        assert (made["queue"], made["fitted"], made["kept"], made["failed"]) == (QUEUE, 1, 0, {})
        (fit,) = made["fits"]
        assert (fit["judge"], fit["question"], sum(fit["quality"]["labels"].values())) == ("learned", "verdict", 60)
        assert "body" not in fit
        ended = goldloop("judge", "fit")
        assert ended.code == 0, ended.err
        assert "AUROC" in ended.out
        assert "Nothing new." in ended.out
        assert all(len(line) <= 80 for line in ended.out.splitlines() if "short of" not in line)
        shown = json.loads(goldloop("judge", "show", "--json").out)
        assert shown["judge"] == "learned"
        assert [(one["judge"], one["calibrated"], one["fit"]) for one in shown["members"]] == [
            ("learned", True, fit["version"])
        ]
        assert [one["version"] for one in shown["history"]] == [fit["version"]]
        told = goldloop("judge", "show").out
        assert "calibrated" in told
        assert "Latest fits" in told

    def test_what_cannot_be_fitted_is_told_and_is_no_success(
        self, goldloop: Goldloop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def no(*_: object, **__: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr("goldloop.judge.learning.learn", no)
        label(20)
        ended = goldloop("judge", "fit")
        assert ended.code == 1
        assert "not fitted learned: a fault in goldloop itself (ZeroDivisionError)" in words(ended.out)


class TestShow:
    def test_judges_without_labels_are_uncalibrated(self, goldloop: Goldloop, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GOLDLOOP_JUDGE__MEMBERS", "learned,lexical")
        label(4)
        fails = sum(logged(number)[1] == "fail" for number in range(4))
        ended = goldloop("judge", "show")
        assert ended.code == 0, ended.err
        lines = [line.split() for line in ended.out.splitlines() if "uncalibrated" in line]
        assert [line[0] for line in lines] == ["learned", "lexical-grounding"]
        assert all(" ".join(line).endswith(f"pass {4 - fails}, fail {fails}") for line in lines)
        assert "$0.00 in 0 calls" in words(ended.out)
        assert "Why not calibrated: goldloop judge fit" in ended.out

    def test_what_was_spent_today_is_told(self, goldloop: Goldloop) -> None:
        from goldloop.bootstrap import utc_now  # noqa: PLC0415 - the real clock: the command has it too

        call = JudgeCall(key="k", judge="j", run="r", at=utc_now(), outcome="answered", input_tokens=7, usd=0.25)
        with opened() as store:
            store.settle("none", [call])
        spent = json.loads(goldloop("judge", "show", "--json").out)["spent_today"]
        assert (spent["calls"], spent["usd"], spent["input_tokens"]) == (1, 0.25, 7)
        assert "$0.2500 in 1 calls, 7 input" in words(goldloop("judge", "show").out)

    def test_a_model_that_is_not_set_is_told(self, goldloop: Goldloop, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GOLDLOOP_JUDGE__MEMBERS", "llm")
        ended = goldloop("judge", "show")
        assert ended.code == 2
        assert "set GOLDLOOP_JUDGE__MODEL" in ended.sentence


class TestExamples:
    def test_one_is_approved_shown_and_taken_back(self, goldloop: Goldloop) -> None:
        label(3)
        added = goldloop("judge", "example", "add", "t000", "t001", "--note", "polite refusals")
        assert added.code == 0, added.err
        assert "2 approved" in added.out
        shown = words(goldloop("judge", "example", "list").out)
        assert "t000 polite refusals" in shown
        assert "t001 polite refusals" in shown
        assert json.loads(goldloop("judge", "example", "remove", "t000", "--json").out) == {"removed": ["t000"]}
        left = json.loads(goldloop("judge", "example", "list", "--json").out)["examples"]
        assert [row["trace_id"] for row in left] == ["t001"]

    def test_a_new_note_keeps_the_place(self, goldloop: Goldloop) -> None:
        label(1)
        first = json.loads(goldloop("judge", "example", "add", "t000", "--json").out)["examples"]
        again = json.loads(goldloop("judge", "example", "add", "t000", "--note", "new", "--json").out)["examples"]
        assert again == [first[0] | {"note": "new"}]

    @pytest.mark.parametrize(
        ("trace_id", "told"),
        [("nosuch", "nosuch was never drawn for answer-quality"), ("t000", "t000 is not resolved")],
    )
    def test_what_people_have_not_answered_is_no_example(self, goldloop: Goldloop, trace_id: str, told: str) -> None:
        label(1, resolved=False)
        ended = goldloop("judge", "example", "add", trace_id)
        assert ended.code == 2
        assert told in ended.sentence
        with opened() as store:
            assert store.examples(QUEUE) == []

    def test_one_whose_verdict_was_set_aside_is_refused(self, goldloop: Goldloop) -> None:
        label(1)
        newer = codebook().model_copy(update={"version": "2.0.0"})
        since = {question.name: "2.0.0" for question in newer.questions}
        with opened() as store:
            store.save_codebook(newer, NOW, since)
            store.publish_codebook(QUEUE, "2.0.0", since, NOW, resolve_all=False)
        ended = goldloop("judge", "example", "add", "t000")
        assert ended.code == 2
        assert "the verdict of t000 was set aside" in ended.sentence

    def test_nothing_to_show_or_to_take_back(self, goldloop: Goldloop) -> None:
        assert "There are no examples" in goldloop("judge", "example", "list").out
        ended = goldloop("judge", "example", "remove", "t000")
        assert ended.code == 2
        assert "t000 is no example" in ended.sentence
