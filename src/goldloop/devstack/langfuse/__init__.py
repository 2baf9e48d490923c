"""A local stand-in of Langfuse's public API, for tests and the demo.

It answers as a self-hosted server 4.16 in `events_only` mode does: statuses, shapes, cursors, limits, silent drops
and read lag included. It takes traces from the official SDK over OTLP. What it does not do it refuses with a 400 or
a 404; it is never a place to keep anything.
"""

from goldloop.devstack.langfuse.app import create_app
from goldloop.devstack.langfuse.settings import StandInSettings

__all__ = ["StandInSettings", "create_app"]
