"""What changes an id and what does not."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from engine.identity import canonical_json, counted_settings, digest_of, make_id
from engine.spec import Data, Settings, Student, Train

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
