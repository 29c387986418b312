"""The optimizers that timm's factory makes, asked of timm itself: takes nothing, gives the text of the shipped list.

`python -m tests.spec.timm_optimizers > engine/spec/timm_optimizers.txt` writes it anew after another timm is pinned.
"""

from __future__ import annotations

import sys
from typing import Any

OURS = ("adamw", "sgd")  # made by xp itself, in OPTIMIZERS
HEAD = """# The optimizers of timm's factory, as of the pinned version (python -m tests.spec.timm_optimizers).
# name, betas that it takes, whether it takes momentum and eps, why it is refused (-: it is not)
"""


def optimizer_table() -> str:
    """Return the head and a line for each optimizer, sorted by name."""
    from timm.optim import get_optimizer_info, list_optimizers

    names = (name for name in sorted(map(str, list_optimizers())) if name not in OURS)
    return HEAD + "".join(f"{_line(get_optimizer_info(name))}\n" for name in names)


def _line(info: Any) -> str:
    betas = info.num_betas if info.has_betas else 0
    taken = ("momentum" if info.has_momentum else "-", "eps" if info.has_eps else "-")
    return " ".join([info.name, str(betas), *taken, _refusal(info)])


def _refusal(info: Any) -> str:
    """Return what rules an optimizer out: derivatives of derivatives, or a package that xp does not bring."""
    if info.second_order:
        return "second_order"
    if info.name.startswith("kron"):  # runs without, and says that it should not
        return "opt_einsum"
    package = info.opt_class.split(".")[0] if isinstance(info.opt_class, str) else "-"
    return package if package in ("apex", "bitsandbytes") else "-"


if __name__ == "__main__":
    sys.stdout.write(optimizer_table())
