"""Where the settings of a run name somebody's own code: takes settings, gives each such word with its options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from engine.spec.experiment import Settings
from engine.spec.own_code import CodeKind, Reference, read_reference


@dataclass(frozen=True)
class Use:
    """A word of a spec that names code: what kind of thing it is, its dotted path, and the options that it is given."""

    kind: CodeKind
    path: str
    reference: Reference
    options: Mapping[str, Any]
    options_path: str


def list_uses(settings: Settings) -> Iterator[Use]:
    """Yield each word of a run that names code."""
    for path, network in settings.networks:
        yield from _use("network", f"{path}.arch", network.arch, network.options, f"{path}.options")
        attention = network.attention
        options = getattr(attention, "options", {})
        yield from _use("attention", f"{path}.attention.kind", attention.kind, options, f"{path}.attention.options")
    distill, data = settings.distill, settings.data
    yield from _use("loss", "distill.loss", distill.loss, distill.options, "distill.options")
    for path, train in settings.trainings:
        yield from _use("optimizer", f"{path}.optimizer", train.optimizer, {}, f"{path}.optimizer")
    if settings.prune is not None:
        yield from _use("criterion", "prune.criterion", settings.prune.criterion, {}, "prune.criterion")
    yield from _use("source", "data.source", data.source, data.options, "data.options")
    extra = data.augment.extra
    if extra is not None:
        yield from _use("augmentation", "data.augment.extra", extra, data.augment.options, "data.augment.options")


def _use(kind: CodeKind, path: str, text: str, options: Mapping[str, Any], options_path: str) -> Iterator[Use]:
    found = read_reference(text) if ":" in text else None
    if found is not None:
        yield Use(kind, path, found, options, options_path)


def replace_at(model: Any, path: str, value: Any) -> Any:
    """Return a copy of a model in which the word at a dotted path has another value; nothing is validated."""
    first, _, rest = path.partition(".")
    if isinstance(model, list):
        place = int(first)
        return [*model[:place], replace_at(model[place], rest, value) if rest else value, *model[place + 1 :]]
    assert isinstance(model, BaseModel), f"no section at {path}"
    inner = replace_at(getattr(model, first), rest, value) if rest else value
    return model.model_copy(update={first: inner})
