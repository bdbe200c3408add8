"""``magi-exchange admin pair`` and ``magi-exchange relay`` as real processes, off and on a terminal."""

import asyncio
import fcntl
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
import urllib.request
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import connect

from exchange.admin.invitation import link_of, qr_of
from tests.harness.waiting import WAIT_SECONDS
from tests.integration.serve.exchange_process import ROOT, ExchangeProcess, assert_refused

EXCHANGE = (sys.executable, "-m", "exchange")
PAIR = (*EXCHANGE, "admin", "pair")
RELAY = "wss://relay.example.com/ws"
TOKEN = re.compile(r"oc_pair_[0-9a-f]{32}")
LEFT_OUT = ("EXCHANGE_", "RELAY_ADMIN_KEY", "LOG_FORMAT", "PORT", "COLUMNS", "LINES")


def surroundings(**environ: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(LEFT_OUT)}
    return {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **environ}


async def run(*words: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command off a terminal."""
    return await asyncio.to_thread(
        subprocess.run,
        [*PAIR, *words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
        cwd=ROOT,
        env=surroundings(**environ),
    )


class Terminal:
    """A command on a terminal of so many columns."""

    def __init__(self, *words: str, columns: int, **environ: str) -> None:
        self._screen, line = pty.openpty()
        fcntl.ioctl(line, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self._seen = b""
        self._process = subprocess.Popen(
            [*PAIR, *words], stdin=line, stdout=line, stderr=line, cwd=ROOT, env=surroundings(**environ)
        )
        os.close(line)

    async def shows(self, text: str) -> None:
        """Wait until ``text`` is on the screen."""
        while text not in self._text():
            assert await self._read(), f"{text!r} never came: {self._text()}"

    def type(self, text: str) -> None:
        os.write(self._screen, text.encode())

    async def end(self) -> tuple[int, str]:
        """Wait for the end; return the status and all that was shown."""
        while await self._read():
            continue
        return await asyncio.to_thread(self._process.wait, WAIT_SECONDS), self._text()

    def clean_up(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._screen)

    async def _read(self) -> bool:
        async with asyncio.timeout(WAIT_SECONDS):
            try:
                more = await asyncio.to_thread(os.read, self._screen, 65536)
            except OSError:  # how Linux says that nobody writes any more
                return False
        self._seen += more
        return bool(more)

    def _text(self) -> str:
        return self._seen.decode("utf-8", "replace").replace("\r\n", "\n")


@pytest.fixture
def terminal(valkey):
    """Start commands on terminals that are gone after the test."""
    started = []

    def start(*words: str, columns: int = 100) -> Terminal:
        environ = {"EXCHANGE_REDIS__URL": valkey.url, "EXCHANGE_STORE__DURABILITY": "memory"}
        started.append(Terminal(*words, columns=columns, **environ))
        return started[-1]

    yield start
    for one in started:
        one.clean_up()


@pytest.fixture
def start(tmp_path):
    """Start exchanges that are gone after the test."""
    started = []

    def begin(*words: str, **environ: str) -> ExchangeProcess:
        started.append(ExchangeProcess(tmp_path, (*EXCHANGE, *words), **environ))
        return started[-1]

    yield begin
    for process in started:
        process.clean_up()


async def test_an_operator_finds_the_store_of_the_exchange_that_runs_here(start):
    served = start("serve")
    await served.started()
    here = {"EXCHANGE_STORE__DATA_DIR": str(served.data_dir)}
    made = json.loads((await run("create", "--relay", RELAY, "--json", **here)).stdout)
    (info,) = json.loads((await run("list", "--json", **here)).stdout)
    assert made["token"].startswith(info["pairing"])
    revoked = await run("revoke", "--yes", "-", stdin=made["token"], **here)
    assert (revoked.returncode, revoked.stderr) == (0, "")
    assert json.loads((await run("list", "--json", **here)).stdout) == []
    served.signal(signal.SIGTERM)
    assert await served.status() == 0
    late = await run("list", **here)
    assert (late.returncode, late.stdout) == (3, "")
    assert late.stderr.startswith("No exchange runs here")
    assert served.data_dir.is_dir()


async def test_a_token_opens_the_relay_until_it_is_revoked(start):
    """CORAL-9, CORAL-27"""
    served = start("serve")
    facts = await served.started()
    here = {"EXCHANGE_STORE__DATA_DIR": str(served.data_dir)}
    token = json.loads((await run("create", "--relay", RELAY, "--json", **here)).stdout)["token"]
    async with connect(facts["relay"], proxy=None) as phone, asyncio.timeout(WAIT_SECONDS):
        await phone.send(json.dumps({"type": "auth", "payload": {"token": token, "role": "phone"}}))
        assert json.loads(await phone.recv())["type"] == "auth.ok"
        assert "Connected   phone\n" in (await run("show", token[:16], **here)).stdout
        revoked = await run("revoke", token[:16], "--yes", **here)
        assert revoked.stdout == f"Revoked {token[:16]}. Connected until now: phone.\n"
        await phone.wait_closed()
        assert phone.close_code == 1008


async def test_a_qr_code_of_the_link_is_drawn_on_a_terminal(terminal):
    status, screen = await terminal("create", "--relay", RELAY).end()
    assert status == 0, screen
    (token,) = set(TOKEN.findall(screen))
    assert qr_of(link_of(token, RELAY), coloured=True) in screen


async def test_no_qr_code_is_drawn_if_it_is_not_wanted(terminal):
    status, screen = await terminal("create", "--relay", RELAY, "--no-qr").end()
    assert status == 0, screen
    assert TOKEN.search(screen)
    assert "█" not in screen


async def test_a_terminal_that_would_break_the_qr_code_is_told_so(terminal):
    status, screen = await terminal("create", "--relay", RELAY, columns=40).end()
    assert status == 0, screen
    assert "█" not in screen
    assert "too narrow for the QR code" in screen


@pytest.mark.parametrize(("answer", "status", "word"), [("y", 0, "Revoked"), ("n", 1, "Nothing was changed.")])
async def test_an_operator_is_asked_before_a_pairing_ends(terminal, answer, status, word):
    _, screen = await terminal("create", "--relay", RELAY, "--no-qr").end()
    shown = TOKEN.findall(screen)[0][:16]
    asked = terminal("revoke", shown)
    await asked.shows(f"Revoke {shown}? Connected now: nobody.")
    asked.type(f"{answer}\n")
    ended, screen = await asked.end()
    assert (ended, word in screen) == (status, True)
    _, listed = await terminal("list").end()
    assert (shown in listed) is (answer == "n")


async def test_a_list_on_a_terminal_is_drawn(terminal):
    await terminal("create", "--relay", RELAY, "--no-qr").end()
    status, screen = await terminal("list").end()
    assert status == 0
    assert "┏" in screen
    assert "\t" not in screen


async def test_the_relay_serves_at_the_address_of_its_flag(start):
    served = start("relay", "-addr", "127.0.0.1:0", "-db", "relay.db")
    facts = await served.started()
    main, listener = facts["relay"].split()
    assert main == f"ws://127.0.0.1:{facts['port']}/coralmux/ws"
    assert urlsplit(listener)._replace(netloc="").geturl() == "ws:///ws"
    url = f"http://{urlsplit(listener).netloc}/health"
    health = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=WAIT_SECONDS).read())
    assert json.loads(health)["status"] == "ok"
    assert "-db is ignored" in served.err.read_text()
    served.signal(signal.SIGTERM)
    assert await served.status() == 0


async def test_an_address_of_the_relay_that_is_taken_is_one_sentence(start):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        await assert_refused(start("relay", "-addr", f"127.0.0.1:{port}"), f"Port {port} on 127.0.0.1 is in use")
