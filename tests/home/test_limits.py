"""Limits of what a reader takes."""

from __future__ import annotations

import pytest

from engine.errors import HomeError
from engine.home.limits import Limits, limits, raise_limit, read_limits


def test_without_the_variable_the_defaults_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XP_LIMITS", raising=False)
    assert limits() == Limits()


def test_a_word_of_the_variable_changes_one_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XP_LIMITS", "image_pixels=400M, yaml_depth=9")
    assert limits() == Limits(image_pixels=400_000_000, yaml_depth=9)


@pytest.mark.parametrize("size", ["", "=", "=0", "=-1", "=1e9", "=nan", "=+5", "=5_0", "=٣", "=9999T", "=9" * 99])
def test_a_size_that_is_none_is_refused_with_a_form_that_works(size: str) -> None:
    with pytest.raises(HomeError, match="is no size") as caught:
        read_limits("image_pixels" + size)
    assert read_limits(caught.value.fix.removeprefix("write it as in "))


def test_a_limit_that_is_given_twice_is_refused() -> None:
    with pytest.raises(HomeError, match="image_pixels is given twice"):
        read_limits("image_pixels=3 yaml_depth=3;image_pixels=4")


def test_a_word_without_an_end_is_shown_in_part() -> None:
    with pytest.raises(HomeError, match=r"'x{80}\.\.\.'"):
        read_limits("x" * 100_000)


def test_an_unknown_limit_is_refused_with_the_nearest() -> None:
    with pytest.raises(HomeError, match="image_pixel") as caught:
        read_limits("image_pixel=3")
    assert "'image_pixels'" in caught.value.fix


def test_the_fix_of_a_refusal_names_the_variable_the_limit_and_its_size() -> None:
    assert "XP_LIMITS='image_pixels=...' (now 80,000,000)" in raise_limit("image_pixels")
