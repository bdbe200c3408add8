"""Section 5: the texts that belong to no other section."""

import json

from tests.conformance.magi.places import Place
from tests.conformance.magi.requirements import covers

MALFORMED = "Invalid message format"


@covers("SECTION-5.a")
async def text_that_is_not_json_and_null_are_malformed(place: Place):
    client = await place.client()
    texts = [
        "",
        " ",
        "hello",
        "{",
        '{"type":"ask"',
        '{"type":"ask"}}',
        "{'type':'ask'}",
        "NaN",
        "undefined",
        "null",
        " null ",
    ]
    for text in texts:
        await client.refused(text, MALFORMED)
    await client.nothing_more()


@covers("SECTION-5.c")
async def an_unknown_type_is_repeated_and_cut(place: Place):
    client = await place.client()
    for type_ in ("ping", "", "Ask", "ASK", " ask", "question", "connected", "error", "é'\"", "x" * 200):
        await client.refused({"type": type_}, f"Unknown message type: {type_}")
    await client.refused({"type": "y" * 500}, f"Unknown message type: {'y' * 200}")
    await client.nothing_more()


@covers("SECTION-5.c")
async def a_type_that_is_no_string_is_printed_as_json(place: Place):
    client = await place.client()
    for text in ("null", "5", "true", '["ask"]', '{"a":1}'):
        await client.refused('{"type":' + text + "}", f"Unknown message type: {text}")


@covers("SECTION-5.f")
async def a_message_without_a_type_has_the_type_undefined(place: Place):
    client = await place.client()
    for value in ({}, {"username": "ada"}, {"Type": "ask"}, "ask", "", 0, 5, 1.5, True, False, [], [{"type": "ask"}]):
        await client.refused(json.dumps(value), "Unknown message type: undefined")
    client.names.clear()
    await client.nothing_more()


@covers("SECTION-5.g")
async def who_has_not_identified_is_told_so(place: Place):
    client = await place.client()
    await client.refused({"type": "create_invite"}, "Please identify yourself first using the identify message")
    for type_ in ("ask", "answer"):
        for extra in ({}, {"content": 1}, {"content": 1, "to": "nobody"}, {"content": 1, "to": "anyone"}):
            await client.refused({"type": type_} | extra, "Please identify yourself first")
