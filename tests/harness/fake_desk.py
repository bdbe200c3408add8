"""A desk that says what a test wants it to say."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from magi.daemon.port import AskView, FriendView, Held, Inbox, InviteView, Item, Status, Waiting

BOB = FriendView("bob", "bob@example.com", "Bob", online=True, mode="ask")
CAROL = FriendView("carol", "carol@example.com", "Carol", online=False, mode="mute", open_count=2)
ASK = AskView("k7qzaaaabbbbccccddddeeeeff", "bob", "pending", "not sent yet", text="Which Redis?")
QUESTION = Item("q1aaaaaabbbbccccddddeeeeff", "bob", "ask", "Which Redis?", 1_700_000_000_000, origin="model")
STATUS = Status(
    username="alice@example.com",
    nickname="Alice",
    profile="default",
    server="ws://127.0.0.1:8082/",
    connection="connected",
    detail="",
    granted=("ids", "resume"),
    missing=("presence",),
    durable=True,
    encrypted_transport=False,
    paused=False,
    waiting=Waiting(("bob", "bob"), 1, 1),
    version="0.1.0",
    daemon=True,
)


@dataclass
class FakeDesk:
    """Says what a test wants it to say; an exception is raised. ``calls`` holds what was asked of it."""

    says: dict[str, Any] = field(default_factory=dict)
    states: list[AskView] = field(default_factory=list)
    """What ``wait`` returns, one after the other; the last one for ever."""
    comings: list[tuple[Item, ...]] = field(default_factory=list)
    """What is open after each event."""
    calls: list[tuple[str, tuple, dict]] = field(default_factory=list)
    started: bool = False
    """Whether the command would start a daemon."""

    def __post_init__(self):
        self.says = {
            "status": STATUS,
            "invite": InviteView("K7M2QX", 1_700_000_000_000, "say it"),
            "connect": BOB,
            "friends": (BOB, CAROL),
            "ask": ASK,
            "answer": msgspec.structs.replace(ASK, state="delivered", said="handed to bob's connection, not read yet"),
            "decline": msgspec.structs.replace(ASK, state="queued", said="kept by the exchange for bob"),
            "inbox": Inbox((QUESTION,), STATUS.waiting),
            "history": (QUESTION, ASK),
            "held": (Held("h1aaaaaabbbb", "bob", "Which Redis?", "8.4", "mode", 1_700_000_000_000),),
            "review": ASK,
            "mode": BOB,
            **self.says,
        }

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)

        async def call(*args, **kwargs):
            self.calls.append((name, args, kwargs))
            said = self.says.get(name)
            if isinstance(said, Exception):
                raise said
            return said

        return call

    async def wait(self, ask_id, seconds):
        self.calls.append(("wait", (ask_id, seconds), {}))
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    async def events(self):
        for items in self.comings:
            self.says["inbox"] = Inbox(items, Waiting())
            yield self.says["inbox"]

    def called(self, name):
        """Return the arguments of the one call of a method."""
        ((_, args, kwargs),) = [call for call in self.calls if call[0] == name]
        return args, kwargs

    def names(self):
        """Return which methods were called."""
        return [name for name, _, _ in self.calls]
