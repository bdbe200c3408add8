"""The closed lists of what labels of metrics may say (OPS-9), and what of the hot counts makes which series."""

from exchange.instruments import OTHER, Series

OPENED = ("ok", "origin", "limit", "draining", "path", "bad_request")
REFUSED_FRAMES = ("size", "json", "depth", "schema", "state", "rate")
ACCEPTED = ("asks_accepted", "answers_accepted", "passed")
STORED = ("stored_asks", "stored_answers")
MISSED = ("not_linked", "not_connected", "limited", "malformed", "conflict", "full")
SENT = ("accepted", "duplicate", "not_linked", "not_connected", "limited", "unavailable", "error")
SENT_STORED = ("accepted", "duplicate", "conflict", "full")
LIVE_REFUSED = ("gone", "unlinked", "late", "fenced", "full")
INVITES = ("created", "redeemed", "unknown", "expired", "own", "limited", "settled", "reverted")
LIMITS: tuple[Series, ...] = (
    ("connection", "frames"),
    ("connection", "control"),
    ("connection", "redeem"),
    ("address", "redeem"),
    ("user", "ask"),
    ("user", "invite"),
    ("node", "connect"),
    ("pair", "rate"),
    ("pair", "day"),
    ("pair", "month"),
)
PROOFS = ("resume", "pairing", "relay_admin")
REDIS_ERRORS = ("timeout", "connection", "readonly", "noreplicas", "oom", "moved", "noperm", OTHER)
REBUILDS = ("lost", "timeout", "protocol", "confirmation", "probe", "demoted", "stopped", OTHER)
WAKES = ("envelope", "linked", "unlinked", "mail", "replaced", "passed_on", "peer")
RECONCILED = ("mail", "links")
NODES = ("alive", "lapsed")
