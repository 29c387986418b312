"""WebDataset: takes a folder of .tar files, or one, gives the images in them with the classes that stand beside.

The convention of WebDataset: files that share a name up to its first dot are one sample, as 0017.jpg and 0017.cls. The
class is what .cls holds, a number or a name, or a value of .json; a classes.txt beside the files names the numbers.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import DataError
from engine.home.limits import limits, raise_limit
from engine.inputs.archive import is_archive, stream_members
from engine.inputs.folders import IMAGE_SUFFIXES, PART_FOLDER, ImageFile
from engine.inputs.forms.columns import LABELS
from engine.inputs.forms.labels import name_class, read_names

TOLD = (".cls", ".json", ".txt")
PEEKED = 40
"""Members of the first file by which it is known: the parts of a sample follow each other."""


@dataclass
class _Sample:
    images: list[str] = field(default_factory=list)
    told: dict[str, bytes] = field(default_factory=dict)


def is_shards(path: Path) -> bool:
    files = _shard_files(path)
    if not files:
        return False
    try:
        first = itertools.islice(stream_members(files[0], lambda name: False), PEEKED)
        return any(name.endswith((".cls", ".json")) for name, _ in first)
    except DataError:
        return False  # whoever reads it says what is wrong


def list_shards(path: Path, label: str | None) -> list[ImageFile]:
    """Return the images of all files. Raises DataError for a sample without a class, or with two images."""
    names = read_names(path if path.is_dir() else path.parent)
    return [image for file in _shard_files(path) for image in _list_shard(file, label, names)]


def _shard_files(path: Path) -> list[Path]:
    files = sorted(path.iterdir()) if path.is_dir() else [path] if path.is_file() else []
    return [file for file in files if is_archive(file) and file.suffix.lower() != ".zip"]


def _list_shard(file: Path, label: str | None, names: tuple[str, ...] | None) -> Iterator[ImageFile]:
    stem = file.name.partition(".")[0]
    found = PART_FOLDER.match(stem)
    part = found[1].lower() if found and not stem[found.end() :][:1].isalpha() else ""
    for key, sample in _read_samples(file).items():
        where = f"{file}!{key}"
        if len(sample.images) > 1:
            what = f"this sample has {len(sample.images)} images: {', '.join(sample.images[:3])}"
            raise DataError(what, where=where, fix="pack it again with one image in each sample")
        if sample.images:
            yield ImageFile(file, name_class(_read_label(sample, label, where), where, names), sample.images[0], part)


def _read_samples(file: Path) -> dict[str, _Sample]:
    samples: dict[str, _Sample] = {}
    for name, content in stream_members(file, lambda name: name.lower().endswith(TOLD)):
        folder, _, base = name.rpartition("/")
        key, _, ending = base.partition(".")
        sample = samples.setdefault(f"{folder}/{key}" if folder else key, _Sample())
        if f".{ending.rpartition('.')[2].lower()}" in IMAGE_SUFFIXES:
            sample.images.append(name)
        elif content is not None:
            sample.told[ending.lower()] = _small(content, f"{file}!{name}")
    return samples


def _small(content: bytes, where: str) -> bytes:
    if len(content) > limits().annotation_bytes:
        what = f"a label of {len(content):,} bytes"
        raise DataError(what, where=where, fix=raise_limit("annotation_bytes"))
    return content


def _read_label(sample: _Sample, label: str | None, where: str) -> object:
    """Return what the sample says of its class; `label` is an ending, or a word of its .json."""
    if label is None and "cls" in sample.told:
        return _text(sample.told["cls"])
    if label is not None and label.lower() in sample.told:
        return _text(sample.told[label.lower()])
    about = _read_json(sample, where)
    chosen = label if label is not None else next((word for word in LABELS if word in about), None)
    if chosen not in about:
        held = ", ".join([*sample.told, *map(str, about)]) or "nothing"
        what = "this image has no class beside it" if label is None else f"this image has no {label!r} beside it"
        fix = f"name with data.label where its class stands; there is {held}"
        raise DataError(what, where=where, fix=fix)
    return about[chosen]


def _read_json(sample: _Sample, where: str) -> dict[str, object]:
    content = sample.told.get("json")
    try:
        held = json.loads(content) if content is not None else {}
    except (ValueError, RecursionError) as error:
        raise DataError("its .json cannot be read", where=where, fix="pack it again") from error
    return held if isinstance(held, dict) else {}


def _text(content: bytes) -> str:
    text = content.decode("utf-8", "replace").strip()
    # torch.save and numpy's formats are no text.
    return re.sub(r"\s+", " ", text)
