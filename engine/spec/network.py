"""The words about networks: which one, its sizes, its attention, its first weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from engine.errors import closest_hint
from engine.spec.architectures import TINY_VITS, has_pretrained, is_tiny_vit, known_networks
from engine.spec.base import ASIDE, Depth, Model, Numbers, PerStage, Ratio, Side, Width, refuse
from engine.spec.own_code import CODE_PATTERN, names_code
from engine.spec.patterns import PATTERNS, SELECT_WORDS
from engine.spec.registries import OneOf
from engine.spec.synonyms import hint_word, meant_words


def _check_stages(stages: list[int]) -> list[int]:
    if not stages or sorted(set(stages)) != stages:
        raise refuse(f"stages {stages}", "list each stage once, in order, such as [1, 2, 3]")
    return stages


OWN_TAG = "own"


class WindowAttention(Model):
    """TinyViT's own dense attention inside each window."""

    kind: Literal["window"] = Field(
        "window", description="window: TinyViT's own dense attention inside each window.", examples=["window"]
    )
    # auto is among paths that are equal; who names one means to run it, and another one has other speeds.
    backend: Literal["auto", "triton"] = Field(
        "auto",
        json_schema_extra={**ASIDE, "counted": ["triton"]},
        description="How it is computed, never what comes out but for rounding.",
        examples=["auto"],
    )


class LongformerAttention(Model):
    """Neighbourhood and global tokens inside each window; a list gives stages 1, 2, 3, one value is clipped to each."""

    kind: Literal["longformer"] = Field(
        description="longformer: a neighbourhood and global tokens.", examples=["longformer"]
    )
    pattern: Annotated[str, OneOf(tuple(PATTERNS))] = Field(
        "slide",
        description="Whom a token sees nearby: slide (a square about it), block (its tile), row (before and after it "
        "in raster order).",
        examples=["block"],
    )
    radius: PerStage = Field(
        None,
        description="Tokens to each side that slide and row see; null takes 2 in windows up to 7, else 3.",
        examples=[2],
    )
    globals: PerStage = Field(
        None, description="Global tokens of a window; null takes 4 in windows up to 14, else 16.", examples=[4]
    )
    tile: PerStage = Field(
        None,
        description="Side of a tile of block, in tokens; null takes the window's largest divisor up to 7, the window "
        "itself where none is 4 or more.",
        examples=[7],
    )
    select: Annotated[str, OneOf(tuple(SELECT_WORDS))] = Field(
        "grid",
        description="How global tokens are chosen: grid (fixed places), previous (most attended by the block before), "
        "norm (largest L2 norm), learned (a score), pooled (means of grid cells), none.",
        examples=["learned"],
    )
    projections: Literal["dual", "shared"] = Field(
        "dual", description="Whether global tokens have a second set of projections.", examples=["shared"]
    )
    bias: Literal["shared", "separate", "none"] = Field(
        "shared", description="The relative position bias of global tokens' rows.", examples=["none"]
    )
    combine: Literal["joint", "sum", "mean"] = Field(
        "joint",
        description="How an ordinary token joins neighbourhood and globals: one softmax over both, or the sum or mean "
        "of two.",
        examples=["sum"],
    )
    stages: list[Literal[1, 2, 3]] = Field(
        [1, 2, 3], description="Stages with this attention; the others keep windows.", examples=[[2, 3]]
    )
    # auto is among paths that are equal; who names one means to run it, and another one has other speeds.
    backend: Literal["auto", "reference", "sdpa", "triton", "bands"] = Field(
        "auto",
        json_schema_extra={**ASIDE, "counted": ["reference", "sdpa", "triton", "bands"]},
        description="How it is computed, never what comes out but for rounding.",
        examples=["auto"],
    )

    @field_validator("radius", "globals", "tile")
    @classmethod
    def _three_stages(cls, value: PerStage) -> PerStage:
        if isinstance(value, list) and len(value) != 3:
            raise refuse(
                f"a list of {len(value)} entries", "give one entry for each of stages 1, 2, 3, or a single value"
            )
        return value

    _no_repeats = field_validator("stages")(_check_stages)


