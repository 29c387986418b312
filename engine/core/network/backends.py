"""Which backend computes each attention of a job: takes its network, device and measured times, settles it once.

`backend: triton` means the kernels: a job whose device or settings they do not fit is refused. `auto` takes them only
where a time measured on this very device says that they win, and never in a run that must repeat its bits, whose next
attempt may find other times. Where neither says so, all is as without triton.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from engine.core.network.backend_times import case_of, read_wins
from engine.core.network.triton_path import misfit
from engine.core.network.window import WindowAttention
from engine.errors import JobError


def settle(
    network: nn.Module, device: torch.device, precision: str, times: Path | None = None, is_repeatable: bool = False
) -> None:
    """Set in each attention module whether the kernels compute it; `times` is the file of measured times.

    Raises JobError where a backend that is named cannot run on the device.
    """
    modules = [part for part in network.modules() if isinstance(part, WindowAttention)]
    for module in modules:
        if module.backend == "triton" and (what := misfit(module, device)):
            fix = "use backend: auto, which takes what the device has"
            raise JobError(f"attention with backend: triton cannot run here: {what}", fix=fix)
    if device.type != "cuda" or times is None or is_repeatable:
        return
    wins = read_wins(times, torch.cuda.get_device_name(device))
    for module in modules:
        fits = module.backend in ("auto", "bands") and not misfit(module, device)
        module.prefers_triton = fits and case_of(module, precision) in wins
