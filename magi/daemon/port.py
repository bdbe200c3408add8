"""What every face (command line, MCP bridge, hooks) can ask of the owner's desk (CLI-2).

``magi.daemon.office`` does it in this process, ``magi.daemon.remote`` asks the daemon over its local socket; one contract suite
covers both. Rules hold here, whatever a face says: consent, scan, limits and loop guard (CLI-33 to CLI-39).

Views are plain data: they travel as JSON. Text of friends in them is as it came; a face cleans and frames it (MCP-9) before it
shows it. ``who`` is a petname or a username; ``id`` of an item or ask may be cut to any unambiguous beginning.
"""

from collections.abc import AsyncIterator
from typing import Final, Protocol

import msgspec


class Caller(msgspec.Struct, frozen=True):
    """On whose behalf a face asks. ``origin`` is ``human`` (typed by a person) or ``model``; ``session`` names one assistant,
    and is empty for the owner at a terminal."""

    face: str = "cli"
    origin: str = "human"
    session: str = ""


OWNER: Final = Caller()


class FriendView(msgspec.Struct, frozen=True):
    """A friend. ``mode`` is ``ask``, ``auto`` or ``mute``; ``trust`` as in e2e (``plain`` until then); ``answers`` says how:
    ``assistant``, ``responder`` or ``unknown``; ``open_count`` counts questions of it that wait here."""

    petname: str
    username: str
    nickname: str
    online: bool
    mode: str
    trust: str = "plain"
    answers: str = "unknown"
    status: str = ""
    capabilities: tuple[str, ...] = ()
    open_count: int = 0


class AskView(msgspec.Struct, frozen=True, tag="ask"):
    """A message of ours as it stands. ``said`` is ``magi.client.states.SAID`` filled in; ``answer`` is text of the friend."""

    id: str
    who: str
    state: str
    said: str
    text: str = ""
    answer: str = ""
    detail: str = ""
    matched: str = ""
    made_ms: int = 0
    expires_ms: int = 0


class Item(msgspec.Struct, frozen=True, tag="item"):
    """Something that waits here: a question, note, answer or notice. ``text`` is the friend's."""

    id: str
    who: str
    kind: str
    text: str
    received_ms: int
    origin: str = ""
    thread: str = ""
    reply_to: str = ""
    expires_ms: int = 0
    trust: str = "plain"


class Waiting(msgspec.Struct, frozen=True):
    """How much waits for the owner or an assistant: a petname for each question, answers, drafts that wait for the
    owner's approval."""

    questions: tuple[str, ...] = ()
    answers: int = 0
    held: int = 0
    notices: int = 0


class Inbox(msgspec.Struct, frozen=True):
    """Items, and what waits beside them."""

    items: tuple[Item, ...]
    waiting: Waiting


class InviteView(msgspec.Struct, frozen=True):
    """An open invitation, and the sentence to pass on."""

    code: str
    expires_at_ms: int
    say: str


class Status(msgspec.Struct, frozen=True):
    """Who we are and how it stands. ``connection`` is ``connected``, ``connecting``, ``displaced`` or ``refused``; ``missing``
    names features that the exchange did not grant."""

    username: str
    nickname: str
    profile: str
    server: str
    connection: str
    detail: str
    granted: tuple[str, ...]
    missing: tuple[str, ...]
    durable: bool
    encrypted_transport: bool
    paused: bool
    waiting: Waiting
    responder: str = ""
    version: str = ""
    daemon: bool = False


class Held(msgspec.Struct, frozen=True):
    """A draft that waits for the owner: what would be sent to whom, and why it waits (``mode``, ``scan``, ``paused``)."""

    id: str
    who: str
    question: str
    draft: str
    reason: str
    made_ms: int


