"""Conformance with the mAgi wire: one entry a requirement, one dialogue a behaviour, three places to run at."""
