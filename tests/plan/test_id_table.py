"""The table of test_ids.py is whole: every field of every model of a spec has its place in it."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from engine.home.paths import open_home
from engine.load import load_words
from engine.plan import make_plan
from engine.spec import Assistant, Network, Spec, Student, Teacher
from tests.plan.test_ids import CASES, PLACES, WORDS
from tests.search.objective import make_spec


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from models_in(part)


def all_models(model: type[BaseModel], seen: dict[type[BaseModel], None]) -> dict[type[BaseModel], None]:
    if model not in seen:
        seen[model] = None
        for field in model.model_fields.values():
            for inner in models_in(field.annotation):
                all_models(inner, seen)
    return seen


def owner_name(model: type[BaseModel], field: str) -> str:
    """Networks share words; what only a teacher, an assistant or a student has is theirs."""
    shared = model in (Student, Assistant, Teacher) and (field in Network.model_fields or field == "weights")
    return f"{'Network' if shared else model.__name__}.{field}"


def fields_of_a_spec() -> set[str]:
    """Every field that holds a value: one that holds models is walked into, a word with one choice cannot change."""
    return {
        owner_name(model, name)
        for model in all_models(Spec, {})
        if model.__module__ != "engine.spec.search"  # in no id at all, as the test below asks
        for name, field in model.model_fields.items()
        if not list(models_in(field.annotation)) and not is_fixed(field.annotation)
    }


def is_fixed(annotation: Any) -> bool:
    return typing.get_origin(annotation) is typing.Literal and len(typing.get_args(annotation)) == 1


def field_at(path: str) -> Iterator[str]:
    """Yield the fields that a path of the table may mean: one for each model that may stand there."""
    *parents, last = path.split(".")
    models: list[type[BaseModel]] = [Spec]
    for part in parents:
        if part.isdigit():
            continue
        models = [
            inner
            for model in models
            if part in model.model_fields
            for inner in models_in(model.model_fields[part].annotation)
        ]
    yield from (owner_name(model, last) for model in models if last in model.model_fields)


def test_every_word_of_a_spec_has_an_entry() -> None:
    entries = {name for path in WORDS for name in field_at(path)} | {case[0] for case in CASES} | {"Spec.arms"}
    assert fields_of_a_spec() - entries == set()


def test_a_search_is_in_no_id(tmp_path: Path) -> None:
    searched = load_words(make_spec(trials=3, final={"seeds": [7]}))
    home = open_home(tmp_path / "home", create=True)
    plans = [make_plan(spec, home) for spec in (searched, searched.model_copy(update={"search": None}))]
    assert [job.job for job in plans[0].jobs] == [job.job for job in plans[1].jobs]
    assert [run.run for run in plans[0].runs] == [run.run for run in plans[1].runs]


def test_every_network_and_training_is_changed_word_by_word() -> None:
    """Models that stand in several places have their words tried in each."""
    for place in PLACES:
        tried = {name for path in WORDS if path.startswith(f"{place}.") for name in field_at(path)}
        assert {f"Network.{field}" for field in Network.model_fields} - tried == {"Network.options"}
