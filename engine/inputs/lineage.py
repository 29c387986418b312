"""What a network has seen: the images that it and all it comes from were fitted to; takes and gives weights files.

It stands in the header of each .safetensors file that xp writes, as one line of JSON under `xp.lineage`, so that the
file is known in another home and under another name. An image is KEY_BYTES bytes of its sha256, in base64: 8 characters
for each image, 0.8 MB for the 101,351 training images of an 80/10/10 split of ImageNet-100. Nothing in it depends on
when, where or as which job the network was trained: equal trainings write equal files.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import safetensors

from engine.inputs.image_keys import KEY_BYTES, Keys

MARK = "xp.lineage"
VERSION = 1
How = Literal["trained on", "calibrated on", "chosen on"]
Training = Literal["known", "pretrained", "unknown"]


@dataclass(frozen=True)
class Exposure:
    """Images that decided a network's weights, or which of its checkpoints is used (`chosen on`).

    `path` are the steps from the network to who saw them, none for itself; `what` says in words which images they are.
    `is_exact` is false where they were worked out before anybody had looked for near-duplicates.
    """

    path: tuple[str, ...]
    how: How
    what: str
    images: Keys
    is_exact: bool = True


@dataclass(frozen=True)
class Lineage:
    """All that a network has seen; `pretrained` and `unknown` name ancestors whose images are not known one by one."""

    exposures: tuple[Exposure, ...] = ()
    pretrained: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def training(self) -> Training:
        """Whether all images that it has seen are known; unknown weights weigh more than published ones."""
        return "unknown" if self.unknown else "pretrained" if self.pretrained else "known"

    def under(self, *path: str) -> Lineage:
        """Return it as that of an ancestor, `path` steps away."""
        above = " <- ".join(path)
        exposures = tuple(replace(one, path=(*path, *one.path)) for one in self.exposures)
        pretrained, unknown = (
            tuple(f"{above} <- {name}" if name else above for name in names)
            for names in (self.pretrained, self.unknown)
        )
        return Lineage(exposures, pretrained, unknown)


def join_lineages(lineages: Iterable[Lineage]) -> Lineage:
    """Return all of them as one; the same images, seen in the same way, count once, by the first path."""
    exposures: dict[tuple[str, str, Keys], Exposure] = {}
    pretrained, unknown = dict[str, None](), dict[str, None]()
    for one in lineages:
        for seen in one.exposures:
            exposures.setdefault((seen.how, seen.what, seen.images), seen)
        pretrained |= dict.fromkeys(one.pretrained)
        unknown |= dict.fromkeys(one.unknown)
    return Lineage(tuple(exposures.values()), tuple(pretrained), tuple(unknown))


def encode_lineage(lineage: Lineage, **about: str | int) -> dict[str, str]:
    """Return the metadata of a weights file; `about` is what a person may want to know of the network besides."""
    images = list(dict.fromkeys(one.images for one in lineage.exposures))
    told = {
        "version": VERSION,
        **about,
        "exposures": [
            {
                "path": list(one.path),
                "how": one.how,
                "what": one.what,
                "images": images.index(one.images),
                "is_exact": one.is_exact,
            }
            for one in lineage.exposures
        ],
        "pretrained": list(lineage.pretrained),
        "unknown": list(lineage.unknown),
        "images": [base64.b64encode(b"".join(sorted(keys))).decode() for keys in images],
    }
    return {MARK: json.dumps(told, sort_keys=True)}


def read_lineage(file: Path) -> Lineage | None:
    """Return what a weights file says of its training, None where it says nothing that can be understood."""
    try:
        with safetensors.safe_open(file, framework="np") as stored:
            metadata = stored.metadata() or {}
    except (safetensors.SafetensorError, OSError):
        return None
    return decode_lineage(metadata)


def decode_lineage(metadata: Mapping[str, str]) -> Lineage | None:
    """Return the lineage that `encode_lineage` wrote, None for another version or damage."""
    try:
        told: Mapping[str, Any] = json.loads(metadata[MARK])
        if told["version"] != VERSION:
            return None
        images = [_split_keys(base64.b64decode(text, validate=True)) for text in told["images"]]
        exposures = [
            Exposure(tuple(map(str, one["path"])), one["how"], str(one["what"]), images[one["images"]], one["is_exact"])
            for one in told["exposures"]
        ]
        return Lineage(tuple(exposures), *(tuple(map(str, told[name])) for name in ("pretrained", "unknown")))
    except (KeyError, ValueError, TypeError, IndexError, RecursionError):
        return None


def _split_keys(raw: bytes) -> Keys:
    return frozenset(raw[first : first + KEY_BYTES] for first in range(0, len(raw), KEY_BYTES))
