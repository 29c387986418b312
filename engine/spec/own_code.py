"""A person's own code in a spec: takes a text such as `./nets.py:FastVit`, gives its parts. Nothing is looked for here.

Three forms name a class or function: by its file, by its module, and as the settings of jobs do, by what its code says:

    ./nets.py:FastVit            a file, relative to the spec that names it
    my_lab.nets:FastVit          a module that Python can import
    nets:FastVit@3f9c0a1b2c4d5e6f   settled: the digest of the code instead of a place (inputs/own_code)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

CodeKind = Literal["network", "loss", "attention", "source", "optimizer", "criterion", "augmentation"]
DIGEST_DIGITS = 16
REFERENCE = (
    r"(?P<place>[^:@\s][^:@\n]*\.py|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)"  # a file or a module
    r":(?P<name>[A-Za-z_]\w*)(?:@(?P<digest>[0-9a-f]{16}))?"
)
CODE_PATTERN = r"^\S.*:[A-Za-z_]\w*(@[0-9a-f]{16})?$"
"""The same roughly, for editors and pydantic: what fits no reference names no kind of attention either."""
WORDS: dict[str, CodeKind] = {
    "arch": "network",
    "loss": "loss",
    "kind": "attention",
    "source": "source",
    "optimizer": "optimizer",
    "criterion": "criterion",
    "extra": "augmentation",
}
"""The last words of the paths that may name code, and what of."""


@dataclass(frozen=True)
class Reference:
    """A class or function by name: `place` is a file or a dotted module; `digest` is "" until it is settled."""

    place: str
    name: str
    digest: str = ""

    @property
    def is_file(self) -> bool:
        return self.place.endswith(".py")

    def __str__(self) -> str:
        return f"{self.place}:{self.name}{'@' if self.digest else ''}{self.digest}"


def read_reference(text: str) -> Reference | None:
    """Return what a text names, None where it names no code."""
    found = re.fullmatch(REFERENCE, text)
    return Reference(found["place"], found["name"], found["digest"] or "") if found else None


def names_code(text: object) -> bool:
    """Whether a value of a spec names somebody's own code."""
    return isinstance(text, str) and ":" in text and read_reference(text) is not None


def settled_digests(text: str) -> set[str]:
    """Return the digests of all settled names in a text, such as the settings of a job."""
    return set(re.findall(rf'"[\w.]+:\w+@([0-9a-f]{{{DIGEST_DIGITS}}})"', text))
