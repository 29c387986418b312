"""The table of what must be equal: every field has its place in it, and a new one counts until somebody says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel, Field, create_model

from engine.analysis.fairness import Surroundings, judge_pair
from engine.analysis.held import (
    ACCURACY,
    ALL,
    AROUND,
    HELD,
    LEARNING,
    UNCLASSIFIED,
    Family,
    family_of,
    how_it_ran,
    places_of,
    rule_of,
    walk_fields,
)
from engine.spec import ASIDE, Settings
from engine.spec.job_settings import JobDetails, MeasureSettings
from store.metrics import METRICS

PLACES = {place.path: place for place in walk_fields()}
METRIC_OF = {
    "accuracy": "test_top1", "speed": "train_images_per_second", "time": "train_seconds", "memory": "host_peak_rss",
    "inference": "infer_latency", "size": "params",
}  # fmt: skip
ADD = "give it a row in ROWS of engine/analysis/held.py: which metrics it decides"


def _models() -> list[type[BaseModel]]:
    """Every model of a spec's settings, sections included."""
    found, ahead = list[type[BaseModel]](), list[type[BaseModel]]([Settings])
    while ahead:
        model = ahead.pop()
        if model not in found:
            found.append(model)
            ahead += [place.owner for place in walk_fields(model)]
    return found


def _unfair_for(path: str, *, values: tuple[Any, Any] = (1, 2), base: dict[str, Any] | None = None) -> set[Family]:
    """Return the families for which a pair that differs in one setting alone is unfair."""
    one, other = (Surroundings({**(base or {}), path: value}) for value in values)
    return {family for family in get_args(Family) if not judge_pair(one, other, METRIC_OF[family]).is_fair}


# Derived from the models ----------------------------------------------------------------------------------------------


def test_every_field_of_a_spec_is_classified() -> None:
    assert [path for path in PLACES if rule_of(path) == UNCLASSIFIED] == [], ADD


def test_no_entry_is_of_a_field_that_is_gone() -> None:
    known = {f"{model.__name__}.{place.name}" for place in walk_fields() for model in place.owner.__mro__}
    assert sorted(set(HELD) - known) == []


def test_the_walk_meets_every_value_of_every_model() -> None:
    """Against the JSON schema, which pydantic makes of the same models."""
    schema = Settings.model_json_schema()
    seen = {(place.owner.__name__, place.info.alias or place.name) for place in walk_fields()}
    for name, about in {**schema["$defs"], "Settings": schema}.items():
        for field, told in about.get("properties", {}).items():
            assert (name, field) in seen or "$ref" in str(told), f"{name}.{field}"


