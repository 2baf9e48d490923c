"""`goldloop backtest` and `goldloop yield` as a person calls them."""

import json
from pathlib import Path

import pytest

from cli.terminal import Goldloop
from contract.store_samples import NOON, answer, candidate, draw, draw_run, resolve
from goldloop import settings
from goldloop.adapters.store import open_store


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    rows = [
        {
            "id": f"t{row}",
            "category": "billing",
            "input": "Well?",
            "output": "no" if row % 4 == 0 else "yes",
            "failure": row % 4 == 0,
            "judges": {"gpt": (row % 4 == 0) * 0.8},
            "model": "human-reference" if row >= 60 else "small-1",
        }
        for row in range(64)
    ]
    path = tmp_path / "labelled.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_the_table(goldloop: Goldloop, traces: Path) -> None:
    ended = goldloop("backtest", "--traces", str(traces), "--budget", "10", "20", "--reps", "5")
    assert (ended.code, ended.err) == (0, "")
    assert "60 traces, 25.0 % failed; 4 left out by their model; judge: offline judge" in ended.out
    assert "no signals; 5 draws each, seed 1." in ended.out
    for title in ("Budget 10: failures found", "Budget 20: the failure rate, in points"):
        assert title in ended.out
    assert "simulated" not in ended.out
    assert all(len(line) <= 80 for line in ended.out.splitlines()[1:])


def test_what_is_made_up_is_called_simulated(goldloop: Goldloop, traces: Path) -> None:
    call = ("backtest", "--traces", str(traces), "--budget", "10", "--reps", "3", "--judge", "none")
    thumbs = ("--thumbs-rate", "0.1", "--thumbs-precision", "0.5")
    assert "simulated: thumbs-down on 10 %, 50 % of them right" in goldloop(*call, *thumbs).out
    told = json.loads(goldloop(*call, *thumbs, "--json", "-").out)
    assert told["simulated"] == {"rate": 0.1, "precision": 0.5}
    assert told["judge"] is None


def test_json_as_an_object_with_every_number(goldloop: Goldloop, traces: Path, tmp_path: Path) -> None:
    call = ("backtest", "--traces", str(traces), "--policies", "default,random=0.5+risk=0.5", "--budget", "10,20", "30")
    ended = goldloop(*call, "--reps", "3", "--seed", "9", "--judge", "judges.gpt", "--json", "-")
    (line,) = ended.out.splitlines()
    told = json.loads(line)
    assert (told["rows"], told["left_out"], told["failures"], told["rate"]) == (60, 4, 15, 0.25)
    assert (told["reps"], told["seed"], told["simulated"]) == (3, 9, None)
    assert told["judge"]["auroc"] == 1.0
    assert [(row["policy"], row["budget"]) for row in told["results"]] == [
        (policy, budget) for budget in (10, 20, 30) for policy in ("default", "random=0.5+risk=0.5")
    ]
    first = told["results"][0]
    assert set(first["estimators"]) == {"naive", "hajek", "aipw"}
    assert set(first["estimators"]["aipw"]) == {"bias", "rmse", "rmse_to_random", "coverage", "width", "without"}
    assert {"found", "found_sd", "ratio_to_random", "share_of_oracle"} < set(first)
    again = goldloop(*call, "--reps", "3", "--seed", "9", "--judge", "judges.gpt", "--json", str(tmp_path / "out.json"))
    assert again.out.endswith("6 results\n")
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8")) == told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--budget", "no"), "'no' is no budget"),
        (("--budget", "0"), "'0' is no budget"),
        (("--policies", "luck"), "there is no policy 'luck'"),
        (("--judge", "judges.other"), "judges.other: no line has a number there"),
        (("--reps", "2", "elsewhere"), "'elsewhere' belongs to no option"),
        (("--reps", "2", "--json", "nowhere/out.json"), "nowhere/out.json cannot be written"),
    ],
)
def test_what_is_wrong_is_told(goldloop: Goldloop, traces: Path, arguments: tuple[str, ...], told: str) -> None:
    ended = goldloop("backtest", "--traces", str(traces), *arguments)
    assert ended.code == 2
    assert told in ended.sentence
    assert ended.out == ""


def test_a_wrong_file_is_told_with_line_and_field(goldloop: Goldloop, traces: Path) -> None:
    traces.write_text(traces.read_text(encoding="utf-8") + '\n{"id": "late"}', encoding="utf-8")
    assert goldloop("backtest", "--traces", str(traces)).sentence.endswith(
        "labelled.jsonl:65: failure: a backtest needs the label, true or false, on each line"
    )


