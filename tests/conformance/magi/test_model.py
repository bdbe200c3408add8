"""Random commands by four clients on two nodes: every frame is the one that the model of the wire predicts."""

import asyncio
import contextlib

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.conformance.magi.client import PlainClient
from tests.conformance.magi.model import Seat, Wire
from tests.conformance.magi.places import Place
from tests.conformance.magi.requirements import covers
from tests.harness.in_process import Running, in_process
from tests.harness.waiting import eventually

SEATS = range(4)
NAMES = ("ann", "Bob", "cat@example.com", "friend")
NICKS = (None, "Ann", "B", "cat")
TARGETS = (None, "", "anyone", *NAMES, "ANN", "@cat", "cat", "b", "nobody")
CONTENTS = (None, "?", 1.5, [1, {"a": None}], False, "")
OVERRIDES = {
    "session": {"grace_seconds": 60.0},
    "limits": {
        "asks_per_minute_count": 0,
        "open_invites_count": 1000,
        "redeem_failures_connection_count": 1000,
        "redeem_failures_address_count": 1000,
    },
}
seats = st.sampled_from(SEATS)
types = st.sampled_from(("ask", "answer"))
EXAMPLES = {"nightly": 500}
"""Runs by profile (``--hypothesis-profile``); any other profile makes 40."""


