"""ImageNet's class tables: takes class folder names, gives their places in a teacher's head and their meanings.

The tables are text files that timm ships; they are found without importing timm. Which one belongs to a head is told by
its number of outputs.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import DataError
from engine.spec.architectures import IMAGENET_HEADS, WORDNET_ID

if TYPE_CHECKING:
    from torch import Tensor

MEANINGS = "imagenet_synset_to_lemma.txt"


def slice_places(class_names: Sequence[str], outputs: int) -> Tensor:
    """Return int64 (classes,): where in a head of `outputs` classes each of `class_names` (WordNet ids) lies.

    Raises DataError when no table has that many classes, or the head lacks one of the names.
    """
    fix = "use teacher.head: probe or finetune, or name the class folders by their WordNet ids (n01440764)"
    if outputs not in IMAGENET_HEADS:
        sizes = ", ".join(map(str, IMAGENET_HEADS))
        raise DataError(f"a head of {outputs} classes is none of ImageNet's ({sizes})", where="teacher.head", fix=fix)
    places = {name: place for place, name in enumerate(_read_table(IMAGENET_HEADS[outputs]))}
    absent = [name for name in class_names if name not in places]
    if absent:
        some = ", ".join(repr(name) for name in absent[:5])
        what = f"{len(absent)} of {len(class_names)} classes are not in the teacher's head of {outputs}: {some}"
        raise DataError(what, where="teacher.head", fix=fix)
    import torch  # here, because a report of images does without

    return torch.tensor([places[name] for name in class_names])


def slice_mass(logits: Tensor, places: Tensor) -> Tensor:
    """Return fp32 (B,): the probability that a teacher with logits (B, outputs) leaves to the sliced classes."""
    values = logits.float()
    return (values[:, places].logsumexp(dim=1) - values.logsumexp(dim=1)).exp()


def class_title(name: str) -> str:
    """Return a class folder's name, with its meaning where it is a WordNet id: `n01440764 tench`."""
    meaning = _read_meanings().get(name) if WORDNET_ID.fullmatch(name) else None
    return f"{name} {meaning}" if meaning else name


def class_name(name: str) -> str:
    """Return what a class is called: the meaning alone of a WordNet id, as `tench`, and any other folder's name."""
    meaning = _read_meanings().get(name) if WORDNET_ID.fullmatch(name) else None
    return meaning or name


@lru_cache(maxsize=1)
def _read_meanings() -> dict[str, str]:
    pairs = (line.partition("\t") for line in _read_table(MEANINGS))
    return {name: meaning.split(",")[0] for name, _, meaning in pairs}


def _read_table(name: str) -> list[str]:
    """Return the lines of one of timm's tables; none where timm is not installed."""
    package = importlib.util.find_spec("timm")
    for folder in (package.submodule_search_locations or ()) if package else ():
        table = Path(folder) / "data" / "_info" / name
        if table.is_file():
            return table.read_text().splitlines()
    return []
