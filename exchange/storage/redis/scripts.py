"""The Lua files as resources: one script a file, loaded once, addressed by the hash of its source.

Each file opens with ``#!lua flags=...`` and lines ``-- KEYS: a b`` and ``-- ARGV: c d`` that name its inputs; a house
test compares them with the calls. All keys of a script share one hash tag. All reads and checks come before the first
write: a script that fails after a write is not rolled back.
"""

import hashlib
import re
from dataclasses import dataclass
from importlib import resources

_HEADER = re.compile(r"^-- (KEYS|ARGV):(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script. ``sha`` is what EVALSHA wants: old and new releases run side by side, each by its own."""

    name: str
    source: str
    sha: str
    keys: tuple[str, ...]
    args: tuple[str, ...]


def _load(name: str) -> Script:
    source = resources.files(__package__).joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
    header = {kind: tuple(words.split()) for kind, words in _HEADER.findall(source)}
    sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
    return Script(name, source, sha, header["KEYS"], header["ARGV"])


CLAIM_NAME = _load("claim_name")
RELEASE_NAME = _load("release_name")
FORGET_NAME = _load("forget_name")
KEEP_NAME = _load("keep_name")
OPEN_SESSION = _load("open_session")
CLOSE_SESSION = _load("close_session")
DESCRIBE_USER = _load("describe_user")
LINK = _load("link")
MARK_AWAY = _load("mark_away")
SET_ASIDE = _load("set_aside")
UNLINK = _load("unlink")
READ_TABLE = _load("read_table")
BLOCK = _load("block")
UNBLOCK = _load("unblock")
READ_STANDING = _load("read_standing")
ENLIST_INVITE = _load("enlist_invite")
OPEN_INVITE = _load("open_invite")
CONFIRM_INVITE = _load("confirm_invite")
CLAIM_INVITE = _load("claim_invite")
SETTLE_INVITE = _load("settle_invite")
TAKE = _load("take")
FAIL = _load("fail")
RESERVE = _load("reserve")
KEEP_REPLY = _load("keep_reply")
DROP_REPLY = _load("drop_reply")
RENEW_NODE = _load("renew_node")
REAP_NODE = _load("reap_node")
HOLD_JOB = _load("hold_job")
APPEND = _load("append")
READ_MAIL = _load("read_mail")
ACK = _load("ack")
ATTEMPT = _load("attempt")
EXPIRE = _load("expire")
PURGE = _load("purge")
TRIM_PARKED = _load("trim_parked")
SETTLE_DUE = _load("settle_due")
ADD_RECORD = _load("add_record")
SLIDE = _load("slide")
MAKE_PAIR = _load("make_pair")
DELETE_PAIR = _load("delete_pair")
ENTER_SLOT = _load("enter_slot")
LEAVE_SLOT = _load("leave_slot")
PASS_ON = _load("pass_on")
MARK_SLOT = _load("mark_slot")

SCRIPTS = tuple(value for value in globals().values() if isinstance(value, Script))
"""Every script, in the order of this page."""
