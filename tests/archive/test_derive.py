"""What follows from a small home: specs that load again, environments as requirements, a page for several together."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.archive.derive import _write_environments, _write_specs, derive_all, open_small_home
from engine.archive.making import Made
from engine.archive.opened import open_members
from engine.errors import XpError
from engine.home.files import read_json, write_json
from engine.load import load_spec
from store.results import read_names
from tests.helpers.synthetic import Arm, SyntheticHome

SPEC = {
    "name": "paper", "title": "1e3: 'yes' #no", "extends": "_gone.yaml",
    "data": {"source": "digits", "split": "60/20/20"},
    "student": {"arch": "tiny_vit_5m"}, "seeds": [3, 4], "arms": {"a": {}, "b": {"train": {"epochs": 2, "lr": 1e-3}}},
}  # fmt: skip


@pytest.fixture
def lone(tmp_path: Path) -> SyntheticHome:
    made = SyntheticHome(tmp_path / "home", sealed=True)
    made.experiment("paper", {"a": Arm(images=10)}, (0,), spec=SPEC)
    return made


def test_a_spec_is_written_as_it_was_submitted(lone: SyntheticHome, tmp_path: Path) -> None:
    _write_specs(lone.home, "paper", tmp_path)
    spec = load_spec(tmp_path / "paper.yaml")
    told = spec.model_dump(mode="json", exclude_unset=True)
    assert {**told, "arms": SPEC["arms"]} == {key: value for key, value in SPEC.items() if key != "extends"}
    runs = read_json(tmp_path / "paper.resolved.json")["runs"]
    assert [run["settings"]["train"]["epochs"] for run in runs] == [3]


def test_a_submission_without_a_spec_is_told(lone: SyntheticHome, tmp_path: Path) -> None:
    lone.record("paper", [], "a", spec=None)
    with pytest.raises(XpError, match="holds no spec"):
        _write_specs(lone.home, "paper", tmp_path)


def test_environments_are_requirements_each_once(lone: SyntheticHome, tmp_path: Path) -> None:
    jobs = lone.home.jobs()
    for folder in jobs[:2]:
        about = {"python": "3.11.7", "packages": ["numpy-2.0.1", "ruamel.yaml-0.18.1", "torch-2.15.0+cpu"]}
        write_json(folder.attempt(1).provenance, about)
    _write_environments(lone.home, tmp_path)
    (file,) = tmp_path.glob("*.txt")
    assert file.read_text().splitlines() == [
        "# what 2 attempts ran with", "# Python 3.11.7", "numpy==2.0.1", "ruamel.yaml==0.18.1", "torch==2.15.0+cpu",
    ]  # fmt: skip


def test_a_small_home_has_its_results_and_starts_nothing(made: Made, tmp_path: Path) -> None:
    with open_members(made.path) as members:
        home, report = open_small_home(members, tmp_path / "small")
    assert (report.is_published, report.damaged) == (True, ())
    assert "results" in read_names(home)
    assert not home.scheduler_file.exists()


def test_several_experiments_have_a_page_together(lone: SyntheticHome, tmp_path: Path) -> None:
    from engine.collect import collect

    lone.experiment("more", {"a": Arm(images=10)}, (0,), spec={**SPEC, "name": "more"})
    collect(lone.home)
    derive_all(lone.home, ["paper", "more"], tmp_path / "out", ("md",))
    pages = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.md")}
    assert pages == {"report/paper/report.md", "report/more/report.md", "report/_all/report.md"}
