"""NVML as a small library plays it: what a card tells is read in its units, what it does not tell is left out."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from engine.core.sensors import NoSensors, Reading, mean_reading, open_sensors
from tests.gpu_stub.build import NVML, build_sensors

CARD = "GPU-11111111-2222-3333-4444-555555555555"
WATTS = 350.0
pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc here")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    target: Path = tmp_path_factory.mktemp("nvml") / NVML
    build_sensors(target)
    return str(target)


def test_a_card_tells_clocks_power_and_temperature(library: str) -> None:
    with open_sensors(CARD, library) as card:
        assert card.read() == Reading(1755.0, 2619.0, WATTS, 41.0, ("power cap",))


def test_energy_grows_with_the_time(library: str) -> None:
    with open_sensors(CARD, library) as card:
        begun, before, begun_by = time.monotonic(), card.joules(), time.monotonic()
        time.sleep(0.3)
        ended, after, ended_by = time.monotonic(), card.joules(), time.monotonic()
    assert before is not None
    assert after is not None
    told = 0.03  # seconds; it is told every 20 ms
    assert WATTS * (ended - begun_by - told) <= after - before <= WATTS * (ended_by - begun + told)


def test_what_a_card_does_not_tell_is_left_out(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XP_STUB_NVML", "untold")
    with open_sensors(CARD, library) as card:
        assert (card.read().power, card.joules(), card.read().sm_clock) == (None, None, 1755.0)


def test_a_machine_without_nvml_says_so() -> None:
    with pytest.raises(NoSensors, match="NVML is not here"), open_sensors(CARD, "libnvml-of-nobody.so.1"):
        pass


def test_nvml_says_itself_why_it_does_not_start(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoSensors, match="does not know MIG-1: Not Found"), open_sensors("MIG-1", library):
        pass
    monkeypatch.setenv("XP_STUB_NVML", "none")
    with pytest.raises(NoSensors, match="does not start: Driver Not Loaded"), open_sensors(CARD, library):
        pass


def test_means_are_over_what_was_told() -> None:
    found = mean_reading([Reading(power=100.0, slowed_by=("heat",)), Reading(power=200.0), Reading(sm_clock=9.0)])
    assert found == Reading(sm_clock=9.0, power=150.0, slowed_by=("heat",))
