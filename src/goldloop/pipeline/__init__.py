"""The verbs, one module each, in the order of a trace's way: pull draw prelabel enqueue gather resolve publish report.

A verb takes its ports, the time and what it is to do as arguments, and gives back a summary: counts for the terminal,
for the artifact and for `--json`. It can be run again at any time, and then does what is still to do.
"""
