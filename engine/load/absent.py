"""Packages that words of a spec need: takes the settings of a cell, gives those that are not installed here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.errors import DataError
from engine.spec import Settings
from engine.spec.forms import form_words
from engine.spec.quantize import absent_packages
from engine.spec.registries import read_words


@dataclass(frozen=True)
class RuntimeFacts:
    """What a spec must know of a runtime: the format of its files."""

    form: str


def absent_problems(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield path, what and fix for each library that is absent: a job would fail after all that it needs."""
    absent = absent_packages(settings.quantize) if settings.quantize is not None else None
    if absent is not None:
        yield "quantize.backend", *absent
    if not settings.measure.runtimes:
        return
    facts = read_words("runtime", RuntimeFacts)
    for word in settings.measure.runtimes:
        try:
            form_words(facts[word].form)
        except DataError as error:
            yield "measure.runtimes", f"{word}: {error.what}", error.fix
