"""Options of timm networks: takes a network of a spec, gives those that nothing in timm takes, without loading timm.

`timm_options.txt` has a line for each set of options: the networks, a colon, what they take; `*` where a network
takes any word. It is of the pinned timm, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from engine.errors import closest_hint
from engine.spec import Network

ANY = "*"
DROP_PATH = "drop_path_rate"  # what timm calls the share of paths that are dropped


@cache
def known_options() -> dict[str, frozenset[str]]:
    """Return what each timm network takes, by its name without a pretrained tag."""
    table: dict[str, frozenset[str]] = {}
    for line in Path(__file__).with_name("timm_options.txt").read_text().splitlines():
        names, _, options = line.partition(": ")
        table |= dict.fromkeys(names.split(), frozenset(options.split()))
    return table


def option_problems(network: Network, path: str) -> Iterator[tuple[str, str, str]]:
    """Yield path, what and fix of each option that the network does not take; a network unknown here takes any."""
    if not network.arch.startswith("timm/"):
        return
    known = known_options().get(network.arch.removeprefix("timm/").partition(".")[0], frozenset({ANY}))
    if ANY in known:
        return
    for option in network.options:
        if option not in known:
            yield f"{path}.options.{option}", f"{network.arch} takes no option {option!r}", closest_hint(option, known)
    if network.drop_path is not None and DROP_PATH not in known:
        yield f"{path}.drop_path", f"{network.arch} has no drop path", "write drop_path: null"
