"""Judges: what a machine says of a trace, and how far it can be trusted."""
