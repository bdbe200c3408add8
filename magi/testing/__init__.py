"""A scripted exchange, for tests of clients (CLI-16).

It listens on a real loopback socket and speaks the mAgi wire. It greets and identifies by itself; the test says the rest::

    async with ScriptedExchange() as exchange:
        ...  # a client connects to exchange.address as "ada"
        heard = await exchange.expect(Ask, "ada")
        await exchange.reply(heard, QuestionSent(content=heard.request.content, to="Bob", status="queued"))
        await exchange.push("ada", FriendDisconnected(Friend("bob", "Bob")))
        await exchange.drop("ada")

Users that the test has named in ``pair`` or ``serve`` are answered by house rules: their messages are really forwarded, with a
mailbox for those who can use one. ``stall`` holds that up, ``drop_reply`` breaks the connection at the worst moment. A plain
exchange (``features=()``) knows nothing of MAGI section 12.

What an exchange has to promise is in docs/protocols/magi.md; this one promises to do what the script says.
"""

from magi.testing.exchange import FEATURES, Heard, ScriptedExchange

__all__ = ["FEATURES", "Heard", "ScriptedExchange"]
