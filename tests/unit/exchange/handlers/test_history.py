"""Reading what was said, on one node with a store in memory."""

import pytest

from exchange.core.commands import ReadHistory
from exchange.core.errors import ExchangeError, FriendUnknown, Unusable
from exchange.core.features import FEATURES
from exchange.core.model import Kind, Record
from exchange.core.session import Session
from exchange.handlers.exchange import Policy
from exchange.handlers.history import read_history
from tests.harness.world import PERSISTENT, Place, befriend

KEEP_MS = 60_000


@pytest.fixture
async def place(memory) -> Place:
    return await Place(memory, "here", Policy(available=FEATURES, history_keep_ms=KEEP_MS, store_up_seconds=0)).start()


@pytest.fixture
async def session(place) -> Session:
    """Ann, who has said 60 things to Bob."""
    ann = await place.identified("ann", features=(*PERSISTENT, "offline", "history"))
    bob = await place.identified("bob", features=PERSISTENT)
    await befriend(ann, bob)
    user = ann.connection.session.identified()
    (link,) = user.links
    for number in range(60):
        record = Record(number, "", True, int(Kind.QUESTION), f"m{number}", "", str(number).encode())
        await place.store.histories.add(user.uid, link.connection, record, keep_ms=KEEP_MS)
    return ann.connection.session


def connection(session: Session) -> str:
    (link,) = session.identified().links
    return link.connection


async def refused(place: Place, session: Session, **fields: object) -> ExchangeError:
    with pytest.raises(ExchangeError) as refusal:
        await read_history(place.exchange, session, ReadHistory(**{"connection": connection(session), **fields}))
    return refusal.value


async def test_the_newest_are_read_first_and_older_ones_from_there(place, session):
    page = await read_history(place.exchange, session, ReadHistory(connection=connection(session)))
    assert [record.id for record in page.records] == [f"m{number}" for number in range(10, 60)]
    assert (page.connection, page.more) == (connection(session), True)
    older = ReadHistory(connection=connection(session), before=page.records[0].offset, most=100)
    page = await read_history(place.exchange, session, older)
    assert [record.id for record in page.records] == [f"m{number}" for number in range(10)]
    assert not page.more


async def test_only_histories_of_own_persistent_friendships_can_be_read(place, session):
    cat = await place.identified("cat")
    await befriend(cat, await place.identified("dan"))
    strange = connection(cat.connection.session)
    await befriend(cat, next(one for one in place.roster if one.session is session)._socket)
    plain = session.identified().links.named("cat").connection
    for wanted in (strange, plain, "nonsense", None):
        with pytest.raises(FriendUnknown):
            await read_history(place.exchange, session, ReadHistory(connection=wanted))


@pytest.mark.parametrize("fields", [{"most": 101}, {"most": -1}, {"before": "yesterday"}], ids=str)
async def test_what_cannot_be_given_is_refused(place, session, fields):
    assert type(await refused(place, session, **fields)) is Unusable


async def test_without_a_retention_there_is_no_such_request(here):
    ann = await here.identified("ann", features=(*PERSISTENT, "offline", "history"))
    assert "history" not in ann.heard[-1]["features"]
    assert (await ann.ask("history", connectionId="c1"))["message"] == "Unknown message type: history"
