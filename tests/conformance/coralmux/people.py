"""A phone and an agent as they are in the field: they connect, exchange keys, talk encrypted, and know nothing of a relay's inside.

::

    agent  auth.ok --key_exchange--> ...                  status online: new keys --key_exchange--> phone
    phone  auth.ok ... key_exchange of the agent: agree --key_exchange--> agent       then chat.send, encrypted
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from websockets.exceptions import ConnectionClosed

from tests.conformance.coralmux.client import Client, Frame, envelope
from tests.conformance.coralmux.e2e import Cipher, KeyPair, Unusable, is_sealed
from tests.harness.waiting import WAIT_SECONDS

FIRST_FRAME_SECONDS = 10.0
CHUNK_CHARACTERS = 5


class GivenUp(Exception):
    """The relay said ``auth.fail``: the agent's program ends."""


class Person:
    """What both ends do. It reads all the time; ``stop`` ends it."""

    role = ""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.keys = KeyPair()
        self.cipher: Cipher | None = None
        self.paired = False
        self.errors: list[dict[str, Any]] = []
        """Payloads of every ``chat.error``."""
        self._reader: asyncio.Task[None] | None = None

    async def start(self, token: str) -> None:
        """Authenticate and begin to listen.

        Raises:
            GivenUp: The relay said ``auth.fail``.
            ConnectionClosed: It closed without a word, so we would come back later.
        """
        await self.client.say("auth", {"token": token, "role": self.role})
        async with asyncio.timeout(FIRST_FRAME_SECONDS):
            first = Frame(str(await self.client.socket.recv()))
        if first["type"] == "auth.fail":
            raise GivenUp(first["payload"]["message"])
        # After any other first frame the original carries on and never sends its key.
        assert first["type"] == "auth.ok", first.text
        self.paired = first["payload"]["paired"]
        await self.entered()
        self._reader = asyncio.get_running_loop().create_task(self._read())

    async def stop(self) -> None:
        """Leave in order; whatever went wrong while it listened is raised here."""
        await self.client.close()
        if self._reader is not None:
            await asyncio.wait_for(self._reader, WAIT_SECONDS)

    async def heard(self, type_: str, payload: Any) -> None:
        """Take a frame that came from the peer, opened if it was sealed."""
        raise NotImplementedError

    async def entered(self) -> None:
        """Do what follows ``auth.ok``."""

    async def renew(self) -> None:
        """The peer has a new connection: no key of before is good."""
        self.forget()
        self.keys = KeyPair()

    def forget(self) -> None:
        """There is nobody now who has our key."""
        self.cipher = None

    async def agree(self, public: object) -> None:
        """Take the peer's newest public key."""
        self.cipher = self.keys.agree(public)

    async def give_key(self) -> None:
        await self.client.say("key_exchange", {"pubkey": self.keys.public})

    async def say(self, type_: str, payload: dict[str, Any]) -> None:
        """Send a payload to the peer, encrypted if there is a key."""
        await self.client.send(envelope(type_, payload if self.cipher is None else self.cipher.seal(payload)))

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in self.client.socket:
                await self._take(Frame(str(message)))

    async def _take(self, frame: Frame) -> None:
        type_, payload = frame["type"], frame["payload"]
        match type_:
            case "ping":
                await self.client.say("pong")
            case "pong":
                pass
            case "status" if payload["peer"] == "online":
                await self.renew()
            case "status":
                self.forget()
            case "key_exchange":
                await self.agree(payload["pubkey"])
            case "chat.error":
                self.errors.append(payload)
            case _ if is_sealed(payload):
                await self._open(type_, payload)
            case _:
                await self.heard(type_, payload)

    async def _open(self, type_: str, wrapper: dict[str, Any]) -> None:
        try:
            payload = self.cipher.open(wrapper) if self.cipher is not None else wrapper
        except Unusable:
            await self.client.say("chat.error", {"code": "DECRYPTION_FAILED", "message": "Decryption failed"})
        else:
            # Without a key the original takes the wrapper for plain text: nothing says that something is wrong.
            await self.heard(type_, payload)


class Agent(Person):
    """The original connector (section 9): a new key pair for every ``status online``, and one right after ``auth.ok``."""

    role = "agent"

    def __init__(self, client: Client, answer: Callable[[str], str] = lambda text: f"You said: {text}") -> None:
        super().__init__(client)
        self.answer = answer
        self.questions: list[str] = []
        self.misread: list[Any] = []
        """Payloads without a text: what the silent failure of section 3 looks like. There must be none."""

    async def entered(self) -> None:
        await self.give_key()

    async def renew(self) -> None:
        await super().renew()
        await self.give_key()

    async def heard(self, type_: str, payload: Any) -> None:
        if type_ != "chat.send":
            return
        if "text" not in payload:
            self.misread.append(payload)
            return
        self.questions.append(payload["text"])
        text = self.answer(payload["text"])
        for seq, start in enumerate(range(0, len(text), CHUNK_CHARACTERS), 1):
            await self.say("chat.stream", {"delta": text[start : start + CHUNK_CHARACTERS], "seq": seq})
        await self.say("chat.done", {"full_text": text})


class Phone(Person):
    """A phone that keeps the order of CORAL-34: the agent's key, its own key, and only then what is encrypted."""

    role = "phone"

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self.ready = asyncio.Event()
        """Set while there is a key."""
        self._chunks: list[dict[str, Any]] = []
        self._asked: tuple[str, asyncio.Future[str]] | None = None

    def forget(self) -> None:
        super().forget()
        self.ready.clear()

    async def agree(self, public: object) -> None:
        await super().agree(public)
        # The agent has forgotten ours, or never had it.
        await self.give_key()
        self.ready.set()
        if self._asked is not None and not self._asked[1].done():
            # It was sealed with a key that is gone, so nobody could read it.
            await self._say_question()

    async def ask(self, text: str) -> str:
        """Ask the agent, encrypted, and return its answer: the chunks must come in order and make the whole."""
        async with asyncio.timeout(WAIT_SECONDS):
            await self.ready.wait()
            self._asked = text, asyncio.get_running_loop().create_future()
            await self._say_question()
            return await self._asked[1]

    async def _say_question(self) -> None:
        assert self._asked is not None
        self._chunks = []
        await self.say("chat.send", {"text": self._asked[0], "agent_id": "main"})

    async def heard(self, type_: str, payload: Any) -> None:
        assert self._asked is not None, f"{type_} without a question"
        if type_ == "chat.stream":
            self._chunks.append(payload)
        elif type_ == "chat.done":
            assert [chunk["seq"] for chunk in self._chunks] == list(range(1, len(self._chunks) + 1))
            assert "".join(chunk["delta"] for chunk in self._chunks) == payload["full_text"]
            self._asked[1].set_result(payload["full_text"])
