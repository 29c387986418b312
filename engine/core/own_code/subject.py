"""A piece of own code at hand: takes a question and what was imported for it, gives calls that say what is wrong.

Whatever the code raises becomes a mistake with the last line of its own that raised it; what it has no line for is said
of the class or function as a whole.
"""

from __future__ import annotations

import inspect
import json
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from engine.core.own_code.loading import options_model
from engine.errors import closest_hint
from engine.spec.own_code import CodeKind

MOST_LETTERS = 300


@dataclass(frozen=True)
class Question:
    """A piece of code, what it should be, its options; `facts` are what a spec knows of where it is used."""

    kind: CodeKind
    settled: str
    options: Mapping[str, Any]
    facts: Mapping[str, Any]


class Wrong(Exception):
    """What is wrong with a piece of code: `at` an option of the spec, or in a `file` of the code at a line."""

    def __init__(self, what: str, fix: str, *, at: str = "", file: str = "", line: int = 0) -> None:
        super().__init__(what)
        self.told: dict[str, Any] = {"what": what[:MOST_LETTERS], "fix": fix, "at": at, "file": file, "line": line}


class Several(Exception):
    """Several mistakes at once: of options each is told."""

    def __init__(self, wrongs: list[Wrong]) -> None:
        super().__init__("several")
        self.wrongs = wrongs


@dataclass(frozen=True)
class Subject:
    """A class or function at hand, with its options made."""

    question: Question
    root: Path
    thing: Callable[..., Any]
    options: BaseModel | None

    def call(self, *words: Any) -> Any:
        """Call it as its Protocol says; a signature that does not take the words is told by its line."""
        named = {} if self.options is None else {"options": self.options}
        asked = ", ".join(WORDS[self.question.kind])
        try:
            inspect.signature(self.thing).bind(*words, **named)
        except TypeError as error:
            name = getattr(self.thing, "__name__", "it")
            what = f"{name}{inspect.signature(self.thing)} cannot be called with ({asked}): {error}"
            raise self.wrong(what, f"let it take {asked}, and `options` where it has any") from error
        return guard(self.root, "calling it", lambda: self.thing(*words, **named))

    def wrong(self, what: str, fix: str, of: Any = None) -> Wrong:
        """Return a mistake with the line where the thing, or a method `of` it, begins."""
        return Wrong(what, fix, **place_of(self.root, self.thing if of is None else of))


def make_options(question: Question, thing: Any, root: Path) -> BaseModel | None:
    """Return the options as the code's own model has them, None where it takes none. Raises Wrong or Several."""
    try:
        model = options_model(thing)
    except (TypeError, NameError, ValueError) as error:
        fix = "annotate it: `options: Options`, a class of pydantic.BaseModel at the top of the module"
        raise Wrong(str(error), fix, **place_of(root, thing)) from error
    given = dict(question.options)
    if model is None:
        if given:
            names = ", ".join(given)
            fix = "leave options away, or give it a last parameter `options`, annotated with a pydantic model"
            raise Wrong(f"it takes no options ({names})", fix, at=next(iter(given)))
        return None
    known = {info.alias or name for name, info in model.model_fields.items()}
    unknown = [name for name in given if name not in known] if model.model_config.get("extra") != "allow" else []
    wrongs = [Wrong(f"it has no option {name!r}", _key_fix(name, known), at=name) for name in unknown]
    try:
        made = model.model_validate({name: value for name, value in given.items() if name not in unknown})
    except ValidationError as error:
        wrongs += [_option_wrong(detail) for detail in error.errors(include_url=False)]
    except Exception as error:
        raise from_error(root, "checking its options", error) from error
    if wrongs:
        raise Several(wrongs)
    return made


def _key_fix(name: str, known: set[str]) -> str:
    return closest_hint(name, known) if known else "leave it away: it has none"


def _option_wrong(detail: Any) -> Wrong:
    path = ".".join(map(str, detail["loc"]))
    if detail["type"] == "missing":
        return Wrong(f"the option {path!r} is missing", f"add `{path}:` below options", at="")
    said = str(detail["msg"])
    return Wrong(
        f"{json.dumps(detail['input'], default=str)[:60]}: {said[:1].lower()}{said[1:]}", "write another value", at=path
    )


def guard(root: Path, doing: str, call: Callable[[], Any]) -> Any:
    """Return what a call of somebody's code gives; raises Wrong for whatever it raises."""
    try:
        return call()
    except (Exception, SystemExit) as error:
        raise from_error(root, doing, error) from error


def from_error(root: Path, doing: str, error: BaseException) -> Wrong:
    """Say what somebody's code raised, with the last of its own lines."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        fix = f"install the package that has {error.name}, in the environment of xp"
        return Wrong(f"it needs the module {error.name}, which is not here", fix, **_raised_at(root, error))
    said = (str(error).splitlines() or [""])[0]
    fix = "mend it, or try it by hand: import the module in Python"
    return Wrong(f"{doing} raises {type(error).__name__}: {said}", fix, **_raised_at(root, error))


def _raised_at(root: Path, error: BaseException) -> dict[str, Any]:
    if isinstance(error, SyntaxError) and error.filename:
        return {"file": _relative(root, error.filename), "line": error.lineno or 1}
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(root)]
    return {"file": _relative(root, own[-1].filename), "line": own[-1].lineno or 1} if own else {}


def place_of(root: Path, thing: Any) -> dict[str, Any]:
    """Return file and line where a class or function begins, nothing where that is not in the code."""
    try:
        found = inspect.unwrap(thing)
        file, line = inspect.getsourcefile(found), inspect.getsourcelines(found)[1]
    except (TypeError, OSError, ValueError):
        return {}
    inside = file is not None and Path(file).is_relative_to(root)
    return {"file": _relative(root, file), "line": line} if inside and file else {}


def _relative(root: Path, file: str) -> str:
    return Path(file).relative_to(root).as_posix() if Path(file).is_relative_to(root) else file


WORDS: dict[str, tuple[str, ...]] = {
    "network": ("num_classes", "image_size"),
    "loss": ("student", "teacher", "labels", "temperature"),
    "attention": ("dim", "heads", "window"),
    "source": ("root",),
    "optimizer": ("groups", "rate"),
    "criterion": ("incoming", "outgoing"),
    "augmentation": ("image", "generator"),
}
"""What each kind is called with, by position (protocols.py)."""
