"""What every part of a spec keeps: its texts are printable, wherever they stand in it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field, ValidationError

from engine.spec import Spec
from engine.spec.base import Model

PLAIN: dict[str, Any] = {"name": "a", "data": {"source": "digits"}, "student": {"arch": "tiny_vit_5m"}}
CLAIM = {"id": "c", "text": "t", "metric": "test_top1", "arm": "a", "against": "a", "expect": "less"}


class Held(Model):
    text: str = ""
    more: dict[str, list[Any]] = Field({})
    inner: Held | None = None


@pytest.mark.parametrize("text", ["\x1b[0m", "a\x07", "\x9b", "\r", "\u202eab", "\ud800"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: {"text": text},
        lambda text: {"more": {text: []}},
        lambda text: {"more": {"a": [1, {"b": [text]}]}},
        lambda text: {"inner": {"text": text}},
    ],
)
def test_a_text_that_is_not_printable_is_refused_wherever_it_stands(text: str, wrap: Any) -> None:
    with pytest.raises(ValidationError, match="which is not printable"):
        Held.model_validate(wrap(text))


def test_the_field_and_the_character_are_named() -> None:
    with pytest.raises(ValidationError, match=r"text holds the character U\+202E"):
        Held(text="\u202e")


def test_other_scripts_and_breaks_are_texts() -> None:
    assert Held(text="עברית\u200f\n\t图", more={"é": ["\u00a0"]}).text.endswith("图")


@pytest.mark.parametrize(
    "change",
    [
        {"title": "a\x1bb"},
        {"claims": [{**CLAIM, "text": "\x07"}]},
        {"data": {"source": "folder", "root": "/a\x9b"}},
        {"data": {"source": "folder", "root": "/a", "classes": ["a", "\u202e"]}},
        {"arms": {"a": {"student.arch": "x\ud800"}}},
        {"matrix": {"student.arch": ["\x1b"]}},
        {"student": {"arch": "timm/convnext_atto", "options": {"a\x1b": 1}}},
    ],
)
def test_no_text_of_a_spec_is_left_out(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="not printable"):
        Spec.model_validate({**PLAIN, **change})
