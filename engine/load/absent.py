"""Packages that words of a spec need: takes the settings of a cell, gives those that are not installed here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.errors import DataError
from engine.spec import Settings
from engine.spec.forms import form_words
from engine.spec.registries import read_words


@dataclass(frozen=True)
class RuntimeFacts:
    """What a spec must know of a runtime: the format of its files."""

    form: str


def absent_problems(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield path, what and fix for each runtime whose packages are absent: a job would fail after all that it needs."""
    if not settings.measure.runtimes:
        return
    facts = read_words("runtime", RuntimeFacts)
    for word in settings.measure.runtimes:
        try:
            form_words(facts[word].form)
        except DataError as error:
            yield "measure.runtimes", f"{word}: {error.what}", error.fix
