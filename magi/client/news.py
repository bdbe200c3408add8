"""What happens around the messages: lines and friends that come and go."""

from collections import deque
from collections.abc import AsyncGenerator

from magi.client.bells import EVENTS, Bells
from magi.client.model import Event

UNREAD_COUNT = 1_000


class News:
    """Tells every listener everything, from when it began to listen."""

    def __init__(self, bells: Bells) -> None:
        self._bells = bells
        self._listeners: list[deque[Event]] = []

    def tell(self, event: Event) -> None:
        """Let all listeners know. One who has not read 1,000 loses the oldest."""
        for heard in self._listeners:
            heard.append(event)
        self._bells.ring(EVENTS)

    def listen(self) -> AsyncGenerator[Event, None]:
        """Yield what happens from now on; when the client has ended, the rest, then raise why."""
        heard: deque[Event] = deque(maxlen=UNREAD_COUNT)
        self._listeners.append(heard)
        return self._hear(heard)

    async def _hear(self, heard: deque[Event]) -> AsyncGenerator[Event, None]:
        try:
            with self._bells.at(EVENTS) as bell:
                while True:
                    while heard:
                        yield heard.popleft()
                    await bell.next()
        finally:
            self._listeners = [one for one in self._listeners if one is not heard]
