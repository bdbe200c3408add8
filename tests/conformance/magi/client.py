"""Clients of the mAgi wire that believe nothing: every frame is compared key by key, every wait is bounded."""

import asyncio
import itertools
import json
from collections.abc import Callable
from typing import Any, Self

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.harness.waiting import WAIT_SECONDS

KEYS: dict[str, set[str]] = {
    "connected": {"clientId"},
    "identified": {"username", "nickname", "clientId"},
    "invite_created": {"code", "from", "expiresIn"},
    "connected_to_friend": {"connectionId", "friend"},
    "friend_connected": {"connectionId", "friend"},
    "question": {"content", "from", "fromNickname"},
    "answer": {"content", "from", "fromNickname"},
    "question_sent": {"content", "to"},
    "answer_sent": {"content", "to"},
    "friend_disconnected": {"friend"},
    "error": {"message"},
}
"""Section 4 of the wire: beside ``type``, a plain client gets exactly these keys (MAGI-45)."""

NEW_KEYS: dict[str, set[str]] = {
    "friends": {"friends"},
    "unfriended": {"username"},
    "blocked": {"username"},
    "unblocked": {"username"},
    "confirmed": {"username"},
    "presence_updated": {"status", "capabilities"},
    "history": {"connectionId", "messages", "more"},
    "friend_presence": {"friend", "online"},
    "expired": {"id", "to", "offset"},
    "parked": {"id", "to", "offset"},
    "gap": {"since"},
    "draining": {"afterMs", "untilMs"},
}
"""Section 12: the frames that only extended clients get, and the keys they always have."""

ADDED_KEYS: dict[str, dict[str, str]] = {
    "identified": {"token": "resume"},
    "invite_created": {"expiresAt": ""},
    "question": {"id": "ids", "ts": "ids", "trace": "ids", "expires": "ids", "offset": "offline"},
    "answer": {"id": "ids", "ts": "ids", "trace": "ids", "expires": "ids", "replyTo": "ids", "offset": "offline"},
    "question_sent": {"status": "offline"},
    "answer_sent": {"status": "offline"},
    "friend_presence": {"status": "presence", "capabilities": "presence"},
    "error": {"code": "", "retryAfterMs": ""},
}
"""Section 12: the keys that may come besides, with the feature that each of them needs."""

PUSHES = {"connected", "friend_connected", "friend_disconnected", "question", "answer", "friend_presence", "expired"}
PUSHES |= {"parked", "gap", "draining"}
"""Frames that are no replies, and so repeat nobody's ``id``."""

FRAME_BYTES_MOST = 16 << 20
_fences = itertools.count()


class _Content(msgspec.Struct):
    content: msgspec.Raw


class Frame(dict[str, Any]):
    """One message of the server, parsed; ``text`` is what came over the wire."""

    def __init__(self, text: str) -> None:
        super().__init__(json.loads(text))
        self.text = text

    @property
    def raw_content(self) -> str:
        """The bytes of ``content`` as they stand in the message."""
        return bytes(msgspec.json.decode(self.text, type=_Content).content).decode()


def friend(username: str, nickname: str | None = None) -> dict[str, str]:
    """Return how a friend object looks."""
    return {"username": username, "nickname": username if nickname is None else nickname}


