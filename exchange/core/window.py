"""What a session was given of its mailbox and has not acknowledged (DEL-36, DEL-37, DEL-39). Pure; no clock, no store."""

from collections import deque

from exchange.core.ids import Offset, order


class Window:
    """Where one session stands in its mailbox.

    ``cursor`` is the offset of the newest mail it was given, or had before: mail after it is still to come. Envelopes that
    were given and not acknowledged stand in the window; when it is full nothing more is given.
    """

    __slots__ = ("_bytes", "_given", "acked", "bytes_most", "count_most", "cursor", "epoch", "last_known")

    def __init__(self, *, epoch: str, cursor: Offset, last_known: Offset, count_most: int, bytes_most: int) -> None:
        """``cursor`` is what was acknowledged before, ``last_known`` the newest mail when the session began."""
        self.epoch = epoch
        self.cursor = cursor
        self.acked = cursor
        self.last_known = last_known
        self.count_most = count_most
        self.bytes_most = bytes_most
        self._given: deque[tuple[Offset, int]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._given)

    @property
    def room_count(self) -> int:
        """How many more envelopes may be given; 0 if none."""
        return 0 if self._bytes >= self.bytes_most else max(0, self.count_most - len(self._given))

    @property
    def room_bytes(self) -> int:
        """How many more bytes may be given; one envelope may go beyond it, so that the largest one fits."""
        return max(0, self.bytes_most - self._bytes)

    def follows(self, epoch: str, prev: Offset) -> bool:
        """Tell whether mail with this prev-link is the very next one."""
        return prev == self.cursor and epoch == self.epoch

    def give(self, offset: Offset, size_bytes: int) -> None:
        """Note that mail was given to the client."""
        self.cursor = offset
        self._given.append((offset, size_bytes))
        self._bytes += size_bytes

    def skip(self, offset: Offset) -> None:
        """Go past mail that is not for giving any more."""
        self.cursor = offset

    def ack(self, upto: Offset) -> int | None:
        """Take an acknowledgement of everything up to ``upto``; return how many envelopes that frees.

        ``None``: nothing with such an offset was ever given, here or in an earlier session.
        """
        if upto == self.cursor and self._given:
            return self._ack_all()  # nearly always so, and offsets need not be taken apart
        wanted = order(upto)
        if wanted > max(order(self.cursor), order(self.last_known)):
            return None
        freed = 0
        while self._given and order(self._given[0][0]) <= wanted:
            self._bytes -= self._given.popleft()[1]
            freed += 1
        if wanted > order(self.acked):
            self.acked = upto
        if wanted > order(self.cursor):
            # Said of an earlier session's mail that was not given again yet: it need not be.
            self.cursor = upto
        return freed

    def _ack_all(self) -> int:
        freed = len(self._given)
        self._given.clear()
        self._bytes = 0
        self.acked = self.cursor
        return freed
