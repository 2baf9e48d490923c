"""What is measured, beside its raw ceiling, in one run."""
