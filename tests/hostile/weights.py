"""Weights files that are none, or whose header is not to be believed."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.hostile.cases import MOST_WITHOUT_TORCH, Case

SPEC = """\
name: hostile
data: {source: digits, image_size: 32}
student: {arch: tiny_vit_5m, weights: x.safetensors}
"""
ASK = ("validate", "spec.yaml")


class Evil:
    """What runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


def stored(header: Mapping[str, Any] | bytes, content: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + content


def tensor(begin: int, end: int, *shape: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def told(name: str, raw: bytes | Callable[[Path], object], *says: str, memory: int | None = None) -> Case:
    """A spec that names the file: it is valid, and the warning says what is wrong with it."""

    def make(folder: Path) -> None:
        (folder / "spec.yaml").write_text(SPEC)
        if isinstance(raw, bytes):
            (folder / "x.safetensors").write_bytes(raw)
        else:
            raw(folder / "x.safetensors")

    return Case(name, make, ASK, 0, ("x.safetensors", *says), ("pwned",), memory=memory)


def look(value: Any) -> bytes:
    """Weights whose metadata says how their network looks."""
    text = value if isinstance(value, str) else json.dumps(value)
    return stored({"__metadata__": {"xp.look": text}, "a": tensor(0, 4, 1)}, bytes(4))


def hollow(path: Path) -> None:
    path.touch()
    os.truncate(path, 10**12)


TEACHER = "teacher: {arch: timm/resnet18, weights: x.safetensors, head: probe}\n"


def looks(name: str, value: Any) -> Case:
    """A teacher whose file says something odd of how it looks: that counts as if it said nothing."""

    def make(folder: Path) -> None:
        (folder / "spec.yaml").write_text(SPEC.replace(", weights: x.safetensors", "") + TEACHER)
        (folder / "x.safetensors").write_bytes(look(value))

    return Case(name, make, ASK, 0, ("valid",), ("pwned",), slow=True)


CANNOT = "the weights file cannot be read"
CASES: list[Case] = [
    told("weights of nothing", b"", CANNOT),
    told("a pickle as weights", pickle.dumps(Evil()), CANNOT),
    told("a header of 2^60 bytes", stored({}, length=2**60), CANNOT),
    told("a header of 99 MB that is not there", stored({}, length=99_000_000), CANNOT),
    told("a header that is no JSON", stored(b"{" * 64), CANNOT),
    told("a header that is no UTF-8", stored(b'{"\xff\xfe": 1}'), CANNOT),
    told("a header of 100,000 lists", stored(b'{"a":' + b"[" * 100_000), CANNOT),
    told("tensors in the same bytes", stored({"a": tensor(0, 4, 1), "b": tensor(0, 4, 1)}, bytes(4)), CANNOT),
    told("a tensor beyond the end", stored({"a": tensor(0, 400, 100)}, bytes(4)), CANNOT),
    told("a shape below zero", stored({"a": tensor(0, 4, -1)}, bytes(4)), CANNOT),
    told("a shape of 2^120", stored({"a": tensor(0, 4, 2**60, 2**60)}, bytes(4)), CANNOT),
    told("a hole between tensors", stored({"a": tensor(0, 4, 1), "b": tensor(8, 12, 1)}, bytes(12)), CANNOT),
    told("a type that is none", stored({"a": tensor(0, 4, 1, dtype="F33")}, bytes(4)), CANNOT),
    told("an escape in a tensor's name", stored({"\x1b[2J": tensor(0, 9, 1)}, bytes(4)), CANNOT),
    told("a metadata of numbers", stored({"__metadata__": {"a": 1}}), CANNOT),
    told("a pipe as weights", os.mkfifo, "no weights file"),
    told("a folder as weights", Path.mkdir, "no weights file"),
    told("weights of 1 TB", hollow, "weights_bytes"),
    looks("a look of 100,000 lists", "[" * 100_000),
    looks("a look of other types", {"image_size": "224", "crop_share": [], "interpolation": {}, "mean": "red"}),
    told(
        "ten million letters of metadata",
        stored({"__metadata__": {"a": "x" * 9_900_000}}) + b"x",
        memory=MOST_WITHOUT_TORCH,
    ),
]
