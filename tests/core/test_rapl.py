"""The processor's energy: packages are summed, a counter that begins anew goes on, and silence has a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.rapl import open_rapl
from engine.core.sensors import NoSensors


def write_zone(folder: Path, name: str, used: int, most: int = 1_000_000) -> Path:
    zone = folder / name
    zone.mkdir(parents=True, exist_ok=True)
    (zone / "energy_uj").write_text(f"{used}\n")
    (zone / "max_energy_range_uj").write_text(f"{most}\n")
    return zone


def test_packages_are_summed_and_their_parts_are_not(tmp_path: Path) -> None:
    for name, used in (("intel-rapl:0", 100), ("intel-rapl:1", 200), ("intel-rapl:0:0", 4000)):
        write_zone(tmp_path, name, used)
    counter = open_rapl(tmp_path)
    start = counter.joules()
    write_zone(tmp_path, "intel-rapl:0", 1100)
    write_zone(tmp_path, "intel-rapl:1", 2200)
    write_zone(tmp_path, "intel-rapl:0:0", 9000)
    assert counter.joules() - start == pytest.approx(3e-3)


def test_a_counter_that_begins_anew_goes_on(tmp_path: Path) -> None:
    write_zone(tmp_path, "intel-rapl:0", 999_000)
    counter = open_rapl(tmp_path)
    start = counter.joules()
    write_zone(tmp_path, "intel-rapl:0", 1000)
    assert counter.joules() - start == pytest.approx(2e-3)


def test_why_there_is_no_figure_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoSensors, match="shows no counter of energy"):
        open_rapl(tmp_path)
    zone = write_zone(tmp_path, "intel-rapl:0", 5)
    (zone / "energy_uj").unlink()
    with pytest.raises(NoSensors, match="cannot be read"):
        open_rapl(tmp_path)
