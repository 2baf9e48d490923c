"""From many annotations to one answer."""
