import pytest

# What did not hold is told in full, there too.
pytest.register_assert_rewrite("properties.audit", "properties.tampering")
