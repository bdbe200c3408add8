"""Every setting reaches the part of a node that it is for."""

from dataclasses import asdict

import pytest

from exchange.core.features import HISTORY
from exchange.node.connection import Bounds
from exchange.node.delivery import MailRules
from exchange.node.drain import Plan
from exchange.node.switchboard import RelayRules
from exchange.policies import bounds_of, mail_rules_of, plan_of, policy_of, relay_rules_of
from exchange.settings import Settings


def changed(**groups: dict[str, object]) -> Settings:
    return Settings().changed(**groups)


@pytest.mark.parametrize(
    ("group", "setting", "value", "name", "expected"),
    [
        ("session", "grace_seconds", 7.0, "grace_ms", 7000),
        ("session", "resume_seconds", 3600.0, "resume_ms", 3_600_000),
        ("invites", "ttl_seconds", 90.0, "invite_life_ms", 90_000),
        ("invites", "code_length_count", 9, "code_characters", 9),
        ("limits", "open_invites_count", 3, "open_invites", 3),
        ("limits", "asks_per_minute_count", 11, "asks_per_minute", 11),
        ("limits", "asks_burst_count", 12, "asks_burst", 12),
        ("limits", "redeem_failures_connection_count", 13, "failures_connection", 13),
        ("limits", "redeem_failures_address_count", 14, "failures_address", 14),
        ("live", "deadline_ms", 1500, "deadline_ms", 1500),
        ("live", "reply_deadline_ms", 6500, "reply_seconds", 6.5),
        ("mailbox", "ttl_seconds", 86_400.0, "mail_ttl_ms", 86_400_000),
        ("history", "retention_seconds", 3600.0, "history_keep_ms", 3_600_000),
    ],
)
def test_a_setting_for_the_handlers_changes_its_rule_and_little_else(group, setting, value, name, expected):
    before, after = asdict(policy_of(Settings())), asdict(policy_of(changed(**{group: {setting: value}})))
    assert after[name] == expected != before[name]
    assert {one for one in after if after[one] != before[one]} <= {name, "available"}


def test_history_is_granted_only_where_it_is_kept():
    assert HISTORY in policy_of(changed(history={"retention_seconds": 60.0})).available
    assert HISTORY not in policy_of(changed(history={"retention_seconds": 0.0})).available


def test_the_rules_for_mail_are_those_of_sessions_and_mailboxes():
    settings = changed(
        session={"window_count": 9, "flap_seconds": 0.5}, mailbox={"attempts_count": 7, "ttl_seconds": 86_400.0}
    )
    rules = mail_rules_of(settings)
    assert (rules.window_count, rules.flap_seconds, rules.attempts_count, rules.ttl_ms) == (9, 0.5, 7, 86_400_000)
    assert isinstance(rules, MailRules)


def test_the_rules_for_pairs_are_those_of_the_relay():
    assert relay_rules_of(Settings()) == RelayRules()
    relay = {"queue_frames_count": 100, "queue_bytes": 16 << 20, "unproven_seconds": 5.0}
    rules = relay_rules_of(changed(relay=relay))
    assert rules == RelayRules(queue_count=100, queue_bytes=16 << 20, unproven_seconds=5.0)
    assert (rules.busy_count, rules.busy_bytes) == (75, 12 << 20)


def test_what_may_wait_of_one_connection_is_bounded_by_the_limits():
    assert bounds_of(changed(limits={"pending_frames_count": 5, "pending_bytes": 1 << 21})) == Bounds(5, 1 << 21)


def test_the_parts_of_a_drain_have_their_times():
    drain = {"notice_seconds": 1.0, "window_seconds": 2.0, "flush_seconds": 3.0}
    assert plan_of(changed(drain=drain)) == Plan(1.0, 2.0, 3.0)
