"""The command line: one command for each verb, and what an operator needs around them."""

from goldloop.cli.app import main

__all__ = ["main"]
