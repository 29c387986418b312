"""The optimizers a spec may name: takes nothing, gives each word with what a spec must know of it, without torch.

adamw and sgd are ours (OPTIMIZERS of engine/core/train/optim.py); timm_optimizers.txt is what timm's factory makes, as
of the pinned version; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.spec.own_code import names_code
from engine.spec.registries import read_words

TABLE = Path(__file__).with_name("timm_optimizers.txt")


@dataclass(frozen=True, kw_only=True)
class OptimizerWords:
    """What a spec must know of an optimizer.

    `largest_rate`: no network is known to train at a rate above it; such a one is let through and told.
    `betas`: how many it takes; `has_momentum`, `has_eps`: whether it takes one.
    """

    largest_rate: float
    betas: int = 0
    has_momentum: bool = False
    has_eps: bool = False

    def takes(self, option: str) -> bool:
        """Return whether `betas`, `momentum` or `eps` means anything to it."""
        return {"betas": self.betas > 0, "momentum": self.has_momentum, "eps": self.has_eps}[option]


def _timm_words(name: str, betas: str, momentum: str, eps: str) -> OptimizerWords:
    return OptimizerWords(
        largest_rate=_largest_rate(name, int(betas)),
        betas=int(betas),
        has_momentum=momentum == "momentum",
        has_eps=eps == "eps",
    )


def _largest_rate(name: str, betas: int) -> float:
    """A step of Adam's kind is as long as its rate; LARS (arXiv 1708.03888) multiplies its own by thousandths."""
    return 100.0 if "lar" in name else 1.0 if betas else 10.0


def optimizer_words(name: str) -> OptimizerWords:
    """Return what a spec must know of an optimizer. Raises KeyError where there is none of this name."""
    return OWN_OPTIMIZER if names_code(name) else OPTIMIZER_WORDS[name]


_ROWS = [line.split() for line in TABLE.read_text().splitlines() if not line.startswith("#")]
_REASONS = {
    "second_order": "it needs derivatives of derivatives, which a step does not keep",
    "bitsandbytes": "it needs the package bitsandbytes, which xp does not bring",
    "apex": "it needs the package apex, which xp does not bring",
    "opt_einsum": "it needs the package opt_einsum, which xp does not bring",
}

OPTIMIZER_WORDS: dict[str, OptimizerWords] = {
    **read_words("optimizer", OptimizerWords),
    **{name: _timm_words(name, *facts) for name, *facts, reason in _ROWS if reason == "-"},
}
OWN_OPTIMIZER = OptimizerWords(largest_rate=100.0)
"""What is known of an optimizer of somebody's own: it takes a rate and what decays, its constants are its own."""
REFUSED_OPTIMIZERS: dict[str, str] = {name: _REASONS[reason] for name, *_, reason in _ROWS if reason != "-"}
"""Optimizers that timm has and xp does not run -> the reason. Those that call a closure again are of no timm word."""
