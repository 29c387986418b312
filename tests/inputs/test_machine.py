"""The processor as it names itself, and the cores that are ours."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from engine.inputs import machine
from engine.inputs.machine import cpu_model, usable_cores


def test_a_processor_is_named_as_the_kernel_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "CPU_FILE", tmp_path / "cpuinfo")
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert cpu_model() == platform.machine()
    (tmp_path / "cpuinfo").write_text("vendor_id : x\nmodel name\t: Xeon: Gold\nmodel name\t: Other\n")
    assert cpu_model() == "Xeon: Gold"


def test_cores_are_those_we_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 2, 5}, raising=False)
    assert usable_cores() == 3


def test_a_state_says_what_a_speed_depends_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "GOVERNOR_FILE", tmp_path / "governor")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    monkeypatch.setattr(os, "getloadavg", lambda: (3.0, 0.0, 0.0))
    state = machine.machine_state()
    assert (state.governor, state.cores, state.crowding, state.cpu) == (None, 2, 1.5, cpu_model())
    (tmp_path / "governor").write_text("powersave\n")
    assert machine.machine_state().governor == "powersave"
