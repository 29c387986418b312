"""The networks a spec may name: takes nothing, gives the set of names, without loading torch or timm.

`timm_names.txt` is timm's own list of networks and of their pretrained tags, as of the pinned version; a test
compares the two.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from engine.spec.own_code import names_code

WORDNET_ID = re.compile(r"n\d{8}")  # a class of ImageNet, and the name of its folder
IMAGENET_HEADS = {
    1000: "imagenet_synsets.txt",
    11221: "imagenet21k_miil_synsets.txt",
    11821: "imagenet12k_synsets.txt",
    21841: "imagenet22k_synsets.txt",
    21842: "imagenet22k_ms_synsets.txt",
    21843: "imagenet21k_goog_synsets.txt",
}
"""Outputs of a head -> timm's table of which class each of them is."""
TINY_VITS = ("tiny_vit_5m", "tiny_vit_11m", "tiny_vit_21m", "tiny_vit")


def is_tiny_vit(arch: str) -> bool:
    """Whether a network is one of our own: neither timm's nor somebody's code."""
    return arch in TINY_VITS


@cache
def known_networks() -> frozenset[str]:
    """Return every valid `arch`: our own tiny_vit_* and `timm/<name>`, with or without a pretrained tag."""
    lines = Path(__file__).with_name("timm_names.txt").read_text().split()
    return frozenset([*TINY_VITS, *(f"timm/{name}" for name in lines)])


@cache
def has_pretrained(arch: str) -> bool:
    """Whether someone has published weights of `arch`: its name carries their tag, or some tag exists for it."""
    if arch in TINY_VITS:
        return arch != "tiny_vit"
    if names_code(arch):
        return False
    return "." in arch or any(name.startswith(f"{arch}.") for name in known_networks())