class OwnAttention(Model):
    """An attention of somebody's own inside each window, by the name of its code."""

    kind: str = Field(
        pattern=CODE_PATTERN,
        description="or a class of your own, as ./attention.py:MyAttention.",
        examples=["./attention.py:MyAttention"],
    )
    stages: list[Literal[1, 2, 3]] = Field(
        [1, 2, 3], description="Stages with this attention; the others keep windows.", examples=[[2, 3]]
    )
    options: Annotated[dict[str, bool | int | float | str | list[int]], Numbers(-1e9, 1e9)] = Field(
        {}, description="Options of an attention of your own, as its code names them.", examples=[{"band": 2}]
    )
    # Its code is the one way in which it is computed.
    backend: Literal["auto"] = Field(
        "auto", json_schema_extra=ASIDE,
        description="How it is computed, never what comes out but for rounding.", examples=["auto"],
    )  # fmt: skip

    _no_repeats = field_validator("stages")(_check_stages)


def _attention_tag(given: Any) -> Any:
    """What is no mapping is refused as any of the kinds refuses it."""
    kind = given.get("kind") if isinstance(given, Mapping) else getattr(given, "kind", "window")
    return OWN_TAG if names_code(kind) else kind


Attention = Annotated[
    Annotated[WindowAttention, Tag("window")]
    | Annotated[LongformerAttention, Tag("longformer")]
    | Annotated[OwnAttention, Tag(OWN_TAG)],
    Discriminator(_attention_tag),
]


class Network(Model):
    """What a student, a teacher and an assistant share: which network, and its sizes where they are free."""

    arch: str = Field(
        description="The network: tiny_vit_5m, tiny_vit_11m, tiny_vit_21m, tiny_vit (with dims, depths and heads), "
        "`timm/NAME`, or a class of your own, as ./nets.py:FastVit.",
        examples=["tiny_vit_5m"],
    )
    dims: list[Width] | None = Field(
        None,
        min_length=4,
        max_length=4,
        description="Channels of a tiny_vit's four stages.",
        examples=[[16, 32, 48, 64]],
    )
    depths: list[Depth] | None = Field(
        None, min_length=4, max_length=4, description="Blocks of a tiny_vit's four stages.", examples=[[1, 1, 2, 1]]
    )
    heads: list[Width] | None = Field(
        None, min_length=4, max_length=4, description="Attention heads of a tiny_vit's stages.", examples=[[1, 2, 3, 4]]
    )
    windows: list[Side] | None = Field(
        None,
        min_length=4,
        max_length=4,
        description="Side of the attention windows of a tiny_vit's stages, in tokens; the first is unused, stage 0 is "
        "convolutional; null takes timm's.",
        examples=[[7, 7, 14, 7]],
    )
    attention: Attention = Field(WindowAttention.model_construct(), description="The attention of a tiny_vit.")
    padding: Literal["mask", "timm"] = Field(
        "mask", description="Whether windows mask the padding at the border, or attend to it as timm does.",
        examples=["mask"],
    )  # fmt: skip
    drop_path: Ratio | None = Field(
        None, description="Chance that the last block's residual branch is left out in training "
        "(stochastic depth), rising from 0 over the blocks; null takes the network's own.",
        examples=[0.1],
    )  # fmt: skip
    options: Annotated[dict[str, bool | int | float | str | list[int]], Numbers(-1e9, 1e9)] = Field(
        {},
        description="Arguments of a timm network's constructor, by timm's names; of a network of your own, as its code "
        "names them.",
        examples=[{"depths": [1, 1, 3, 1]}],
    )

    @field_validator("options", mode="before")
    @classmethod
    def _none_is_empty(cls, options: object) -> object:
        """Mappings merge, so null is the way to drop the options of another network that came before."""
        return {} if options is None else options

    @field_validator("arch")
    @classmethod
    def _known_network(cls, arch: str) -> str:
        if names_code(arch):
            return arch
        if arch not in known_networks() and (arch or cls.model_fields["arch"].is_required()):
            raise refuse(f"unknown network {arch!r}", _network_hint(arch))
        return arch

    @model_validator(mode="after")
    def _sizes_fit(self) -> Network:
        free = self.arch == "tiny_vit"
        if free and not (self.dims and self.depths and self.heads):
            absent = next(word for word in ("dims", "depths", "heads") if not getattr(self, word))
            example = type(self).model_fields[absent].examples
            fix = f"add `{absent}: {example[0] if example else ''}`: dims, depths and heads, four entries each"
            raise refuse("arch 'tiny_vit' has free sizes", fix, at="arch")
        if not is_tiny_vit(self.arch):
            self._refuse_tiny_vit_words()
            if names_code(self.arch) and self.drop_path is not None:
                fix = "leave `drop_path` away, and give the network an option of its own"
                raise refuse("drop_path is of a tiny_vit or a timm network", fix, at="drop_path")
        elif self.options:
            fix = "leave `options` away: for a tiny_vit give dims, depths, heads, windows"
            raise refuse("options are for timm networks", fix, at="options")
        return self

    def _refuse_tiny_vit_words(self) -> None:
        given = [word for word in ("dims", "depths", "heads", "windows") if getattr(self, word) is not None]
        if given:
            fix = f"leave `{given[0]}` away: the sizes of another network go under options"
            raise refuse(f"{', '.join(given)}: only for a tiny_vit", fix, at=given[0])
        if self.attention != WindowAttention():
            fix = "leave `attention` away: another network keeps its own"
            raise refuse("attention is chosen for a tiny_vit only", fix, at="attention")


