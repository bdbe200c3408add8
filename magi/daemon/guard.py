"""The desk as one face has it: what it may not do is refused, and it cannot speak as somebody else (CLI-35)."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from magi.client.model import Origin
from magi.daemon.port import Caller, Desk, DeskError
from magi.daemon.protocol import METHODS, Method
from magi.desk import consent
from magi.desk.consent import Act

if TYPE_CHECKING:
    from magi.daemon.office import Office

PASSING: Final = frozenset({"cli", "script"})
"""Faces that last for one command. All of a kind are one session: what one claimed, the next may answer."""

ACTS: Final = MappingProxyType(
    {
        "status": Act.READ,
        "friends": Act.READ,
        "wait": Act.READ,
        "history": Act.READ,
        "events": Act.READ,
        "inbox": Act.CLAIM,
        "defer": Act.DEFER,
        "ack": Act.ACK,
        "withdraw": Act.WITHDRAW,
        "invite": Act.INVITE,
        "connect": Act.CONNECT,
        "announce": Act.ANNOUNCE,
        "unfriend": Act.UNFRIEND,
        "rename": Act.RENAME,
        "held": Act.REVIEW,
        "review": Act.REVIEW,
    }
)
"""What it is to call a method."""
WEIGHED: Final = frozenset({"mode", "pause", "block"})
"""Methods of which the arguments tell what it is."""
SPOKEN: Final = frozenset({"ask", "answer", "decline"})
"""Methods that carry words: the rules about messages decide, and know who speaks."""


class Guard:
    """Implements :class:`Desk` for one face of an office."""

    def __init__(self, office: "Office", face: str, session: str) -> None:
        self._office = office
        self._face = face
        self._session = face if face in PASSING else session

    @classmethod
    def of(cls, office: "Office", face: str, session: str) -> Desk:
        """Return the desk of a face."""
        return cast("Desk", cls(office, face, session))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return one of the methods of the port."""
        method = METHODS.get(name)
        if method is None:
            raise AttributeError(name)
        return self._stream_of(method) if method.streams else self._call_of(method)

    async def close(self) -> None:
        """Nothing: the office stays."""

    def _call_of(self, method: Method) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            given = self._signed(method, method.arguments(*args, **kwargs))
            await self._check(method, given)
            return await getattr(self._office, method.name)(**given)

        return call

    def _stream_of(self, method: Method) -> Callable[..., AsyncIterator[Any]]:
        def stream(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            return cast("AsyncIterator[Any]", getattr(self._office, method.name)(*args, **kwargs))

        return stream

    def _signed(self, method: Method, given: dict[str, Any]) -> dict[str, Any]:
        """Put the face's own name on what it says."""
        if "caller" not in method.signature.parameters:
            return given
        caller = given.get("caller") or Caller()
        session = self._session or caller.session
        origin = consent.speaker(self._face, caller.origin).value
        return {**given, "caller": msgspec.structs.replace(caller, face=self._face, origin=origin, session=session)}

    async def _check(self, method: Method, given: Mapping[str, Any]) -> None:
        caller = given.get("caller")
        origin = consent.speaker(self._face, caller.origin if caller else Origin.HUMAN)
        act = ACTS.get(method.name)
        if method.name in WEIGHED:
            act = await self._office.weigh(method.name, given)
        if act is not None and not consent.may(act, origin):
            raise DeskError("Only the owner can do this, in a terminal of their own. Nothing was changed.")
