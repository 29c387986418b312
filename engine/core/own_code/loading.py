"""Own code imported: takes a settled name such as `nets:FastVit@3f9c0a1b2c4d5e6f`, gives what it names; and options.

It is imported from the home's copy and from nowhere else. Of two versions of one module that a process loads after
each other each has its own objects; `sys.modules` knows the newer.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import typing
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from engine.errors import JobError
from engine.inputs.own_code.keeping import open_copy
from engine.spec.own_code import read_reference

OPTIONS = "options"


@lru_cache(64)
def load_code(settled: str) -> Any:
    """Return the class or function that a settled name means. Raises JobError where its copy is not to be run."""
    reference = read_reference(settled)
    assert reference is not None, f"{settled!r} names no code"
    root, code = open_copy(reference)
    return import_name(root, code.module, reference.name, code.files)


def import_name(root: Path, module: str, name: str, files: Iterable[str]) -> Any:
    """Return what `name` is in a `module` below `root`, whose project has these `files`; raises what importing does."""
    make_way(root, files)
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        return getattr(importlib.import_module(module), name)
    finally:
        sys.dont_write_bytecode = writes


def make_way(root: Path, files: Iterable[str], *, anew: bool = False) -> None:
    """Let imports find these files first, and forget modules of their names from elsewhere; `anew`: from here too."""
    first = {name.split("/")[0].removesuffix(".py") for name in files}
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in first and (anew or not _lies_in(module, root)):
            del sys.modules[name]
    sys.path[:] = [str(root), *(place for place in sys.path if place != str(root))]
    importlib.invalidate_caches()


def _lies_in(module: Any, root: Path) -> bool:
    places = [getattr(module, "__file__", None) or "", *getattr(module, "__path__", ())]
    return any(Path(place).is_relative_to(root) for place in places if place)


def options_model(thing: Callable[..., Any]) -> type[BaseModel] | None:
    """Return the pydantic model that a parameter `options` is annotated with, None where there is no such parameter.

    Raises TypeError where it is annotated with anything else.
    """
    call = thing.__init__ if isinstance(thing, type) else thing  # type: ignore[misc]  # of the class as it is
    if OPTIONS not in inspect.signature(call).parameters:
        return None
    model = typing.get_type_hints(call).get(OPTIONS)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise TypeError("its parameter `options` is not annotated with a pydantic model")
    return model


def call_own(settled: str, options: Mapping[str, Any], *words: Any) -> Any:
    """Return what the code gives for the `words` of its protocol and, where it takes any, its options."""
    return bind_own(settled, options)(*words)


def bind_own(settled: str, options: Mapping[str, Any]) -> Callable[..., Any]:
    """Return the code with its options, to be called with the words of its protocol."""
    thing: Callable[..., Any] = load_code(settled)
    model = options_model(thing)
    if model is None:
        if options:
            raise JobError(f"{settled} takes no options", fix="leave them away, and submit it again")
        return thing
    return partial(thing, options=model.model_validate(dict(options)))
