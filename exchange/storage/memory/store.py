"""A store in memory, as one simulated node sees it."""

from exchange.ports import Allowances, Caps, Store
from exchange.storage.memory.clock import Clock
from exchange.storage.memory.dues import Dues
from exchange.storage.memory.histories import Histories
from exchange.storage.memory.invites import Invites
from exchange.storage.memory.jobs import Jobs
from exchange.storage.memory.leases import Leases
from exchange.storage.memory.limits import Limits
from exchange.storage.memory.links import Links
from exchange.storage.memory.mailboxes import Mailboxes
from exchange.storage.memory.names import Names
from exchange.storage.memory.pairs import Pairs
from exchange.storage.memory.repeats import Repeats
from exchange.storage.memory.slots import Slots
from exchange.storage.memory.state import Memory
from exchange.storage.memory.tallies import Tallies
from exchange.storage.memory.users import Users
from exchange.storage.memory.wakes import Wakes

CAPS = Caps()
ALLOWANCES = Allowances()


def memory_store(state: Memory, caps: Caps = CAPS, allowances: Allowances = ALLOWANCES) -> Store:
    """Return the ports of one more simulated node; all nodes on one ``state`` share everything but their wakes."""
    return Store(
        clock=Clock(state),
        names=Names(state),
        users=Users(state),
        links=Links(state),
        invites=Invites(state),
        wakes=Wakes(state),
        mailboxes=Mailboxes(state, caps),
        dues=Dues(state),
        histories=Histories(state),
        limits=Limits(state),
        repeats=Repeats(state),
        leases=Leases(state),
        tallies=Tallies(state),
        jobs=Jobs(state),
        pairs=Pairs(state, allowances),
        slots=Slots(state, allowances),
    )
