"""What goldloop expects of Langfuse's score configs: one suite for the fake, the stand-in and a real server.

None can be deleted, so on a real server each run leaves its own behind, archived where it can.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from builders import codebook
from contract.langfuse_server import Server, eventually, real_server, stand_in, values_of
from fakes.langfuse import FakeLangfuse
from goldloop.adapters.langfuse import connect
from goldloop.adapters.retries import Retries
from goldloop.adapters.store import open_store
from goldloop.codebook.schema import Codebook, Label, LangfuseMapping, Question, Scale
from goldloop.codebook.score_configs import digest, score_configs
from goldloop.errors import RetryableError
from goldloop.pipeline.score_configs import ensure_score_configs
from goldloop.ports import ListedConfig, ScoreConfigs, ScoreSink, Store
from goldloop.records import Score, ScoreConfig, ScoreType

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Bench:
    """The configs and the scores under test; `rename` is what a person does on the server's pages."""

    configs: ScoreConfigs
    scores: ScoreSink
    rename: Callable[[str, str], object]
    environment: str
    server: Server | None

    def named(self, part: str) -> str:
        """A name of this run's own: a server may hold those of others."""
        return f"{self.environment}-{part}-{uuid4().hex[:6]}"

    def listed(self, *names: str) -> list[ListedConfig]:
        return [one for one in self.configs.listed() if one.config.name in names]


@pytest.fixture(
    scope="module",
    params=["fake", *(pytest.param(name, marks=pytest.mark.servers) for name in ("4.16.0", "4.59.0", "real"))],
)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    if request.param == "fake":
        fake = FakeLangfuse()
        yield Bench(fake.score_configs, fake.scores, fake.score_configs.rename, f"fake-{uuid4().hex[:8]}", None)
    elif request.param != "real":
        with stand_in(tmp_path_factory.mktemp("langfuse"), version=request.param) as server:
            yield from connected(server)
    else:
        real = real_server()
        if real is None:
            pytest.skip("no real server: set GOLDLOOP_TEST_LANGFUSE_HOST, _PUBLIC_KEY and _SECRET_KEY")
        yield from connected(real)


def connected(server: Server) -> Iterator[Bench]:
    with server.connect() as langfuse:

        def rename(config_id: str, name: str) -> object:
            return langfuse.api.once("PATCH", f"score-configs/{config_id}", body={"name": name})

        yield Bench(langfuse.score_configs, langfuse.scores, rename, server.environment, server)


def categories(name: str, *labels: str) -> ScoreConfig:
    places = tuple((label, float(place)) for place, label in enumerate(labels, start=1))
    return ScoreConfig(name=name, data_type=ScoreType.CATEGORICAL, categories=places, description="Which?")


def numbers(name: str, minimum: float = 0.5, maximum: float = 7) -> ScoreConfig:
    return ScoreConfig(
        name=name, data_type=ScoreType.NUMERIC, minimum=minimum, maximum=maximum, description="How many?"
    )


def score(bench: Bench, config_id: str | None, name: str, value: str | float) -> Score:
    return Score(
        score_id=str(uuid4()),
        trace_id=uuid4().hex,
        name=name,
        data_type=ScoreType.CATEGORICAL if isinstance(value, str) else ScoreType.NUMERIC,
        value=value,
        environment=bench.environment,
        config_id=config_id,
        event_at=datetime.now(UTC) - timedelta(minutes=1),
    )


# -- the port


def test_a_config_is_made_once_and_listed_as_it_was_made(bench: Bench) -> None:
    both = [categories(bench.named("c"), "pass", "fail"), numbers(bench.named("n"))]
    made = [bench.configs.ensure(config) for config in both]
    assert [bench.configs.ensure(config) for config in both] == made
    listed = bench.listed(*(config.name for config in both))
    assert {one.config_id: one.config for one in listed} == dict(zip(made, both, strict=True))
    assert not any(one.archived for one in listed)


def test_a_config_that_holds_something_else_is_another(bench: Bench) -> None:
    name = bench.named("c")
    variants = [
        categories(name, "pass", "fail"),
        categories(name, "fail", "pass"),
        categories(name, "pass", "fail", "tie"),
        numbers(name),
        numbers(name, minimum=0),
        numbers(name, maximum=8),
    ]
    assert len({bench.configs.ensure(config) for config in variants}) == len(variants)
    assert bench.configs.ensure(numbers(name).model_copy(update={"description": "Reworded"})) == bench.configs.ensure(
        numbers(name)
    )


def test_the_oldest_in_use_is_found(bench: Bench) -> None:
    name = bench.named("c")
    wanted = categories(name, "pass", "fail")
    first = bench.configs.ensure(wanted)
    bench.configs.archive(first)
    second = bench.configs.ensure(wanted)
    assert second != first
    assert {one.config_id: one.archived for one in bench.listed(name)} == {first: True, second: False}
    bench.configs.archive(first, archived=False)
    assert bench.configs.ensure(wanted) == first


