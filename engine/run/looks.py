"""The maps that a spec names: takes an explaining attempt and its network, leaves maps, figures and the deletion test.

`looks.npz` holds the explained images with each kind's maps, for the figure of a report; `deletion.npz` the areas of
single images. All of it is a function of the job's settings: an attempt that was killed is done again to the same
bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.core.attention_figures import attention_figures
from engine.core.data.loader import EvalLoader
from engine.core.deletion import GRID, STEPS, DeletionTest, run_deletion
from engine.core.map_kinds import Asked, DrawnMaps, draw_kinds
from engine.core.train.forward import Forward
from engine.run.attempt import Attempt
from engine.run.inputs import Images, Rows
from engine.run.map_log import log_figure
from engine.spec.job_settings import ExplainSettings

BATCH = 8
"""Images that are looked at in one go: fixed, because it may change the bits of a map."""
CURVES, CONTROLS = ("deletion", "insertion"), ("chance", "others")
UNITS = {"attention_entropy": "fraction", "attention_distance": "pixels"}


@dataclass(frozen=True)
class Looker:
    """A trained network, how images enter it, and the images of the job."""

    attempt: Attempt
    network: nn.Module
    forward: Forward
    images: Images

    def answer(self, some: Tensor) -> Tensor:
        with torch.no_grad():
            return self.forward(self.network, some)


@dataclass(frozen=True)
class Looks:
    """Images (N, 3, S, S) uint8 with their keys, labels and what the network says, and the maps of each kind."""

    pictures: Tensor
    keys: Sequence[str]
    labels: Tensor
    predicted: Tensor
    drawn: DrawnMaps


def even_rows(rows: Rows, count: int) -> Rows:
    """Return `count` rows taken evenly over all, or all where there are fewer."""
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), count)).astype(np.int64)]


def look_at(looker: Looker, rows: Rows, phase: str) -> Looks:
    """Return the maps of the rows, some images at a time."""
    images, kinds = looker.images, looker.attempt.settings(ExplainSettings).explain.maps or []
    parts = list[tuple[Tensor, Tensor, Tensor, DrawnMaps]]()
    for number, batch in enumerate(EvalLoader(images.pack, rows, images.data, images.data.image_size, BATCH)):
        looker.attempt.watch(phase, number * BATCH, len(rows))
        predicted = looker.answer(batch.images).argmax(1).cpu()
        found = draw_kinds(looker.network, kinds, Asked(looker.forward.prepare(batch.images), predicted, batch.labels))
        parts.append((batch.images.cpu(), batch.labels.cpu(), predicted, found))
    pictures, labels, answers, drawn = zip(*parts, strict=True)
    keys = [images.pack.keys[row] for row in rows]
    return Looks(torch.cat(pictures), keys, torch.cat(labels), torch.cat(answers), _joined(drawn))


def _joined(parts: Sequence[DrawnMaps]) -> DrawnMaps:
    """Put batches together; a kind that one of them has not, which a network may lack by its gradients, is omitted."""
    omitted = {kind: reason for part in parts for kind, reason in part.omitted.items()}
    kinds = [kind for kind in parts[0].maps if kind not in omitted]
    values = {kind: torch.cat([part.maps[kind].values for part in parts]) for kind in kinds}
    maps = {kind: replace(parts[0].maps[kind], values=values[kind]) for kind in kinds}
    return DrawnMaps(maps, omitted)


def save_looks(looker: Looker, looks: Looks) -> None:
    """Write the explained images with their maps, and say what they are; the figures of attention are theirs."""
    attempt = looker.attempt
    attempt.folder.artifacts.mkdir(parents=True, exist_ok=True)
    maps: dict[str, Any] = {f"map_{kind}": one.values.numpy() for kind, one in looks.drawn.maps.items()}
    pictures = looks.pictures.permute(0, 2, 3, 1).contiguous().numpy()
    about: dict[str, Any] = {
        "keys": np.array(looks.keys),
        "labels": looks.labels.numpy(),
        "predicted": looks.predicted.numpy(),
    }
    np.savez(attempt.folder.artifacts / "looks.npz", pictures=pictures, **about, **maps)
    layers = {kind: one.layer for kind, one in looks.drawn.maps.items()}
    attempt.journal.fact("looks", {"layers": layers, "omitted": dict(looks.drawn.omitted), "images": len(looks.keys)})


def log_attention(looker: Looker, looks: Looks) -> None:
    """Log the figures of attention over the explained images, where the network has any; the heads apart as a fact."""
    found = [
        attention_figures(looker.network, looker.forward.prepare(looks.pictures[first : first + BATCH]))
        for first in range(0, len(looks.keys), BATCH)
    ]
    if found[0] is None:
        return
    names, heads = list(found[0].values), dict[str, list[float]]()
    for name in names:
        values = torch.cat([one.values[name] for one in found if one is not None]).numpy()
        heads[name] = values.mean(0).tolist()
        log_figure(looker.attempt, looker.forward.device, name, values.mean(1), UNITS.get(name, "fraction"), BATCH)
    looker.attempt.journal.fact("attention", {"layer": found[0].layer, "heads": heads, "images": len(looks.keys)})


def log_deletion(looker: Looker, looks: Looks) -> None:
    """Run the deletion test of each kind of map and log its areas, gains over the controls, and mean curves."""
    maps = {kind: one.values for kind, one in looks.drawn.maps.items()}
    if not maps:
        return
    found = run_deletion(looker.answer, looks.pictures, looks.keys, maps, looker.attempt.watcher("deletion"))
    areas: dict[str, Any] = {f"chance_{curve}": found.chance.area(curve) for curve in CURVES}
    for kind in maps:
        for curve in CURVES:
            own = areas[f"{kind}_{curve}"] = found.own[kind].area(curve)
            areas[f"{kind}_{curve}_others"] = found.others[kind].area(curve)
            gain = found.gain(kind, curve, "chance")
            log_figure(looker.attempt, looker.forward.device, f"{curve}_auc_{kind}", own, "probability", STEPS + 1)
            log_figure(looker.attempt, looker.forward.device, f"{curve}_gain_{kind}", gain, "probability", STEPS + 1)
    np.savez(looker.attempt.folder.artifacts / "deletion.npz", keys=np.array(looks.keys), **areas)
    looker.attempt.journal.fact("deletion", _deletion_fact(found, list(maps), len(looks.keys)))


def _deletion_fact(found: DeletionTest, kinds: Sequence[str], images: int) -> dict[str, object]:
    """Return what a report needs for intervals and curves: means and standard deviations over images."""
    told = {
        kind: {
            curve: {
                "area": float(found.own[kind].area(curve).mean()),
                "curve": _mean_curve(getattr(found.own[kind], curve)),
                **{control: _spread(found.gain(kind, curve, control)) for control in CONTROLS},
            }
            for curve in CURVES
        }
        for kind in kinds
    }
    chance = {
        curve: {"area": float(found.chance.area(curve).mean()), "curve": _mean_curve(getattr(found.chance, curve))}
        for curve in CURVES
    }
    return {"images": images, "grid": GRID, "steps": STEPS, "chance": chance, "kinds": told}


def _spread(values: NDArray[np.float64]) -> dict[str, float]:
    return {"mean": float(values.mean()), "std": float(values.std(ddof=1)) if len(values) > 1 else 0.0}


def _mean_curve(curves: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 6) for value in curves.mean(0)]
