"""Checkpoints: takes a state and a folder, gives files that are whole or ignored, and the newest good one back.

A checkpoint is `<serial>.pt`, renamed into place after it is synced; `pointer.json`, written last, names the newest and
the one before with their sha256. So a kill at any instruction leaves at least the older one readable.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.home import read_json, write_atomic, write_json

State = dict[str, Any]
POINTER = "pointer.json"
KEPT = 2


@dataclass(frozen=True)
class Found:
    """A checkpoint that was read back: its state, the folder it lies in, the optimizer steps done."""

    state: State
    folder: Path
    step: int


def save_checkpoint(folder: Path, state: State, step: int) -> None:
    """Add a checkpoint to `folder` and drop all but the newest two. Durable when it returns."""
    folder.mkdir(parents=True, exist_ok=True)
    known = _pointed(folder)
    raw = _encode(state)
    name = f"{1 + _last_serial(folder):06d}.pt"
    write_atomic(folder / name, raw)
    entry = {"file": name, "step": step, "sha256": hashlib.sha256(raw).hexdigest()}
    before = known[: KEPT - 1]
    write_json(folder / POINTER, {**entry, "before": before})
    _drop_others(folder, {name, *(str(old["file"]) for old in before)})


def load_newest(folders: Iterable[Path]) -> Found | None:
    """Return the newest good checkpoint of the first folder that has one; None when no folder has any.

    A file whose bytes do not match the pointer's sha256 is passed over for the one before.
    """
    for folder in folders:
        for entry in _pointed(folder):
            raw = _read_checked(folder / str(entry["file"]), str(entry["sha256"]))
            if raw is not None:
                return Found(_decode(raw), folder, int(entry["step"]))
    return None


def capture_random() -> State:
    """Return the state of every random generator that training may draw from."""
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "python": json.dumps(random.getstate()),
        "numpy": json.dumps([kind, np.asarray(keys).tolist(), position, has_gauss, cached]),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_random(state: State) -> None:
    version, internal, gauss = json.loads(state["python"])
    random.setstate((version, tuple(internal), gauss))
    kind, keys, position, has_gauss, cached = json.loads(state["numpy"])
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])


def _encode(state: State) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def _decode(raw: bytes) -> State:
    """Tensors come back on the CPU; `load_state_dict` moves them to where the network is."""
    state: State = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    return state


def _pointed(folder: Path) -> list[State]:
    """Return what the pointer names, newest first; nothing when there is none or it is no pointer of ours."""
    try:
        pointer = read_json(folder / POINTER)
        entries = [{key: pointer[key] for key in ("file", "step", "sha256")}, *pointer["before"]]
    except Exception:  # a pointer that cannot be read is as good as none: an older attempt is tried next
        return []
    return entries


def _read_checked(path: Path, digest: str) -> bytes | None:
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    return raw if hashlib.sha256(raw).hexdigest() == digest else None


def _last_serial(folder: Path) -> int:
    return max((int(path.stem) for path in folder.glob("*.pt") if path.stem.isdigit()), default=0)


def _drop_others(folder: Path, kept: set[str]) -> None:
    """Remove older checkpoints and what a killed write left behind (its name begins with a dot)."""
    for path in folder.iterdir():
        if path.name not in kept and path.name != POINTER:
            path.unlink(missing_ok=True)
