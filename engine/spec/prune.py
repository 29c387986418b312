"""The words about pruning: how much of what goes, how it is chosen, when, and which control an arm is of another."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from engine.spec.base import LATER, FewEpochs, Model, Rate, Ratio, ranged, refuse
from engine.spec.own_code import names_code
from engine.spec.registries import one_of

Control = Literal["scratch", "none_longer", "random"]
CONTROLS: tuple[Control, ...] = ("scratch", "none_longer", "random")
ROUND_TO = 8
SEMI = 0.5  # of the weights that 2:4 covers: two of each four
MASKS = ("unstructured", "2:4")
"""The methods that set weights to zero and take no layer smaller."""


class Prune(Model):
    ratio: Ratio = Field(0.0, description="Share that is taken away; 0 is none.", examples=[0.2])
    of: Literal["params", "macs", "units", "latency"] = Field(
        "params",
        description="Of what the ratio is a share; latency: of one image on the CPU with the first of measure.threads, "
        "foretold from what the network's operators take on the machine that prunes, and then measured.",
        examples=["macs"],
    )
    method: Literal["structured", "unstructured", "2:4"] = Field(
        "structured",
        description="structured makes layers smaller; unstructured and 2:4 (two of each four weights along the input) "
        "set weights to zero and keep them there: no parameter, memory or time is saved by a runtime that does not "
        "look for zeros.",
        examples=["structured"],
    )
    criterion: Annotated[str, one_of("criterion", or_code=True)] = Field(
        "taylor",
        description="How units or weights are ranked: the least important go first; of units also a function of your "
        "own, as ./criteria.py:score.",
        examples=["l1"],
    )
    scope: Literal["layer", "global"] = Field(
        "layer",
        json_schema_extra=LATER,
        description="layer: each layer gives the same share; global: units of one kind are ranked over all layers.",
        examples=["global"],
    )
    when: Literal["after", "gradual", "before"] = Field(
        "after",
        json_schema_extra=LATER,
        description="after: once the training ends; gradual: masks that grow by a cubic schedule over the first "
        "70 % of the recovery; before: of the first weights, which are then trained for train.epochs and "
        "prune.recover_epochs.",
        examples=["after"],
    )
    control: Control | None = Field(
        None,
        json_schema_extra=LATER,
        description="Of the pruned arm with all else the same: scratch has its widths (or mask) and new weights, "
        "none_longer is not pruned, both for the same epochs in all; random takes away the same by chance.",
        examples=["scratch"],
    )
    embedding: bool = Field(
        False,
        json_schema_extra=LATER,
        description="Whether channels of the residual stream go too, where batch norms alone lie on it: all stages of "
        "MobileNet, EfficientNet and ResNet, the first of a TinyViT; under a layer norm one channel's going changes "
        "the others, so that ViT, ConvNeXt and the like are refused.",
        examples=[True],
    )
    round_to: Annotated[int, ranged(ge=1, le=1024)] = Field(
        ROUND_TO,
        json_schema_extra=LATER,
        description="Wide layers (128 units or more, and four times this) keep a multiple of so many units; 8: what "
        "vector units take; 16 and 32 are faster in some runtimes and come less near to the share.",
        examples=[8],
    )
    recover_epochs: FewEpochs = Field(2, description="Epochs of training after the cut.", examples=[2])
    recover_lr: Rate | None = Field(
        None, description="Largest learning rate of the recovery; null takes a tenth of train.lr.", examples=[1e-4]
    )

    @model_validator(mode="before")
    @classmethod
    def _two_of_four(cls, words: object) -> object:
        """2:4 says its own share."""
        if isinstance(words, dict) and words.get("method") == "2:4" and "ratio" not in words:
            return {**words, "ratio": SEMI}
        return words

    @property
    def is_mask(self) -> bool:
        return self.method in MASKS

    @model_validator(mode="after")
    def _masks_fit(self) -> Prune:
        """Refuse what a mask cannot do."""
        if not self.ratio:  # nothing is pruned, whatever else an arm inherits
            return self
        if not self.is_mask:
            if self.when == "gradual":
                raise refuse(
                    "only a mask can grow step by step", "write `after`, or set method: unstructured", at="when"
                )
            return self
        if self.embedding:
            raise refuse(
                "a mask takes no channel away", "leave `embedding` away, or set method: structured", at="embedding"
            )
        if self.round_to != ROUND_TO:
            raise refuse(
                "a mask leaves all widths as they are",
                "leave `round_to` away, or set method: structured",
                at="round_to",
            )
        if self.of != "params":
            raise refuse(f"a mask takes no {self.of} away", "write `params`, which is then the share of zeros", at="of")
        if names_code(self.criterion):
            raise refuse(
                "a criterion of your own is of whole units, and a mask is of weights",
                "write `l1`, l2, taylor or random",
                at="criterion",
            )
        if self.criterion == "fpgm":
            raise refuse(
                "criterion fpgm is of whole units, and a mask is of weights",
                "write `l1`, l2, taylor or random",
                at="criterion",
            )
        if self.method == "2:4" and self.ratio not in (0.0, SEMI):
            what = f"2:4 sets half of the weights that it covers to zero, and ratio is {self.ratio:g}"
            raise refuse(what, "write `0.5`, or set method: unstructured", at="ratio")
        if self.method == "2:4" and self.scope != "layer":
            raise refuse("2:4 chooses among four weights, and none across layers", "leave `scope` away", at="scope")
        return self

    @model_validator(mode="after")
    def _latency_fits(self) -> Prune:
        if self.ratio and self.of == "latency" and self.scope == "global":
            what = "widths of a share of latency are solved before any unit is ranked"
            raise refuse(what, "write `layer`, or set of: macs", at="scope")
        if self.ratio and self.of == "latency" and self.embedding:
            raise refuse(
                "a share of latency is solved for inner widths alone",
                "leave `embedding` away, or set of: macs",
                at="embedding",
            )
        if self.ratio and self.of == "latency" and self.round_to != ROUND_TO:
            what = f"widths of a share of latency are tried in steps of {ROUND_TO}"
            raise refuse(what, "leave `round_to` away, or set of: macs", at="round_to")
        return self

    @model_validator(mode="after")
    def _growth_fits(self) -> Prune:
        if self.when != "gradual" or not self.ratio:
            return self
        if self.method == "2:4":
            what = "2:4 does not grow: a group has two zeros or none"
            raise refuse(what, "write `after`, or set method: unstructured", at="when")
        if self.criterion == "taylor":
            what = "a mask that grows is chosen at many steps, and taylor takes gradients on images at each"
            raise refuse(what, "write `l1`, as Zhu and Gupta have it (arXiv 1710.01878)", at="criterion")
        if not self.recover_epochs:
            what = "a mask grows while the network recovers, and recover_epochs is 0"
            raise refuse(what, "write `2`, or more", at="recover_epochs")
        return self

    @model_validator(mode="after")
    def _control_fits(self) -> Prune:
        if self.control == "scratch" and self.when == "before" and self.ratio:
            what = "what is pruned before its training has its first weights already"
            raise refuse(what, "leave `control` away: scratch is the arm itself", at="control")
        return self
