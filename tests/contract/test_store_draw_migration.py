"""What was drawn before the sampler kept its plans reads on as it was."""

from alembic import command
from sqlalchemy import text

from contract.store_samples import NOON, QUEUE
from goldloop.adapters.store import open_store
from goldloop.adapters.store.engine import Database
from goldloop.adapters.store.migrate import _config
from goldloop.records import State

pytest_plugins = ["contract.store_fixtures"]


def test_old_draws_keep_their_meaning(empty_url: str) -> None:
    database = Database(empty_url, wait_s=5)
    config = _config()
    at = {"at": NOON.replace(tzinfo=None) if database.is_sqlite else NOON}
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        connection.execute(
            text(
                "INSERT INTO candidates (trace_id, environment, name, category, timestamp, tags, roots, seen_at)"
                " VALUES ('t1', 'default', '', 'billing', :at, '[]', 1, :at)"
            ),
            at,
        )
        connection.execute(
            text(
                "INSERT INTO draw_runs (run_id, queue, codebook_version, drawn_at, window_start, window_end,"
                " frame_size, budget, seed, mix, settings_hash, code_version) VALUES ('r', 'answer-quality', '1.0.0',"
                """ :at, :at, :at, 1, 1, '7', '{"random": 1.0}', 's', 'c')"""
            ),
            at,
        )
        connection.execute(
            text(
                "INSERT INTO draws (queue, trace_id, run_id, codebook_version, policy, mixture, pi, stratum, priority,"
                " state, resolve_due, drawn_at) VALUES ('answer-quality', 't1', 'r', '1.0.0', 'random',"
                """ '{"random": 1.0}', 0.5, 'billing', 0, 'drawn', false, :at)"""
            ),
            at,
        )
    database.close()
    with open_store(empty_url) as store:
        (made,) = store.draws(QUEUE, State.DRAWN)
        assert (made.pi, made.kept, made.inclusion, made.annotators) == (0.5, 1.0, 0.5, None)
        assert (made.certain, made.capped, made.blind, made.double) == (False, False, False, False)
        (run,) = store.draw_runs(QUEUE)
        assert (run.mix, run.shares, run.plan, run.explanation) == ({"random": 1.0}, {}, {}, {})
        assert [one.trace_id for one in store.open_traces(QUEUE)] == ["t1"]
