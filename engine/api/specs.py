"""`xp.load`: takes the file of a spec, a mapping, a model or keywords, gives a Spec; the same one, whichever it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from engine.api.arguments import check_spec
from engine.errors import XpError
from engine.home.paths import Home
from engine.load import load_spec, load_words
from engine.plan.own_code import trust_spec
from engine.spec import Spec

AnySpec = Spec | Mapping[str, Any] | BaseModel | str | Path


def load(
    spec: AnySpec | None = None, overrides: Sequence[str] = (), overlays: Sequence[str | Path] = (), **words: Any
) -> Spec:
    """Return a checked spec: of a file, of a mapping as the file has it, or of its sections as keywords.

    `overrides` are texts such as `train.epochs=2`, `overlays` files that are laid over it. Sections may be models
    (engine.spec) as well. What is said in Python gives the spec and the ids that it gives in a file. Raises XpError
    with every mistake, its place and the fix.
    """
    if (spec is None) == (not words):
        what = "a spec and keywords are two specs" if words else "there is no spec"
        fix = 'xp.load("specs/quickstart.yaml"), or xp.load(name=..., data=..., student=...)'
        raise XpError(what, where="xp.load", fix=fix)
    if isinstance(spec, str | Path):
        return load_spec(spec, overrides, overlays)
    check_spec(spec)
    if isinstance(spec, Spec) and spec.kept_cells and not overrides and not overlays:
        return spec
    return load_words(words if spec is None else spec, overrides, overlays)


def allow_code(spec: Spec, home: Home, *, trust: bool) -> None:
    """Keep that the code which a spec names may run in a home, where its caller says so, as --trust does."""
    if trust:
        trust_spec(spec, home)
