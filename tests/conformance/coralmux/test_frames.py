"""Section 4: what is passed on, what is answered, and what is dropped."""

import json

import pytest

from tests.conformance.coralmux.client import Client, envelope, one_after
from tests.conformance.coralmux.places import Place
from tests.conformance.magi.requirements import covers

pytestmark = pytest.mark.asyncio(loop_scope="session")

BOTH: tuple[tuple[str, object], ...] = (
    (
        "chat.send",
        {
            "text": "hi",
            "agent_id": "main",
            "attachments": [{"type": "image", "mime_type": "x/y", "content_b64": "AA=="}],
        },
    ),
    ("chat.send", {"text": "hi", "model": "m", "options": {}, "conversation": [{"role": "user", "content": "hi"}]}),
    ("chat.error", {"code": "BACKEND_ERROR", "message": "no"}),
    ("chat.error", {"code": "DECRYPTION_FAILED", "message": "no", "retry_after_ms": 0}),
    ("chat.error", {"code": "GROUP_SEND_FAILED", "message": "no"}),
    ("chat.tool_status", {"tool": "web_search", "status": "running"}),
    ("chat.history", {"agent_id": "main", "limit": 50}),
    ("chat.history.result", {"messages": [{"role": "user", "content": "hi", "timestamp": 1707451200000}]}),
    ("key_exchange", {"pubkey": "EXzjmDbAVgV9P55lBlNtdMDx7Gaw7LEOE846VLURvBA="}),
    ("agent.list", {}),
    (
        "agent.list.result",
        {"agents": [{"id": "main", "name": "아리아", "description": "d", "avatar_url": "https://x"}]},
    ),
    ("agent.create", {"name": "n", "model": "m", "system_prompt": "s", "temperature": 0.7}),
    ("agent.update", {"id": "i", "name": "n", "model": "m", "system_prompt": "s", "temperature": 1}),
    ("agent.delete", {"id": "i"}),
    ("agent.result", {"ok": False, "action": "delete", "error": "no"}),
    ("memory.search", {"agent_id": "main", "query": "지난주", "limit": 20}),
    ("memory.search.result", {"results": [{"path": "a.md", "snippet": "## x", "score": 0.85}]}),
    ("group.list", {}),
    ("group.list.result", {"rooms": [{"id": "u", "name": "r", "participants": ["main"], "last_message_at": 1}]}),
    ("group.messages", {"room_id": "u", "limit": 50, "before": 1707451200000}),
    ("group.messages.result", {"room_id": "u", "messages": [{"id": "m", "sender_id": "main", "content": "x"}]}),
    ("group.send", {"room_id": "u", "text": "다들 안녕!"}),
    ("group.message", {"room_id": "u", "message": {"id": "m", "content": "x"}}),
    ("system.status", {}),
    ("system.status.result", {"cpu_percent": 12.5, "gpu_percent": None, "uptime_seconds": 86400}),
)
"""Every type that both may send, with a payload as it is known (CORAL-18)."""

OTHERS = ("group.anything", "group.a.b.c", "group.", "system.reboot", "file.offer", "file.chunk", "file.x.y", "file.")
"""Actions that nobody has defined (CORAL-17)."""

AGENT_ONLY = (
    ("chat.stream", {"delta": "Hello! ", "seq": 1}),
    ("chat.done", {"full_text": "Hello!", "usage": {"prompt_tokens": 1, "completion_tokens": 2}}),
    ("chat.done", {"full_text": "x", "attachments": [{"type": "image", "mime_type": "image/png", "url": "data:,"}]}),
)

SPOKEN_BY_THE_RELAY = (
    ("auth", {"token": "x", "role": "phone"}),
    ("auth.ok", {"paired": True, "daily_quota_bytes": 1, "daily_used_bytes": 0}),
    ("auth.fail", {"code": "UNAUTHORIZED", "message": "Invalid pairing token"}),
    ("status", {"peer": "online"}),
    ("status", {"peer": "offline"}),
)

