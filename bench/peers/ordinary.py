"""The exchange written the ordinary way: Starlette WebSockets, pydantic models and redis-py's asyncio client.

It speaks the part of the wire that the bench uses: identify, create_invite, connect, ask, answer. Messages cross nodes by
Redis pub/sub, one channel a user. Friends are known from memory, as in the exchange; there are no limits, logs, metrics or
leases. Nothing here is made slow on purpose: it is what the documentation of the three libraries leads to.
"""

import argparse
import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

import uvicorn
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

INVITE_SECONDS = 1800


class Identify(BaseModel):
    type: Literal["identify"]
    username: str
    nickname: str | None = None


class CreateInvite(BaseModel):
    type: Literal["create_invite"]


class Connect(BaseModel):
    type: Literal["connect"]
    code: str


class Message(BaseModel):
    type: Literal["ask", "answer"]
    content: Any
    to: str


Request = TypeAdapter[Identify | CreateInvite | Connect | Message](
    Annotated[Identify | CreateInvite | Connect | Message, Field(discriminator="type")]
)


class Friend(BaseModel):
    username: str
    nickname: str


class Linked(BaseModel):
    type: Literal["friend_connected", "connected_to_friend"]
    connectionId: str
    friend: Friend


class Delivery(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True)

    type: Literal["question", "answer"]
    content: Any
    sender: str = Field(serialization_alias="from")
    fromNickname: str


class Receipt(BaseModel):
    type: Literal["question_sent", "answer_sent"]
    content: Any
    to: str


class Session:
    """One connected user."""

    def __init__(self, node: "Node", socket: WebSocket) -> None:
        self.node = node
        self.socket = socket
        self.me = Friend(username="", nickname="")
        self.friends: dict[str, Friend] = {}

    async def run(self) -> None:
        await self.socket.accept()
        await self.socket.send_json({"type": "connected", "clientId": secrets.token_hex(16)})
        try:
            while True:
                await self.handle(Request.validate_json(await self.socket.receive_text()))
        except WebSocketDisconnect:
            pass
        finally:
            await self.node.leave(self)

    async def handle(self, request: Identify | CreateInvite | Connect | Message) -> None:
        match request:
            case Message():
                await self.forward(request)
            case Identify():
                await self.identify(request)
            case CreateInvite():
                await self.invite()
            case Connect():
                await self.connect(request)

    async def forward(self, message: Message) -> None:
        friend = self.friends.get(message.to)
        if friend is None:
            await self.refuse(f"No active connection with {message.to}")
            return
        asks = message.type == "ask"
        delivery = Delivery(
            type="question" if asks else "answer",
            content=message.content,
            sender=self.me.username,
            fromNickname=self.me.nickname,
        )
        if not await self.node.redis.publish(f"user:{friend.username}", delivery.model_dump_json()):
            await self.refuse(f"{friend.nickname} is not connected")
            return
        receipt = Receipt(type="question_sent" if asks else "answer_sent", content=message.content, to=friend.nickname)
        await self.socket.send_text(receipt.model_dump_json())

    async def identify(self, request: Identify) -> None:
        self.me = Friend(username=request.username, nickname=request.nickname or request.username)
        if not await self.node.redis.set(f"name:{self.me.username}", "held", nx=True):
            await self.refuse("Username already taken")
            return
        await self.node.enter(self)
        await self.socket.send_json({"type": "identified", **self.me.model_dump(), "clientId": secrets.token_hex(16)})

    async def invite(self) -> None:
        code = secrets.token_hex(3).upper()
        await self.node.redis.set(f"invite:{code}", self.me.model_dump_json(), ex=INVITE_SECONDS)
        await self.socket.send_json(
            {"type": "invite_created", "code": code, "from": self.me.nickname, "expiresIn": "30 minutes"}
        )

    async def connect(self, request: Connect) -> None:
        invite = await self.node.redis.getdel(f"invite:{request.code.strip().upper()}")
        if invite is None:
            await self.refuse("Invalid or expired invitation code")
            return
        friend = Friend.model_validate_json(invite)
        self.friends[friend.username] = friend
        linked = Linked(type="friend_connected", connectionId=secrets.token_hex(8), friend=self.me)
        await self.node.redis.publish(f"user:{friend.username}", linked.model_dump_json())
        reply = Linked(type="connected_to_friend", connectionId=linked.connectionId, friend=friend)
        await self.socket.send_text(reply.model_dump_json())

    async def told(self, text: str) -> None:
        """Pass on what came over the user's channel."""
        if text.startswith('{"type":"friend_connected"'):
            friend = Linked.model_validate_json(text).friend
            self.friends[friend.username] = friend
        await self.socket.send_text(text)

    async def refuse(self, message: str) -> None:
        await self.socket.send_json({"type": "error", "message": message})


class Node:
    """The users of this process and its connections to Redis."""

    def __init__(self, redis_url: str) -> None:
        # Above redis-py's 100 connections its pool raises instead of waiting.
        self.redis = Redis.from_url(redis_url, decode_responses=True, max_connections=1000)
        self.channels = self.redis.pubsub()
        self.sessions: dict[str, Session] = {}

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        await self.channels.subscribe("node")  # reading wants at least one channel
        reader = asyncio.create_task(self.read())
        yield
        reader.cancel()
        await self.channels.aclose()  # type: ignore[no-untyped-call]  # redis-py leaves it unannotated
        await self.redis.aclose()

    async def read(self) -> None:
        async for message in self.channels.listen():
            if message["type"] == "message":
                session = self.sessions.get(message["channel"])
                if session is not None:
                    await session.told(message["data"])

    async def enter(self, session: Session) -> None:
        channel = f"user:{session.me.username}"
        self.sessions[channel] = session
        await self.channels.subscribe(channel)

    async def leave(self, session: Session) -> None:
        channel = f"user:{session.me.username}"
        if self.sessions.pop(channel, None) is not None:
            await self.channels.unsubscribe(channel)
            await self.redis.delete(f"name:{session.me.username}")

    async def serve(self, socket: WebSocket) -> None:
        await Session(self, socket).run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--redis-url", required=True)
    options = parser.parse_args()
    node = Node(options.redis_url)
    app = Starlette(routes=[WebSocketRoute("/", node.serve)], lifespan=node.lifespan)
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
