"""The loop on fakes and a real store, as the verbs have it."""

from pipeline.conftest import loop, template

__all__ = ["loop", "template"]
