"""The codebook in force -> Langfuse score configs, each made once."""

from collections.abc import Mapping
from datetime import datetime

from goldloop.codebook.schema import Codebook
from goldloop.codebook.score_configs import digest, score_configs
from goldloop.ports import ListedConfig, ScoreConfigs, Store


def ensure_score_configs(codebook: Codebook, configs: ScoreConfigs, store: Store, now: datetime) -> dict[str, str]:
    """Ids of the codebook's score configs by score name; call it for the codebook in force, under the queue's lock.

    A config is found again by its id in the store, else by what it holds among those in use (the oldest: then a run
    that died before it saved the id, or another queue with the same question, leads to the same one), else made. One
    of ours that somebody archived is taken back into use, since it would drop our scores without a word; one that
    somebody renamed or changed is theirs from then on, and another is made in its place.

    What the queue kept to before and the codebook no longer has is archived, unless another queue keeps to it.

    Raises:
        RetryableError, RejectedError, FatalError: as the server does. Done again, it goes on where it stopped.
    """
    known = store.score_config_ids(codebook.name)
    there = {one.config_id: one for one in configs.listed()}
    kept: dict[str, str] = {}
    for config in score_configs(codebook):
        key = (config.name, digest(config))
        found = _unchanged(there, known.get(key), key[1])
        if found is not None and found.archived:
            configs.archive(found.config_id, archived=False)
        config_id = found.config_id if found is not None else configs.ensure(config)
        if known.get(key) != config_id:
            store.save_score_config(codebook.name, *key, config_id, now)
        kept[config.name] = config_id
    for (_, mark), config_id in known.items():
        before = _unchanged(there, config_id, mark)
        others = store.score_config_queues(config_id) - {codebook.name}
        if before is not None and not before.archived and config_id not in kept.values() and not others:
            configs.archive(config_id)
    return kept


def _unchanged(there: Mapping[str, ListedConfig], config_id: str | None, mark: str) -> ListedConfig | None:
    one = there.get(config_id or "")
    return one if one is not None and digest(one.config) == mark else None