class PlainClient:
    """A scripted plain client. It never sends an additive field by itself, and never reads a frame it was not asked to."""

    def __init__(self, socket: ClientConnection, address: str, *, extended: bool = False) -> None:
        self.socket = socket
        self.address = address
        self.extended = extended
        self.client_id = ""
        self.frozen = False
        self.names: list[str] = []
        """Usernames that this client has asked for."""

    @classmethod
    async def dial(cls, url: str, *, address: str, extended: bool = False, **options: Any) -> Self:
        """Open the socket and read nothing. ``address`` is the loopback address that the server sees."""
        socket = await connect(
            url,
            proxy=None,
            compression=None,
            max_size=FRAME_BYTES_MOST,
            max_queue=None,  # what a dialogue does not read must not hold up pings and the close
            local_addr=(address, 0),
            **options,
        )
        return cls(socket, address, extended=extended)

    async def greeted(self) -> Self:
        """Read the greeting (MAGI-6)."""
        self.client_id = (await self.expect("connected"))["clientId"]
        return self

    # --- sending -----------------------------------------------------------------------------------------------------

    async def send(self, message: Any) -> None:
        """Send a JSON value; text goes out as it is, bytes as a binary frame."""
        if isinstance(message, dict):
            if isinstance(name := message.get("username"), str):
                self.names.append(name)
        await self.socket.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def send_all(self, *messages: Any) -> None:
        """Send messages without reading in between."""
        for message in messages:
            await self.send(message)

    # --- expecting ---------------------------------------------------------------------------------------------------

    async def next(self) -> Frame:
        """Return the next frame, whatever it is."""
        async with asyncio.timeout(WAIT_SECONDS):
            message = await self.socket.recv()
        assert isinstance(message, str), "the server sends text frames only (MAGI-3)"
        return Frame(message)

    async def expect(self, type_: str, **fields: Any) -> Frame:
        """Read the next frame; it must be of this type and have exactly its keys, with these values.

        A trailing underscore of a field is dropped (``from_``).
        """
        frame = await self.next()
        assert frame.get("type") == type_, f"{frame} is no {type_}"
        wanted = {name.rstrip("_"): value for name, value in fields.items()}
        keys = set(frame) - {"type"}
        assert keys == (KEYS[type_] | set(wanted) if self.extended else KEYS[type_]), f"{frame} has other keys"
        for name, value in wanted.items():
            assert frame[name] == value, f"{name} of {frame} is not {value!r}"
        return frame

    async def expect_error(self, message: str) -> Frame:
        """Read the next frame; it must be this error, word for word, and nothing else."""
        frame = await self.next()
        assert frame.get("type") == "error", f"{frame} is no error"
        assert frame["message"] == message
        assert self.extended or set(frame) == {"type", "message"}
        return frame

    async def nothing_more(self) -> None:
        """Prove that no frame waits: the reply to a request of our own is the next one."""
        type_ = f"fence-{next(_fences)}"
        await self.send({"type": type_})
        await self.expect_error(f"Unknown message type: {type_}")

    async def expect_close(self, *codes: int) -> str:
        """Wait until the server closes, without a frame before; return the reason."""
        with pytest.raises(ConnectionClosed) as caught:
            async with asyncio.timeout(WAIT_SECONDS):
                await self.socket.recv()
        closed = caught.value.rcvd
        assert closed is not None, "the connection broke without a close frame"
        assert closed.code in codes
        return closed.reason

    # --- whole requests ----------------------------------------------------------------------------------------------

    async def call(self, message: Any, type_: str, **fields: Any) -> Frame:
        """Send a request and read its success frame."""
        await self.send(message)
        return await self.expect(type_, **fields)

    async def refused(self, message: Any, text: str) -> Frame:
        """Send a request and read its refusal."""
        await self.send(message)
        return await self.expect_error(text)

    async def identify(self, username: str, nickname: str | None = None) -> Frame:
        """Identify; the reply must name us."""
        message = {"type": "identify", "username": username}
        if nickname is not None:
            message["nickname"] = nickname
        shown = username if nickname is None else nickname
        return await self.call(message, "identified", username=username, nickname=shown, clientId=self.client_id)

    async def invite(self) -> str:
        """Create an invitation and return its code."""
        return str((await self.call({"type": "create_invite"}, "invite_created", expiresIn="30 minutes"))["code"])

    async def redeem(self, code: str) -> Frame:
        """Redeem a code as an identified client."""
        return await self.call({"type": "connect", "code": code}, "connected_to_friend")

    async def ask(self, content: Any, to: str | None = None) -> Frame:
        """Ask and read the receipt."""
        return await self.call({"type": "ask", "content": content, "to": to}, "question_sent", content=content)

    async def answer(self, content: Any, to: str | None = None) -> Frame:
        """Answer and read the receipt."""
        return await self.call({"type": "answer", "content": content, "to": to}, "answer_sent", content=content)

    def check_friend(self, friend: dict[str, Any]) -> None:
        """Prove that a friend object has exactly the keys that are ours to see."""
        assert set(friend) == {"username", "nickname"}, friend

    async def close(self) -> None:
        """Close in order and wait for the end."""
        if self.frozen:
            return await self.vanish()
        async with asyncio.timeout(WAIT_SECONDS):
            await self.socket.close()

    async def vanish(self) -> None:
        """Let TCP end without a word."""
        self.socket.transport.abort()
        async with asyncio.timeout(WAIT_SECONDS):
            await self.socket.wait_closed()

    def freeze(self) -> None:
        """Stop reading, so that pings stay unanswered: what a half-open connection looks like."""
        self.frozen = True
        self.socket.transport.pause_reading()


