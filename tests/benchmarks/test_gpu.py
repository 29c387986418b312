"""The acceptance on a GPU: it runs without one, without our installation, part by part; what must not hold is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks import gpu
from benchmarks.gpu import PARTS, ROOT, TOTAL, Asked, child_environment, run_part, unpack_wheels
from benchmarks.gpu_parts import findings
from benchmarks.gpu_parts.findings import Finding, Place, Teller, read_findings
from benchmarks.gpu_parts.page import write_page
from benchmarks.gpu_parts.pixels import ALBUMS
from benchmarks.gpu_parts.variants import variants
from tests.gpu_stub.build import build_stub, why_not
from tests.gpu_stub.children import H100

BLOCKED = ("duckdb", "sqlalchemy", "ruamel", "typer", "matplotlib", "jinja2", "rich")
BLOCKER = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED!r}:
            raise ModuleNotFoundError(name + " is blocked", name=name)

sys.meta_path.insert(0, Blocker())
"""


def run_gpu(folder: Path, *words: str, **more: str) -> tuple[int, list[dict[str, Any]]]:
    """Run the command from another folder, with the packages that a bare machine lacks kept out."""
    (folder / "blocked").mkdir()
    (folder / "blocked" / "sitecustomize.py").write_text(BLOCKER)
    environment = {**os.environ, **more, "PYTHONPATH": str(folder / "blocked")}
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--json", str(folder / "g.json"), *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert (folder / "g.json").exists(), done.stderr[-3000:]
    return done.returncode, json.loads((folder / "g.json").read_text())


def failures(found: Sequence[dict[str, Any]]) -> list[str]:
    return [f"{one['case']}: {one['figure']}: {one['note']}" for one in found if one["verdict"] == "failed"]


def test_bytes_hold_on_a_cpu_without_the_packages_of_commands_and_store(tmp_path: Path) -> None:
    status, found = run_gpu(tmp_path, "--cpu", "--parts", "environment,pixels", "--page", str(tmp_path / "page.md"))
    assert (status, failures(found)) == (0, [])
    held = [one["case"] for one in found if one["verdict"] == "held"]
    assert {"operation equalize", "all of them, view 1", "mixup or CutMix"} <= set(held)
    assert sum(case.startswith("album") for case in held) == 2 * len(ALBUMS)
    assert "## gpu" in (tmp_path / "page.md").read_text()


@pytest.mark.slow
def test_every_part_runs_on_a_cpu_without_the_packages_of_commands_and_store(tmp_path: Path) -> None:
    status, found = run_gpu(tmp_path, "--cpu", "--seconds", "3000")
    assert (status, failures(found)) == (0, [])
    assert {one["part"] for one in found} == set(PARTS)
    assert "matplotlib is not installed" in {one["note"] for one in found if one["case"] == "explain"}
    assert {one["verdict"] for one in found if one["part"] == "speed"} <= {"not measured", "not built", "held"}


@pytest.mark.slow
@pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")
def test_every_part_runs_on_the_stub_and_no_number_of_it_counts(tmp_path: Path) -> None:
    stub = {**H100.environment(build_stub()), "CUDA_VISIBLE_DEVICES": "GPU-5a"}
    status, found = run_gpu(tmp_path, "--seconds", "3000", **stub)
    assert (status, failures(found)) == (0, [])
    assert {one["part"] for one in found} == set(PARTS)
    assert all(one["verdict"] == "not judged" for one in found if one["part"] == "pixels" and one["case"] != "pixels")
    speeds = [one for one in found if one["part"] in ("speed", "feeding") and one["figure"] != "runs"]
    assert {one["verdict"] for one in speeds} <= {"not measured", "not built"}


def test_without_a_gpu_it_says_so_and_ends_with_1(tmp_path: Path) -> None:
    status, found = run_gpu(tmp_path, "--parts", "environment", CUDA_VISIBLE_DEVICES="")
    assert status == 1
    assert failures(found) == ["card: a GPU is there: torch finds none; --cpu tries it out without"]


