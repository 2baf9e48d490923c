"""What users' signals say about a trace, before a human has judged it."""
