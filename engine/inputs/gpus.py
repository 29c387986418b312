"""The GPUs of this machine: takes nothing, gives their ids as opaque text, without loading torch.

CUDA_VISIBLE_DEVICES is obeyed where it is set; else `nvidia-smi -L` is asked, else the driver's folder in /proc. A GPU
that is cut into MIG instances is its instances: CUDA takes those, one to a process, and not the whole.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

DRIVER = Path("/proc/driver/nvidia/gpus")
VISIBLE = "CUDA_VISIBLE_DEVICES"


def list_gpus(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the ids of the GPUs that jobs may use, in the order they are listed in; empty where there is none."""
    allowed = environment.get(VISIBLE)
    # Set and empty means no GPU; not set means every one.
    if allowed is not None:
        return read_allowed(allowed)
    return read_listing(_ask_tool("-L")) or _ask_driver(DRIVER)


def least_memory() -> int | None:
    """Return the bytes of the GPU with the least memory, None where nobody tells."""
    told = _ask_tool("--query-gpu=memory.total", "--format=csv,noheader,nounits").split()
    return min((int(word) << 20 for word in told if word.isdigit()), default=None)


def read_allowed(text: str) -> list[str]:
    """Return the ids in CUDA_VISIBLE_DEVICES; as for CUDA, what stands behind one that is none does not count."""
    found: list[str] = []
    for word in text.split(","):
        if word.strip() in ("", "-1", "NoDevFiles", "none", "void"):
            break
        found.append(word.strip())
    return list(dict.fromkeys(found))


def read_listing(text: str) -> list[str]:
    """Return the ids in what `nvidia-smi -L` says: lines such as `GPU 0: NVIDIA H100 (UUID: GPU-5a...)`.

    Lines of MIG instances are indented under their GPU and take its place.
    """
    found: list[str] = []
    whole = ""
    for line in text.splitlines():
        _, mark, rest = line.partition("(UUID: ")
        if not mark:
            continue
        name = rest.rstrip(" )")
        if not line.startswith(" "):
            whole = name
        elif whole in found:
            found.remove(whole)
        found.append(name)
    return found


def slot_env(slot: str) -> dict[str, str]:
    """Return what a job in this slot sees of the GPUs: its own, and none in a CPU slot."""
    # What follows is where the slot is: `GPU-5a...@node/pilot` (launch/pilots/view.py).
    return {VISIBLE: "" if slot.startswith("cpu:") else slot.partition("@")[0]}


def join_slots(slots: Sequence[str]) -> str:
    """Return the slots of one machine that a job has together as one: `GPU-5a,GPU-5b`, where they are behind it."""
    places = [slot.partition("@") for slot in slots]
    _, mark, where = places[0]
    return ",".join(name for name, _, _ in places) + mark + where


def split_slots(slot: str) -> list[str]:
    """Return the slots that `join_slots` made one of."""
    names, mark, where = slot.partition("@")
    return [f"{name}{mark}{where}" for name in names.split(",")]


def _ask_tool(*words: str) -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    # A driver that hangs must not hang the scheduler.
    try:
        return subprocess.run([program, *words], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _ask_driver(folder: Path) -> list[str]:
    """Return the ids that the driver itself tells, one file for each GPU, named by its place on the bus."""
    try:
        texts = [path.read_text() for path in sorted(folder.glob("*/information"))]
    except OSError:
        return []
    lines = [line.partition(":") for text in texts for line in text.splitlines()]
    return [value.strip() for name, _, value in lines if name.strip() == "GPU UUID"]
