"""One small set of photographs in every form that people have: each writer takes the set and a folder, gives a root."""

from __future__ import annotations

import csv
import gzip
import io
import json
import pickle
import shutil
import struct
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from numpy.typing import NDArray
from PIL import Image

NAMES = ("cat", "ant", "bee")  # not sorted, so that a number is not a place in what is sorted
PARTS = ("train", "val")


@dataclass(frozen=True)
class Photo:
    part: str
    class_name: str
    name: str
    content: bytes


def draw_photos(each: int = 3) -> list[Photo]:
    """Return `each` photographs of every class and part; one has the name of an image of ImageNet."""
    drawn, photos = np.random.default_rng(0), list[Photo]()
    for part in PARTS:
        for class_name in NAMES:
            for number in range(each):
                held = io.BytesIO()
                Image.fromarray(drawn.integers(0, 256, (9, 12, 3), dtype=np.uint8)).save(held, "JPEG")
                name = f"{part}_{class_name}_{number}.jpg" if number else f"n01440764_{len(photos)}.JPEG"
                photos.append(Photo(part, class_name, name, held.getvalue()))
    return photos


def write_folder(photos: Iterable[Photo], folder: Path) -> Path:
    for photo in photos:
        place = folder / photo.part / photo.class_name
        place.mkdir(parents=True, exist_ok=True)
        (place / photo.name).write_bytes(photo.content)
    return folder


def write_zip(photos: Iterable[Photo], folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder), "zip", write_folder(photos, folder.with_suffix(".unpacked"))))


def write_tar(photos: Iterable[Photo], folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder), "gztar", write_folder(photos, folder.with_suffix(".unpacked"))))


def write_table(photos: Iterable[Photo], folder: Path) -> Path:
    """A .csv whose paths lead to a folder without classes."""
    (folder / "all").mkdir(parents=True)
    table = folder / "images.csv"
    with open(table, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "label", "family", "split"])
        for photo in photos:
            (folder / "all" / photo.name).write_bytes(photo.content)
            rows.writerow([f"all/{photo.name}", photo.class_name, f"of {photo.class_name[0]}", photo.part])
    return table


def write_parquet(photos: Iterable[Photo], folder: Path) -> Path:
    """As data sets of images are kept on the hub: files of a part, numbered labels, names in the metadata."""
    (folder / "data").mkdir(parents=True)
    held = list(photos)
    for part, called in (("train", "train"), ("val", "validation")):
        own = [photo for photo in held if photo.part == part]
        for number, some in enumerate((own[:4], own[4:])):
            table = hub_table([photo.content for photo in some], [photo.name for photo in some],
                              [NAMES.index(photo.class_name) for photo in some])  # fmt: skip
            parquet.write_table(table, folder / "data" / f"{called}-{number:05d}-of-00002.parquet", row_group_size=2)
    return folder


def hub_table(contents: Sequence[bytes | None], names: Sequence[str | None], labels: Sequence[Any]) -> pa.Table:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    images = [{"bytes": content, "path": name} for content, name in zip(contents, names, strict=True)]
    about = {"info": {"features": {"label": {"names": list(NAMES), "_type": "ClassLabel"}}}}
    table = pa.table({"image": pa.array(images, kind), "label": pa.array(labels)})
    return table.replace_schema_metadata({"huggingface": json.dumps(about)})


def write_shards(photos: Iterable[Photo], folder: Path) -> Path:
    """Two .tar files a part; the class of the first sample of each stands in a .json, that of others in a .cls."""
    folder.mkdir(parents=True)
    (folder / "classes.txt").write_text("\n".join(NAMES))
    held = list(photos)
    for part in PARTS:
        own = [photo for photo in held if photo.part == part]
        for number in range(2):
            with tarfile.open(folder / f"{part}-{number:06d}.tar", "w") as shard:
                for place, photo in enumerate(own[number::2]):
                    label = NAMES.index(photo.class_name)
                    stem = photo.name.partition(".")[0]
                    told = (f"{stem}.cls", str(label)) if place else (f"{stem}.json", json.dumps({"label": label}))
                    add_member(shard, photo.name, photo.content)
                    add_member(shard, told[0], told[1].encode())
    return folder


def add_member(shard: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    shard.addfile(member, io.BytesIO(content))


def draw_pixels(count: int, *, is_grey: bool = False) -> NDArray[np.uint8]:
    """Return N x 32 x 32 x 3, or N x 32 x 32."""
    shape = (count, 32, 32) if is_grey else (count, 32, 32, 3)
    return np.random.default_rng(count).integers(0, 256, shape, dtype=np.uint8)


def write_bitmaps(images: NDArray[np.uint8], labels: Sequence[int], names: Sequence[str], folder: Path) -> Path:
    """The same as a folder of .bmp, which Pillow writes."""
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = folder / names[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number}.bmp")
    return folder


def as_rows(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return N x 3,072: red, green, blue, as CIFAR has them."""
    return images.transpose(0, 3, 1, 2).reshape(len(images), -1)


def write_pickle(path: Path, held: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(held, protocol=2))


def write_idx(path: Path, values: NDArray[np.uint8]) -> None:
    head = b"\0\0\x08" + bytes([values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    content = head + values.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
