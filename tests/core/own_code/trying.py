"""A piece of code kept in a home that trusts it, and tried in this process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.core.own_code.check import check_code
from engine.core.own_code.subject import Question
from engine.home.paths import open_home
from engine.inputs.own_code.finding import find_code
from engine.inputs.own_code.keeping import keep_code, use_home
from engine.inputs.own_code.trust import trust
from engine.spec.own_code import CodeKind, Reference

FACTS: Mapping[str, Mapping[str, Any]] = {"network": {"image_size": 16}, "attention": {"stages": [[16, 2, 4]]}}


def settle_text(root: Path, text: str) -> str:
    """Return the settled name of `Thing` in a module with this text, kept and trusted in a home below `root`."""
    (root / "thing.py").write_text(text)
    home = open_home(root / "home", create=True)
    code = find_code(Reference(f"{root}/thing.py", "Thing"))
    keep_code(home, code)
    trust(home, [code])
    use_home(home)
    return code.settled


def try_text(
    root: Path, kind: CodeKind, text: str, options: Mapping[str, Any] | None = None, **facts: Any
) -> list[dict[str, Any]]:
    """Return what is wrong with `Thing` in a module with this text."""
    return check_code(Question(kind, settle_text(root, text), options or {}, {**FACTS.get(kind, {}), **facts}))
