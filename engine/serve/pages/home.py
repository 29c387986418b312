"""The first page: takes a home, gives its experiments with how far they are, newest first, and what hinders them."""

from __future__ import annotations

from dataclasses import dataclass

from engine.inspect.status import ExperimentView, find_trouble, read_status
from engine.serve.view import Asked, View


@dataclass(frozen=True)
class Front:
    """All experiments, and a line on why nothing goes on; "" when all is well."""

    experiments: tuple[ExperimentView, ...]
    trouble: str


def show_home(asked: Asked) -> View:
    """Return the experiments."""
    views = read_status(asked.home)
    return View("home", "Experiments", Front(tuple(views), find_trouble(asked.home, views)))
