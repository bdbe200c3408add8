"""Each scenario once more with its protection switched off: then it has to fail, and for that reason (OPS-18, OPS-20)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.chaos.rig import Rig
from tests.chaos.scenarios import mail, nodes, slow, stores, workers
from tests.chaos.stage import Outcome

HASTY = {
    "EXCHANGE_SESSION__PING_SECONDS": "1",
    "EXCHANGE_SESSION__SILENCE_SECONDS": "3",
    "EXCHANGE_SESSION__STALL_SECONDS": "3",
}
"""They go as soon as they are known to be deaf."""


@dataclass(frozen=True, slots=True)
class Control:
    """One protection switched off."""

    play: Callable[..., Awaitable[Outcome]]
    size: int
    rig: Rig
    breaks: str
    """How one of the violations begins: rule, what is broken, and perhaps more of its text."""


CONTROLS: dict[str, Control] = {
    "T1 no read at attach": Control(mail.absent_readers, 50, Rig(mutant="no_read", patience_seconds=3), "C1 lost"),
    "T1 subscribe after read": Control(
        mail.absent_readers, 50, Rig(mutant="subscribe_after_read", patience_seconds=3), "C1 lost"
    ),
    "T2 ack before store": Control(
        nodes.killed_nodes, 2, Rig(mutant="ack_before_store", patience_seconds=15), "C1 lost"
    ),
    "T3 no lease check": Control(
        nodes.frozen_nodes, 1, Rig(mutant="no_lease_check", patience_seconds=15), "T3 broken: a node without a lease"
    ),
    "T4 no dedupe": Control(mail.lost_replies, 20, Rig(mutant="no_dedupe", patience_seconds=5), "C3 stored twice"),
    "T5 no AOF": Control(
        stores.ended_stores,
        1,
        Rig(settings={"EXCHANGE_STORE__DURABILITY": "memory"}, store_options=(), patience_seconds=6),
        "C1 lost",
    ),
    "T9 no probe": Control(
        stores.deaf_nodes,
        2,
        Rig(mutant="no_probe", settings={"EXCHANGE_SESSION__RECONCILE_SECONDS": "3600"}, patience_seconds=8),
        "C1 lost",
    ),
    "T10 close instead of abort": Control(
        slow.deaf_clients,
        3,
        Rig(mutant="lingering_close", settings=HASTY, patience_seconds=8),
        "T10 broken: 3 deaf clients are still there",
    ),
    "T11 stock shutdown": Control(
        nodes.rolling_restarts,
        1,
        Rig(mutant="stock_shutdown", patience_seconds=10),
        "T11 broken: plain clients found their names taken",
    ),
    "T12 no caps": Control(
        mail.full_mailboxes,
        1,
        Rig(
            settings={"EXCHANGE_MAILBOX__ENVELOPES_COUNT": "10000", "EXCHANGE_MAILBOX__BYTES": str(1 << 30)},
            patience_seconds=10,
        ),
        "T12 broken: nothing was refused",
    ),
    "T12 dropped when full": Control(
        mail.full_mailboxes, 1, Rig(mutant="drops_when_full", patience_seconds=5), "C1 lost"
    ),
    "T13 no parking": Control(
        mail.poison,
        1,
        Rig(settings={"EXCHANGE_MAILBOX__ATTEMPTS_COUNT": "1000"}, patience_seconds=6),
        "T13 broken: its sender was not told",
    ),
    "T14 told before taken": Control(
        mail.late_readers, 50, Rig(mutant="told_before_taken", patience_seconds=10), "C1 delivered and expired"
    ),
    "T15 wall clock": Control(
        nodes.wrong_clocks, 1, Rig(mutant="wall_clock", patience_seconds=6), "T15 broken: mail that was in time"
    ),
    "T15 wall clock in leases": Control(
        nodes.wrong_clocks,
        1,
        Rig(mutant="wall_clock_in_leases", patience_seconds=10),
        "T15 broken: a node was taken for dead",
    ),
    "T16 no compare": Control(
        workers.killed_workers, 1, Rig(mutant="no_compare", patience_seconds=20), "C1 told twice"
    ),
}


async def verdict_of(control: Control, seed: int) -> list[str]:
    """Play a control and return what is broken, one sentence each; also what the scenario could not go on without."""
    try:
        outcome = await control.play(control.size, seed, rig=control.rig)
    except AssertionError as error:
        return [f"broke off: {error}"]
    return [f"{one.rule} {one.what}: {one.text}" for one in outcome.verdict.violations]
