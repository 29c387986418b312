"""Does a map point at the object: takes maps and the pixels of the objects, gives hits, shares of mass, and chance.

Pointing game (Zhang et al. 2016, Top-down neural attention by excitation backprop): a hit is a map whose highest place
lies within a tolerance of the object, 15 pixels of an image 224 wide; the figure is the share of hits. Energy-based
pointing game (Wang et al. 2020, Score-CAM): the share of the map's mass that lies on the object. Beside them stand
what says nothing: the share of all places of the map that would hit (a random map of the same size), the share of
the image that the object takes (a flat map), and the objects of the other images (a map that looks where objects
commonly lie, in the middle, hits those as well).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor

TOLERANCE = 15 / 224
"""How far from the object a hit may lie, as a share of the image's side."""
SHUFFLES, BLOCK = 9999, 303

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PointingFigures:
    """Of each image, float64 (B,): whether it is a hit (0 or 1), and the chances; energy and area are shares.

    `chance_p` is of as many hits or more for random maps, `others_p` for these maps dealt out to the images at
    random: one-sided.
    """

    hits: Floats
    chance: Floats
    others: Floats
    energy: Floats
    area: Floats
    chance_p: float
    others_p: float


def play_pointing(maps: Tensor, objects: Bools, seed: int = 0) -> PointingFigures:
    """Return the figures of maps (B, H, W), not negative, with their objects (B, S, S), none of which is empty."""
    reach = np.stack([_near_places(one, (maps.shape[1], maps.shape[2])) for one in objects])
    tops = maps.flatten(1).argmax(1).numpy()
    # [map, object]: whether the map points at the object.
    table = reach[:, tops].T.astype(np.float64)
    hits, chance = np.diagonal(table).copy(), reach.mean(axis=1)
    rest = max(len(table) - 1, 1)
    return PointingFigures(
        hits=hits,
        chance=chance,
        others=(table.sum(axis=1) - hits) / rest,
        energy=_energy(maps, objects),
        area=objects.mean(axis=(1, 2)),
        chance_p=hits_p(int(hits.sum()), chance),
        others_p=deal_p(table, seed),
    )


def _near_places(one: Bools, places: tuple[int, int]) -> Bools:
    """Return (H * W,) bool: the places of a map whose centre lies within the tolerance of an object (S, S).

    A map's highest place in pixels is the centre of one of its cells, because bilinear enlarging makes no peaks.
    """
    side = len(one)
    distance = np.asarray(distance_transform_edt(~one), dtype=np.float64)
    down, across = (((np.arange(count) + 0.5) * side / count).astype(np.int64) for count in places)
    near: Bools = distance[np.ix_(down, across)] <= TOLERANCE * side
    return near.ravel()


def _energy(maps: Tensor, objects: Bools) -> Floats:
    side = objects.shape[-1]
    wide = F.interpolate(maps[:, None].double(), size=(side, side), mode="bilinear", align_corners=False)[:, 0]
    inside = (wide * torch.from_numpy(objects)).sum((1, 2))
    total = wide.sum((1, 2))
    # A map of zeros points nowhere: it is flat.
    even = torch.from_numpy(objects.mean(axis=(1, 2)))
    shares: Floats = torch.where(total > 0, inside / total.clamp_min(1e-300), even).numpy()
    return shares


def hits_p(hits: int, chances: Floats) -> float:
    """Return the chance of `hits` or more where each image hits with its own chance (Poisson binomial, exact)."""
    counts = np.ones(1)
    for chance in chances:
        counts = np.convolve(counts, [1 - chance, chance])
    return float(min(1.0, counts[hits:].sum()))


def deal_p(table: Floats, seed: int) -> float:
    """Return the p of the hits on the diagonal of `table` [map, object] when objects are dealt out at random.

    A permutation test by Monte Carlo, its own deal counted among them, so that it is never too small (Phipson and
    Smyth 2010).
    """
    draw, rows = np.random.default_rng(seed), np.arange(len(table))
    own, as_many = table.trace(), 0
    # Some at a time, because a thousand images dealt out ten thousand times take 80 MB.
    for _ in range(SHUFFLES // BLOCK):
        deals = draw.permuted(np.tile(rows, (BLOCK, 1)), axis=1)
        as_many += int(np.count_nonzero(table[rows, deals].sum(axis=1) >= own))
    return (1 + as_many) / (1 + SHUFFLES)
