"""The tables' history: one module a revision in `versions`, written by hand and never changed once released."""
