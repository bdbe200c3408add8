import asyncio
import os

import pytest

from exchange.lifeline import Lifeline
from exchange.settings import Settings
from tests.harness.waiting import WAIT_SECONDS


@pytest.fixture
def pipes():
    """The parent's end of standard input, the parent's end of the reports, and the child's lifeline."""
    stdin_fd, feed = os.pipe()
    reports, report_fd = os.pipe()
    ends = [stdin_fd, feed, reports, report_fd]
    yield feed, reports, Lifeline(report_fd, stdin_fd=stdin_fd), ends
    for end in ends:
        os.close(end)


def test_settings_arrive_whole_even_in_pieces(pipes):
    feed, _, lifeline, _ = pipes
    settings = Settings.model_validate({"listen": {"origins": "x" * 40_000}})
    os.write(feed, settings.to_child())
    assert lifeline.settings() == settings


def test_a_parent_that_is_gone_before_it_spoke_is_an_error(pipes):
    feed, _, lifeline, ends = pipes
    os.write(feed, b"{")
    ends.remove(feed)
    os.close(feed)
    with pytest.raises(EOFError):
        lifeline.settings()


async def test_the_end_of_the_parent_is_noticed(pipes):
    feed, _, lifeline, ends = pipes
    stop = asyncio.Event()
    lifeline.watch(stop)
    ends.remove(feed)
    os.close(feed)
    async with asyncio.timeout(WAIT_SECONDS):
        await stop.wait()


def test_reports_are_one_line_each(pipes):
    _, reports, lifeline, _ = pipes
    lifeline.ready()
    lifeline.refused("No.")
    assert os.read(reports, 1000) == b'{"ready": true}\n{"refused": "No."}\n'


def test_a_report_to_nobody_is_no_error(pipes):
    _, reports, lifeline, ends = pipes
    ends.remove(reports)
    os.close(reports)
    lifeline.ready()