class Student(Network):
    weights: str = Field(
        "none",
        description="What training begins from: none (random), pretrained, or a .safetensors file.",
        examples=["none"],
    )

    @model_validator(mode="after")
    def _weights_exist(self) -> Student:
        check_weights(self.arch, self.weights)
        return self


def _network_hint(arch: str) -> str:
    """A bare name of timm's, one of another library, or one of our own with timm's suffix, is known for what it is."""
    if not arch:
        return "write `tiny_vit_5m`, another tiny_vit, or timm/<name>"
    bare = arch.rpartition("/")[2]
    found = [name for name in (f"timm/{bare}", f"timm/{bare.lower()}") if name in known_networks()]
    found = (
        found[:1] or meant_words(arch, TINY_VITS) or meant_words(bare, TINY_VITS) or meant_words(bare, known_networks())
    )
    if found:
        return f"did you mean {' or '.join(map(repr, found))}?"
    if "/" in arch:
        return closest_hint(arch, known_networks())
    hint = closest_hint(f"timm/{arch}", known_networks())
    ours = closest_hint(arch, TINY_VITS)
    if ours.startswith("did"):
        return f"{ours} (or timm/<name>)"
    return hint if hint.startswith("did") else "write `tiny_vit_5m`, another tiny_vit, or timm/<name>"


def check_weights(arch: str, weights: str) -> None:
    """Raise when `weights` cannot be: a typing mistake, a pickle, weights that nobody has trained for `arch`."""
    # A job's settings name a file by its content.
    if weights == "none" or weights.endswith(".safetensors") or weights.startswith("sha256:"):
        return
    if weights == "pretrained":
        if not has_pretrained(arch):
            fix = "write `none` to train it, or name a .safetensors file"
            raise refuse(f"there are no pretrained weights of {arch}", fix, at="weights")
        return
    if "." not in weights and "/" not in weights:
        choices = ("none", "pretrained", "FILE.safetensors")
        raise refuse(f"{weights!r} is no choice here", hint_word(weights, choices), at="weights")
    fix = "write its tensors with safetensors.torch.save_file (a pickle such as .pth can run any code when it is read)"
    raise refuse(f"{weights} is no .safetensors file", fix, at="weights")
