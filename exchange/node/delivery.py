"""One session's mail: what it is given of its mailbox, in which order, and what it has acknowledged (DEL-36 to DEL-39).

The mailbox is the truth, a wake only a hint. While the session keeps up, mail comes out of wakes: each names the mail
before it, so that a hole is seen. Otherwise (the window is full, the socket's buffer is, a wake is missing or came without
its envelope) the session is *behind*: wakes are ignored, and the mailbox is read from the cursor as soon as there is room.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from exchange.core.errors import ExchangeError
from exchange.core.events import Delivered, MailLost
from exchange.core.ids import NOWHERE, Offset, order
from exchange.core.model import Envelope, Kind, MailState
from exchange.core.session import Session
from exchange.core.user import LocalUser
from exchange.core.wakes import Mail
from exchange.core.window import Window
from exchange.fates import tell_fates
from exchange.front import Teller
from exchange.hotcounts import HotCounts
from exchange.ports import Store

log = structlog.get_logger()

ACK_COUNT = 50
ACK_SECONDS = 0.1
"""Acknowledgements go to the mailbox together: after so many of them, or so long after the first."""
CAUTIOUS_AFTER_COUNT = 3
"""After so many attempts on one letter it is given alone: what is behind it shall not be blamed for it (DEL-38)."""
NOTE_AHEAD_MS = 60_000

_QUESTION = int(Kind.QUESTION)


@dataclass(frozen=True, slots=True)
class MailRules:
    """How mail is given to sessions of this node."""

    window_count: int = 64
    window_bytes: int = 1024 * 1024
    high_bytes: int = 256 * 1024  # output the client has not read: above this nothing is given ...
    low_bytes: int = 64 * 1024  # ... until it is below this
    attempts_count: int = 20
    ttl_ms: int = 604_800_000
    flap_seconds: float = 10.0


RULES = MailRules()


class Delivery:
    """Gives one session its mail. Everything happens on the event loop; ``begin`` first, ``end`` last."""

    def __init__(
        self,
        user: LocalUser,
        session: Session,
        teller: Teller,
        store: Store,
        rules: MailRules,
        counts: HotCounts,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._user = user
        self._session = session
        self._teller = teller
        self._store = store
        self._rules = rules
        self._counts = counts
        self._spawn = spawn
        self._window = self._new_window(MailState())
        self._pulling = False
        self._ended = False
        self._newest: Offset = NOWHERE
        """Of the wakes that came while the mailbox was being read."""
        self._redelivered_to: Offset = ""
        """Up to here mail may have been given to an earlier session; empty once it is past."""
        self._ack_timer: asyncio.TimerHandle | None = None
        self._unsaid_count = 0
        self._said: Offset = NOWHERE
        self.behind = False

    @property
    def cursor(self) -> Offset:
        """The newest mail that was given."""
        return self._window.cursor

    @property
    def epoch(self) -> str:
        """The life of the mailbox that is being read; empty if there never was any mail."""
        return self._window.epoch

    # --- giving ------------------------------------------------------------------------------------------------------

    async def begin(self, state: MailState) -> None:
        """Give what waits, oldest first, as far as the window allows.

        Raises:
            StorageUnavailable: The session is behind; :meth:`go_on` repairs it.
        """
        self._window = self._new_window(state)
        self._said = state.acked
        if not state.waiting_count:
            self._window.skip(state.last)
            return
        self._redelivered_to = state.last
        self.behind = self._pulling = True  # nobody else begins to read meanwhile
        try:
            await self._clear_head()
            await self._pull()
        finally:
            self._pulling = False

    def woken(self, mail: Mail) -> None:
        """Give mail that has just been stored, if it is the next and there is room. The hot path."""
        self._counts.wakes_mail += 1
        if self._pulling:
            self._newest = mail.offset
            return
        window = self._window
        if not window.epoch and mail.prev == NOWHERE:
            window.epoch = mail.epoch
        if self.behind:
            return
        if window.follows(mail.epoch, mail.prev):
            if (
                mail.envelope is not None
                and window.room_count
                and self._teller.buffered_bytes <= self._rules.high_bytes
            ):
                self._give(mail.offset, mail.envelope, len(mail.envelope.body))
                return
        elif mail.epoch == window.epoch:
            if order(mail.offset) <= order(window.cursor):
                return  # read out of the mailbox before its wake came
            if order(mail.prev) < order(window.cursor):
                self._go_back(MailState(mail.epoch, mail.prev, min(mail.prev, window.acked, key=order)))
        self.behind = True
        self.go_on()

    def go_on(self) -> None:
        """Read what a session that is behind still has to be given, if there is room and it is not being read already."""
        if self._pulling or self._ended or not self._window.room_count:
            return
        if self._teller.buffered_bytes > self._rules.low_bytes:
            return
        self._pulling = True
        self._spawn(self._pull_quietly())

    def compare(self, state: MailState) -> bool:
        """Look whether mail was missed, given where the mailbox stands; repair it and return whether it was (DEL-35)."""
        if self._pulling or self.behind or self._ended:
            return False
        if state.epoch == self._window.epoch and order(state.last) == order(self._window.cursor):
            return False
        self.behind = True
        self.go_on()
        return True

    async def _pull_quietly(self) -> None:
        try:
            await self._pull()
        except ExchangeError as error:
            log.warning("mail.unread", reason=str(error))  # it stays behind, and somebody calls `go_on` again
        except Exception:
            log.exception("mail.unread")

    async def _pull(self) -> None:
        self._pulling = True
        stuck: Offset = ""
        try:
            while not self._ended and self._window.room_count:
                window = self._window
                self._newest = NOWHERE  # what was stored before this moment is read now
                page = await self._store.mailboxes.read(
                    self._user.uid, window.cursor, count=window.room_count, bytes_=window.room_bytes
                )
                if self._ended or not self._same_life(page.state):
                    continue
                for letter in page.letters:
                    if letter.until_ms <= self._store.clock.now_ms():
                        if len(window) or letter.offset == stuck or not await self._said_all():
                            # Acknowledged along with others, its sender would never hear of it: those first. And what
                            # could not be ended is looked at again later.
                            return
                        stuck = letter.offset
                        await self._clear_expired()
                        break
                    self._give(letter.offset, letter.envelope, letter.size_bytes)
                    if self._teller.buffered_bytes > self._rules.high_bytes:
                        return
                else:
                    if not page.more and self._caught_up(page.state.last):
                        return
        finally:
            self._pulling = False

    def _caught_up(self, last: Offset) -> bool:
        """Take note that everything up to ``last`` was given; ``False`` if something came meanwhile."""
        window = self._window
        if order(last) > order(window.cursor):
            window.skip(last)
        self.behind = order(self._newest) > order(window.cursor)
        return not self.behind

    def _give(self, offset: Offset, envelope: Envelope, size_bytes: int) -> None:
        self._window.give(offset, size_bytes)
        link = self._user.links.get(envelope.sender)
        if envelope.kind == _QUESTION:
            self._session.last_asker = envelope.sender
        if self._redelivered_to and order(offset) <= order(self._redelivered_to):
            self._counts.mail_given_again += 1
        else:
            self._redelivered_to = ""
            self._counts.mail_given += 1
        name, nick = (envelope.name, envelope.nick) if link is None else (link.name, link.nick)
        self._teller.tell(Delivered(envelope, name, nick, offset))

    # --- the head of the mailbox -------------------------------------------------------------------------------------

    async def _clear_head(self) -> None:
        """Before anything is given: end what is past its time, and part with a letter that its reader keeps failing on."""
        await self._clear_expired()
        while not self._ended:
            page = await self._store.mailboxes.read(self._user.uid, self._window.cursor, count=1, bytes_=0)
            if not page.letters:
                return
            if await self._try(page.letters[0].offset):
                return

    async def _clear_expired(self) -> None:
        await self._store.mailboxes.expire(self._user.uid, sid=self._session.sid)
        await self._tell_fates()

    async def _try(self, head: Offset) -> bool:
        """Count an attempt on the oldest letter; ``False`` if it was one too many."""
        uid, most = self._user.uid, self._rules.attempts_count
        tries = await self._store.mailboxes.attempt(uid, head, most=most)
        if not tries:
            await self._tell_fates()
            return False
        if tries >= CAUTIOUS_AFTER_COUNT:
            self._window.count_most = 1
        if tries >= most:
            # The next attempt parks it. Should this node die right then, a worker tells its sender.
            await self._store.dues.note(uid, self._store.clock.now_ms() + NOTE_AHEAD_MS)
        return True

    async def _tell_fates(self) -> None:
        await tell_fates(self._store, self._user.uid, ttl_ms=self._rules.ttl_ms)

    # --- acknowledging -----------------------------------------------------------------------------------------------

    def ack(self, upto: Offset) -> bool:
        """Take an acknowledgement; ``False`` if nothing like it was ever delivered."""
        freed = self._window.ack(upto)
        if freed is None:
            return False
        self._counts.mail_acked += freed
        self._unsaid_count += max(1, freed)
        if freed and self._window.count_most == 1:
            self._window.count_most = self._rules.window_count
        if self._unsaid_count >= ACK_COUNT:
            self.say()
        elif self._ack_timer is None:
            self._ack_timer = asyncio.get_running_loop().call_later(ACK_SECONDS, self.say)
        if self.behind:
            self.go_on()
        return True

    def say(self) -> None:
        """Pass on what was acknowledged and could not be passed on so far, if there is any."""
        if self._ack_timer is not None:
            self._ack_timer.cancel()
            self._ack_timer = None
        self._unsaid_count = 0
        if order(self._window.acked) > order(self._said):
            self._spawn(self._pass_on(self._window.acked, self._window.epoch))

    async def _said_all(self) -> bool:
        """Pass on what was acknowledged; tell whether the mailbox knows all of it."""
        if order(self._window.acked) > order(self._said):
            await self._pass_on(self._window.acked, self._window.epoch)
        return order(self._said) >= order(self._window.acked)

    async def _pass_on(self, upto: Offset, epoch: str) -> None:
        try:
            known = await self._store.mailboxes.ack(self._user.uid, upto, epoch)
        except ExchangeError as error:
            # What is acknowledged next says it too; at worst it is delivered again, and the client knows its id.
            log.warning("mail.unacknowledged", reason=str(error))
            return
        if known:
            self._said = max(self._said, upto, key=order)
        elif not self._ended:
            self.behind = True
            self.go_on()

    def end(self) -> None:
        """Give nothing more; pass on what was acknowledged."""
        self._ended = True
        self.say()

    # --- a store that went back --------------------------------------------------------------------------------------

    def _same_life(self, state: MailState) -> bool:
        """Tell whether the mailbox is the one that was read before; if not, start over (DEL-36)."""
        window = self._window
        if not window.epoch:
            window.epoch = state.epoch
        if state.epoch == window.epoch and order(state.last) >= order(window.cursor):
            return True
        self._go_back(state)
        return False

    def _go_back(self, state: MailState) -> None:
        """The mailbox is at ``state`` and was further before: its newest mail is lost."""
        since_ms = order(state.last)[0] if state.epoch == self._window.epoch else 0
        self._counts.rollbacks += 1
        log.error("mailbox.went_back", since_ms=since_ms)
        self._window = self._new_window(state)
        self._said = state.acked
        self._teller.tell(MailLost(since_ms))

    def _new_window(self, state: MailState) -> Window:
        return Window(
            epoch=state.epoch,
            cursor=state.acked,
            last_known=state.last,
            count_most=self._rules.window_count,
            bytes_most=self._rules.window_bytes,
        )
