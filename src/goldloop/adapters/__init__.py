"""One vendor, one package: what speaks to the world behind the ports."""
