"""Tells friends how their questions stand here (CLI-12): ``held``, ``seen``, ``stalled``."""

from magi.client.model import Incoming, Kind
from magi.client.states import State
from magi.daemon.premises import Premises
from magi.desk.ports import Mode


class Reports:
    """Each change once. After a restart a state may be told again, which changes nothing at the friend's."""

    def __init__(self, premises: Premises) -> None:
        self._client = premises.client
        self._ledger = premises.store.ledger
        self._told: dict[tuple[str, str], State] = {}

    async def tell(self, question: Incoming, state: State) -> None:
        """Tell the friend, if its client understands it. A muted one hears nothing: silence says less."""
        key = (question.sender, question.id)
        if question.kind is not Kind.ASK or self._told.get(key) is state:
            return
        if await self._ledger.mode(question.sender) is Mode.MUTE:
            return
        if await self._client.report(question, state):
            self._told[key] = state

    def forget(self, question: Incoming) -> None:
        """The question is settled."""
        self._told.pop((question.sender, question.id), None)
