"""What importing and calling own code must leave alone: takes the process before and after, gives what was changed.

A module that seeds a generator, sets torch's defaults or replaces a function of torch's changes all trainings that run
in its process, and none of their ids.
"""

from __future__ import annotations

import builtins
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional

PATCHED = {"builtins": builtins, "torch": torch, "torch.nn": torch.nn, "torch.nn.functional": torch.nn.functional}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class State:
    """What a process is like, as far as others in it notice."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {
            "torch's default dtype": torch.get_default_dtype(),
            "torch's default device": torch.get_default_device(),
            "torch's number of threads": torch.get_num_threads(),
            "whether torch is deterministic": torch.are_deterministic_algorithms_enabled(),
            "whether torch keeps gradients": torch.is_grad_enabled(),
            "the working folder": os.getcwd(),
            "what happens at a signal": {one: signal.getsignal(one) for one in SIGNALS},
            "what happens at an error": sys.excepthook,
        }
        self.python_random = random.getstate()
        self.numpy_random = np.random.get_state()  # the one that is shared
        self.torch_random = torch.get_rng_state()
        self.random = {
            "Python's random numbers": repr(self.python_random),
            "NumPy's random numbers": repr(self.numpy_random),
            "torch's random numbers": self.torch_random.numpy().tobytes(),
        }
        self.variables = dict(os.environ)
        self.words = {name: dict(vars(module)) for name, module in PATCHED.items()}

    def restore(self) -> None:
        """Bring what was changed back to what it was, for whoever is looked at next."""
        now = State().facts
        for setter, name in SETTERS:
            if now[name] != self.facts[name]:
                setter(self.facts[name])
        os.environ.clear()
        os.environ.update(self.variables)
        random.setstate(self.python_random)
        np.random.set_state(self.numpy_random)  # the one that is shared
        torch.set_rng_state(self.torch_random)
        for module, name in self._patched():
            setattr(PATCHED[module], name, self.words[module][name])

    def changes(self, *, draws: bool) -> Iterator[str]:
        """Yield what is no longer as it was; random numbers may be drawn by what `draws`."""
        now = State()
        yield from _differing(self.facts, now.facts)
        if not draws:
            yield from _differing(self.random, now.random)
        for name in sorted(self.variables.keys() | now.variables.keys()):
            if self.variables.get(name) != now.variables.get(name) and not name.startswith("TORCH"):
                yield f"the variable {name} of the environment"
        yield from (f"{module}.{name}" for module, name in self._patched())

    def _patched(self) -> Iterator[tuple[str, str]]:
        """Yield module and name of what was replaced; torch replaces some by its own when parts of it are loaded."""
        for module, words in self.words.items():
            for name, value in words.items():
                now = vars(PATCHED[module]).get(name)
                if now is not value and not str(getattr(now, "__module__", "")).startswith("torch"):
                    yield module, name


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    yield from (name for name in one if one[name] != other[name])


def _set_signals(handlers: Mapping[signal.Signals, Any]) -> None:
    for one, handler in handlers.items():
        if signal.getsignal(one) is not handler:
            signal.signal(one, handler)


def _set_device(device: torch.device) -> None:
    # None is how torch is before anybody sets one; to set the CPU makes every call slower.
    torch.set_default_device(None if device.type == "cpu" else device)


def _set_hook(hook: Any) -> None:
    sys.excepthook = hook


SETTERS: tuple[tuple[Callable[[Any], object], str], ...] = (
    (torch.set_default_dtype, "torch's default dtype"),
    (_set_device, "torch's default device"),
    (torch.set_num_threads, "torch's number of threads"),
    (torch.use_deterministic_algorithms, "whether torch is deterministic"),
    (torch.set_grad_enabled, "whether torch keeps gradients"),
    (os.chdir, "the working folder"),
    (_set_signals, "what happens at a signal"),
    (_set_hook, "what happens at an error"),
)
