"""Conformance with the CoralMux wire: a module a section of its page, every test at every place it can run at."""

import pytest

pytest.register_assert_rewrite("tests.conformance.coralmux.client", "tests.conformance.coralmux.people")
