"""THE map: every key and channel of the exchange, and nothing else builds one.

``1`` is the version of the layout. Braces are the hash tag: all keys of one script share it, so every script touches one
slot. ``u`` is a uid, ``h(x)`` a keyed hash, ``p`` the one of a pairing token: nothing a user typed is ever part of a key.

====================================  =======  ==============================================  =========================
key                                   type     holds                                           lifetime
====================================  =======  ==============================================  =========================
``name:{h(dialect,name)}``            hash     uid, holder (sid), node, address (h),           held: until released or
                                               token (h), before (h of the token before)       reaped; then grace, or with
                                                                                               a token as long as kept
``{u}:user``                          hash     name, nick, features, status, capabilities,     1 h after last session; none
                                               and of the last close: left_ms, left_sid,       with persistent links or mail
                                               left_links, left_stamp
``{u}:meta``                          hash     gen, lrev, and of mail: epoch, last, acked,     as ``{u}:user``
                                               count, bytes, seen, turned_ms, turned,
                                               shared
``{u}:sessions``                      hash     sid -> session record                           until ended or reaped
``{u}:links``                         hash     peer uid -> link record                         as ``{u}:user``
``{u}:ended``                         hash     peer uid -> link record and end of grace        grace
``{u}:blocked``                       hash     name -> the same; NUL + uid -> the name it had   none
``{u}:mailbox``                       stream   f sender, i id, k kind, x until_ms, p prev,     as ``{u}:meta``, also empty
                                               b packed envelope
``{u}:seen:<0..1>``                   hash     sender:id -> offset, nodes, digest              twice the dedupe time
``{u}:shares``                        hash     sender -> bytes and 2^36 for each letter        as mailbox
``{u}:tries``                         hash     offset -> attempts                              as mailbox
``{u}:parked``                        stream   as mailbox                                      7 days
``{u}:fates``                         hash     offset -> fate, kind, sender, id                until the sender is told
``{u}:history:<connection>``          stream   record                                          retention
``{u}:done:<h(id)>``                  string   ``?`` + digest + sid, or ``=`` + digest +       600 s
                                               first reply
``{u}:take:<action>``                 hash     tokens, at_ms                                   time to full
``{u}:invites``                       zset     h(code) -> expires_ms                           longest invitation
``{u}:wake``                          channel  envelopes, mail, changes of links, takeovers    -
``invite:{h(code)}``                  hash     uid, expires_ms, for (h), confirm, confirmed    its life + 60 s
                                               (h), and of a claim: redeemer, nonce,
                                               claim_ends_ms
``due:{part}``                        zset     uid -> when its mailbox is to be looked at      none
``{nodes}:lease:<node>``              string   boot record                                     lease
``{nodes}:registry``                  hash     node -> node record and state                   until cleared
``node:{<node>}:sessions``            hash     sid -> presence record                          until ended or reaped
``node:{<node>}:tally``               hash     tally record                                    15 s
``node:{<node>}:probe``               channel  numbers                                         -
``{cluster}:job:<name>``              string   holder                                          the job's lease
``{cluster}:counts``                  hash     totals                                          none
``{cluster}:index_key``               string   key of ``h`` if none is configured              none
``limit:{h(address)}:<action>``       string   failures                                        its window
``limit:{h(block)}:<action>:stamps``  list     moments in ms, oldest first; block is the       its window
                                               address, of IPv6 its /64
``{p}:pair``                          hash     created_ms, shown (beginning of the token)      the token's, or none
``{p}:slot:<role>``                   hash     number; while there is a current end: sid,      1 day after its pair
                                               node, since_ms, busy, and how often it was
                                               replaced: replaced, replaced_ms
``{p}:take:<role>``                   hash     tokens, at_ms                                   time to full
``{p}:used:<period>``                 string   bytes passed on in a day (``20261121``) or      3 days, 40 days
                                               month (``202611``) of UTC
``{p}:wake:<role>``                   channel  frames, comings and goings of the peer, ends    -
                                               of the slot's own
====================================  =======  ==============================================  =========================
"""

import hmac
from zlib import crc32

VERSION = 1
DUE_PARTS = 64


