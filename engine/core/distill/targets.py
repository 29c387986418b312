"""A teacher's logits on the views its students see: takes a prediction function, gives a checked cache and its reader.

    logits.bin     fp16 (views, images, classes), each row minus its maximum
    manifest.json  what they are of, sha256 of logits.bin; written last

Logits, not probabilities: any temperature can be applied later. Minus the maximum, because fp16 is finest near 0, where
the classes that count then lie. Subtracting a constant changes no softmax.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.content import file_digest
from engine.core.data.draws import VIEW_VERSION
from engine.core.data.loader import render_rows, resolve_view_seed
from engine.core.data.pack import Pack
from engine.core.data.splits import Rows
from engine.errors import DataError, HomeError, JobError
from engine.home import read_json, write_json
from engine.spec import Data

TARGETS_VERSION = 1
LOWEST = float(np.finfo(np.float16).min)
Predict = Callable[[Tensor], Tensor]


def write_targets(
    predict: Predict,
    pack: Pack,
    rows: Rows,
    data: Data,
    size: int,
    views: int,
    folder: Path,
    info: Mapping[str, Any],
    progress: Callable[[int, int], None],
    *,
    batch_size: int = 64,
    seed: int = 0,
) -> None:
    """Write the logits of `predict` on views 0..views-1 of `rows` into `folder` (there and empty).

    `predict` takes uint8 (B, 3, size, size) and returns logits (B, classes). `info` is kept in the manifest; `seed`
    counts only where data.view_seed is `run`. `progress(done, all)` counts images. Raises JobError when a logit is not
    finite.
    """
    total, done, classes = views * len(rows), 0, 0
    with open(folder / "logits.bin", "wb") as out:
        for view in range(views):
            for images in _view_batches(pack, rows, data, size, view, batch_size, resolve_view_seed(data, seed)):
                logits = encode_logits(predict(images))
                classes = logits.shape[1]
                out.write(logits.numpy().tobytes())
                done += len(images)
                progress(done, total)
    manifest = {
        "version": TARGETS_VERSION,
        "views": views,
        "classes": classes,
        "keys": [pack.keys[row] for row in rows],
        "digest": keys_digest(pack, rows),
        "scene": view_settings(data, seed),
        "info": dict(info),
        "sha256": file_digest(folder / "logits.bin"),
    }
    write_json(folder / "manifest.json", manifest)


def _view_batches(
    pack: Pack, rows: Rows, data: Data, size: int, view: int, batch_size: int, view_seed: int
) -> Iterator[Tensor]:
    for first in range(0, len(rows), batch_size):
        yield render_rows(pack, rows[first : first + batch_size], view, view_seed, data.augment, size)


def encode_logits(logits: Tensor) -> Tensor:
    """Return logits (B, C) minus their row's maximum, fp16 on the host: what a cache holds and `online` must match."""
    raw = logits.detach().float().cpu()
    if not torch.isfinite(raw).all():
        raise JobError(
            "the teacher gives logits that are not finite",
            where="teacher",
            fix="run it in fp32 (train.precision: fp32), or check its weights",
        )
    return (raw - raw.amax(dim=1, keepdim=True)).clamp(min=LOWEST).half()


def view_settings(data: Data, seed: int) -> dict[str, Any]:
    """Return what decides the pixels of a view: targets made under other settings do not belong to it."""
    return {
        "view_version": VIEW_VERSION,
        "view_seed": resolve_view_seed(data, seed),
        "augment": data.augment.model_dump(mode="json"),
        "short_side": data.short_side,
        "format": data.format,
    }


def keys_digest(pack: Pack, rows: Rows) -> str:
    """Return the sha256 over the keys of `rows`, in order."""
    return hashlib.sha256("\n".join(pack.keys[int(row)] for row in rows).encode()).hexdigest()


@dataclass(frozen=True)
class Targets:
    """An opened cache, restricted to the rows it was opened for."""

    views: int
    classes: int
    info: Mapping[str, Any]
    _logits: NDArray[np.float16]
    _place: NDArray[np.int64]

    def lookup(self, view: int, rows: Tensor) -> Tensor:
        """Return the teacher's logits, fp32 (B, classes), maximum 0, on view `view` of pack `rows` (int64 (B,)).

        Raises DataError for a view or a row that is not held: a student reads targets of its own training images only.
        """
        places = self._place[rows.numpy()]
        if not 0 <= view < self.views:
            raise _absent(f"view {view} of {self.views}")
        if (places < 0).any():
            raise _absent("an image outside of the training set")
        return torch.from_numpy(self._logits[view, places].astype(np.float32))


def _absent(wanted: str) -> DataError:
    fix = "this is a fault of xp: please report it"
    return DataError(f"the cached targets do not hold {wanted}", where="targets", fix=fix)


def open_targets(folder: Path, pack: Pack, rows: Rows, *, data: Data | None = None, seed: int = 0) -> Targets:
    """Open a cache for the pack's `rows`, every byte verified; with `data`, its views are verified to be those too.

    Raises DataError when it is damaged, of other views, or lacks one of the rows.
    """
    problem = _state_problem(folder)
    if problem is None:
        manifest: dict[str, Any] = read_json(folder / "manifest.json")
        problem = _fit_problem(manifest, pack, rows, view_settings(data, seed) if data else None)
    if problem is not None:
        raise DataError(problem, where=str(folder), fix="remove this folder and submit again: it is made anew")
    place_of = {key: place for place, key in enumerate(manifest["keys"])}
    place = np.full(len(pack.keys), -1, dtype=np.int64)
    place[rows] = [place_of[pack.keys[int(row)]] for row in rows]
    shape = (manifest["views"], len(manifest["keys"]), manifest["classes"])
    logits = np.memmap(folder / "logits.bin", dtype=np.float16, mode="r", shape=shape)
    return Targets(manifest["views"], manifest["classes"], manifest["info"], logits, place)


def is_valid_targets(folder: Path) -> bool:
    """Whether the cache is whole: manifest there, logits of the size and sha256 it states."""
    return _state_problem(folder) is None


def _state_problem(folder: Path) -> str | None:
    try:
        manifest: dict[str, Any] = read_json(folder / "manifest.json")
        if manifest["version"] != TARGETS_VERSION:
            return f"the targets are of version {manifest['version']}, this program reads {TARGETS_VERSION}"
        size = manifest["views"] * len(manifest["keys"]) * manifest["classes"] * 2
        if (folder / "logits.bin").stat().st_size != size:
            return "the targets have another size than their manifest states"
        if file_digest(folder / "logits.bin") != manifest["sha256"]:
            return "the targets are damaged: their checksum does not hold"
    except FileNotFoundError as error:
        return f"the targets are not whole: {Path(error.filename).name} is missing"
    except (HomeError, DataError, KeyError, TypeError) as error:
        return f"the targets' manifest is damaged: {error}"
    return None


def _fit_problem(manifest: dict[str, Any], pack: Pack, rows: Rows, scene: dict[str, Any] | None) -> str | None:
    if scene is not None and manifest["scene"] != scene:
        return "the targets belong to other views: augmentation, view seed or packing differ"
    held = set(manifest["keys"])
    missing = sum(pack.keys[int(row)] not in held for row in rows)
    if missing:
        return f"the targets lack {missing} of {len(rows)} training images: they are of other data or another split"
    return None
