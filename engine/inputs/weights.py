"""What a weights file holds: takes a .safetensors file, gives its tensors' shapes and its head's size; loads no torch.

Only the header is read, so that a wrong file is known when it is planned and not by the job that loads it. A header is
put into one order before it is written, so that equal networks are equal files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import safetensors

from engine.errors import DataError
from engine.home.limits import limits, raise_limit
from engine.spec.architectures import IMAGENET_HEADS, WORDNET_ID

Shapes = Mapping[str, tuple[int, ...]]
NEW_HEAD = "use teacher.head: probe or finetune, which give it a head for these classes"

CLASSIFIERS = frozenset(
    f"{name}.weight"
    for name in (
        *("classif", "classifier", "fc", "head", "head.0", "head.1", "head.classifier.4", "head.classifier.linear"),
        *("head.fc", "head.fc.fc2", "head.fc2", "head.head.l", "head.head_dist.l", "head.l", "head.linear"),
        *("head.proj", "head_dist", "head_dist.linear", "aux_head", "last_linear"),
        *(f"{part}.{number}" for part in ("heads", "heads_dist") for number in range(4)),
    )
)
"""The matrices of last layers, as timm's networks name them; a test compares them with timm's."""


def stored_shapes(file: Path) -> Shapes:
    """Return name -> shape of every tensor in a .safetensors file. Raises DataError when it is none or is cut short."""
    try:
        size = file.stat().st_size
        if size > limits().weights_bytes:
            raise DataError(f"the weights file has {size:,} bytes", where=str(file), fix=raise_limit("weights_bytes"))
        # np: the header is enough, and torch is not loaded.
        with safetensors.safe_open(file, framework="np") as stored:
            return {name: tuple(stored.get_slice(name).get_shape()) for name in stored.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        fix = "make it again or copy it again; only the .safetensors format is read"
        raise DataError(f"the weights file cannot be read: {error}", where=str(file), fix=fix) from error


def order_header(raw: bytes, added: Mapping[str, str] | None = None) -> bytes:
    """Return a .safetensors file with the entries of its metadata sorted, as equal networks must have equal digests.

    `added` are entries that it gets besides.

    safetensors writes two entries or more in an order of chance. Layout of the file: the header's length (u64, little
    endian), the header (JSON, blanks behind it up to a multiple of 8 bytes), the tensors.
    """
    end = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:end])
    if "__metadata__" in header or added:
        header["__metadata__"] = dict(sorted({**header.get("__metadata__", {}), **(added or {})}.items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + raw[end:]


def head_outputs(shapes: Shapes) -> int | None:
    """Return how many classes the last layer has, 0 where there is none, None where it cannot be told which it is."""
    found = {shape[0] for name, shape in shapes.items() if name in CLASSIFIERS and shape}
    return found.pop() if len(found) == 1 else None if found else 0


def size_problem(class_names: Sequence[str], outputs: int, own_names: Sequence[str] | None) -> DataError | None:
    """Return why a head of `outputs` classes cannot be of the data's `class_names`, None where its size speaks for it.

    By the head's `own_names` where they are known, else as one of ImageNet's, else as the data's classes in order.
    """
    if not outputs:
        return DataError("these weights have no classifier", where="teacher.weights", fix=NEW_HEAD)
    if own_names is not None:
        what = f"teacher.classes lists {len(own_names)} classes, and the head has {outputs} outputs"
        fix = "list every output's class, in the order of the outputs"
        return None if len(own_names) == outputs else DataError(what, where="teacher.classes", fix=fix)
    if outputs == len(class_names) or is_of_imagenet(class_names, outputs):
        return None
    what = f"its head has {outputs} classes and the data {len(class_names)}: nothing says which are which"
    fix = f"list its classes, in order, in teacher.classes; or {NEW_HEAD}"
    return DataError(what, where="teacher.head", fix=fix)


def is_of_imagenet(class_names: Sequence[str], outputs: int) -> bool:
    """Whether classes and head are found by WordNet id."""
    return outputs in IMAGENET_HEADS and all(WORDNET_ID.fullmatch(name) for name in class_names)
