"""The certificates that servers are known by."""

import ssl
from functools import cache

import httpx2


@cache
def trusted() -> ssl.SSLContext:
    """The system's. Reading them takes longer than all else that opening a client does, so it is done once."""
    return httpx2.create_ssl_context()
