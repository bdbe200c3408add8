"""What one pair may do unless the settings say otherwise (CORAL-21, CORAL-22)."""

from exchange.core.pairs import Role
from exchange.ports import Allowances


def test_a_phone_may_send_half_a_frame_a_second_and_an_agent_two():
    allowances = Allowances()
    assert (allowances.per_minute(Role.PHONE), allowances.burst(Role.PHONE)) == (30, 30)
    assert (allowances.per_minute(Role.AGENT), allowances.burst(Role.AGENT)) == (120, 120)
    assert allowances.daily_bytes == 500 * 1024 * 1024
    assert allowances.monthly_bytes == 10 * 1024**3


def test_every_number_is_given_back_for_its_own_role():
    allowances = Allowances(phone_per_minute=1, phone_burst=2, agent_per_minute=3, agent_burst=4)
    given = [(allowances.per_minute(role), allowances.burst(role)) for role in (Role.PHONE, Role.AGENT)]
    assert given == [(1, 2), (3, 4)]
