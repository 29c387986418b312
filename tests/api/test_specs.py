"""`xp.load`: a file, a mapping, keywords or a spec; one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import api
from engine.errors import SpecError, XpError
from engine.load import load_spec
from engine.spec import Spec, Student

QUICKSTART = Path(__file__).parents[2] / "specs" / "quickstart.yaml"


def test_file_mapping_keywords_and_spec_are_loaded_alike() -> None:
    words = {"name": "mine", "data": {"source": "digits"}, "student": {"arch": "tiny_vit_5m"}}
    spec = api.load(words)
    assert api.load(name="mine", data={"source": "digits"}, student=Student(arch="tiny_vit_5m")) == spec
    assert api.load(Spec.model_validate(words)) == spec
    assert api.load(Spec.model_validate(words)).kept_cells == spec.kept_cells
    assert api.load(spec) is spec
    assert api.load(str(QUICKSTART)) == load_spec(QUICKSTART)


def test_overrides_are_laid_over_whatever_it_is() -> None:
    spec = api.load(QUICKSTART, ["train.epochs=1"])
    assert api.load(api.load(QUICKSTART), ["train.epochs=1"]) == spec
    assert spec.train.epochs == 1


def test_two_specs_or_none_are_refused() -> None:
    with pytest.raises(XpError, match="two specs"):
        api.load(QUICKSTART, name="mine")
    with pytest.raises(XpError, match="no spec"):
        api.load()


def test_a_mistake_is_our_error() -> None:
    with pytest.raises(SpecError, match="unknown key"):
        api.load(name="mine", data={"source": "digits"}, student={"arch": "tiny_vit_5m"}, trian={"epochs": 1})
