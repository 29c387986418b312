"""Checkpoints: takes a state and a folder, gives files that are whole or ignored, and the newest good one back.

A checkpoint is `<serial>.pt`, renamed into place after it is synced; `pointer.json`, written last, names the newest and
the one before with their sha256. So a kill at any instruction leaves at least the older one readable.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.home.files import read_json, write_atomic, write_json

State = dict[str, Any]
POINTER = "pointer.json"
# The newest, and the one before for when the newest turns out to be damaged.
KEPT = 2


@dataclass(frozen=True)
class LoadedCheckpoint:
    """A checkpoint that was read back: its state, the folder it lies in, the optimizer steps done."""

    state: State
    folder: Path
    step: int


def save_checkpoint(folder: Path, state: State, step: int, branch: Path | None = None) -> None:
    """Add a checkpoint to `folder` and drop all but the newest two. Durable when it returns.

    It stays in the folder `branch` too, where there is one: the same file by a second name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = _pointed(folder)
    raw = encode_state(state)
    name = f"{1 + _last_serial(folder):06d}.pt"
    write_atomic(folder / name, raw)
    entry = {"file": name, "step": step, "sha256": hashlib.sha256(raw).hexdigest()}
    if branch is not None:
        # Before the pointer: whoever goes on from this checkpoint finds the branch done.
        _keep_in(branch, folder / name, entry)
    before = known[: KEPT - 1]
    write_json(folder / POINTER, {**entry, "before": before})
    # Only now, when the pointer no longer names them.
    _drop_others(folder, {name, *(str(old["file"]) for old in before)})


def _keep_in(branch: Path, file: Path, entry: State) -> None:
    """Give a checkpoint a second name in `branch`, which no later one takes away."""
    branch.mkdir(parents=True, exist_ok=True)
    (branch / file.name).unlink(missing_ok=True)
    os.link(file, branch / file.name)
    write_json(branch / POINTER, {**entry, "before": []})
    _drop_others(branch, {file.name})


def load_newest(folders: Iterable[Path]) -> LoadedCheckpoint | None:
    """Return the newest good checkpoint of the first folder that has one; None when no folder has any.

    A file whose bytes do not match the pointer's sha256, or that holds more than plain data and tensors, is passed over
    for the one before.
    """
    for folder in folders:
        for entry in _pointed(folder):
            # What is loaded are the very bytes that were checked.
            raw = _read_checked(folder / str(entry["file"]), str(entry["sha256"]))
            state = None if raw is None else decode_state(raw)
            if state is not None:
                return LoadedCheckpoint(state, folder, int(entry["step"]))
    return None


def pointed_steps(folder: Path) -> list[int]:
    """Return the steps of the checkpoints in `folder`, newest first."""
    return [int(entry["step"]) for entry in _pointed(folder)]


def capture_random() -> State:
    """Return the state of every random generator that training may draw from."""
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        # As JSON text: `weights_only` reads plain data and tensors, and no numpy state.
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


def copy_state(state: State) -> State:
    """Return `state` with every tensor copied to the CPU, so that training may go on while it is written."""
    copied = _copy_value(state)
    assert isinstance(copied, dict)
    return copied


def _copy_value(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        # copy: on the CPU the very tensor would be handed out, and the next step changes it under the writer.
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: _copy_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_copy_value(inner) for inner in value)
    return value


def encode_state(state: State) -> memoryview:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getbuffer()


def decode_state(raw: bytes) -> State | None:
    """Tensors come back on the CPU; `load_state_dict` moves them to where the network is. None: no state of ours."""
    try:
        # weights_only: a pickle could run code, and a checkpoint may come from anywhere.
        state = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError):
        return None
    return state if isinstance(state, dict) else None


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
    # Counting files that no pointer names, whose names must not come again.
    return max((int(path.stem) for path in folder.glob("*.pt") if path.stem.isdigit()), default=0)


def _drop_others(folder: Path, kept: set[str]) -> None:
    """Remove older checkpoints and what a killed write left behind (its name begins with a dot)."""
    for path in folder.iterdir():
        if path.name not in kept and path.name != POINTER:
            path.unlink(missing_ok=True)
