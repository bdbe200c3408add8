"""What the settings decide for the parts of a node."""

from exchange.core.features import FEATURES, HISTORY
from exchange.handlers.exchange import Policy
from exchange.handlers.pairing import Desk
from exchange.node.connection import Bounds
from exchange.node.delivery import MailRules
from exchange.node.drain import Plan
from exchange.node.switchboard import RelayRules
from exchange.ports import Store
from exchange.settings import Settings


def policy_of(settings: Settings) -> Policy:
    """Return what the settings decide for the handlers."""
    limits = settings.limits
    return Policy(
        grace_ms=int(settings.session.grace_seconds * 1000),
        invite_life_ms=int(settings.invites.ttl_seconds * 1000),
        code_characters=settings.invites.code_length_count,
        open_invites=limits.open_invites_count,
        asks_per_minute=limits.asks_per_minute_count,
        asks_burst=limits.asks_burst_count,
        failures_connection=limits.redeem_failures_connection_count,
        failures_address=limits.redeem_failures_address_count,
        deadline_ms=settings.live.deadline_ms,
        reply_seconds=settings.live.reply_deadline_ms / 1000,
        store_up_seconds=settings.lease.store_up_seconds,
        available=FEATURES if settings.history.retention_seconds else FEATURES - {HISTORY},
        resume_ms=int(settings.session.resume_seconds * 1000),
        mail_ttl_ms=int(settings.mailbox.ttl_seconds * 1000),
        history_keep_ms=int(settings.history.retention_seconds * 1000),
    )


def mail_rules_of(settings: Settings) -> MailRules:
    """Return what the settings decide about mail."""
    session, mailbox = settings.session, settings.mailbox
    return MailRules(
        window_count=session.window_count,
        window_bytes=session.window_bytes,
        high_bytes=session.high_bytes,
        low_bytes=session.low_bytes,
        attempts_count=mailbox.attempts_count,
        ttl_ms=int(mailbox.ttl_seconds * 1000),
        flap_seconds=session.flap_seconds,
    )


def relay_rules_of(settings: Settings) -> RelayRules:
    """Return what the settings decide about the two ends of a pair."""
    relay = settings.relay
    return RelayRules(relay.queue_frames_count, relay.queue_bytes, relay.unproven_seconds)


def bounds_of(settings: Settings) -> Bounds:
    """Return how much of one connection may wait."""
    return Bounds(settings.limits.pending_frames_count, settings.limits.pending_bytes)


def plan_of(settings: Settings) -> Plan:
    """Return how long the parts of a drain take."""
    drain = settings.drain
    return Plan(drain.notice_seconds, drain.window_seconds, drain.flush_seconds)


def desk_of(settings: Settings, store: Store) -> Desk:
    """Return where pairs are made and ended."""
    relay = settings.relay
    return Desk(
        store.pairs,
        store.limits,
        ttl_ms=int(relay.token_ttl_seconds * 1000),
        registrations_per_hour=relay.registrations_per_hour_count,
    )
