"""Hand-written stand-ins of the ports, kept honest by the contract suites."""