class Keyspace:
    """Builds keys under one prefix and one index key."""

    __slots__ = ("_index_key", "_root")

    def __init__(self, prefix: str = "magi", index_key: bytes = b"") -> None:
        self._root = f"{prefix}:{VERSION}:"
        self._index_key = index_key

    def hash(self, *parts: str) -> str:
        """Return ``h(parts)``: 32 hexadecimal characters of HMAC-SHA256 under the index key."""
        text = "\0".join(parts).encode("utf-8", "surrogatepass")
        return hmac.digest(self._index_key, text, "sha256")[:16].hex()

    def name(self, dialect: str, name: str) -> str:
        return f"{self._root}name:{{{self.hash(dialect, name)}}}"

    def user(self, uid: str) -> str:
        return f"{self._root}{{{uid}}}:user"

    def meta(self, uid: str) -> str:
        return f"{self._root}{{{uid}}}:meta"

    def sessions(self, uid: str) -> str:
        return f"{self._root}{{{uid}}}:sessions"

    def links(self, uid: str) -> str:
        return f"{self._root}{{{uid}}}:links"

    def ended(self, uid: str) -> str:
        return f"{self._root}{{{uid}}}:ended"

    def blocked(self, uid: str) -> str:
        return f"{self._root}{{{uid}}}:blocked"

    def mailbox(self, uid: str) -> str:
        return f"{self._root}{{{uid}}}:mailbox"

    def seen(self, uid: str, generation: int) -> str:
        """Return the key of the younger (0) or the older (1) half of what is known of repeats."""
        return f"{self._root}{{{uid}}}:seen:{generation}"

    def shares(self, uid: str) -> str:
        return f"{self._root}{{{uid}}}:shares"

    def tries(self, uid: str) -> str:
        return f"{self._root}{{{uid}}}:tries"

    def parked(self, uid: str) -> str:
        return f"{self._root}{{{uid}}}:parked"

    def fates(self, uid: str) -> str:
        return f"{self._root}{{{uid}}}:fates"

    def history(self, uid: str, connection: str) -> str:
        return f"{self._root}{{{uid}}}:history:{connection}"

    def due(self, uid: str) -> str:
        return self.due_part(crc32(uid.encode()) % DUE_PARTS)

    def due_part(self, part: int) -> str:
        return f"{self._root}due:{{{part}}}"

    def done(self, uid: str, id_: str) -> str:
        return f"{self._root}{{{uid}}}:done:{self.hash(id_)}"

    def take(self, uid: str, action: str) -> str:
        return f"{self._root}{{{uid}}}:take:{action}"

    def invites(self, uid: str) -> str:
        return f"{self._root}{{{uid}}}:invites"

    def wake(self, uid: str) -> str:
        return f"{self._root}{{{uid}}}:wake"

    def uid_of(self, key: bytes) -> str:
        """Return the uid, or the pair, of a key or channel whose hash tag is one."""
        return key[len(self._root) + 1 : key.index(b"}")].decode()

    def invite(self, code: str) -> str:
        return f"{self._root}invite:{{{self.hash('code', code)}}}"

    def lease(self, node: str) -> str:
        return f"{self._root}{{nodes}}:lease:{node}"

    def registry(self) -> str:
        return f"{self._root}{{nodes}}:registry"

    def node_sessions(self, node: str) -> str:
        return f"{self._root}node:{{{node}}}:sessions"

    def node_tally(self, node: str) -> str:
        return f"{self._root}node:{{{node}}}:tally"

    def probe(self, node: str) -> str:
        return f"{self._root}node:{{{node}}}:probe"

    def job(self, job: str) -> str:
        return f"{self._root}{{cluster}}:job:{job}"

    def counts(self) -> str:
        return f"{self._root}{{cluster}}:counts"

    def index_key(self) -> str:
        return f"{self._root}{{cluster}}:index_key"

    def limit(self, address: str, action: str) -> str:
        return f"{self._root}limit:{{{self.hash('address', address)}}}:{action}"

    def stamps(self, block: str, action: str) -> str:
        return f"{self._root}limit:{{{self.hash('block', block)}}}:{action}:stamps"

    def pair_of(self, token: str) -> str:
        """Return the id of the pair that a token stands for."""
        return self.hash("pair", token)

    def pair(self, pair: str) -> str:
        return f"{self._root}{{{pair}}}:pair"

    def slot(self, pair: str, role: str) -> str:
        return f"{self._root}{{{pair}}}:slot:{role}"

    def bucket(self, pair: str, role: str) -> str:
        return f"{self._root}{{{pair}}}:take:{role}"

    def used(self, pair: str, period: str) -> str:
        return f"{self._root}{{{pair}}}:used:{period}"

    def slot_wake(self, pair: str, role: str) -> str:
        return f"{self._root}{{{pair}}}:wake:{role}"
