"""Which score configs a queue keeps to, on both databases."""

from contract.store_samples import NOON
from goldloop.adapters.store import SqlStore

pytest_plugins = ["contract.store_fixtures"]


def test_ids_are_kept_by_queue_name_and_digest(store: SqlStore) -> None:
    store.save_score_config("q", "human_verdict", "d1", "c1", NOON)
    store.save_score_config("q", "human_verdict", "d2", "c2", NOON)
    store.save_score_config("r", "human_verdict", "d1", "c1", NOON)
    assert store.score_config_ids("q") == {("human_verdict", "d1"): "c1", ("human_verdict", "d2"): "c2"}
    assert store.score_config_ids("r") == {("human_verdict", "d1"): "c1"}
    assert store.score_config_ids("none") == {}


def test_another_id_takes_the_place_of_the_one_before(store: SqlStore) -> None:
    store.save_score_config("q", "human_verdict", "d1", "c1", NOON)
    store.save_score_config("q", "human_verdict", "d1", "c3", NOON)
    assert store.score_config_ids("q") == {("human_verdict", "d1"): "c3"}
    assert store.score_config_queues("c1") == set()


def test_queues_that_share_one_are_known(store: SqlStore) -> None:
    for queue in ("q", "r"):
        store.save_score_config(queue, "human_verdict", "d1", "c1", NOON)
    assert store.score_config_queues("c1") == {"q", "r"}
    assert store.score_config_queues("c2") == set()
