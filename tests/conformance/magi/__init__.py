"""Conformance with the mAgi wire: one entry a requirement, one dialogue a behaviour, three places to run at."""

import pytest

pytest.register_assert_rewrite("tests.conformance.magi.client", "tests.conformance.magi.dialogues")
