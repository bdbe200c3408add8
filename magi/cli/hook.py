"""``magi hook EVENT --client NAME``: all that ``magi setup`` installs in agent clients (CLI-43).

=========  =====================================================  ========================================
event      when                                                   does
=========  =====================================================  ========================================
``start``  a session begins                                       says what waits; the session is known now
``prompt``  a person sends a prompt                               says what waits
``stop``   a turn ends                                            continues it, once for each set of items
``wake``   beside the session, in the background                  ends with status 2 when something new waits
=========  =====================================================  ========================================

A hook looks and takes nothing. It never starts the daemon, and never stands in the way: whatever goes wrong, it says nothing
and ends with status 0 within 300 ms. That is why this module, and all that it loads, need the standard library only (DEP-6).
"""

import json
import os
import select
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from magi.cli.forms import FORMS, SESSION_FIELDS, line_of
from magi.cli.peek import Away, Peephole
from magi.cli.told import Told, forget_old
from magi.desk.places import DEFAULT_PROFILE, Places

PATIENCE_SECONDS: Final = 0.2
"""For everything but ``wake``, after the program has started."""
GRACE_SECONDS: Final = 1.0
"""How long ``wake`` lets ``stop``, which runs beside it, speak first."""
LOOK_SECONDS: Final = 5.0
"""How often ``wake`` looks whether its client is still there."""
WOKEN_STATUS: Final = 2

HELP: Final = """\
Usage: magi hook EVENT --client NAME [--profile NAME]

  Tell an agent client what waits. `magi setup` installs it; example:

  magi hook prompt --client claude-code < event.json

  EVENT is start, prompt, stop or wake. Without a daemon nothing is said.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one hook and end the program."""
    given = list(sys.argv[2:] if arguments is None else arguments)
    if {"-h", "--help"}.intersection(given):
        sys.stdout.write(HELP)
        raise SystemExit(0)
    signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_SECONDS)
    status = 0
    try:
        event, client, profile = _read(given)
        status = hook(event, client, json.loads(sys.stdin.buffer.read()), profile)
    except Exception:  # noqa: BLE001  an assistant is at work: silence is the only harmless end
        status = 0
    signal.setitimer(signal.ITIMER_REAL, 0)
    raise SystemExit(status)


def hook(event: str, client: str, said: Mapping[str, Any], profile: str = "") -> int:
    """Do what an event asks for, and return the exit status.

    Args:
        event: See the table above.
        client: A key of :data:`magi.cli.forms.FORMS`.
        said: What the client tells about the event.
        profile: Empty for the one of the environment.

    Raises:
        Exception: Whatever goes wrong; nothing was printed.
    """
    places = Places.of(profile or os.environ.get("MAGI_PROFILE") or DEFAULT_PROFILE)
    form = FORMS[client].get(event)
    session = next((str(said[field]) for field in SESSION_FIELDS if said.get(field)), "")
    if form is None or not session or _is_errand(said, places):
        return 0
    name = f"{client}-{session}"
    if event == "wake":
        return _wake(places, client, name)
    peephole = Peephole(places.socket, face="hook", client=client, session=name, seconds=PATIENCE_SECONDS)
    peephole.ask_for_inbox()
    _, inbox = peephole.next()
    peephole.close()
    line = line_of(inbox["waiting"])
    if _speaks(event, Told(_sessions(places), client, name), _keys(inbox), _sessions(places)) and line:
        text = form(line)
        sys.stdout.write(text if isinstance(text, str) else json.dumps(text))
        sys.stdout.flush()
    return 0


def _speaks(event: str, told: Told, keys: set[str], directory: Path) -> bool:
    """Tell whether this is the time to say what waits, and remember that it was said."""
    if event == "stop":
        goes_on = told.goes_on(keys)
        told.keep()
        return goes_on
    told.acted()
    told.mention(keys)
    told.keep()
    if event == "start":
        forget_old(directory)
    return True


def _wake(places: Places, client: str, name: str) -> int:
    """Wait until something waits that the session was not told of, or until its client is gone."""
    parent = os.getppid()
    peephole = Peephole(places.socket, face="wake", client=client, session=name, seconds=PATIENCE_SECONDS)
    signal.setitimer(signal.ITIMER_REAL, 0)
    select.select([], [], [], GRACE_SECONDS)
    peephole.wait_for(LOOK_SECONDS)
    peephole.ask_for_changes()
    while os.getppid() == parent:
        try:
            is_change, inbox = peephole.next()
        except TimeoutError:
            continue
        except Away:
            break
        if is_change:
            peephole.ask_for_inbox()  # a change tells of the oldest items only
        elif (told := Told(_sessions(places), client, name)).mention(_keys(inbox)) and (
            line := line_of(inbox["waiting"])
        ):
            told.keep()
            sys.stderr.write(f"{line}\n")
            return WOKEN_STATUS
    return 0


def _keys(inbox: Mapping[str, Any]) -> set[str]:
    return {f"{item['who']} {item['id']}" for item in inbox["items"]}


def _sessions(places: Places) -> Path:
    return places.state / "sessions"


def _is_errand(said: Mapping[str, Any], places: Places) -> bool:
    """Tell whether the session is a run of our own responder: it answers one question and is told of no other (CLI-40)."""
    directory = said.get("cwd")
    return isinstance(directory, str) and (places.data / "runs") in Path(directory, "x").parents


def _read(arguments: list[str]) -> tuple[str, str, str]:
    """Return event, client and profile."""
    event, *rest = arguments
    options = dict(zip(rest[::2], rest[1::2], strict=True))
    return event, options["--client"], options.get("--profile", options.get("-p", ""))
