"""Views changed by a person's own code: takes a batch, an augmentation's settled name and options, gives them changed.

On the host, whatever the device: a view is the same for whoever looks at it, and nobody knows what code of others
rounds on a GPU.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from engine.core.own_code.loading import bind_own
from engine.errors import JobError

LOCK = Lock()  # threads that load images would import it at once


def change_views(images: Tensor, seeds: Sequence[int], settled: str, options: Mapping[str, Any]) -> Tensor:
    """Return uint8 (B, 3, S, S) views, on the device that they came on, each changed with its own seed.

    Raises JobError naming the code where it gives no such view. `images` may be written to.
    """
    with LOCK:
        change = _open_code(settled, json.dumps(dict(options), sort_keys=True))
    held = images.cpu()
    with torch.no_grad():
        for place, seed in enumerate(seeds):
            view = change(held[place].clone(), seed_generator(seed))
            problem = view_problem(view, held.shape[-1])
            if problem is not None:
                raise JobError(f"{settled}: {problem[0]}", where="data.augment.extra", fix=problem[1])
            held[place] = view
    return held.to(images.device)


@lru_cache(8)
def _open_code(settled: str, options: str) -> Callable[[Tensor, torch.Generator], Any]:
    change: Callable[[Tensor, torch.Generator], Any] = bind_own(settled, json.loads(options))
    return change


def seed_generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def view_problem(view: object, size: int) -> tuple[str, str] | None:
    """Return what is wrong with what an augmentation gave for an image of this size, and the fix; None if nothing."""
    if not isinstance(view, Tensor):
        return f"it gives a {type(view).__name__}, and no view (3, S, S)", "return one tensor"
    if tuple(view.shape) != (3, size, size):
        what = f"it gives the shape {tuple(view.shape)}, and an image has {(3, size, size)}"
        return what, "return a view of the shape that came in"
    if view.dtype != torch.uint8:
        return f"it gives {view.dtype}, and a view is torch.uint8", "end with .round().clamp(0, 255).to(torch.uint8)"
    if view.device.type != "cpu":
        return f"it gives a tensor on {view.device}", "leave it on the CPU, where it came"
    return None