def test_a_renamed_one_is_another(bench: Bench) -> None:
    name, other = bench.named("c"), bench.named("c")
    first = bench.configs.ensure(numbers(name))
    bench.rename(first, other)
    assert bench.configs.ensure(numbers(name)) != first
    assert bench.configs.ensure(numbers(other)) == first


def test_a_list_of_many_pages_is_listed_whole(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {one.config_id for one in bench.configs.listed()}
    monkeypatch.setattr("goldloop.adapters.langfuse.score_configs._PAGE", 2)
    names = [bench.named("n") for _ in range(5)]
    made = {bench.configs.ensure(numbers(name)) for name in names}
    listed = bench.configs.listed()
    assert {one.config_id for one in listed} == before | made
    assert len(listed) == len(before) + len(names)
    assert listed == sorted(listed, key=lambda one: one.created_at)


# -- scores that keep to a config


def test_a_score_keeps_to_its_config_and_what_it_does_not_hold_is_refused_alone(bench: Bench) -> None:
    name, count = bench.named("c"), bench.named("n")
    chosen, counted = bench.configs.ensure(categories(name, "pass", "fail")), bench.configs.ensure(numbers(count))
    good = [
        score(bench, chosen, name, "fail"),
        score(bench, counted, count, 0.5),
        score(bench, counted, count, 7.0),
        score(bench, None, name, "anything"),
    ]
    bad = [
        score(bench, chosen, name, "Fail"),
        score(bench, chosen, name, 1.0),
        score(bench, chosen, count, "fail"),
        score(bench, counted, count, 0.4),
        score(bench, counted, count, 7.1),
        score(bench, counted, count, "0.5"),
        score(bench, f"no-such-{uuid4()}", name, "fail"),
    ]
    receipts = bench.scores.send([*bad[:3], *good, *bad[3:]])
    refused = {receipt.key: receipt.reason for receipt in receipts if not receipt.accepted}
    assert [*refused] == [each.score_id for each in bad]
    assert all(reason for reason in refused.values())
    wanted: dict[str, str | float | None] = {each.score_id: each.value for each in good}
    assert eventually(lambda: values_of(bench.scores, [*wanted, *refused]), lambda found: found == wanted) == wanted


def test_a_score_of_an_archived_config_still_arrives(bench: Bench) -> None:
    name = bench.named("c")
    config_id = bench.configs.ensure(categories(name, "pass", "fail"))
    bench.configs.archive(config_id)
    sent, unknown = score(bench, config_id, name, "fail"), score(bench, config_id, name, "maybe")
    assert [receipt.accepted for receipt in bench.scores.send([sent, unknown])] == [True, False]
    wanted: dict[str, str | float | None] = {sent.score_id: "fail"}
    assert eventually(lambda: values_of(bench.scores, [*wanted]), lambda found: found == wanted) == wanted


# -- the configs of a codebook


@dataclass
class Run:
    """A queue's publishing, again and again: its codebook, its store, and what a run gives."""

    bench: Bench
    store: Store
    asked: Codebook

    def __call__(self, asked: Codebook | None = None) -> dict[str, str]:
        return ensure_score_configs(asked or self.asked, self.bench.configs, self.store, NOW)

    def states(self) -> dict[str, bool]:
        """Whether each config of this codebook's score names is archived, by id."""
        names = [config.name for config in score_configs(self.asked)]
        return {one.config_id: one.archived for one in self.bench.listed(*names)}


def label(name: str) -> Label:
    return Label(name=name, text=name.title(), definition="when so")


def asked_by(bench: Bench, *grades: str) -> Codebook:
    """Six questions, three of which have a score config, as has the annotation's score."""
    labels = tuple(label(name) for name in ("pass", "fail"))
    questions = (
        Question(name="verdict", kind="binary", text="?", labels=labels, failure=("fail",), score=bench.named("v")),
        Question(name="grade", kind="rating", text="?", labels=tuple(map(label, grades)), score=bench.named("g")),
        Question(name="steps", kind="number", text="?", scale=Scale(minimum=1, maximum=9), score=bench.named("s")),
        Question(name="why", kind="multi-choice", text="?", labels=labels, score=bench.named("w")),
        Question(name="note", kind="text", text="?"),
        Question(name="better", kind="correction", text="?"),
    )
    changed = {"questions": questions, "langfuse": LangfuseMapping(annotation_score=bench.named("a"))}
    return codebook().model_copy(update=changed)


@pytest.fixture
def run(bench: Bench, tmp_path: Path) -> Iterator[Run]:
    with open_store(f"sqlite:///{tmp_path}/store.db") as store:
        yield Run(bench, store, asked_by(bench, "poor", "fair", "good"))


def with_grades(asked: Codebook, *grades: str) -> Codebook:
    labels = tuple(map(label, grades))
    questions = [
        question.model_copy(update={"labels": labels}) if question.name == "grade" else question
        for question in asked.questions
    ]
    return asked.model_copy(update={"questions": tuple(questions)})


def test_a_codebook_s_configs_are_made_once(run: Run) -> None:
    made = run()
    verdict, grade, steps = (question.score_name for question in run.asked.questions[:3])
    assert [*made] == [verdict, grade, steps, run.asked.annotation_score]
    assert run() == made
    assert run.states() == dict.fromkeys(made.values(), False)
    held = {one.config.name: one.config for one in run.bench.listed(*made)}
    assert held[verdict].categories == (("pass", 1.0), ("fail", 2.0)) == held[run.asked.annotation_score].categories
    assert (held[grade].minimum, held[grade].maximum, held[steps].maximum) == (1, 3, 9)


def test_without_the_store_they_are_found_by_what_they_hold(run: Run, tmp_path: Path) -> None:
    made = run()
    with open_store(f"sqlite:///{tmp_path}/another.db") as empty:
        assert Run(run.bench, empty, run.asked)() == made


def test_a_run_that_dies_before_it_saves_an_id_leaves_no_double(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(run.store, "save_score_config", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run()
    assert run.store.score_config_ids(run.asked.name) == {}
    (orphan,) = run.states()
    made = run()
    assert orphan in made.values()
    assert run.states() == dict.fromkeys(made.values(), False)


def test_a_replaced_one_is_archived_and_taken_back_with_its_codebook(run: Run) -> None:
    grade = run.asked.questions[1].score_name
    first = run()
    second = run(with_grades(run.asked, "poor", "fair", "good", "great"))
    assert {name for name in first if first[name] != second[name]} == {grade}
    assert run.states() == {**dict.fromkeys(first.values(), False), first[grade]: True, second[grade]: False}
    assert run() == first
    assert run.states() == {**dict.fromkeys(first.values(), False), second[grade]: True}


def test_a_question_that_is_gone_takes_its_config_with_it(run: Run) -> None:
    made = run()
    left = run.asked.model_copy(update={"questions": (run.asked.questions[0],)})
    assert set(run(left).values()) < set(made.values())
    steps = run.asked.questions[2].score_name
    assert run.states()[made[steps]]


def test_what_another_queue_keeps_to_stays_in_use(run: Run) -> None:
    made = run()
    other = Run(run.bench, run.store, run.asked.model_copy(update={"name": "another-queue"}))
    assert other() == made
    run(with_grades(run.asked, "bad", "good"))
    assert not any(run.states().values())


def test_one_that_was_archived_by_hand_is_taken_back_into_use(run: Run) -> None:
    made = run()
    run.bench.configs.archive(made[run.asked.annotation_score])
    assert run() == made
    assert not any(run.states().values())


def test_one_that_was_renamed_by_hand_is_left_alone_and_another_made(run: Run) -> None:
    grade = run.asked.questions[1].score_name
    made = run()
    theirs = run.bench.named("x")
    run.bench.rename(made[grade], theirs)
    again = run()
    assert {name for name in made if made[name] != again[name]} == {grade}
    assert [one.archived for one in run.bench.listed(theirs)] == [False]
    assert run() == again
    saved = run.store.score_config_ids(run.asked.name)
    assert saved == {(config.name, digest(config)): again[config.name] for config in score_configs(run.asked)}


# -- a connection that breaks


class LostAnswers(httpx.BaseTransport):
    """The way to a server; the first POST arrives, and its answer does not."""

    def __init__(self) -> None:
        self._inner = httpx.HTTPTransport()
        self.posts = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        if request.method == "POST":
            self.posts += 1
            if self.posts == 1:
                response.read()
                raise httpx.ReadError("the connection broke off", request=request)
        return response

    def close(self) -> None:
        self._inner.close()


def test_an_answer_that_is_lost_makes_no_second_config(bench: Bench) -> None:
    if bench.server is None:
        pytest.skip("the fake has no connection that could break")
    name = bench.named("c")
    server = bench.server
    transport = LostAnswers()
    with connect(server.host, SecretStr(server.public_key), server.secret_key, transport=transport) as langfuse:
        made = langfuse.score_configs.ensure(categories(name, "pass", "fail"))
    assert transport.posts == 1
    assert [one.config_id for one in bench.listed(name)] == [made]


def test_when_no_attempt_is_left_the_next_run_finds_it(bench: Bench) -> None:
    if bench.server is None:
        pytest.skip("the fake has no connection that could break")
    name = bench.named("c")
    server = bench.server
    once = Retries(attempts=1)
    with connect(
        server.host, SecretStr(server.public_key), server.secret_key, transport=LostAnswers(), retries=once
    ) as langfuse:
        with pytest.raises(RetryableError):
            langfuse.score_configs.ensure(numbers(name))
        made = langfuse.score_configs.ensure(numbers(name))
    assert [one.config_id for one in bench.listed(name)] == [made]
