"""The place of one user."""

from exchange.core.model import Link
from exchange.core.session import Session
from exchange.core.user import LocalUser
from exchange.node.seat import Seat


class Deaf:
    def tell(self, event: object) -> None:
        raise AssertionError(f"told: {event}")


class Delivery:
    ended = 0

    def end(self) -> None:
        self.ended += 1


async def test_at_its_end_a_seat_tells_nothing_more_and_ends_its_delivery():
    seat = Seat(LocalUser("u1", "ann", "Ann"), Session("client", dialect="magi", address="", since_ms=0), Deaf())
    seat.flaps.begin(Link("u2", "c1", "bob", "Bob"), 60.0, lambda: None)
    seat.delivery = delivery = Delivery()
    seat.end()
    assert delivery.ended == 1
    assert seat.flaps.end("u2") is None


def test_a_seat_without_mail_ends_too():
    Seat(LocalUser("u1", "ann", "Ann"), Session("client", dialect="magi", address="", since_ms=0), Deaf()).end()
