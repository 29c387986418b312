"""Whether cached targets are what their teacher says: takes a targets job, gives how they differ when asked again.

Whole batches are asked again, as they were when the cache was made. With the same library, device and thread count the
same bits must come; elsewhere a difference of ELSEWHERE steps is a rounding, and more is not. A step is one of fp16, in
which targets are kept, or of the coarser precision that the teacher worked in.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import torch

from engine.core.distill.encoding import FINEST, count_steps
from engine.core.distill.make import CENTRE_VIEW, Maker
from engine.core.distill.targets import CENTRE, LOGITS, map_rows, map_taught, read_form, targets_problem
from engine.errors import QueryError
from engine.home.files import read_json
from engine.home.paths import Home
from engine.inputs.splits import split_pack
from engine.run.device import prepare_device
from engine.run.inputs import HomeVisit, Images, open_needed_pack
from engine.run.targets import make_maker, open_teacher, targets_info, targets_origin
from engine.spec.job_file import read_details, read_job
from engine.spec.job_settings import TargetsSettings

# Of two ImageNet networks in bf16 on 24 photographs, another order of memory moved logits by 1.8 steps at most.
# In fp16 roundings are as many, and as large in steps of their own.
ELSEWHERE = {"fp32": 2.0, "tf32": 4.0, "bf16": 4.0, "fp16": 4.0}
# Of the size of a row's logits, which were rounded before their maximum was taken from them. tf32 rounds as fp16 does.
STEPS = {"bf16": 2.0**-8, "fp16": 2.0**-11, "tf32": 2.0**-11}
SURROUNDINGS = ("torch", "device", "cpu", "threads")


@dataclass(frozen=True)
class RowMismatch:
    """One batch asked again: the largest difference from the cache in steps."""

    view: int
    first: int
    images: int
    steps: float


@dataclass(frozen=True)
class TargetsCheck:
    """What was found of one targets job. `problem` says why its files do not count; `changed` what is not as it was."""

    job: str
    allowed: float
    changed: tuple[str, ...] = ()
    differences: tuple[RowMismatch, ...] = ()
    problem: str | None = None
    unit: str = "fp16"

    @property
    def is_right(self) -> bool:
        return self.problem is None and all(one.steps <= self.allowed for one in self.differences)

    def lines(self) -> list[str]:
        """Return the findings as a table for a terminal."""
        images = sum(one.images for one in self.differences)
        head = f"{self.job}: {'right' if self.is_right else 'WRONG'}"
        if self.problem is not None:
            return [f"{head}: {self.problem}"]
        rows = [f"  {'view':>6} {'from image':>10} {'images':>6} {'steps':>10}  "]
        for one in self.differences:
            view = "centre" if one.view == CENTRE_VIEW else str(one.view)
            said = "right" if one.steps <= self.allowed else "WRONG"
            rows.append(f"  {view:>6} {one.first:>10} {one.images:>6} {one.steps:>10.3g}  {said}")
        why = f"elsewhere than they were made ({'; '.join(self.changed)})" if self.changed else "where they were made"
        return [f"{head}: {images} images asked again {why}: {self.allowed:g} steps of {self.unit} allowed", *rows]


def verify_targets(home: Home, job: str, samples: int, seed: int | None = None) -> TargetsCheck:
    """Ask the teacher of a targets job again about `samples` images or a few more, drawn by `seed` (None: anew).

    Raises QueryError where the job is not done yet.
    """
    folder, place = home.job(job), home.targets(job)
    if not folder.result.exists():
        raise QueryError(f"{job} is not done", fix=f"wait for it: xp logs {job} -f")
    spec = read_job(folder, TargetsSettings)
    data, visit = spec.settings.data, HomeVisit(home, read_details(folder))
    pack = open_needed_pack(home, spec.needs["pack"], data, visit)
    origin = targets_origin(job, spec, Images(data, pack, split_pack(pack, data)))
    problem = targets_problem(place, origin)
    if problem is not None:
        return TargetsCheck(job, 0.0, problem=problem)
    manifest: dict[str, Any] = read_json(place / "manifest.json")
    # With the thread count of then, which changes the bits.
    device = prepare_device(_slot(manifest["info"]), int(manifest["info"]["threads"]), True, spec.settings.precision)
    teacher = open_teacher(visit, spec, device)
    now = targets_info(job, spec, pack, teacher)
    changed = tuple(f"{name} {manifest['info'].get(name)} -> {now[name]}" for name in _changed(manifest["info"], now))
    maker, taught = make_maker(origin, teacher), read_form(manifest)
    held = {CENTRE_VIEW: map_rows(place / CENTRE, taught.form, (len(pack),))}
    if origin.views:
        logits = map_taught(place / LOGITS, taught, (origin.views, len(origin.rows)))
        held |= {view: logits[view] for view in range(origin.views)}
    chosen = _draw_batches(maker, samples, random.Random(seed))
    precision = spec.settings.precision
    found = tuple(_ask_again(maker, view, first, held[view], precision) for view, first in chosen)
    allowed, unit = (ELSEWHERE[precision] if changed else 0.0), ("bf16" if precision == "bf16" else "fp16")
    return TargetsCheck(job, allowed, changed, found, unit=unit)


def _slot(info: Mapping[str, Any]) -> str:
    """Return the slot of the kind that the cache was made on, where this machine has one."""
    if info["device"] == "cpu" or not torch.cuda.is_available():
        return "cpu:0"
    return os.environ.get("CUDA_VISIBLE_DEVICES") or "0"


def _changed(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [name for name in SURROUNDINGS if then.get(name) != now[name]]


def _draw_batches(maker: Maker, samples: int, chance: random.Random) -> list[tuple[int, int]]:
    """Return (view, first place) of batches that hold `samples` images, the centre crops among the views."""
    every = [
        (view, first)
        for view in (CENTRE_VIEW, *range(maker.origin.views))
        for first in range(0, len(maker.rows_of(view)), maker.batch)
    ]
    chance.shuffle(every)
    # The last batch of a view has fewer images, so batches are counted by what they hold.
    held = accumulate((min(maker.batch, len(maker.rows_of(view)) - first) for view, first in every), initial=0)
    return sorted(one for one, before in zip(every, held, strict=False) if before < max(1, samples))


def _ask_again(maker: Maker, view: int, first: int, held: np.ndarray[Any, Any], precision: str) -> RowMismatch:
    rows = maker.rows_of(view)[first : first + maker.batch]
    taught = maker.rows(view)
    found, kept = maker.encode(view, maker.render(view, rows)), np.asarray(held[first : first + len(rows)])
    steps = _feature_steps(found, kept)
    asked, there = taught.answer_of(found), taught.answer_of(kept)
    if maker.form.kept is not None:
        # Other classes were kept: not the same answer, however near the logits are.
        same = np.array_equal(asked["classes"], there["classes"])
        asked, there = asked["logits"], there["logits"]
        if not same:
            return RowMismatch(view, first, len(rows), float("inf"))
    steps = max(steps, count_steps(asked, there, finest=_finest_step(precision, there)))
    return RowMismatch(view, first, len(rows), steps)


def _feature_steps(found: np.ndarray[Any, Any], kept: np.ndarray[Any, Any]) -> float:
    """Return the largest difference of features in steps of fp16 at the size of the largest number of a row."""
    steps = [0.0]
    for name in (name for name in found.dtype.names or () if name.startswith("feature_")):
        one, other = (rows[name].reshape(len(rows), -1).astype(np.float64) for rows in (found, kept))
        size = np.abs(other).max(axis=1, keepdims=True) * 2.0**-10
        steps.append(float((np.abs(one - other) / np.maximum(size, FINEST)).max()))
    return max(steps)


def _finest_step(precision: str, there: np.ndarray[Any, Any]) -> float:
    """Return the least step that counts: a logit near its row's maximum was as large as that when it was rounded."""
    return max(FINEST, STEPS.get(precision, 0.0) * float(-there.min()))
