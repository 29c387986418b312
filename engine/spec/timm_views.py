"""How a network was trained to look: takes a name, gives the size, crop and pixels that timm's weights are made for.

`timm_views.txt` is timm's own table as of the pinned version, read without timm; a test compares the two. A word of the
spec, or what a weights file says of itself, wins over it (inputs/looks.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from engine.spec.architectures import is_tiny_vit
from engine.spec.base import Interpolation

TABLE = Path(__file__).with_name("timm_views.txt")
TINY_TAG = "{arch}_224.dist_in22k_ft_in1k"  # the weights of a tiny_vit_*m that are meant by `pretrained`


@dataclass(frozen=True)
class TimmView:
    """How weights look: side of the image in pixels, centre crop as a share of the short side, per-channel figures.

    `classes` are the outputs of their head (0: none), `top1` the share of ImageNet's validation images on which timm's
    list has them right, at this size and crop; None where it does not list them.
    """

    image_size: int
    crop_share: float
    interpolation: Interpolation
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: int
    top1: float | None


def timm_view(arch: str) -> TimmView | None:
    """Return how timm's weights of `arch` look; None for a tiny_vit of free sizes, which has none."""
    name = weights_name(arch)
    return None if name is None else _read_view(_read_lines()[name])


def weights_name(arch: str) -> str | None:
    """Return timm's whole name of the weights that `pretrained` means, tag and all; None where it has none."""
    name = TINY_TAG.format(arch=arch) if is_tiny_vit(arch) else arch.removeprefix("timm/")
    line = _read_lines().get(name)
    return line if line is not None and "," not in line else name if line is not None else None


def listed_top1(arch: str, tag_known: bool) -> float | None:
    """Return the accuracy that timm's list has for `arch`, None where it has none.

    For a file of weights whose tag nobody named it is the lowest of those listed for the network: the least to expect.
    """
    view = timm_view(arch)
    if tag_known or "." in arch or view is None or is_tiny_vit(arch):
        return view.top1 if view else None
    found = [view.top1 for view in _tagged_views(arch.removeprefix("timm/")) if view.top1 is not None]
    return min(found, default=None)


def _tagged_views(name: str) -> Iterator[TimmView]:
    return (_read_view(line) for key, line in _read_lines().items() if key.startswith(f"{name}."))


def _read_view(line: str) -> TimmView:
    size, crop, interpolation, mean, std, classes, top1 = line.split(",")
    means, stds = (tuple(map(float, words.split())) for words in (mean, std))
    known = None if top1 == "-" else float(top1) / 100
    kind: Interpolation = "bilinear" if interpolation == "bilinear" else "bicubic"
    return TimmView(int(size), float(crop), kind, means, stds, int(classes), known)


@cache
def _read_lines() -> dict[str, str]:
    """Return name -> the rest of its line: a view, or the whole name of the weights that are meant."""
    lines = (line for line in TABLE.read_text().splitlines() if line and not line.startswith(("#", "network,")))
    pairs = (line.partition("," if "," in line else " ") for line in lines)
    return {name: rest for name, _, rest in pairs}
