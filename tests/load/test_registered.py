"""Packages register code under short names in their metadata; a spec may write them; nothing of them is imported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engine.errors import SpecError
from engine.load import load_words
from engine.load.registered import find_registered, list_registered

POINTS = """
[xp.networks]
fast_vit = lab_named.nets:FastVit
two_of_them = lab_named.nets:One
nonsense = lab_named

[xp.losses]
soft = lab_named.losses:soft
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that is installed as far as its metadata tell; its code is not there at all."""
    for name, points in (("lab_named", POINTS), ("lab_other", "[xp.networks]\ntwo_of_them = lab_other:Two\n")):
        about = tmp_path / f"{name}-1.2.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (about / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("package")
def test_registered_code_is_listed() -> None:
    found = [one for one in list_registered() if one.package.startswith("lab_")]
    told = [(one.kind, one.name, one.reference, one.package) for one in found]
    assert ("network", "fast_vit", "lab_named.nets:FastVit", "lab_named 1.2") in told
    assert ("loss", "soft", "lab_named.losses:soft", "lab_named 1.2") in told
    assert not [one for one in told if one[1] == "nonsense"]
    assert not [name for name in sys.modules if name.startswith("lab_named")]


@pytest.mark.usefixtures("package")
def test_short_name_stands_for_its_code() -> None:
    words = {"name": "a", "data": {"source": "digits"}, "student": {"arch": "fast_vit"}, "distill": {"loss": "soft"}}
    spec = load_words({**words, "teacher": {"arch": "timm/resnet10t", "train": {"epochs": 1}}})
    assert (spec.student.arch, spec.distill.loss) == ("lab_named.nets:FastVit", "lab_named.losses:soft")


@pytest.mark.usefixtures("package")
def test_name_of_two_packages_is_none() -> None:
    assert find_registered("network", "two_of_them") is None
    with pytest.raises(SpecError, match="unknown network"):
        load_words({"name": "a", "data": {"source": "digits"}, "student": {"arch": "two_of_them"}})


@pytest.mark.usefixtures("package")
def test_kinds_have_names_of_their_own() -> None:
    assert find_registered("loss", "fast_vit") is None
    assert find_registered("network", "fast_vit") == "lab_named.nets:FastVit"
