"""What notebooks hand over: takes an argument of any type, gives it as what it must be, or says which that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from engine.errors import XpError
from engine.home.paths import Home


def check_home(home: Any, where: str = "home") -> None:
    """Raise XpError for what can be no home."""
    if home is not None and not isinstance(home, Home | str | Path):
        what = f"a home is a path or a Home, not {kind_of(home)}"
        raise XpError(what, where=where, fix='write home=".xp", or leave it')


def check_spec(spec: Any) -> None:
    """Raise XpError for what is neither a mapping nor a model; None stands for keywords."""
    if spec is not None and not isinstance(spec, Mapping | BaseModel):
        what = f"a spec is a file or a mapping, not {kind_of(spec)}"
        raise XpError(what, where="xp.load", fix='xp.load("specs/quickstart.yaml")')


def as_names(given: Any, where: str) -> list[str]:
    """Return one name or several as a list, each once; raises XpError for anything else."""
    names = [given] if isinstance(given, str) else list(given) if isinstance(given, Sequence | set) else [given]
    wrong = next((name for name in names if not isinstance(name, str)), None)
    if wrong is not None or not names:
        what = "no experiment is named" if not names else f"an experiment is named by a text, not by {kind_of(wrong)}"
        raise XpError(what, where=where, fix=f'{where}("quickstart"), or {where}(["one", "two"])')
    return list(dict.fromkeys(names))


def as_text(given: Any, what: str, where: str, example: str) -> str:
    """Return a text; raises XpError for anything else, with an example of what it may be."""
    if isinstance(given, str):
        return given
    raise XpError(f"{what} is a text, not {kind_of(given)}", where=where, fix=example)


def check_metric(metric: Any, home: Any) -> None:
    """Raise XpError for a metric that is a home: the place of the second argument that other functions have."""
    as_text(metric if isinstance(metric, str) else _path_text(metric), "a metric", "xp.curves", CURVES)
    if home is None and (not isinstance(metric, str) or "/" in metric or "\\" in metric or Path(metric).is_dir()):
        shown = str(_path_text(metric))
        fix = f'name it: xp.curves("quickstart", home={shown!r})'
        raise XpError(f"the second argument is a metric, and {shown!r} is a folder", where="xp.curves", fix=fix)


def _path_text(given: Any) -> Any:
    return str(given.root) if isinstance(given, Home) else str(given) if isinstance(given, Path) else given


def kind_of(given: Any) -> str:
    """Return the type of an argument, with the beginning of what it says."""
    return "None" if given is None else f"{type(given).__name__} ({str(given)[:40]})"


CURVES = 'xp.curves("quickstart", "val_top1")'
