"""Targets for what a person brings: specs, archives, images, weights."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from engine.core.data.decode import decode_image
from engine.core.data.objects import read_pixels
from engine.home.files import encode_json
from engine.inputs.archive import list_archive, open_archive
from engine.inputs.box_files import BoxFiles
from engine.inputs.boxes import open_boxes
from engine.inputs.weights import stored_shapes
from engine.load import load_spec
from tests.fuzz.target import Target

ROOT = Path(__file__).parents[2]


def _open_spec(folder: Path) -> Callable[[bytes], object]:
    file = folder / "spec.yaml"

    def feed(content: bytes) -> None:
        file.write_bytes(content)
        # A spec that is accepted must also be one that can be written down.
        encode_json(load_spec(file).model_dump(mode="json")).encode()

    return feed


def _spec_seeds() -> list[bytes]:
    whole = [path.read_bytes() for path in sorted((ROOT / "specs").glob("[a-z]*.yaml")) if path.stat().st_size < 4000]
    alone = b"name: a\ndata: {source: digits}\nstudent: {arch: tiny_vit_5m}\narms: {a: {train.lr: 1e-3}}\n"
    return [alone, *(text.replace(b"extends: _imagenet100.yaml", b"data: {source: digits}") for text in whole)]


def _open_archive(folder: Path) -> Callable[[bytes], object]:
    file = folder / "images.zip"

    def feed(content: bytes) -> None:
        file.write_bytes(content)
        names = list_archive(file).names
        archive = open_archive(file)
        for name in names[:20]:
            archive.read(name)

    return feed


def _archive_seeds() -> list[bytes]:
    picture = _picture("PNG", "RGB")
    zipped, tarred, packed = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat/one.png", picture)
        archive.writestr("dog/two.png", picture)
    for target, mode in ((tarred, "w"), (packed, "w:gz")):
        with tarfile.open(fileobj=target, mode=mode) as archive:  # type: ignore[call-overload]  # a str, not a literal
            entry = tarfile.TarInfo("cat/one.png")
            entry.size = len(picture)
            archive.addfile(entry, io.BytesIO(picture))
    return [zipped.getvalue(), tarred.getvalue(), packed.getvalue()]


def _open_image(_: Path) -> Callable[[bytes], object]:
    return lambda content: decode_image(content, "image")


def _picture(style: str, mode: str) -> bytes:
    image = Image.effect_noise((24, 16), 60).convert(mode)
    stream = io.BytesIO()
    image.save(stream, style)
    return stream.getvalue()


def _image_seeds() -> list[bytes]:
    forms = {"JPEG": ("RGB", "L", "CMYK"), "PNG": ("RGBA", "P", "1"), "GIF": ("P",), "WEBP": ("RGB",), "TIFF": ("RGB",)}
    return [_picture(style, mode) for style, modes in forms.items() for mode in modes]


def _open_weights(folder: Path) -> Callable[[bytes], object]:
    file = folder / "weights.safetensors"

    def feed(content: bytes) -> None:
        file.write_bytes(content)
        stored_shapes(file)

    return feed


def _weights_seeds() -> list[bytes]:
    header = {
        "__metadata__": {"xp.lineage": json.dumps({"job": "train-1"}), "classes": json.dumps(["cat", "dog"])},
        "head.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
    }
    text = json.dumps(header).encode()
    return [struct.pack("<Q", len(text)) + text + bytes(24)]


def _open_boxes(name: str) -> Callable[[Path], Callable[[bytes], object]]:
    def open_file(folder: Path) -> Callable[[bytes], object]:
        file = folder / name

        def feed(content: bytes) -> None:
            file.write_bytes(content)
            open_boxes(file).names if file.suffix == ".csv" else BoxFiles(files={name: file}).read(name)

        return feed

    return open_file


def _open_mask(folder: Path) -> Callable[[bytes], object]:
    file = folder / "a.png"

    def feed(content: bytes) -> None:
        file.write_bytes(content)
        BoxFiles(files={"a.png": file}).read("a.png")
        read_pixels(file)

    return feed


def _voc_seeds() -> list[bytes]:
    corners = b"<xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax>"
    size = b"<size><width>50</width><height>60</height></size>"
    whole = b"<annotation>" + size + b"<object><bndbox>" + corners + b"</bndbox></object></annotation>"
    return [whole, b'<?xml version="1.0" encoding="utf-16"?>' + whole, b'<!DOCTYPE a [<!ENTITY a "b">]>' + whole]


def _table_seeds() -> list[bytes]:
    return [b"image,xmin,ymin,xmax,ymax\na/1.jpg,1,2,3,4\n", b'\xef\xbb\xbfxmin,ymin,xmax,ymax,image\n1,2,3,4,"a, b"\n']


TARGETS = (
    Target("spec", _open_spec, _spec_seeds),
    Target("archive", _open_archive, _archive_seeds),
    Target("image", _open_image, _image_seeds),
    Target("weights", _open_weights, _weights_seeds),
    Target("boxes", _open_boxes("a.xml"), _voc_seeds),
    Target("box_table", _open_boxes("a.csv"), _table_seeds),
    Target("box_mask", _open_mask, lambda: [_picture("PNG", mode) for mode in ("L", "P", "1", "RGBA")]),
)
