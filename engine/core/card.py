"""What a GPU can do: takes the first one that this process sees, gives its name, its kernels, its precisions.

`python -m engine.core.card` prints it as JSON, for who must not start CUDA in its own process.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import torch

# What a build of torch has kernels for: sm_90 in machine code, compute_90 in a form that newer cards translate; `a` is
# for that very card, `f` for its family.
ARCHITECTURE = re.compile(r"(sm|compute)_(\d+)(\d)([af]?)$")

TENSOR_CORES = (7, 0)


@dataclass(frozen=True)
class Card:
    """A card as torch sees it: `has_bf16` and `has_tf32` in hardware, `has_kernels` in this build of torch."""

    name: str
    capability: tuple[int, int]
    has_kernels: bool
    has_bf16: bool
    has_tf32: bool

    def __str__(self) -> str:
        return f"{self.name} (compute capability {'.'.join(map(str, self.capability))})"

    def trouble(self, precision: str) -> tuple[str, str]:
        """Return why no job of this precision should run on it and the fix, two empty texts where one can."""
        if not self.has_kernels:
            built = f"torch {torch.__version__} has no kernels for {self}"
            return built, "install a build of torch that has, or run the job on another card"
        if {"bf16": self.has_bf16, "tf32": self.has_tf32, "fp16": self.has_fp16}.get(precision, True):
            return "", ""
        half = "fp16 or " if precision == "bf16" and self.has_fp16 else ""
        newer = "7.5" if precision == "fp16" else "8.0"
        fix = f"set train.precision: {half}fp32, or run the job on a card of compute capability {newer} or newer"
        return f"{self} has no {precision}{' that is fast' if precision == 'fp16' else ''}", fix

    @property
    def has_fp16(self) -> bool:
        """Whether it multiplies matrices in half precision; older cards do so as slowly as in fp32, or slower."""
        return self.capability >= TENSOR_CORES


def read_card() -> Card:
    """Return what the first visible card is. Raises what torch does where CUDA does not start, most often RuntimeError.

    bf16 that torch only imitates does not count: it is slower than fp32 there.
    """
    capability = torch.cuda.get_device_capability(0)
    return Card(
        torch.cuda.get_device_name(0),
        capability,
        has_kernels(capability, torch.cuda.get_arch_list()),
        torch.cuda.is_bf16_supported(including_emulation=False),
        torch.cuda.is_tf32_supported(),
    )


def has_kernels(capability: tuple[int, int], built: Iterable[str]) -> bool:
    """Return whether a build for these architectures (torch.cuda.get_arch_list) runs on a card of this capability.

    Machine code runs on cards of the same major number that are no older; where a build names nothing that is known
    here, it is not said to lack anything.
    """
    known = [found.groups() for name in built if (found := ARCHITECTURE.match(name))]
    return not known or any(_runs(capability, *words) for words in known)


def _runs(capability: tuple[int, int], form: str, major: str, minor: str, only: str) -> bool:
    own = (int(major), int(minor))
    if only == "a":
        return capability == own
    return capability >= own and (form == "compute" or capability[0] == own[0])


def main() -> None:
    """Print the card, or in one line what torch says where there is none."""
    try:
        told = asdict(read_card())
    except (RuntimeError, AssertionError) as error:
        told = {"error": (str(error).splitlines() or [type(error).__name__])[0]}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
