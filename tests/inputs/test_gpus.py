"""How GPUs are found: ids are opaque text, a variable that limits them is obeyed, MIG instances replace their GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.inputs import gpus
from engine.inputs.gpus import least_memory, list_gpus, read_allowed, read_listing, slot_env

LISTING = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d5ba0d6)
  MIG 3g.20gb     Device  0: (UUID: MIG-c7384736)
  MIG 1g.5gb      Device  1: (UUID: MIG-a28ad590)
GPU 1: NVIDIA H100 (UUID: GPU-4e2f)
"""


def test_mig_instances_take_the_place_of_their_gpu() -> None:
    assert read_listing(LISTING) == ["MIG-c7384736", "MIG-a28ad590", "GPU-4e2f"]
    assert read_listing("No devices found.") == []


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("0,1", ["0", "1"]),
        (" GPU-5d , MIG-7/1/0", ["GPU-5d", "MIG-7/1/0"]),
        ("", []),
        ("-1", []),
        ("0,-1,1", ["0"]),
        ("NoDevFiles", []),
        ("none", []),
        ("0,void,1", ["0"]),
        ("0,,1", ["0"]),
        ("2,2", ["2"]),
    ],
)
def test_the_variable_is_read_as_cuda_reads_it(text: str, ids: list[str]) -> None:
    assert read_allowed(text) == ids


def fake_tool(folder: Path, script: str) -> None:
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)


def test_the_tool_is_asked_where_nothing_is_set_and_the_driver_where_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "driver" / "0000:41:00.0" / "information"
    told.parent.mkdir(parents=True)
    told.write_text("Model: \t NVIDIA H100\nGPU UUID: \t GPU-from-driver\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(gpus, "DRIVER", tmp_path / "driver")
    fake_tool(tmp_path, 'echo "GPU 0: NVIDIA H100 (UUID: GPU-from-tool)"')
    assert list_gpus({}) == ["GPU-from-tool"]
    assert list_gpus({"CUDA_VISIBLE_DEVICES": "7"}) == ["7"]
    fake_tool(tmp_path, 'echo "GPU 0: NVIDIA H100 (UUID: GPU-broken)"; exit 9')
    assert list_gpus({}) == ["GPU-from-driver"]
    monkeypatch.setattr(gpus, "DRIVER", tmp_path / "absent")
    assert list_gpus({}) == []


def test_the_driver_tells_its_gpus_in_the_order_of_the_bus(tmp_path: Path) -> None:
    for place, name in (("0000:81:00.0", "GPU-b"), ("0000:41:00.0", "GPU-a")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "information").write_text(f"Model: x\nGPU UUID:  {name}\nBus: GPU UUID: no\n")
    assert gpus._ask_driver(tmp_path) == ["GPU-a", "GPU-b"]


def test_a_job_sees_its_own_gpu_and_none_beside_a_processor() -> None:
    assert slot_env("GPU-5a") == {"CUDA_VISIBLE_DEVICES": "GPU-5a"}
    assert slot_env("cpu:3") == {"CUDA_VISIBLE_DEVICES": ""}


def test_where_there_is_no_tool_nothing_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus._ask_tool() == ""


@pytest.mark.parametrize(("told", "least"), [("81559\n23028\n", 23028 << 20), ("", None), ("[N/A]\n", None)])
def test_the_smallest_gpu_bounds_memory(told: str, least: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "_ask_tool", lambda *words: told)
    assert least_memory() == least
