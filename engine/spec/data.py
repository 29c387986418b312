"""The words about images: where they are, how they are packed, split, augmented and fed."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from engine.spec.base import (
    ASIDE,
    LATER,
    MOST_EPOCHS,
    MOST_SEED,
    MOST_THREADS,
    Interpolation,
    Model,
    Numbers,
    Seed,
    Share,
    Weight,
    ranged,
    refuse,
)
from engine.spec.own_code import CODE_PATTERN, names_code
from engine.spec.registries import OneOf, read_words

MOST_IMAGES = 2_000_000  # of a source of somebody's own, unless it says more: ImageNet has 1.3 million
RAND_AUGMENT = r"^rand(-(m|mstd|n|p)\d+(\.\d+)?)+-inc1$"


@dataclass(frozen=True)
class RandAugment:
    """`layers` operations an image, each done with `chance`; magnitude normal(`mean`, `deviation`), kept in [0, 10]."""

    mean: float
    deviation: float = 0.0
    layers: int = 2
    chance: float = 0.5


def parse_rand_augment(text: str) -> RandAugment:
    """Read timm's notation, such as rand-m9-mstd0.5-inc1 or rand-m7-n3-inc1. Refuses any other."""
    pairs = re.findall(r"-(mstd|m|n|p)(\d+(?:\.\d+)?)", text)
    held = {name: float(value) for name, value in pairs}
    layers = held.get("n", 2.0)
    known = re.fullmatch(RAND_AUGMENT, text) and len(held) == len(pairs)
    most = {"m": 10.0, "mstd": 100.0, "n": 100.0, "p": 1.0}
    beyond = "m" not in held or any(value > most[name] for name, value in held.items())
    if not known or beyond or layers < 1 or layers % 1:
        raise refuse(
            f"{text!r} is not understood",
            "write `rand-m9-inc1`: m magnitude 0 to 10, then as needed mstd (spread, 100 at most), n (layers, 1 to "
            "100), p (chance), and inc1",
        )
    return RandAugment(held["m"], held.get("mstd", 0.0), int(layers), held.get("p", 0.5))


class Augment(Model):
    """What a training view may do to an image: crop, flip, colours, erasing, code of your own, mixing in pairs."""

    crop_scale: list[Annotated[float, ranged(gt=0.0, le=1.0)]] = Field(
        [0.35, 1.0],
        min_length=2,
        max_length=2,
        description="Smallest and largest share of an image's area that a random crop takes.",
        examples=[[0.35, 1.0]],
    )
    crop_ratio: list[Annotated[float, ranged(ge=0.01, le=100.0)]] = Field(
        [0.75, 4 / 3],
        min_length=2,
        max_length=2,
        description="Smallest and largest width to height of a random crop.",
        examples=[[0.75, 1.33]],
    )
    flip: Share = Field(0.5, description="Chance that an image is mirrored.", examples=[0.5])
    rand_augment: str | None = Field(
        None,
        json_schema_extra={"pattern": RAND_AUGMENT},
        description="RandAugment in timm's notation: m magnitude, mstd its spread, n layers, p chance; null does none.",
        examples=["rand-m9-mstd0.5-inc1"],
    )
    color_jitter: Annotated[float, ranged(ge=0.0, le=10.0)] = Field(
        0.0, description="How far brightness, contrast and saturation may change.", examples=[0.4]
    )
    erasing: Share = Field(0.0, description="Chance that a rectangle of an image is erased.", examples=[0.25])
    mixup: Weight = Field(0.0, description="Alpha of mixup's beta distribution; 0 mixes none.", examples=[0.8])
    cutmix: Weight = Field(0.0, description="Alpha of CutMix's beta distribution; 0 mixes none.", examples=[1.0])
    mix_targets: Literal["linear"] | None = Field(
        None,
        description="linear mixes the teacher's cached outputs as the images are mixed; null refuses the two together.",
        examples=["linear"],
    )
    extra: str | None = Field(
        None,
        json_schema_extra={**LATER, "pattern": CODE_PATTERN},
        description="A function of your own that changes an image after all else, as ./views.py:sharpen.",
        examples=["./views.py:sharpen"],
    )
    options: Annotated[dict[str, bool | int | float | str], Numbers(-1e9, 1e9)] = Field(
        {},
        json_schema_extra=LATER,
        description="Options of extra, as its code names them.",
        examples=[{"strength": 0.5}],
    )

    @field_validator("extra")
    @classmethod
    def _names_code(cls, text: str | None) -> str | None:
        if text is not None and not names_code(text):
            fix = "write `./views.py:sharpen` (a file beside the spec and a function in it), or null"
            raise refuse(f"{text!r} names no code", fix)
        return text

    @model_validator(mode="after")
    def _options_of_extra(self) -> Augment:
        if self.options and self.extra is None:
            raise refuse("options are for an augmentation of your own", "name it in `data.augment.extra`", at="options")
        return self

    @field_validator("rand_augment")
    @classmethod
    def _understood(cls, text: str | None) -> str | None:
        if text is not None:
            parse_rand_augment(text)
        return text

    @field_validator("crop_scale", "crop_ratio")
    @classmethod
    def _ordered(cls, pair: list[float]) -> list[float]:
        if pair[0] > pair[1]:
            raise refuse(f"{pair} runs from high to low", f"write `[{pair[1]}, {pair[0]}]`: the smaller number first")
        return pair


