"""Tests of the local stand-in of Langfuse."""
