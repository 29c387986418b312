"""Formats are known by word and by file name; what is not installed is refused with how to have it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import DataError
from engine.spec import forms
from engine.spec.forms import FORMS, check_suffix, form_of_file, form_words


def test_each_suffix_means_one_format() -> None:
    assert {form_of_file(Path(f"a{form.suffix}")) for form in FORMS.values()} == FORMS.keys()
    assert form_of_file(Path("run-0123")) is None


def test_an_unknown_word_gets_the_nearest_and_an_absent_package_how_to_have_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(DataError, match="'onx' is no format") as caught:
        form_words("onx")
    assert "onnx" in caught.value.fix
    absent = replace(FORMS["onnx"], packages=("no_such_package",))
    monkeypatch.setattr(forms, "FORMS", {**FORMS, "onnx": absent})
    with pytest.raises(DataError, match="needs no_such_package, which is not here") as caught:
        form_words("onnx")
    assert "edge" in caught.value.fix


@pytest.mark.parametrize(("name", "cure"), [("a.safetensors", "--format safetensors"), ("a.bin", r"\*\.onnx")])
def test_a_name_that_another_format_has_is_refused(name: str, cure: str) -> None:
    with pytest.raises(DataError, match=r"format onnx ends in \.onnx") as caught:
        check_suffix(Path(name), "onnx")
    assert re.search(cure, caught.value.fix)
    check_suffix(Path("a.onnx"), "onnx")
