"""Sections 3.4 and 3.5: questions, answers, and content of every kind."""

import json

from tests.conformance.magi.client import befriend
from tests.conformance.magi.places import Place
from tests.conformance.magi.requirements import covers

CONTENTS = [
    '"hello"',
    '""',
    '" spaces  inside "',
    '"\\u00e9\\u4e2d\\ud83d\\ude00 é中😀 \\/ \\" \\\\ \\n"',
    '"<script>&amp;</script>"',
    '"null"',
    "0",
    "-0",
    "1.0",
    "1.10",
    "1e5",
    "1E+5",
    "-1.5e-3",
    "123456789012345678901234567890",
    "0.1000000000000000055511151231257827",
    "1e400",
    "true",
    "false",
    "[]",
    "{}",
    "[ 1 ,2,  3 ]",
    '{ "b" : 1 , "a" : [ { } , null ] }',
    '{"a":1,"a":2}',
    '{"type":"error","message":"not mine","to":"x","from":"y"}',
    '{"nested":' + "[" * 50 + "]" * 50 + "}",
    '[\n\t1,\r\n"two"\n]',
    '"\u2028\u2029\ufeff"',
    '"' + "long " * 20_000 + '"',
]
"""JSON texts that a careless server would change."""


@covers("MAGI-25.a", "MAGI-25.b", "ORIGINALS.f", "ORIGINALS.g")
async def content_comes_out_byte_for_byte_as_it_went_in(place: Place):
    ada, bob = await place.friends()
    for content in CONTENTS:
        await ada.send('{"type":"ask","to":"bob","content":' + content + "}")
        question = await bob.expect("question", from_="ada", fromNickname="Ada")
        assert question.raw_content == content
        receipt = await ada.expect("question_sent", to="Bob")
        assert receipt.raw_content == content


@covers("MAGI-26.a", "MAGI-26.b", "ORIGINALS.f", "ORIGINALS.g")
async def an_answer_carries_content_just_as_well_and_needs_no_question(place: Place):
    ada, bob = await place.friends()
    for content in CONTENTS:
        await ada.send('{"content":' + content + ',"type":"answer","to":"bob"}')
        push = await bob.expect("answer", from_="ada", fromNickname="Ada")
        assert push.raw_content == content
        receipt = await ada.expect("answer_sent", to="Bob")
        assert receipt.raw_content == content
    await bob.answer("unasked", "ada")
    await ada.expect("answer", from_="bob", content="unasked")


@covers("MAGI-25.b", "MAGI-26.a", "SECTION-4.b")
async def a_question_and_its_answer_go_round(place: Place):
    ada, bob = await place.friends()
    await ada.call({"type": "ask", "content": "?", "to": "bob"}, "question_sent", content="?", to="Bob")
    await bob.expect("question", content="?", from_="ada", fromNickname="Ada")
    await bob.call({"type": "answer", "content": "!", "to": "ada"}, "answer_sent", content="!", to="Ada")
    await ada.expect("answer", content="!", from_="bob", fromNickname="Bob")
    await ada.nothing_more()
    await bob.nothing_more()


@covers("MAGI-25.c", "SECTION-5.b")
async def missing_content_is_refused_where_it_is_needed_and_not_before(place: Place):
    ada, bob = await place.friends()
    eve = await place.person("eve", "Eve", 1)
    stranger = await place.client(0)
    for type_, hint in (("ask", ". Create an invite first."), ("answer", "")):
        for missing in ({}, {"content": None}):
            empty = {"type": type_, **missing}
            await stranger.refused(empty, "Please identify yourself first")
            await ada.refused(empty | {"to": "nobody"}, "User 'nobody' not found or not connected")
            await ada.refused(empty | {"to": "eve"}, f"No active connection with Eve{hint}")
            await ada.refused(empty | {"to": "bob"}, "Invalid message format")
            await ada.refused(empty, "Invalid message format")
    nobody = "No active connection. Please connect first."
    await eve.refused({"type": "ask"}, nobody)
    await bob.nothing_more()
    await eve.nothing_more()


@covers("MAGI-25.d")
async def reachability_is_checked_before_content(place: Place):
    ada, bob = await place.friends()
    cy = await place.person("cy", node=1)
    code = await ada.invite()
    await ada.close()
    await bob.expect("friend_disconnected")
    await cy.redeem(code)
    await cy.refused({"type": "ask", "to": "ada"}, "Ada is not connected")


@covers("MAGI-50.a", "MAGI-50.b", "MAGI-25.e", "SECTION-5.q", limits={"asks_per_minute_count": 10})
async def the_eleventh_ask_of_a_minute_is_refused_and_answers_are_not_limited(place: Place):
    ada, bob = await place.friends()
    for number in range(10):
        await ada.ask(number)
        await bob.expect("question", content=number)
    await ada.send({"type": "ask", "content": "too much"})
    text = (await ada.expect("error"))["message"]
    assert text in {f"Rate limit exceeded. Try again in {seconds} seconds." for seconds in range(1, 7)}
    await ada.refused({"type": "ask"}, "Invalid message format")
    for number in range(12):
        await ada.answer(number)
        await bob.expect("answer", content=number)
    await bob.nothing_more()


@covers("MAGI-50.c", "MAGI-52.c", limits={"asks_per_minute_count": 10})
async def only_asks_that_are_forwarded_count(place: Place):
    ada, bob = await place.friends()
    await place.person("eve", "Eve", 1)
    for _ in range(12):
        await ada.refused({"type": "ask", "content": 1, "to": "x"}, "User 'x' not found or not connected")
        await ada.refused({"type": "ask"}, "Invalid message format")
        await ada.refused(
            {"type": "ask", "content": 1, "to": "eve"}, "No active connection with Eve. Create an invite first."
        )
    for number in range(10):
        await ada.ask(number)
        await bob.expect("question", content=number)


@covers("MAGI-50.d", "MAGI-52.c", limits={"asks_per_minute_count": 10})
async def a_quick_reconnect_to_another_node_brings_no_new_asks(place: Place):
    ada, bob = await place.friends()
    for number in range(10):
        await ada.ask(number)
        await bob.expect("question", content=number)
    await ada.close()
    await bob.expect("friend_disconnected")
    again = await place.client(1)
    await place.claim(again, "ada")
    await again.send({"type": "ask", "content": 1})
    assert (await again.expect("error"))["message"].startswith("Rate limit exceeded. Try again in ")


@covers("MAGI-44.b")
async def nobody_learns_of_friendships_between_others(place: Place):
    ada, bob = await place.friends()
    eve = await place.person("eve", node=1)
    await befriend(bob, eve)
    await ada.ask("secret", "bob")
    await bob.expect("question")
    await ada.close()
    await bob.expect("friend_disconnected")
    await eve.nothing_more()
    for path in ("/api/stats", "/api/status", "/health"):
        text = (await place.request("GET", path)).text
        assert not any(json.dumps(name) in text for name in ("ada", "bob", "eve", "Ada", "Bob"))
