"""The words about networks: which one, its sizes, its attention, its first weights."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from engine.errors import closest_hint
from engine.spec.architectures import TINY_VITS, has_pretrained, known_networks
from engine.spec.base import ASIDE, Depth, Model, Numbers, PerStage, Ratio, Side, Width, refuse
from engine.spec.patterns import PATTERNS, SELECT_WORDS
from engine.spec.registries import OneOf
from engine.spec.synonyms import hint_word, meant_words


class WindowAttention(Model):
    """TinyViT's own dense attention inside each window."""

    kind: Literal["window"] = "window"
    # auto is among paths that are equal; who names one means to run it, and another one has other speeds.
    backend: Literal["auto", "triton"] = Field("auto", json_schema_extra={**ASIDE, "counted": ["triton"]})


class LongformerAttention(Model):
    """Neighbourhood and global tokens inside each window; a list gives stages 1, 2, 3, one value is clipped to each."""

    kind: Literal["longformer"]
    pattern: Annotated[str, OneOf(tuple(PATTERNS))] = "slide"
    radius: PerStage = None
    globals: PerStage = None
    tile: PerStage = None
    select: Annotated[str, OneOf(tuple(SELECT_WORDS))] = "grid"
    projections: Literal["dual", "shared"] = "dual"
    bias: Literal["shared", "separate", "none"] = "shared"
    combine: Literal["joint", "sum", "mean"] = "joint"
    stages: list[Literal[1, 2, 3]] = Field([1, 2, 3])
    # auto is among paths that are equal; who names one means to run it, and another one has other speeds.
    backend: Literal["auto", "reference", "sdpa", "triton", "bands"] = Field(
        "auto", json_schema_extra={**ASIDE, "counted": ["reference", "sdpa", "triton", "bands"]}
    )

    @field_validator("radius", "globals", "tile")
    @classmethod
    def _three_stages(cls, value: PerStage) -> PerStage:
        if isinstance(value, list) and len(value) != 3:
            raise refuse(
                f"a list of {len(value)} entries", "give one entry for each of stages 1, 2, 3, or a single value"
            )
        return value

    @field_validator("stages")
    @classmethod
    def _no_repeats(cls, stages: list[int]) -> list[int]:
        if not stages or sorted(set(stages)) != stages:
            raise refuse(f"stages {stages}", "list each stage once, in order, such as [1, 2, 3]")
        return stages


Attention = Annotated[WindowAttention | LongformerAttention, Field(discriminator="kind")]


class Network(Model):
    """What a student, a teacher and an assistant share: which network, and its sizes where they are free."""

    arch: str
    dims: list[Width] | None = Field(None, min_length=4, max_length=4)
    depths: list[Depth] | None = Field(None, min_length=4, max_length=4)
    heads: list[Width] | None = Field(None, min_length=4, max_length=4)
    windows: list[Side] | None = Field(None, min_length=4, max_length=4)
    attention: Attention = WindowAttention()
    padding: Literal["mask", "timm"] = "mask"
    drop_path: Ratio | None = None
    options: Annotated[
        dict[str, bool | int | float | str | list[int]], Numbers(-1e9, 1e9, "of timm's constructor, numbers")
    ] = Field({})

    @field_validator("options", mode="before")
    @classmethod
    def _none_is_empty(cls, options: object) -> object:
        """Mappings merge, so null is the way to drop the options of another network that came before."""
        return {} if options is None else options

    @field_validator("arch")
    @classmethod
    def _known_network(cls, arch: str) -> str:
        if arch not in known_networks() and (arch or cls.model_fields["arch"].is_required()):
            raise refuse(f"unknown network {arch!r}", _network_hint(arch))
        return arch

    @model_validator(mode="after")
    def _sizes_fit(self) -> Network:
        free = self.arch == "tiny_vit"
        if free and not (self.dims and self.depths and self.heads):
            absent = next(word for word in ("dims", "depths", "heads") if not getattr(self, word))
            example = type(self).model_fields[absent].examples
            fix = f"add `{absent}: {example[0] if example else '[1, 1, 1, 1]'}`: dims, depths and heads, four entries each"
            raise refuse("arch 'tiny_vit' has free sizes", fix, at="arch")
        if not self.arch.startswith("tiny_vit"):
            self._refuse_tiny_vit_words()
        elif self.options:
            fix = "leave `options` away: for a tiny_vit give dims, depths, heads, windows"
            raise refuse("options are for timm networks", fix, at="options")
        return self

    def _refuse_tiny_vit_words(self) -> None:
        given = [word for word in ("dims", "depths", "heads", "windows") if getattr(self, word) is not None]
        if given:
            fix = f"leave `{given[0]}` away: the sizes of a timm network go under options"
            raise refuse(f"{', '.join(given)}: only for a tiny_vit", fix, at=given[0])
        if self.attention != WindowAttention():
            fix = "leave `attention` away: a timm network keeps its own"
            raise refuse("attention is chosen for a tiny_vit only", fix, at="attention")


class Student(Network):
    weights: str = "none"

    @model_validator(mode="after")
    def _weights_exist(self) -> Student:
        check_weights(self.arch, self.weights)
        return self


def _network_hint(arch: str) -> str:
    """A bare name of timm's, one of another library, or one of our own with timm's suffix, is known for what it is."""
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
    return hint if hint.startswith("did") and not ours.startswith("did") else f"{ours} (or timm/<name>)"


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
