"""A scenario fails as it should when what it is about is switched off; a protection without that does not count (OPS-18)."""

import pytest

from tests.chaos.controls import CONTROLS, verdict_of
from tests.chaos.mutants import MUTANTS
from tests.chaos.rig import BROKEN_SECONDS, SOUND, Rig
from tests.chaos.scenarios.table import SCENARIOS, SEED
from tests.harness.cluster import EXCHANGE

FOUND_SECONDS = 180


@pytest.mark.serial
@pytest.mark.chaos
@pytest.mark.timeout(FOUND_SECONDS)
@pytest.mark.parametrize("name", CONTROLS)
async def test_without_its_protection_a_scenario_fails(name):
    control = CONTROLS[name]
    found = await verdict_of(control, SEED)
    assert any(one.startswith(control.breaks) for one in found), f"{control.breaks!r} is not among {found[:9]}"


def test_every_scenario_has_a_control():
    assert {name.partition(" ")[0] for name in CONTROLS} == SCENARIOS.keys()


def test_every_mutant_is_hunted():
    assert {control.rig.mutant for control in CONTROLS.values()} - {""} == MUTANTS.keys()


def test_a_control_switches_something_off():
    assert all(control.rig.mutant or control.rig.settings for control in CONTROLS.values())


def test_a_sound_rig_starts_the_program_itself_and_is_as_patient_as_it_is_asked_to_be():
    assert SOUND.launch() == EXCHANGE
    assert SOUND.patience(60.0, broken=True) == 60.0


def test_a_mutant_is_launched_with_the_other_options():
    assert Rig(mutant="no_probe").launch("--clock", "f") == (
        "tests.chaos.launch",
        "--clock",
        "f",
        "--mutant",
        "no_probe",
    )


def test_who_only_wants_to_see_it_fail_waits_no_longer_than_that_takes():
    hasty = Rig(patience_seconds=5.0)
    assert hasty.patience(60.0, broken=False) == 5.0
    assert hasty.patience(3.0, broken=False) == 3.0
    assert hasty.patience(60.0, broken=True) == BROKEN_SECONDS