@dataclass(frozen=True, kw_only=True)
class SourceWords:
    """What a spec must know of a source of images; its entry in SOURCES of engine/inputs/content.py says it.

    `has_root`: a person says where its images lie. One without comes with a package, and with the classes named here.
    """

    has_root: bool = False
    class_names: tuple[str, ...] = ()
    package: str = ""


SOURCE_WORDS = read_words("source", SourceWords)


def source_words(source: str) -> SourceWords:
    """Return what a spec must know of a source: one of somebody's own gives class folders (inputs/own_images.py)."""
    return SOURCE_WORDS["folder" if names_code(source) else source]


Workers = Annotated[int | Literal["auto"], Numbers(0, MOST_THREADS)]


class Data(Model):
    source: Annotated[str, OneOf(tuple(SOURCE_WORDS), or_code=True)] = Field(
        description="Where images come from: what root names (class folders, an archive of them, Parquet, WebDataset, "
        "a .csv, CIFAR, IDX or NumPy files), the digits of scikit-learn, which need no download, or a function of your "
        "own, as ./images.py:draw_images.",
        examples=["digits"],
    )
    root: str | None = Field(
        None,
        json_schema_extra=ASIDE,
        description="The folder, archive, table or other file of source: folder; `${VARIABLE}` is read from the "
        "environment.",
        examples=["${XP_DATA}/imagenet100"],
    )
    options: Annotated[dict[str, bool | int | float | str], Numbers(-1e9, 1e9)] = Field(
        {},
        json_schema_extra=LATER,
        description="Options of a source of your own, as its code names them.",
        examples=[{"images": 100}],
    )
    most: Annotated[int, ranged("images", ge=1, le=1_000_000_000)] | None = Field(
        None,
        json_schema_extra=ASIDE,
        description="The most images that a source of your own may give: one that goes on is stopped; null is "
        f"{MOST_IMAGES:,}.",
        examples=[5000000],
    )
    label: str | None = Field(
        None,
        json_schema_extra=LATER,
        min_length=1,
        description="Which column (or word of a sample's .json, or of CIFAR-100 fine or coarse) holds the class, where "
        "root is no class folders; null takes the usual one.",
        examples=["species"],
    )
    boxes: str | None = Field(
        None,
        json_schema_extra=ASIDE,
        description="Where the objects lie in the images of root, in pixels of the originals: a folder of PASCAL VOC "
        ".xml files or of mask .png files, or a .csv with image,xmin,ymin,xmax,ymax; maps are held against them.",
        examples=["boxes.csv"],
    )
    image_size: Annotated[int, ranged("pixels", ge=8, le=2048)] = Field(
        224, description="Side of what the student sees.", examples=[224]
    )
    split: str = Field(
        "60/20/20",
        description="Train/val/test in whole per cent, each class apart, by the images' content.",
        examples=["60/20/20"],
    )
    given: Literal["merge", "test"] = Field(
        "merge",
        description="Where the set has train, val, test folders: merge them, or keep test (else val) as the test part.",
        examples=["test"],
    )
    split_seed: Seed = Field(0, description="Seed of the split.", examples=[0])
    view_seed: Annotated[int | Literal["run"], Numbers(0, MOST_SEED)] = Field(
        0, description="Seed of the augmented views, the same for all arms; run takes the run's own.", examples=[0]
    )
    views: Annotated[int, ranged("views", ge=1, le=MOST_EPOCHS)] | None = Field(
        None,
        description="Different augmented views of each image, used in turn, so that a teacher's outputs can be kept; "
        "null makes a fresh one each epoch.",
        examples=[10],
    )
    short_side: Annotated[int, ranged("pixels", ge=8, le=4096)] = Field(
        256, description="Short side of the packed images; they are never enlarged.", examples=[256]
    )
    format: Literal["raw", "jpeg"] = Field(
        "raw", description="How images are packed: raw pixels, or JPEG, which is smaller and slower.", examples=["jpeg"]
    )
    broken: Literal["stop", "skip"] = Field(
        "stop", description="What to do at an image that cannot be read.", examples=["skip"]
    )
    nested: bool = Field(
        False,
        description="Whether splits of other shares have the same test images, so that they can be compared.",
        examples=[True],
    )
    classes: list[str] | None = Field(
        None,
        description="Class folders to use, in the order of their labels; null takes all.",
        examples=[["n01440764", "n02102040"]],
    )
    augment: Augment = Field(Augment.model_construct(), description="What a training view may do to an image.")
    # 224 of 256 pixels, the usual evaluation on ImageNet.
    crop_share: Annotated[float, ranged(gt=0.0, le=1.0)] = Field(
        0.875, description="Share of the short side that evaluation looks at, in the middle.", examples=[0.875]
    )
    interpolation: Interpolation = Field(
        "bicubic", description="How crops are resized, antialiased.", examples=["bicubic"]
    )
    cache: Literal["auto", "jpeg", "raw", "device"] = Field(
        "auto",
        json_schema_extra=ASIDE,
        description="Where images are kept while training: as JPEG, decoded in memory (raw), or on the GPU (device).",
        examples=["auto"],
    )
    workers: Workers = Field(
        "auto", json_schema_extra=ASIDE, description="Threads that load images; auto tries.", examples=[2]
    )

    @field_validator("split")
    @classmethod
    def _sums_to_100(cls, text: str) -> str:
        parts = text.split("/")
        if len(parts) != 3 or not all(re.fullmatch(r"\d{1,3}", part) for part in parts):
            raise refuse(f"{text!r} is no split", _split_fix(text))
        if sum(int(part) for part in parts) != 100:
            raise refuse(
                f"the parts of {text} sum to {sum(map(int, parts))}, not to 100", "write `60/20/20`, or `80/10/10`"
            )
        if int(parts[0]) == 0 or int(parts[2]) == 0:
            raise refuse(f"{text} leaves train or test without images", "write `60/20/20`: both a part above 0")
        return text

    @field_validator("classes")
    @classmethod
    def _classes_apart(cls, names: list[str] | None) -> list[str] | None:
        if names is None:
            return names
        if not names:
            raise refuse("the list names no class", "name two or more, or leave data.classes away for all")
        twice = next((name for name, count in Counter(names).items() if count > 1), None)
        if twice is not None:
            raise refuse(f"class {twice!r} is named twice", "name each class once: its place in the list is its label")
        return names

    @property
    def has_root(self) -> bool:
        """Whether the images lie in a folder or archive that `root` names."""
        return source_words(self.source).has_root

    @model_validator(mode="after")
    def _root_for_folder(self) -> Data:
        is_own = names_code(self.source)
        if self.options and not is_own:
            raise refuse("options are for a source of your own", "leave `data.options` away", at="options")
        if self.most is not None and not is_own:
            raise refuse("most is for a source of your own", "leave `data.most` away", at="most")
        if self.has_root and not self.root and not is_own:
            fix = "set `data.root: FOLDER`, a folder with one sub-folder of images for each class"
            raise refuse(f"source {self.source!r} has no root", fix, at="source")
        if is_own:
            self._refuse_own_words()
        if not self.has_root:
            self._refuse_folder_words(source_words(self.source))
        if self.boxes == "":
            raise refuse("data.boxes names nothing", "write `null`, or name a folder or a .csv file", at="boxes")
        if self.cache == "jpeg" and self.format == "raw":
            what = "the pack holds raw pixels: no JPEG can be kept of them"
            raise refuse(what, "write `auto`, or set data.format: jpeg", at="cache")
        return self

    def _refuse_own_words(self) -> None:
        """Refuse what a source of somebody's own does not say: it gives images and their classes alone."""
        for word, is_given in (("label", self.label), ("boxes", self.boxes), ("given", self.given == "test")):
            if is_given:
                fix = f"leave `data.{word}` away"
                raise refuse(f"a source of your own gives images and classes, and no {word}", fix, at=word)

    def _refuse_folder_words(self, words: SourceWords) -> None:
        if self.root:
            fix = f"leave `data.root` away: the {self.source} come with {words.package}"
            raise refuse(f"source {self.source!r} takes no root", fix, at="root")
        if self.label is not None:
            fix = "leave `data.label` away: it is a column of a table that root names"
            raise refuse(f"source {self.source!r} takes no label", fix, at="label")
        if self.boxes is not None:
            fix = "leave `data.boxes` away: boxes are given for the images of a folder"
            raise refuse(f"source {self.source!r} takes no boxes", fix, at="boxes")
        if self.classes is not None:
            what = f"source {self.source!r} has its {len(words.class_names)} classes"
            raise refuse(what, "leave `data.classes` away", at="classes")
        if self.given == "test":
            raise refuse(f"source {self.source!r} comes without a test folder", "write `merge`", at="given")


def _split_fix(text: str) -> str:
    """What comes near to a split is put right: other signs between the parts, shares for per cent."""
    found = re.fullmatch(r"(\d{1,3}(?:\.\d+)?|0?\.\d+)" + r"\s*[%/,:;-]+\s*(\d{1,3}|0?\.\d+)" * 2 + "%?", text.strip())
    parts = [float(part) * (100 if float(part) < 1 else 1) for part in found.groups()] if found else []
    fits = len(parts) == 3 and round(sum(parts)) == 100 and parts[0] >= 1 and parts[2] >= 1
    made = "/".join(f"{part:.0f}" for part in parts) if fits else "60/20/20"
    return f"write `{made}`: train/val/test in whole per cent"