def run_alone(name: str, folder: Path, limit: float) -> list[Finding]:
    folder.mkdir()
    return run_part(name, "cpu", folder, limit, child_environment(Asked((name,), "cpu", TOTAL, None), folder))


def test_a_part_that_dies_is_told_with_its_last_words(tmp_path: Path) -> None:
    (told,) = run_alone("variants", tmp_path / "part", 60.0)  # a module that is no part
    assert (told.verdict, told.figure) == ("failed", "runs")
    assert "has no attribute 'run'" in told.note


def test_a_part_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "CLOSING", 0.0)
    begin = time.monotonic()
    told = run_alone("numbers", tmp_path / "part", 0.2)[-1]
    assert (told.verdict, told.note) == ("failed", "not done after 0 s")
    assert time.monotonic() - begin < 30


def test_the_shares_of_the_parts_fill_ten_minutes_and_hardly_more() -> None:
    assert TOTAL == 600
    assert sum(PARTS.values()) <= 1.2 * TOTAL


def test_an_unknown_part_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        gpu.main(["--parts", "pixel"])
    assert "there is no part 'pixel': choose of environment, pixels" in capsys.readouterr().err


def test_wheels_are_taken_as_they_are(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "small-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("small/__init__.py", "SIZE = 3")
    (place,) = unpack_wheels(tmp_path, tmp_path / "there")
    assert (Path(place) / "small" / "__init__.py").read_text() == "SIZE = 3"


def at(folder: Path, device: Any = "cpu") -> Teller:
    place = Place(device, folder, time.monotonic() + 60)
    return Teller("part", folder / "told.jsonl", place)


def break_off() -> None:
    raise RuntimeError("no kernel\nand much more")


def test_what_was_told_before_a_crash_counts_and_half_a_line_does_not(tmp_path: Path) -> None:
    teller = at(tmp_path)
    with teller.case("broken"):
        break_off()
    teller.judge("bytes", "differ", False, 3.0)
    with open(teller.path, "a") as file:
        file.write('{"part": "part", "ca')
    told = read_findings(teller.path)
    assert [(one.case, one.verdict, one.note) for one in told] == [
        ("broken", "failed", "RuntimeError: no kernel"),
        ("bytes", "failed", ""),
    ]


def test_only_a_real_gpu_gives_speeds_and_a_missed_goal_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(tmp_path).measure("5M", "step", 10.0, "images/s", goal=4000.0)
    real = at(tmp_path, "cuda")
    real.measure("5M", "step", 10.0, "images/s", goal=4000.0)
    real.measure("5M", "step", 5000.0, "images/s", goal=4000.0)
    monkeypatch.setenv(findings.STUB, "stub.so")
    at(tmp_path, "cuda").judge("bytes", "differ", False, 3.0)
    told = read_findings(real.path)
    assert [(one.verdict, one.value) for one in told] == [
        ("not measured", None), ("missed", 10.0), ("goal", 5000.0), ("not judged", None),
    ]  # fmt: skip
    assert "failed" in findings.BAD
    assert "missed" not in findings.BAD


def test_the_page_takes_the_place_of_its_older_self_and_leaves_the_rest(tmp_path: Path) -> None:
    page = tmp_path / "RESULTS.md"
    page.write_text("# What was measured\n\n## loader\n\nfast\n\n## gpu\n\nstale figures\n\n## store\n\nsmall\n")
    write_page(page, [Finding("speed", "5M", "step|eager", "missed", 3900.0, "images/s", 2000.0, 4000.0)], "gpu.py")
    text = page.read_text()
    assert "stale" not in text
    assert "| 5M | step/eager | 3900 | images/s | 2000 | 4000 | missed |  |" in text
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## loader", "## gpu", "## store"]
    write_page(tmp_path / "new.md", [], "gpu.py")
    assert "## gpu" in (tmp_path / "new.md").read_text()


def test_there_are_216_attentions() -> None:
    assert len(list(variants())) == 216
