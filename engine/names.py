"""The networks a spec may name: takes nothing, gives the set of names, without loading torch or timm.

`timm_names.txt` is timm's own list of networks and of their pretrained tags, as of the pinned version; a test
compares the two.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

WORDNET_ID = re.compile(r"n\d{8}")  # a class of ImageNet, and the name of its folder
TINY_VITS = ("tiny_vit_5m", "tiny_vit_11m", "tiny_vit_21m", "tiny_vit")


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
    return "." in arch or any(name.startswith(f"{arch}.") for name in known_networks())
