"""The options that timm's networks take, asked of timm itself: takes nothing, gives the text of the shipped table.

`python -m tests.load.timm_table > engine/load/timm_options.txt` writes it anew after another timm is pinned. A name
that is taken anywhere on the way from the entry point to the network counts: the table refuses only what nothing takes.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

OWN = {"self", "variant", "pretrained", "cfg", "num_classes"}  # what timm, or xp, hands over itself


class Caught(Exception):
    """The class of a network, before one is built."""


def option_table() -> str:
    """Return a line for each set of options: the networks, a colon, the options; `*` where any word is taken."""
    import timm
    from timm.models._registry import _model_entrypoints

    assert timm.list_models()
    groups: dict[str, list[str]] = {}
    for name, make in sorted(_model_entrypoints.items()):
        groups.setdefault(" ".join(_options_of(make)), []).append(name)
    return "".join(f"{' '.join(names)}: {options}\n" for options, names in sorted(groups.items()))


def _options_of(make: Callable[..., Any]) -> list[str]:
    kind = _class_of(make)
    modules = {sys.modules[kind.__module__], sys.modules[make.__module__]}
    makers = [
        one
        for module in modules
        for name, one in vars(module).items()
        if inspect.isfunction(one) and one.__module__ == module.__name__ and re.match("_(create|gen)_", name)
    ]
    inits = [base.__init__ for base in kind.__mro__ if base.__module__.startswith("timm.")]
    found = {name for one in (*makers, *inits) for name, _ in _parameters(one)}
    for module in modules:
        found |= set(re.findall(r"kwargs\.(?:pop|get|setdefault)\(\s*['\"](\w+)", inspect.getsource(module)))
    configs = {field for module in modules for field in _config_fields(module)}
    # The lowest class decides: a distilled one hands everything to the one below it.
    is_open = all(any(star for _, star in _parameters(one)) for one in inits) and not configs
    return ["*"] if is_open else sorted(name for name in found | configs if name and name not in OWN)


def _class_of(make: Callable[..., Any]) -> Any:
    def catch(kind: type, *_: Any, **__: Any) -> None:
        raise Caught(kind)

    holders = [module for name, module in sys.modules.items() if name.startswith("timm.models.")]
    holders = [module for module in holders if hasattr(module, "build_model_with_cfg")]
    patches = [patch.object(module, "build_model_with_cfg", catch) for module in holders]
    for one in patches:
        one.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            make(pretrained=False)
    except Caught as caught:
        return caught.args[0]
    finally:
        for one in patches:
            one.stop()
    raise AssertionError(f"{make} builds no network by its configuration")


def _parameters(function: Callable[..., Any]) -> Iterator[tuple[str, bool]]:
    """Yield the name of each parameter; an empty one, and True, for one that takes any word."""
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            yield "", True
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            yield parameter.name, False


def _config_fields(module: Any) -> Iterator[str]:
    for one in vars(module).values():
        if dataclasses.is_dataclass(one) and getattr(one, "__module__", "") == module.__name__:
            yield from (field.name for field in dataclasses.fields(one))


if __name__ == "__main__":
    sys.stdout.write(option_table())