def test_a_mix_of_ones_own_is_broken_between_its_policies(goldloop: Goldloop, traces: Path) -> None:
    mix = "random=0.1+uncertainty^2=0.35+diversity=0.55"
    call = ("backtest", "--traces", str(traces), "--budget", "10", "--reps", "3", "--policies", f"random,{mix}")
    told = goldloop(*call).out.splitlines()
    own = [line.split() for line in told[next(n for n, line in enumerate(told) if "points" in line) :]]
    assert [line[:2] for line in own if line and line[0].startswith(("random=", "uncertainty^", "diversity="))] == [
        ["random=0.1+", "naive"],
        ["uncertainty^2=0.35+", "hajek"],
        ["diversity=0.55", "aipw"],
    ]
    assert all(len(line) <= 80 for line in told[1:])  # the first is a sentence, which wraps where it is read


def test_a_policy_that_leaves_traces_out_is_told(goldloop: Goldloop, traces: Path) -> None:
    call = ("backtest", "--traces", str(traces), "--budget", "10", "--reps", "3", "--policies", "top,random")
    assert "top can never draw some of the traces" in " ".join(goldloop(*call).out.split())


def test_effort_tells_what_people_have_to_label(goldloop: Goldloop, traces: Path, tmp_path: Path) -> None:
    call = ("backtest", "--effort", "--traces", str(traces), "--judge", "judges.gpt")
    ended = goldloop(*call)
    assert (ended.code, ended.err) == (0, "")
    assert "60 rows in 60 groups, 4 left out; judge: column judges.gpt, calibrated by group" in ended.out
    assert "people take what it is least certain of, and are right by definition" in ended.out
    assert all(len(line) <= 80 for line in ended.out.splitlines()[1:-1])
    told = json.loads(goldloop(*call, "--json").out)
    assert told["accuracy"] == 1.0
    assert [(target["accuracy"], target["share"]) for target in told["targets"]] == [(0.95, 0.0), (0.99, 0.0)]
    assert told["curve"][-1] == {"share": 1.0, "accuracy": 1.0, "expected": 1.0}
    again = goldloop(*call, "--json", str(tmp_path / "effort.json"))
    assert again.out.endswith("a curve of 14 points\n")
    assert json.loads((tmp_path / "effort.json").read_text(encoding="utf-8")) == told


def test_effort_takes_pairs_and_needs_a_judge(goldloop: Goldloop, tmp_path: Path) -> None:
    rows = [
        {"id": f"p{row}", "votes": [{"rater": "r", "winner": "a" if row % 3 else "tie"}], "judges": {"gpt": "a"}}
        for row in range(30)
    ]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    call = ("backtest", "--effort", "--traces", str(path))
    # It always says a, and two of three are: one certainty for all, so people find what is wrong by chance alone.
    ended = goldloop(*call, "--judge", "gpt")
    assert "66.7 %" in ended.out
    assert "a, b or tie, by most votes" in ended.out
    assert "name a judge's verdicts by --judge" in goldloop(*call).sentence
    assert "--effort asks what a judge takes off people" in goldloop(*call, "--judge", "none").sentence


def test_no_yield_before_the_first_draw(goldloop: Goldloop) -> None:
    ended = goldloop("yield")
    assert ended.out == "Nothing was drawn yet. Next: goldloop run\n"
    assert json.loads(goldloop("yield", "--json").out) == {"queue": "answer-quality", "policies": []}


def test_yield_tells_what_became_of_each_policys_traces(goldloop: Goldloop) -> None:
    with open_store(settings.load().store_url) as store:
        run = draw_run(mix={"random": 0.5, "risk": 0.5})
        traces = [f"t{number}" for number in range(8)]
        store.save_candidates([candidate(trace_id) for trace_id in traces], NOON)
        store.save_draw(run, [draw(one, run, policy="risk" if one < "t4" else "random") for one in traces])
        for one in traces[:6]:
            resolve(store, trace_id=one, answers=[answer(trace_id=one, failure=one < "t3")])
    told = json.loads(goldloop("yield", "--json").out)["policies"]
    assert [(row["policy"], row["drawn"], row["answered"], row["failures"]) for row in told] == [
        ("risk", 4, 4, 3),
        ("random", 4, 2, 0),
    ]
    shown = goldloop("yield").out
    assert "75 %" in shown
    assert "Nothing is proposed" in " ".join(shown.split())
