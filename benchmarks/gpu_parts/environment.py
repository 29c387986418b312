"""What is there: tells the card, its driver, what torch can do with it, versions, and modules that are missing."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib import metadata, util

import torch

from benchmarks.gpu_parts.findings import Place, Teller
from engine.core.card import read_card

NEEDED = ("torch", "timm", "numpy", "scipy", "PIL", "safetensors", "filelock", "pydantic", "pydantic_core")
WANTED = {"simplejpeg": "JPEG files are read more slowly", "triton": "no kernels of our own, no compiling"}
VERSIONS = ("torch", "torchvision", "timm", "triton", "numpy", "pydantic", "simplejpeg")
QUERY = "name,driver_version,power.limit,clocks.max.sm,clocks.max.mem,memory.total"
PRECISIONS = ("bf16", "tf32", "fp32")


def run(place: Place, teller: Teller) -> None:
    python = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    teller.tell("machine", python, "measured", note=", ".join(map(_version, VERSIONS)))
    missing = [name for name in NEEDED if util.find_spec(name) is None]
    teller.tell("modules", "all that is needed", "failed" if missing else "held", note=", ".join(missing))
    for name, loss in WANTED.items():
        if util.find_spec(name) is None:
            teller.tell("modules", name, "not built", note=f"not installed: {loss}")
    if place.device == "cuda":
        with teller.case("card"):
            tell_card(place, teller)


def _version(name: str) -> str:
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"no {name}"


def tell_card(place: Place, teller: Teller) -> None:
    card, room = read_card(), torch.cuda.mem_get_info(0)
    teller.tell("card", str(card), "measured", room[1] / 2**30, "GiB", note=ask_tool())
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    built = torch.cuda.get_arch_list()
    teller.tell("card", f"CUDA {torch.version.cuda}, cuDNN {cudnn}", "measured", note=" ".join(built))
    teller.judge("card", "memory is free: nobody else works here", room[0] > 0.9 * room[1], room[0] / 2**30, "GiB")
    for precision in PRECISIONS:
        why = "; ".join(filter(None, card.trouble(precision)))
        teller.tell("card", f"can do {precision}", "not measured" if why else "held", note=why)


def ask_tool() -> str:
    """Return what nvidia-smi says of the first card."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return "no nvidia-smi"
    command = [program, f"--query-gpu={QUERY}", "--format=csv,noheader", "-i", "0"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return f"nvidia-smi failed: {error}"[:200]
    return done.stdout.strip()[:200]
