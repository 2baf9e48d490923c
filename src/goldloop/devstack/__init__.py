"""Local servers for tests and the demo; no production path knows them."""
