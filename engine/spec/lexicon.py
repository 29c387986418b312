"""What a word of a spec means: takes a dotted path, gives what its field says, its unit, default, range and choices.

Everything is read off the models: a field's description and examples stand beside it, and nowhere else.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

from annotated_types import Ge, Gt, Le, Len, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from engine.spec.base import Numbers, show_number
from engine.spec.experiment import Spec
from engine.spec.registries import OneOf

KINDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


@dataclass(frozen=True)
class Facts:
    """What the type of a field says. Of a list they are about its entries, and `kinds` says that it is one."""

    kinds: tuple[str, ...] = ()
    choices: tuple[Any, ...] = ()
    unit: str = ""
    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    fewest: int = 0
    models: tuple[type[BaseModel], ...] = ()
    is_null: bool = False
    is_list: bool = False
    inner: frozenset[type] = frozenset()
    """The plain types that a value, or an entry of it, may have."""

    @property
    def range(self) -> str:
        """The range in words, such as `above 0, at most 100`; '' for none."""
        bounds = {"at least": self.least, "above": self.above, "at most": self.most, "below": self.below}
        return ", ".join(f"{word} {show_number(bound)}" for word, bound in bounds.items() if bound is not None)


@dataclass(frozen=True)
class Term:
    """A word of a spec: `path` is dotted; `default` is None for null, and Ellipsis where there is none."""

    path: str
    about: str
    facts: Facts
    default: Any = ...
    examples: tuple[Any, ...] = ()
    is_aside: bool = False
    model: type[BaseModel] | None = field(default=None, repr=False)

    @property
    def example(self) -> Any:
        """A value that is right: the first example, else the default, else a choice; None where nothing is known."""
        if self.examples:
            return self.examples[0]
        if self.default is not ... and self.default is not None and not isinstance(self.default, BaseModel):
            return self.default
        return self.facts.choices[0] if self.facts.choices else None


def all_terms(root: type[BaseModel] = Spec) -> Mapping[str, Term]:
    """Return every word by its dotted path, sections before what is in them; an entry of a list by `name.word`."""
    return _terms_of(root)


@cache
def _terms_of(root: type[BaseModel]) -> Mapping[str, Term]:
    found: dict[str, Term] = {}
    for term in _walk(root, "", ()):
        found[term.path] = _both(found[term.path], term) if term.path in found else term
    return found


def _both(one: Term, other: Term) -> Term:
    """A word that two kinds of one section share, such as attention.kind, has what either says."""
    choices = tuple(dict.fromkeys((*one.facts.choices, *other.facts.choices)))
    about = one.about if one.about == other.about or not other.about else f"{one.about} {other.about}".strip()
    return replace(one, about=about, facts=replace(one.facts, choices=choices))


def term_at(path: Iterable[str | int], root: type[BaseModel] = Spec) -> Term | None:
    """Return the word at a path such as `("claims", 0, "metric")` or `("arms", "b", "train", "lr")`."""
    parts = [part for part in path if isinstance(part, str)]
    if parts[:1] == ["arms"] and len(parts) > 2:
        parts = parts[2:]
    if parts[:1] == ["matrix"] and len(parts) > 1:
        parts = parts[1:]
    return all_terms(root).get(".".join(parts))


def _walk(model: type[BaseModel], prefix: str, seen: tuple[type[BaseModel], ...]) -> Iterator[Term]:
    for name, info in model.model_fields.items():
        term = _term(f"{prefix}{info.alias or name}", info, model)
        yield term
        for inner in term.facts.models:
            if inner not in seen:  # a teacher's own reference would go on for ever
                yield from _walk(inner, f"{term.path}.", (*seen, inner))


def _term(path: str, info: FieldInfo, model: type[BaseModel]) -> Term:
    facts = _merge([Facts(unit=_unit_of(info)), _of_marks(info.metadata), *_of_annotation(info.annotation)])
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, Mapping) else {}
    default = ... if info.default is PydanticUndefined else info.default
    about = info.description or ""
    return Term(path, about, facts, default, tuple(info.examples or ()), bool(extra.get("aside")), model)


def _of_annotation(annotation: Any, *, listed: bool = False) -> Iterator[Facts]:
    """Yield what each part of an annotation says, looking into unions, lists and Annotated."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in KINDS:
        yield Facts(kinds=(KINDS[annotation],), inner=frozenset({annotation}))
    elif annotation is type(None):
        yield Facts(is_null=not listed)
    elif origin is Literal:
        yield Facts(choices=args, inner=frozenset(map(type, args)))
    elif origin is typing.Annotated:
        yield _merge([*_of_annotation(args[0]), _of_marks(args[1:])])
    elif origin in (typing.Union, types.UnionType):
        for part in args:
            yield from _of_annotation(part)
    elif origin is list:
        inner = _merge(_of_annotation(args[0], listed=True))
        entries = f" of {_plural(inner)}" if _plural(inner) else ""
        yield replace(inner, kinds=(f"a list{entries}",), is_list=True)
    elif origin is dict or annotation is dict:
        yield Facts(kinds=("a mapping",), inner=frozenset({dict}))
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield Facts(kinds=("a mapping",), models=(annotation,), inner=frozenset({dict}))


def _plural(entries: Facts) -> str:
    if entries.choices:
        return ""
    words = {"a whole number": "whole numbers", "a number": "numbers", "a text": "texts", "a mapping": "mappings"}
    return " or ".join(words.get(kind, kind) for kind in entries.kinds)


def _of_marks(marks: Iterable[Any]) -> Facts:
    facts = Facts()
    for mark in marks:
        if isinstance(mark, FieldInfo):
            facts = _merge([facts, Facts(unit=_unit_of(mark)), _of_marks(mark.metadata)])
        elif isinstance(mark, OneOf):
            facts = replace(facts, choices=mark.words)
        elif isinstance(mark, Numbers):
            facts = replace(facts, least=mark.least, most=mark.most)
        elif isinstance(mark, MinLen | Len):
            facts = replace(facts, fewest=mark.min_length)
        elif not isinstance(mark, MaxLen):
            facts = replace(facts, **_bounds(mark))
    return facts


def _unit_of(info: FieldInfo) -> str:
    extra = info.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, Mapping) else ""


def _bounds(mark: Any) -> dict[str, Any]:
    names = ((Ge, "ge", "least"), (Gt, "gt", "above"), (Le, "le", "most"), (Lt, "lt", "below"))
    return {ours: getattr(mark, theirs) for kind, theirs, ours in names if isinstance(mark, kind)}


def _merge(parts: Iterable[Facts]) -> Facts:
    """Return all that the parts of one annotation say; of two bounds of a kind the first."""
    whole = Facts()
    for part in parts:
        whole = Facts(
            kinds=tuple(dict.fromkeys((*whole.kinds, *part.kinds))),
            choices=(*whole.choices, *part.choices),
            unit=whole.unit or part.unit,
            least=_first(whole.least, part.least),
            most=_first(whole.most, part.most),
            above=_first(whole.above, part.above),
            below=_first(whole.below, part.below),
            fewest=whole.fewest or part.fewest,
            models=(*whole.models, *part.models),
            is_null=whole.is_null or part.is_null,
            is_list=whole.is_list or part.is_list,
            inner=whole.inner | part.inner,
        )
    return whole


def _first(one: float | None, other: float | None) -> float | None:
    return other if one is None else one
