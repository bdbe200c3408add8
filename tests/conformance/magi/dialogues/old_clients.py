"""Section 15: the original clients, as models, talk through the exchange."""

import pytest

from tests.conformance.magi.originals import BridgeLibrary, Rejected, ScriptLibrary
from tests.conformance.magi.places import Place
from tests.conformance.magi.requirements import covers
from tests.harness.waiting import eventually


@covers("ORIGINALS.a", "ORIGINALS.b", "ORIGINALS.e", "ORIGINALS.g", "ORIGINALS.h", "MAGI-21.a")
async def the_two_original_clients_become_friends_and_talk(place: Place):
    script, bridge = ScriptLibrary(place, 0), BridgeLibrary(place, 1)
    await script.start()
    await bridge.start()
    await script.call({"type": "identify", "username": "ada@example.com", "nickname": "Ada"})
    await bridge.identify("bob@example.com")
    invited = await script.call({"type": "create_invite"})
    assert invited["from"] == "Ada"
    await bridge.command(f"magi connect {invited['code']}")
    await script.told("friend_connected")
    assert script.friends == {"bob@example.com": "bob@example.com"}
    assert bridge.friends == {"ada@example.com": "Ada"}
    receipt = await bridge.command("magi ask ada Are you there?")
    assert receipt["to"] == "Ada"
    question = await script.told("question")
    assert (question["from"], question["content"]) == ("bob@example.com", "are you there?")
    await script.call({"type": "answer", "content": "yes", "to": question["from"]})
    assert (await bridge.told("answer"))["from"] == "ada@example.com"
    await script.stop()
    await bridge.told("friend_disconnected")
    assert bridge.friends == {}
    await bridge.stop()
    assert script.unclaimed == bridge.unclaimed == []


@covers("ORIGINALS.d", "MAGI-27.c")
async def the_bridge_sends_anyone_and_friend_word_for_word(place: Place):
    script, bridge = ScriptLibrary(place, 0), BridgeLibrary(place, 1)
    for library, name in ((script, "ada"), (bridge, "bob")):
        await library.start()
        await library.call({"type": "identify", "username": name})
    code = (await bridge.command("magi invite"))["code"]
    await script.call({"type": "connect", "code": code})
    await bridge.told("friend_connected")
    for line in ("magi ask anyone what time is it", "magi ask Friend what time is it", "magi answer anyone noon"):
        await bridge.command(line)
        assert (await script.inbox.get())["from"] == "bob"
    await script.ask("and there?")
    assert (await bridge.told("question"))["from"] == "ada"
    for library in (script, bridge):
        await library.stop()
        assert library.unclaimed == []


@covers("ORIGINALS.b", "ORIGINALS.c", "MAGI-11.a")
async def an_error_settles_one_request_and_the_next_request_gets_its_own_reply(place: Place):
    for library in (ScriptLibrary(place, 0), BridgeLibrary(place, 1)):
        await library.start()
        for _ in range(3):
            with pytest.raises(Rejected, match="Please identify yourself first"):
                await library.call({"type": "ask", "content": 1})
            with pytest.raises(Rejected, match="Username is required"):
                await library.call({"type": "identify", "username": ""})
        await library.call({"type": "identify", "username": "ada"})
        with pytest.raises(Rejected, match=r"No active connection\. Please connect first\."):
            await library.call({"type": "ask", "content": 1, "to": "anyone"})
        assert (await library.call({"type": "create_invite"}))["from"] == "ada"
        await library.call({"type": "identify", "username": "away"})
        await library.stop()
        assert library.unclaimed == []


@covers("ORIGINALS.j", "MAGI-54.c")
async def the_bridge_comes_back_anonymous_and_its_user_identifies_again(place: Place):
    script, bridge = ScriptLibrary(place, 0), BridgeLibrary(place, 1)
    for library, name in ((script, "ada"), (bridge, "bob")):
        await library.start()
        await library.call({"type": "identify", "username": name})
    await bridge.call({"type": "connect", "code": (await script.call({"type": "create_invite"}))["code"]})
    await script.told("friend_connected")
    assert bridge.client is not None
    await bridge.client.vanish()
    await script.told("friend_disconnected")
    await bridge.reconnect()
    with pytest.raises(Rejected, match="Please identify yourself first"):
        await bridge.command("magi ask ada hello")
    await eventually(lambda: _identified(bridge, "bob"))
    await script.told("friend_connected")
    await bridge.command("magi ask ada hello")
    await script.told("question")
    await script.stop()
    await bridge.stop()
    assert script.unclaimed == bridge.unclaimed == []


async def _identified(bridge: BridgeLibrary, name: str) -> bool:
    """Type the command again until the name is free; that takes a moment after a lost connection."""
    try:
        await bridge.identify(name)
    except Rejected as rejected:
        return str(rejected) != "Username already taken"
    return True
