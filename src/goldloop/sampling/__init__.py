"""The draw: which traces are worth a minute, and with which probability each of them was chosen."""
