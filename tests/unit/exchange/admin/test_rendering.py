import json

import pytest

from exchange.admin import rendering
from exchange.admin.rendering import bytes_of, details_of, json_of, moment_of, print_table, record_of
from exchange.core.pairs import PairInfo, Role, Usage

NOON_MS = 1_767_225_600_000  # 2026-01-01 00:00 UTC
USAGE = Usage(524_288_000, 1536, 10_737_418_240, 5_000_000)
INFO = PairInfo("ab" * 16, "oc_pair_01234567", NOON_MS, 0, frozenset({Role.PHONE, Role.AGENT}), USAGE)
LONE = PairInfo("cd" * 16, "oc_pair_89abcdef", NOON_MS, NOON_MS + 60_000, frozenset(), USAGE)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (1024 * 1024 - 1, "1 MiB"),
        (524_288_000, "500 MiB"),
        (10_737_418_240, "10 GiB"),
        (1 << 50, "1024 TiB"),
    ],
)
def test_bytes_are_told_as_people_read_them(count, text):
    assert bytes_of(count) == text


def test_a_time_is_told_in_utc_and_none_is_never():
    assert moment_of(NOON_MS) == "2026-01-01 00:00 UTC"
    assert moment_of(0) == "never"


def test_a_record_says_everything_in_numbers():
    assert json.loads(json_of(record_of(INFO))) == {
        "pairing": "oc_pair_01234567",
        "id": "ab" * 16,
        "created_ms": NOON_MS,
        "expires_ms": None,
        "connected": ["agent", "phone"],
        "daily_quota_bytes": 524_288_000,
        "daily_used_bytes": 1536,
        "monthly_quota_bytes": 10_737_418_240,
        "monthly_used_bytes": 5_000_000,
    }
    assert record_of(LONE)["expires_ms"] == NOON_MS + 60_000


def test_details_are_a_line_each():
    assert details_of(INFO).splitlines() == [
        "Pairing     oc_pair_01234567",
        "Id          " + "ab" * 16,
        "Created     2026-01-01 00:00 UTC",
        "Expires     never",
        "Connected   agent and phone",
        "Today       1.5 KiB of 500 MiB",
        "This month  4.8 MiB of 10 GiB",
    ]


def test_a_list_for_programs_is_a_line_each_with_tabs(capsys):
    print_table([INFO, LONE], terminal=False)
    assert [line.split("\t") for line in capsys.readouterr().out.splitlines()] == [
        ["pairing", "created", "expires", "connected", "used today"],
        ["oc_pair_01234567", "2026-01-01 00:00 UTC", "never", "agent and phone", "1.5 KiB of 500 MiB"],
        ["oc_pair_89abcdef", "2026-01-01 00:00 UTC", "2026-01-01 00:01 UTC", "nobody", "1.5 KiB of 500 MiB"],
    ]


def test_a_list_for_people_is_drawn_and_keeps_its_order(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    print_table([LONE, INFO], terminal=True)
    out = capsys.readouterr().out
    assert "\t" not in out
    assert out.index(LONE.shown) < out.index(INFO.shown)
    assert "┃" in out or "|" in out


def test_an_empty_list_still_has_its_head(capsys):
    print_table([], terminal=False)
    assert capsys.readouterr().out == "\t".join(rendering.COLUMNS) + "\n"
