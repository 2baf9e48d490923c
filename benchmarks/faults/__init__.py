"""Nothing lost, nothing twice: the whole loop on real servers under injected faults, audited from the outside.

`make faults SEED=n TRACES=n`; what is injected and what is audited: docs/reliability.md.
"""