class Desk(Protocol):
    """The owner's desk. Errors are those of ``magi.client.errors``, and :class:`DeskError` with an exit status (CLI-31)."""

    async def status(self) -> Status:
        """Return how it stands; never fails because the exchange is away."""

    async def invite(self, *, for_name: str = "", confirm: bool = False) -> InviteView:
        """Open an invitation."""

    async def connect(self, code: str, *, petname: str = "") -> FriendView:
        """Redeem a code, in any letter case."""

    async def friends(self) -> tuple[FriendView, ...]:
        """Return all friends."""

    async def ask(
        self,
        who: str,
        text: str,
        *,
        caller: Caller,
        thread: str = "",
        wants_answer: bool = True,
        expires_seconds: float = 86_400.0,
        parent: str = "",
        id: str = "",  # noqa: A002  # the word of the wire
    ) -> AskView:
        """Put a question, or a note, into the outbox; returns when it is safe there, or held for the owner (``held_here``;
        then ``detail`` names what a scan found). ``who`` may be ``anyone``. A repeat with the same ``id`` has no second
        effect."""

    async def wait(self, ask_id: str, seconds: float) -> AskView:
        """Return a message of ours once nothing more is to come of it, or as it stands after ``seconds``, which is no error.
        An ask is over when its state is final; then its answer does not wait in the inbox any more. Of any other message the
        receipt is all that comes."""

    async def withdraw(self, ask_id: str) -> AskView:
        """Give up an ask."""

    async def inbox(
        self, *, caller: Caller, limit: int = 5, wait_seconds: float = 0.0, peek: bool = False, ask_id: str = ""
    ) -> Inbox:
        """Return open items, oldest first, and claim them for the caller for 5 min unless ``peek`` (CLI-27). With
        ``wait_seconds`` wait until there is one; with ``ask_id`` only what settled that ask. What the caller has already is
        there again. The owner sees also what assistants have, and what muted friends ask."""

    async def answer(self, item_id: str, text: str, *, caller: Caller) -> AskView:
        """Answer a question: sent, or held for the owner (``held_here``)."""

    async def decline(self, item_id: str, reason: str, *, caller: Caller) -> AskView:
        """Say that nobody will answer."""

    async def defer(self, item_id: str, seconds: float, *, caller: Caller) -> None:
        """Show a question to nobody for a while."""

    async def ack(self, item_id: str, *, caller: Caller) -> None:
        """Take note of a note, an answer or a notice: it does not wait any more."""

    async def history(
        self, who: str = "", *, search: str = "", limit: int = 50, caller: Caller = OWNER
    ) -> tuple[Item | AskView, ...]:
        """Return the local record, newest last. Words of muted friends are for the owner only."""

    async def mode(self, who: str, mode: str) -> FriendView:
        """Set the consent mode of a friend. Faces of a model offer only ``mute``."""

    async def rename(self, who: str, petname: str) -> FriendView:
        """Call a friend something else, here."""

    async def unfriend(self, who: str) -> None:
        """End a friendship for good."""

    async def block(self, who: str, *, blocked: bool = True) -> None:
        """Have nothing to do with a user any more, or again."""

    async def held(self) -> tuple[Held, ...]:
        """Return what waits for the owner."""

    async def review(
        self, held_id: str, *, approve: bool, text: str = "", override: bool = False, scope: str = "once"
    ) -> AskView | None:
        """Approve a draft, edited if ``text`` is given, or drop it (``None``). ``override`` sends it although the scan found
        something. ``scope`` of an approval is ``once``, ``thread``, ``today`` or ``always`` (CLI-33)."""

    async def pause(self, until_ms: int) -> None:
        """Keep everything at ``ask`` until a time; 0 ends the pause, -1 is for ever."""

    async def announce(self, *, status: str = "", note: str = "", capabilities: tuple[str, ...] | None = None) -> None:
        """Say what we are doing; empty leaves it as it is. A ``note`` stays here: the wire has no place for one."""

    def events(self) -> "AsyncIterator[Inbox]":
        """Yield what waits now, with the first few items that nobody has, and again whenever that changes."""

    async def close(self) -> None:
        """Leave the desk. What is in the outbox goes on at the next start, or in the daemon."""


class DeskError(Exception):
    """A refusal of the desk itself. ``exit_status`` is one of CLI-31."""

    def __init__(self, message: str, exit_status: int = 1) -> None:
        super().__init__(message)
        self.exit_status = exit_status


class DaemonAway(DeskError):
    """There is no daemon on this line. ``message`` says whether something may have been done."""

    def __init__(self, message: str = "The magi daemon is not running.") -> None:
        super().__init__(message)
