"""What changes an id and what does not."""

from __future__ import annotations

import hashlib

import hypothesis.strategies as st
import pytest
from hypothesis import given
from pydantic import BaseModel, Field

from engine.spec import ASIDE, Data, Settings, Student, Train
from engine.spec.base import LATER
from engine.spec.identity import canonical_json, counted_settings, digest_of, make_id

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), VALUES, min_size=2))
def test_key_order_does_not_change_an_id(value: dict[str, object]) -> None:
    assert digest_of(value) == digest_of(dict(reversed(value.items())))


def test_whole_floats_and_ints_are_one_setting() -> None:
    assert canonical_json({"a": 1, "b": [2.0]}) == canonical_json({"a": 1.0, "b": [2]})


@pytest.mark.parametrize(("one", "other"), [(1, True), (0, False), ("1", 1), (None, "null"), ([], {})])
def test_types_are_told_apart(one: object, other: object) -> None:
    assert digest_of(one) != digest_of(other)


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json(float("nan"))


def make_settings(**data: object) -> Settings:
    return Settings(data=Data.model_validate({"source": "digits", **data}), student=Student(arch="tiny_vit_5m"))


def test_paths_and_worker_counts_never_count() -> None:
    assert counted_settings(make_settings()) == counted_settings(make_settings(workers=7, cache="raw"))
    here = Data(source="folder", root="/a")
    assert counted_settings(here) == counted_settings(here.model_copy(update={"root": "/b"}))


def test_threads_and_defaults_count_by_value() -> None:
    assert counted_settings(Train()) == counted_settings(Train(threads=2))
    assert digest_of(counted_settings(Train())) != digest_of(counted_settings(Train(threads=1)))


def test_an_id_begins_with_its_kind() -> None:
    assert make_id("train", {"a": 1}).startswith("train-")
    assert len(make_id("train", {"a": 1})) == len("train-") + 12


def test_the_text_is_sorted_and_without_spaces() -> None:
    assert canonical_json({"b": [1, 2.5], "a": {"d": None, "c": "ä"}}) == '{"a":{"c":"\\u00e4","d":null},"b":[1,2.5]}'


def test_a_digest_is_sha256_of_the_text() -> None:
    assert digest_of({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()
    assert make_id("x", {"a": 1}) == "x-" + hashlib.sha256(b'{"a":1}').hexdigest()[:12]


def test_whole_floats_stay_numbers_and_halves_stay_halves() -> None:
    assert canonical_json([2.0, -0.0, 0.5, (1.0,), True]) == "[2,0,0.5,[1],true]"


class Inner(BaseModel):
    kept: int = 1
    aside: int = Field(2, json_schema_extra=ASIDE)


class Outer(BaseModel):
    spelt: float = Field(1.0, alias="from")
    inner: Inner = Inner()
    many: list[Inner] = Field([Inner(kept=3)])
    named: dict[str, Inner] = Field({"a": Inner(kept=4)})
    mode: str = Field("auto", json_schema_extra={**ASIDE, "counted": ["split", "both"]})
    odd: str = Field("x", json_schema_extra={**ASIDE, "counted": "x"})
    noted: int = Field(5, json_schema_extra={"aside": False})


def test_what_is_aside_is_left_out_at_every_depth() -> None:
    plain = {"from": 1.0, "inner": {"kept": 1}, "many": [{"kept": 3}], "named": {"a": {"kept": 4}}, "noted": 5}
    assert counted_settings(Outer()) == plain
    assert counted_settings(Outer(mode="both")) == {**plain, "mode": "both"}
    assert counted_settings(Outer(mode="split")) == {**plain, "mode": "split"}


class Grown(Inner):
    later: str | None = Field(None, json_schema_extra=LATER)


def test_what_came_later_is_left_out_at_its_default() -> None:
    assert counted_settings(Grown()) == counted_settings(Inner())
    assert counted_settings(Grown(later="x")) == {"kept": 1, "later": "x"}


def test_a_field_goes_by_its_name_in_a_spec() -> None:
    assert counted_settings(Outer.model_validate({"from": 3.0}))["from"] == 3.0
