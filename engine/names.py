"""The networks a spec may name: takes nothing, gives the set of names, without loading torch or timm.

`timm_names.txt` is timm's own list of networks and of their pretrained tags, as of the pinned version; a test
compares the two.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

TINY_VITS = ("tiny_vit_5m", "tiny_vit_11m", "tiny_vit_21m", "tiny_vit")


@cache
def known_networks() -> frozenset[str]:
    """Return every valid `arch`: our own tiny_vit_* and `timm/<name>`, with or without a pretrained tag."""
    lines = Path(__file__).with_name("timm_names.txt").read_text().split()
    return frozenset([*TINY_VITS, *(f"timm/{name}" for name in lines)])