NOTHING = (
    *(
        "",
        "chat",
        "chat.",
        "chat.sent",
        "chat.send.x",
        "Chat.send",
        "chat.send ",
        "CHAT.SEND",
        "chat.stream.x",
        "chat.typing",
    ),
    *(
        "group",
        "system",
        "file",
        "groups.list",
        "xgroup.list",
        "System.status",
        "files.offer",
        "agent",
        "agent.",
        "agent.call",
    ),
    *(
        "agent.list.result.x",
        "memory",
        "memory.",
        "memory.add",
        "key_exchange.x",
        "key",
        "status.x",
        "auth.other",
        "auth.",
    ),
    *("ping.x", "PING", "error", "unknown", "\u0000", "è"),
)
"""Types that mean nothing here."""


@covers("CORAL-17", "CORAL-18", "CORAL-4")
async def test_every_known_type_is_passed_on_from_both_sides(place: Place):
    phone, agent = await place.pair()
    for type_, payload in BOTH:
        await phone.passes(agent, envelope(type_, payload))
        await agent.passes(phone, envelope(type_, payload))


@covers("CORAL-17")
async def test_any_action_of_group_system_and_file_is_passed_on_from_both_sides(place: Place):
    phone, agent = await place.pair()
    for type_ in OTHERS:
        await phone.passes(agent, envelope(type_, {"any": "thing"}))
        await agent.passes(phone, envelope(type_, {"any": "thing"}))


@covers("CORAL-18")
async def test_payloads_are_not_looked_at(place: Place):
    phone, agent = await place.pair()
    for payload in ("null", "[]", "5", '"text"', '{"text":5}', '{"token":"x","role":"agent"}', '{"peer":"offline"}'):
        await phone.passes(agent, f'{{"type":"chat.send","payload":{payload}}}')
    await agent.passes(phone, '{"type":"chat.stream","payload":{"seq":-1}}', '{"type":"chat.done"}')


@covers("CORAL-18")
async def test_an_agent_streams_and_a_phone_must_not(place: Place):
    phone, agent = await place.pair()
    for type_, payload in AGENT_ONLY:
        await agent.passes(phone, envelope(type_, payload))
        await phone.say(type_, payload)
        await phone.refused("INVALID_MESSAGE", "Phone cannot send stream messages")
    await one_after(phone, agent)


@covers("CORAL-4", "CORAL-10")
async def test_no_client_can_speak_for_the_relay(place: Place):
    phone, agent = await place.pair()
    for sender, receiver in ((phone, agent), (agent, phone)):
        for type_, payload in SPOKEN_BY_THE_RELAY:
            text = envelope(type_, payload)
            await sender.send(
                text, text.encode(), json.dumps(json.loads(text), indent=2).replace("type", "\\u0074ype", 1)
            )
        await sender.nothing_more()
        await one_after(sender, receiver)


@covers("CORAL-4")
async def test_a_type_that_means_nothing_is_dropped_without_a_word(place: Place):
    phone, agent = await place.pair()
    for sender, receiver in ((phone, agent), (agent, phone)):
        for type_ in NOTHING:
            await sender.say(type_, {"peer": "offline"})
        await sender.send("{}", '{"payload":{}}', '{"type":null}')
        await sender.nothing_more()
        await one_after(sender, receiver)


@covers("CORAL-5")
async def test_a_json_ping_is_answered_and_a_pong_consumed(place: Place):
    phone, agent = await place.pair()
    for client, other in ((phone, agent), (agent, phone)):
        for text in ('{"type":"ping"}', '{"type":"ping","payload":{"x":1}}', '{"type":"ping","payload":null}'):
            await client.send(text)
            await client.expect("pong", {})
        await client.send('{"type":"pong"}', '{"type":"pong","payload":null}', '{"type":"pong","payload":{}}')
        await client.nothing_more()
        await other.nothing_more()
        await one_after(client, other)


@covers("CORAL-5", "CORAL-19")
async def test_a_ping_is_answered_without_a_peer_and_keeps_its_place_among_the_answers(place: Place):
    phone = await place.phone(await place.token())
    await phone.send(envelope("ping"), envelope("chat.send"), envelope("ping"), "?", envelope("ping"))
    await phone.expect("pong", {})
    await offline(phone)
    await phone.expect("pong", {})
    await phone.refused("INVALID_MESSAGE", "Invalid JSON message")
    await phone.expect("pong", {})


async def offline(client: Client) -> None:
    """Read that the peer is not there."""
    await client.refused("PEER_OFFLINE", "Peer is not connected")
