"""What networks said of the same images: takes logits by image, gives a small file, and how near two networks are.

numpy alone: whoever compares students later needs no torch.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

ANSWERS_FILE = "answers.npz"
MOST_IMAGES, MOST_VALUES = 1000, 1_000_000
LOWEST = -60_000.0  # a log-probability that half precision still holds
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """Of one part of the data: `keys` (n,) name the images, `own` (n, classes) are log-probabilities at temperature 1.

    `teacher` is what the network heard of its teacher for the same images (calibrated where it was), None untaught.
    """

    keys: tuple[str, ...]
    own: Floats
    teacher: Floats | None = None


@dataclass(frozen=True)
class Likeness:
    """How near a network is to a teacher: share of equal answers, and the mean KL(teacher || network) in nats."""

    agreement: float
    divergence: float


def sample_size(classes: int) -> int:
    """Return of how many images of a part answers are kept: a few megabytes a network at most."""
    return max(1, min(MOST_IMAGES, MOST_VALUES // classes))


def make_answers(keys: Sequence[str], own: NDArray[Any], teacher: NDArray[Any] | None = None) -> Answers:
    """Return the answers behind logits (n, classes) for the images `keys`."""
    return Answers(tuple(keys), log_softmax(own), None if teacher is None else log_softmax(teacher))


def log_softmax(logits: NDArray[Any]) -> Floats:
    """Return log-probabilities (n, classes), in doubles."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True).astype(np.float64)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def compare_answers(own: Floats, teacher: Floats) -> Likeness:
    """Return how near log-probabilities (n, classes) are to the teacher's for the same images."""
    divergence = (np.exp(teacher) * (teacher - own)).sum(axis=1)
    return Likeness(float((own.argmax(axis=1) == teacher.argmax(axis=1)).mean()), float(divergence.mean()))


def encode_answers(parts: Mapping[str, Answers]) -> bytes:
    """Return the bytes of a file: half precision, which moves a log-probability by less than a thousandth of itself."""
    arrays: dict[str, Any] = {}
    for part, answers in parts.items():
        arrays[f"{part}.keys"] = np.array(answers.keys, dtype="S")
        arrays[f"{part}.own"] = _halved(answers.own)
        if answers.teacher is not None:
            arrays[f"{part}.teacher"] = _halved(answers.teacher)
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _halved(values: Floats) -> NDArray[np.float16]:
    return values.clip(min=LOWEST).astype(np.float16)


def read_answers(path: Path) -> dict[str, Answers]:
    """Return the answers by part; empty where there is no such file, or none that can be read."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            parts = [name.removesuffix(".keys") for name in file.files if name.endswith(".keys")]
            return {part: _read_part(file, part) for part in parts}
    except (OSError, EOFError, ValueError, KeyError, BadZipFile):
        return {}


def _read_part(file: Mapping[str, NDArray[Any]], part: str) -> Answers:
    keys = tuple(key.decode() for key in file[f"{part}.keys"].tolist())
    # Rounded log-probabilities no longer sum to one: normalised again, a KL cannot fall below 0.
    return make_answers(keys, file[f"{part}.own"], file.get(f"{part}.teacher"))
