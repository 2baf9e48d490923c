"""Closes the loop between production LLM traces and the people who judge them."""

from importlib.metadata import version

__version__ = version("goldloop")