@pytest.mark.parametrize("path", sorted(PLACES))
def test_a_field_that_nobody_classified_must_be_equal(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for model in PLACES[path].owner.__mro__:
        monkeypatch.delitem(HELD, f"{model.__name__}.{PLACES[path].name}", raising=False)
    rule_of.cache_clear()
    try:
        taught = {"teacher.arch": "timm/x", "distill.loss": "hinton", "prune.ratio": 0.2}
        base = {name: value for name, value in taught.items() if name != path}
        values = ("hinton", "dkd") if path == "distill.loss" else (0.3, 0.2)
        assert _unfair_for(path, values=values, base=base) == set(ALL)
    finally:
        rule_of.cache_clear()


@pytest.mark.parametrize("model", _models(), ids=lambda model: model.__name__)
def test_a_new_field_of_any_model_must_be_equal(model: type[BaseModel], monkeypatch: pytest.MonkeyPatch) -> None:
    """The new field stands in a subclass that inherits all that is classified."""
    grown = create_model(model.__name__, __base__=model, shiny=(int, 0))
    assert rule_of("shiny", grown) == UNCLASSIFIED
    old = next(place for place in walk_fields(grown) if place.name != "shiny")
    assert rule_of(old.path, grown) != UNCLASSIFIED
    monkeypatch.setitem(HELD, f"{model.__name__}.shiny", HELD["Train.lr"])
    rule_of.cache_clear()
    assert rule_of("shiny", grown) == HELD["Train.lr"]
    rule_of.cache_clear()


@pytest.mark.parametrize(
    "place",
    ["data", "data.augment", "student", "student.attention", "teacher", "teacher.train", "distill", "train", "prune",
     "measure", "explain", "resources", "new_section"],
)  # fmt: skip
def test_a_pair_that_differs_in_a_new_field_is_unfair(place: str) -> None:
    base = {"teacher.arch": "timm/x", "distill.loss": "hinton", "prune.ratio": 0.2}
    assert _unfair_for(f"{place}.shiny", base=base) == set(ALL)


def test_a_new_word_of_an_assistant_is_seen_inside_the_list() -> None:
    lists = [{"arch": "a", "shiny": 1}], [{"arch": "a", "shiny": 2}]
    assert _unfair_for("teacher.assistants", values=lists, base={"teacher.arch": "timm/x"}) == set(ALL)
    plain = [{"arch": "a"}], [{"arch": "b"}]
    assert _unfair_for("teacher.assistants", values=plain, base={"teacher.arch": "timm/x"}) == set()


def test_a_mark_says_that_a_field_is_no_factor() -> None:
    class Fresh(BaseModel):
        threads: int = Field(1, json_schema_extra=ASIDE)

    Fresh.__name__ = "Train"
    assert rule_of("train.threads").is_factor
    assert not rule_of("threads", Fresh).is_factor


# What the table says --------------------------------------------------------------------------------------------------


def test_how_a_job_is_done_decides_no_accuracy() -> None:
    aside = [place for place in PLACES.values() if place.is_aside and not place.is_counted]
    assert len(aside) > 5
    for place in aside:
        assert "accuracy" not in rule_of(place.path).decides
        assert not rule_of(place.path).is_factor


def test_inference_is_decided_by_what_its_job_is_made_of() -> None:
    """A measurement knows a network's shape, its image size and precision; others come out of other jobs."""
    made = ("prune.", "quantize.")
    fields = [place.path for place in walk_fields(MeasureSettings) if not place.path.startswith("against")]
    known = {re.sub("^network", "student", path) for path in fields}
    decided = {path for path in PLACES if "inference" in rule_of(path).decides and not path.startswith(made)}
    of_images = {"data.source", "data.options", "data.label", "data.classes", "data.image_size", "train.precision"}
    assert decided - of_images <= known
    assert known - decided - {"image_size", "precision", "num_classes", "device", "timing"} == {
        "student.drop_path",
        "student.weights",
    }


def test_a_teacher_decides_what_a_student_learns_and_no_shape() -> None:
    for path in PLACES:
        if path.startswith("teacher."):
            assert rule_of(path).decides <= LEARNING
        if path.startswith(("teacher.train.", "distill.temperature.")):
            assert rule_of(path).decides <= ACCURACY


def test_a_metric_belongs_to_one_family() -> None:
    found = {name: family_of(metric) for name, metric in METRICS.items()}
    assert {name for name, family in found.items() if family == "accuracy"} >= {"test_top1", "val_loss", "train_loss"}
    assert {name for name, family in found.items() if family == "size"} >= {"params", "macs", "prune_achieved"}
    assert {name: found[name] for name in METRIC_OF.values()} == {name: kind for kind, name in METRIC_OF.items()}
    assert {found[name] for name in ("cuda_peak_reserved", "cuda_peak_allocated")} == {"memory"}
    assert found["infer_images_per_second"] == "inference"


def test_what_surrounds_a_run_is_named_once() -> None:
    assert {one.name for one in AROUND} | {"settings", "images", "drawn"} == set(Surroundings.__dataclass_fields__)


def test_a_path_leads_to_its_fields_through_unions_and_lists() -> None:
    def owners(path: str) -> Iterator[str]:
        return (f"{place.owner.__name__}.{place.name}" for place in places_of(path))

    kinds = ["LongformerAttention.kind", "OwnAttention.kind", "WindowAttention.kind"]
    assert sorted(owners("student.attention.kind")) == kinds
    assert list(owners("teacher.assistants.1.train.lr")) == ["Train.lr"]
    assert list(owners("student.options.depths")) == ["Student.options"]
    assert list(owners("distill.temperature.from")) == ["TemperatureSchedule.start"]
    assert list(owners("train.nothing")) == list(owners("nothing.lr")) == []


def test_how_a_job_ran_is_told_by_the_paths_of_a_spec() -> None:
    plain = how_it_ran({})
    assert plain["data.workers"] == "auto"
    assert plain["train.memory"] == "standard"
    assert plain["resources.gpus"] == 1
    said = JobDetails(workers=3, memory="lean", root="/somewhere").model_dump(mode="json")
    changed = {path: value for path, value in how_it_ran(said).items() if plain.get(path) != value}
    assert changed == {"data.workers": 3, "train.memory": "lean"}
