"""THE map: every key and channel of the exchange, and nothing else builds one.

``1`` is the version of the layout. Braces are the hash tag: all keys of one script share it, so every script touches one
slot. ``u`` is a uid, ``h(x)`` a keyed hash: nothing a user typed is ever part of a key.

====================================  =======  ==============================================  =========================
key                                   type     holds                                           lifetime
====================================  =======  ==============================================  =========================
``name:{h(dialect,name)}``            hash     uid, holder (sid), node, address (h)            held: until released or
                                                                                               reaped; then grace
``{u}:user``                          hash     name, nick, and of the last close:              1 h after last session
                                               left_ms, left_sid, left_links
``{u}:meta``                          hash     gen, lrev                                       as ``{u}:user``
``{u}:sessions``                      hash     sid -> session record                           until ended or reaped
``{u}:links``                         hash     peer uid -> link record                         as ``{u}:user``
``{u}:ended``                         hash     peer uid -> link record and end of grace        grace
``{u}:done:<h(id)>``                  string   ``?`` + sid, or ``=`` + first reply             600 s
``{u}:take:<action>``                 hash     tokens, at_ms                                   time to full
``{u}:invites``                       zset     h(code) -> expires_ms                           longest invitation
``{u}:wake``                          channel  envelopes and changes of links                  -
``invite:{h(code)}``                  hash     uid, expires_ms, and of a claim: redeemer,      its life + 60 s
                                               nonce, claim_ends_ms
``{nodes}:lease:<node>``              string   boot record                                     lease
``{nodes}:registry``                  hash     node -> node record and state                   until cleared
``node:{<node>}:sessions``            hash     sid -> presence record                          until ended or reaped
``node:{<node>}:tally``               hash     tally record                                    15 s
``node:{<node>}:probe``               channel  numbers                                         -
``{cluster}:job:<name>``              string   holder                                          the job's lease
``{cluster}:counts``                  hash     totals                                          none
``{cluster}:index_key``               string   key of ``h`` if none is configured              none
``limit:{h(address)}:<action>``       string   failures                                        its window
====================================  =======  ==============================================  =========================
"""

import hmac

VERSION = 1


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

    def done(self, uid: str, id_: str) -> str:
        return f"{self._root}{{{uid}}}:done:{self.hash(id_)}"

    def take(self, uid: str, action: str) -> str:
        return f"{self._root}{{{uid}}}:take:{action}"

    def invites(self, uid: str) -> str:
        return f"{self._root}{{{uid}}}:invites"

    def wake(self, uid: str) -> str:
        return f"{self._root}{{{uid}}}:wake"

    def uid_of_wake(self, channel: bytes) -> str:
        """Return the uid of a channel made by :meth:`wake`."""
        return channel[len(self._root) + 1 : -len("}:wake")].decode()

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