class Conversation(RuleBasedStateMachine):
    """Four clients with an address each, who come and go."""

    def __init__(self, runner: asyncio.Runner, running: Running) -> None:
        super().__init__()
        self.runner = runner
        self.running = running
        self.place = Place("memory", running.ports)
        self.wire = Wire()
        self.clients: dict[int, PlainClient] = {}
        self.seats: dict[int, Seat] = {}
        self.codes: list[str] = ["ZZZZZZ"]

    @initialize()
    def start(self) -> None:
        for number, name in enumerate(NAMES):
            self.connect(number, number % 2)
            self.identify(number, name, None)
        for inviter, redeemer in ((0, 1), (2, 0), (0, 3)):
            self.befriend(inviter, redeemer)
            self.everybody_was_told_exactly_what_the_wire_says()

    def teardown(self) -> None:
        async def end() -> None:
            await asyncio.gather(*(client.vanish() for client in self.clients.values()))
            await eventually(lambda: not any(self.running.memory.noted.values()))

        self.runner.run(end())

    # --- steps -------------------------------------------------------------------------------------------------------

    @rule(number=seats, node=st.integers(0, 1))
    def connect(self, number: int, node: int) -> None:
        if number not in self.clients:
            client = self.runner.run(self.place.client(node, address=self.place.address(number)))
            self.clients[number] = client
            self.seats[number] = Seat(client.client_id, client.address)

    @rule(number=seats, name=st.sampled_from(NAMES), nick=st.sampled_from(NICKS))
    def identify(self, number: int, name: str, nick: str | None) -> None:
        if number in self.clients:
            message = {"type": "identify", "username": name, "nickname": nick}
            self._request(number, message, lambda seat, _: self.wire.identify(seat, name, nick or name))

    @rule(number=seats)
    def create_invite(self, number: int) -> None:
        if number not in self.clients:
            return
        if self.seats[number].person is None:
            text = "Please identify yourself first using the identify message"
            self._request(number, {"type": "create_invite"}, lambda *_: [{"type": "error", "message": text}])
            return
        self._request(number, {"type": "create_invite"}, lambda seat, frame: self.wire.invited(seat, frame["code"]))
        self.codes.append(list(self.wire.invites)[-1])

    @rule(number=seats, pick=st.integers(0, 5), lower=st.booleans())
    def redeem(self, number: int, pick: int, lower: bool) -> None:
        if number in self.clients:
            code = self.codes[-1 - pick % len(self.codes)]
            message = {"type": "connect", "code": f" {code.lower()}" if lower else code}
            self._request(
                number, message, lambda seat, frame: self.wire.redeem(seat, code, frame.get("connectionId", ""))
            )

    @rule(inviter=seats, redeemer=seats)
    def befriend(self, inviter: int, redeemer: int) -> None:
        if inviter in self.clients and redeemer in self.clients:
            self.create_invite(inviter)
            self.redeem(redeemer, 0, lower=True)

    @rule(number=seats, other=seats, type_=types)
    def send_by_name(self, number: int, other: int, type_: str) -> None:
        if other in self.seats and (person := self.seats[other].person) is not None:
            self.send(number, type_, person.name, "hello")

    @rule(number=seats, to=st.sampled_from((None, "", "anyone", "FRIEND")), type_=types)
    def send_to_any_friend(self, number: int, to: str | None, type_: str) -> None:
        self.send(number, type_, to, "hello")

    @rule(number=seats, type_=types, to=st.sampled_from(TARGETS), content=st.sampled_from(CONTENTS))
    def send(self, number: int, type_: str, to: str | None, content: object) -> None:
        if number in self.clients and self.wire.is_certain(self.seats[number], to):
            message = {"type": type_, "content": content, "to": to}
            self._request(number, message, lambda seat, _: self.wire.send(seat, type_, content, to))

    @rule(number=seats, abruptly=st.booleans())
    def disconnect(self, number: int, abruptly: bool) -> None:
        if self._may_leave(number):
            client = self.clients.pop(number)
            self.runner.run(client.vanish() if abruptly else client.close())
            self.wire.leave(self.seats.pop(number))
            self.runner.run(eventually(lambda: self._forgotten(client.client_id)))

    @rule(number=seats, node=st.integers(0, 1))
    def reconnect(self, number: int, node: int) -> None:
        if self._may_leave(number) and (person := self.seats[number].person) is not None:
            name, nick = person.name, person.nick
            self.disconnect(number, abruptly=False)
            self.connect(number, node)
            self.identify(number, name, nick)

    @invariant()
    def everybody_was_told_exactly_what_the_wire_says(self) -> None:
        async def all_quiet() -> None:
            await asyncio.gather(
                *(self._read_pushes(self.clients[number], self.seats[number]) for number in self.clients)
            )

        self.runner.run(all_quiet())

    # --- parts -------------------------------------------------------------------------------------------------------

    def _request(self, number: int, message: dict, predict) -> None:
        client, seat = self.clients[number], self.seats[number]

        async def exchange() -> None:
            await client.send(message)
            frame = await client.next()
            assert [frame] == predict(seat, frame), f"{message} was answered by {frame}"

        self.runner.run(exchange())

    async def _read_pushes(self, client: PlainClient, seat: Seat) -> None:
        frames = [await client.next() for _ in seat.pushes]
        # Friendships that come back together come in no promised order.
        assert sorted(frames, key=repr) == sorted(seat.pushes, key=repr)
        seat.pushes.clear()
        await client.nothing_more()

    def _may_leave(self, number: int) -> bool:
        """What becomes of a friendship whose two ends leave before it ever stood, the wire does not say."""
        if number not in self.clients:
            return False
        person = self.seats[number].person
        return person is None or not any(link.waiting for link in person.links.values())

    def _forgotten(self, sid: str) -> bool:
        return not any(sid in noted for noted in self.running.memory.noted.values())


@covers("MAGI-8.a", "MAGI-11.a", "MAGI-27.a", "MAGI-31.a", "MAGI-32.a", "WIRE-5.a")
@pytest.mark.timeout(1800)
def test_conversations_are_as_the_model_predicts():
    async def open_exchange() -> Running:
        return await stack.enter_async_context(in_process("memory", OVERRIDES))

    async def close_exchange() -> None:
        for node in running.nodes:
            # Lapses that wait for the end of the grace are not worth waiting for.
            for task in tuple(node.exchange._tasks):
                task.cancel()
        await stack.aclose()

    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        running = runner.run(open_exchange())
        try:
            run_state_machine_as_test(
                lambda: Conversation(runner, running),
                settings=settings(
                    max_examples=EXAMPLES.get(settings.get_current_profile_name(), 40),
                    stateful_step_count=80,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(close_exchange())
