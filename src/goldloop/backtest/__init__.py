"""What a policy would have found: draws replayed on traces whose labels are known."""
