"""What a network says of photographs: takes a run or an exported file and image files, gives the likeliest classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.core.data.decode import SKIP
from engine.core.export.about import About, read_about
from engine.core.export.forms import open_form
from engine.core.export.parity import Answer
from engine.core.export.photograph import look_at, read_photograph, shares_of
from engine.errors import XpError
from engine.home.paths import Home
from engine.run.exporting import open_trained, plain_answer
from engine.run.quantized_file import find_quantized

AT_ONCE = 16  # images


@dataclass(frozen=True)
class Asked:
    """A network that answers, and what it is."""

    about: About
    answer: Answer


@dataclass(frozen=True)
class Guess:
    """A class by name, what a person calls it, and its probability."""

    name: str
    meaning: str
    share: float

    @property
    def title(self) -> str:
        return self.name if self.meaning == self.name else f"{self.meaning} ({self.name})"


@dataclass(frozen=True)
class Prediction:
    """The likeliest classes of an image, best first, or why it could not be read."""

    image: str
    guesses: tuple[Guess, ...] = ()
    problem: str | None = None

    def lines(self) -> Iterator[str]:
        yield self.image if self.problem is None else f"error: {self.problem}"
        for guess in self.guesses:
            yield f"  {guess.share:7.2%}  {guess.title}"

    def as_json(self) -> dict[str, Any]:
        classes = [{"class": one.name, "meaning": one.meaning, "probability": one.share} for one in self.guesses]
        return {"image": self.image, "classes": classes, "error": self.problem}


def open_file(path: Path) -> Asked:
    """Return the network of an exported file. Raises DataError for one that cannot be read or does not say enough."""
    opened = open_form(path)
    return Asked(read_about(opened.texts, path), opened)


def open_run(home: Home, job: str) -> Asked:
    """Return the network of a job that trains, prunes or quantises. Raises JobError where it is not done."""
    quantized = find_quantized(home, job)
    if quantized is not None:
        return Asked(quantized.about, open_form(quantized.path))
    found = open_trained(home, job)
    return Asked(found.about, plain_answer(found.network))


def predict_images(asked: Asked, paths: Sequence[Path], top: int) -> list[Prediction]:
    """Return a prediction for each path, in order; what cannot be read is told in its place."""
    found: list[Prediction] = []
    for first in range(0, len(paths), AT_ONCE):
        found += _predict_some(asked, paths[first : first + AT_ONCE], top)
    return found


def _predict_some(asked: Asked, paths: Sequence[Path], top: int) -> list[Prediction]:
    images: dict[int, Tensor] = {}
    problems: dict[int, str] = {}
    for place, path in enumerate(paths):
        try:
            images[place] = read_photograph(path, asked.about)
        except XpError as error:
            problems[place] = str(error).replace(f", {SKIP}", "")  # there is no spec here that could say so
    guesses = _guess(asked, list(images.values()), top)
    told = dict(zip(images, guesses, strict=True))
    return [Prediction(str(path), told.get(place, ()), problems.get(place)) for place, path in enumerate(paths)]


def _guess(asked: Asked, images: Sequence[Tensor], top: int) -> list[tuple[Guess, ...]]:
    if not images:
        return []
    shares = shares_of(asked.answer(look_at(torch.stack(list(images)), asked.about)))
    best = shares.topk(min(top, shares.shape[1]), dim=1)
    names, meanings = asked.about.classes, asked.about.meanings
    return [
        tuple(Guess(names[place], meanings[place], share) for share, place in zip(*row, strict=True))
        for row in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]
