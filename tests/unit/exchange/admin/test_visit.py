"""A visit to a real store, from an ordinary program: no loop runs before or after it."""

import asyncio
import signal
from contextlib import contextmanager

import pytest
import structlog

from exchange.admin.visit import visit
from exchange.core.errors import StorageUnavailable
from exchange.refusal import StartRefused
from exchange.settings import load


def settings_of(valkey, **environ):
    return load({"EXCHANGE_REDIS__URL": valkey.url, "EXCHANGE_STORE__DURABILITY": "memory", **environ})


async def hold(store):
    return await store.jobs.hold("job", "operator", ttl_ms=60_000)


def test_the_work_is_done_in_the_configured_store_and_its_answer_returned(valkey):
    assert visit(settings_of(valkey), hold) is True
    assert visit(settings_of(valkey, EXCHANGE_REDIS__PREFIX="other"), hold) is True

    async def hold_too(store):
        return await store.jobs.hold("job", "other", ttl_ms=60_000)

    assert visit(settings_of(valkey), hold_too) is False


def test_a_store_out_of_reach_is_one_sentence():
    settings = load({"EXCHANGE_REDIS__URL": "redis://u:hidden@127.0.0.1:1/0"})
    with pytest.raises(StartRefused, match=r"The store at redis://127\.0\.0\.1:1/0 cannot be used") as refusal:
        visit(settings, hold)
    assert "hidden" not in str(refusal.value)


@pytest.mark.parametrize(("sent", "is_in_doubt"), [(True, True), (False, False)])
def test_a_store_that_goes_away_leaves_no_doubt_unless_there_is_some(valkey, sent, is_in_doubt):
    async def fail(_store):
        raise StorageUnavailable("The store is gone.", sent=sent)

    with pytest.raises(StartRefused, match=r"^The store is gone\.") as refusal:
        visit(settings_of(valkey), fail)
    assert ("Whether it was done is not known." in str(refusal.value)) is is_in_doubt


def test_a_frozen_store_does_not_hold_the_operator_up(own_valkey):
    settings = settings_of(own_valkey)

    async def freeze_and_hold(store):
        own_valkey.signal(signal.SIGSTOP)
        return await hold(store)

    try:
        with pytest.raises(StartRefused):
            visit(settings, freeze_and_hold)
    finally:
        own_valkey.signal(signal.SIGCONT)


def test_without_an_address_the_store_of_the_exchange_that_runs_here_is_visited(valkey, monkeypatch, tmp_path):
    asked = []

    @contextmanager
    def running(data_dir):
        asked.append(data_dir)
        yield valkey.url

    monkeypatch.setattr("exchange.admin.visit.running", running)
    # Nothing is demanded of it: its level is what it was started with.
    settings = load({"EXCHANGE_STORE__DATA_DIR": str(tmp_path), "EXCHANGE_STORE__DURABILITY": "synced"})
    assert visit(settings, hold) is True
    assert asked == [tmp_path]


def test_where_no_exchange_runs_the_operator_is_told_what_to_do(tmp_path):
    settings = load({"EXCHANGE_STORE__DATA_DIR": str(tmp_path / "none")})
    with pytest.raises(
        StartRefused, match=r"No exchange runs here .*: start it, or name its store with EXCHANGE_REDIS__URL"
    ):
        visit(settings, hold)
    assert not (tmp_path / "none").exists()


def test_standard_output_is_left_to_the_answer(valkey, capfd):
    async def speak(_store):
        structlog.get_logger().warning("lane.broken", reason="a test")
        await asyncio.sleep(0)

    visit(settings_of(valkey), speak)
    assert capfd.readouterr() == ("", "")