class ExtendedClient(PlainClient):
    """A scripted extended client. It takes frames by type or by id, in the order a dialogue wants them.

    Whatever it reads on the way is set aside, after a look at its keys: none may come whose feature was not granted.
    """

    def __init__(self, socket: ClientConnection, address: str, *, extended: bool = True) -> None:
        super().__init__(socket, address, extended=extended)
        self.username = ""
        self.features: frozenset[str] = frozenset()
        self.token = ""
        """The newest one that it was given."""
        self.aside: list[Frame] = []
        self._ids = itertools.count(1)

    async def send(self, message: Any) -> None:
        """Send a JSON value. Names are not noted: with a token they stay taken."""
        await self.socket.send(message if isinstance(message, str | bytes) else json.dumps(message))

    # --- expecting ---------------------------------------------------------------------------------------------------

    async def next(self) -> Frame:
        """Return the next frame that comes, after a look at its keys."""
        frame = await super().next()
        self._check(frame)
        return frame

    async def first(self, fits: Callable[[Frame], bool]) -> Frame:
        """Return the first frame that fits, of those set aside and those to come."""
        for place, frame in enumerate(self.aside):
            if fits(frame):
                return self.aside.pop(place)
        while not fits(frame := await self.next()):
            self.aside.append(frame)
        return frame

    async def expect(self, type_: str, **fields: Any) -> Frame:
        """Return the first frame of a type; it must have these values."""
        frame = await self.first(lambda frame: frame["type"] == type_)
        for name, value in fields.items():
            assert frame.get(name.rstrip("_")) == value, f"{name} of {frame} is not {value!r}"
        return frame

    async def expect_error(self, message: str) -> Frame:
        """Return the first error; it must have this text."""
        return await self.expect("error", message=message)

    async def nothing_more(self) -> None:
        """Prove that no frame waits, and that none was set aside."""
        await super().nothing_more()
        assert self.aside == []

    # --- whole requests ----------------------------------------------------------------------------------------------

    async def call(self, message: Any, type_: str, **fields: Any) -> Frame:
        """Send a request with an id and return what comes back under it; it must be of this type and have these values."""
        id_ = message.setdefault("id", f"{self.client_id[:8]}-{next(self._ids)}")
        await self.send(message)
        frame = await self.first(lambda frame: frame.get("id") == id_ and frame["type"] not in PUSHES)
        assert frame["type"] == type_, frame
        for name, value in fields.items():
            assert frame.get(name.rstrip("_")) == value, f"{name} of {frame} is not {value!r}"
        return frame

    async def refused(self, message: Any, text: str, code: str = "") -> Frame:
        """Send a request and return its refusal."""
        await self.send(message)
        frame = await self.expect_error(text)
        assert not code or frame["code"] == code, frame
        return frame

    async def arrive(self, username: str, *features: str, token: str = "") -> Frame:
        """Identify, be granted exactly these features, and keep the token, if one is given: when ``resume`` begins."""
        message = {"type": "identify", "username": username, "nickname": username.title(), "features": list(features)}
        begins = "resume" in features and "resume" not in self.features
        self.username, self.features = username, frozenset(features)
        frame = await self.call(message | ({"token": token} if token else {}), "identified", username=username)
        assert frame["features"] == sorted(features)
        assert ("token" in frame) == begins
        self.token = frame.get("token", self.token)
        return frame

    async def ack(self, frame: Frame) -> None:
        """Say that everything up to this message is safe."""
        await self.send({"type": "ack", "upTo": frame["offset"]})

    def friend(self) -> dict[str, str]:
        """Return how we look to a friend that was granted nothing."""
        return friend(self.username, self.username.title())

    # --- keys --------------------------------------------------------------------------------------------------------

    def check_friend(self, friend: dict[str, Any]) -> None:
        keys = {"username", "nickname"}
        keys |= {"online"} if "presence" in self.features else set()
        keys |= {"features"} if "objects" in self.features else set()
        assert set(friend) == keys, friend

    def _check(self, frame: Frame) -> None:
        type_, keys = frame["type"], set(frame) - {"type"}
        needed = KEYS.get(type_) or NEW_KEYS[type_]
        added = ADDED_KEYS.get(type_, {})
        granted = {key for key, feature in added.items() if feature in self.features or (self.features and not feature)}
        allowed = needed | granted | (set() if type_ in PUSHES else {"id"})
        allowed |= {"features"} if type_ == "identified" else set()
        assert needed <= keys <= allowed, f"{frame} has other keys"
        if "friend" in frame:
            (super().check_friend if type_ == "friend_disconnected" else self.check_friend)(frame["friend"])


async def befriend(inviter: PlainClient, redeemer: PlainClient) -> str:
    """Make two identified clients friends by an invitation; return the connection id that both were told."""
    code = await inviter.invite()
    told = await redeemer.redeem(code)
    heard = await inviter.expect("friend_connected", connectionId=told["connectionId"])
    redeemer.check_friend(told["friend"])
    inviter.check_friend(heard["friend"])
    return str(told["connectionId"])
