"""Paths to code are whole once a spec is loaded: relative to the file that writes them, wherever in it they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.load import load_spec, load_words
from engine.spec import Spec
from engine.spec.cells import expand_cells

BASE = "data: {source: digits}\nstudent: {arch: ./nets.py:Net, options: {width: 3}}\n"


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "_base.yaml").write_text(BASE)
    return tmp_path


def load(specs: Path, text: str, *overrides: str) -> Spec:
    (specs / "study.yaml").write_text(f"name: study\n{text}")
    return load_spec(specs / "study.yaml", overrides)


def archs(spec: Spec) -> list[str]:
    return [cell.settings.student.arch for cell in expand_cells(spec)]


def test_path_is_beside_the_file_that_writes_it(specs: Path) -> None:
    spec = load(specs, "extends: deep/_base.yaml\narms: {a: {}, b: {student.arch: ../nets.py:Net}}\n")
    assert archs(spec) == [f"{specs}/deep/nets.py:Net", f"{specs.parent}/nets.py:Net"]
    assert spec.code_places["student.arch"].startswith(f"{specs}/deep/_base.yaml:2:")


def test_arms_matrix_and_set_name_code(specs: Path) -> None:
    text = BASE + "arms: {a: {}, b: {student: {arch: other.py:Net}}}\n"
    assert archs(load(specs, text)) == [f"{specs}/nets.py:Net", f"{specs}/other.py:Net"]
    by_matrix = load(specs, BASE + "matrix: {student.arch: [./x.py:A, './x.py:B']}\n")
    assert archs(by_matrix) == [f"{specs}/x.py:A", f"{specs}/x.py:B"]
    assert archs(load(specs, BASE, "student.arch=./set.py:Net")) == [f"{specs}/set.py:Net"]


DRAWN = """search:
  trials: 2
  space:
    train.optimizer: {choice: [adamw, ./opt.py:One, ./opt.py:Two]}
    student.attention: {choice: [{kind: window}, {kind: ./band.py:Band}]}
"""


def test_what_is_drawn_is_beside_the_file_that_writes_it_and_known_by_its_own_place(specs: Path) -> None:
    spec = load(specs, f"data: {{source: digits}}\nstudent: {{arch: tiny_vit_5m}}\n{DRAWN}")
    assert spec.search is not None
    assert spec.search.space["train.optimizer"].values == ["adamw", f"{specs}/opt.py:One", f"{specs}/opt.py:Two"]
    assert spec.search.space["student.attention"].values[1] == {"kind": f"{specs}/band.py:Band"}
    two = spec.code_places[f"train.optimizer={specs}/opt.py:Two"]
    assert two == f"{specs}/study.yaml:7:{DRAWN.splitlines()[3].index('./opt.py:Two') + 1}"


def test_modules_and_whole_paths_stay(specs: Path) -> None:
    for name in ("my_lab.nets:Net", "/somewhere/nets.py:Net", "~/nets.py:Net"):
        assert archs(load(specs, BASE, f"student.arch={name}")) == [name]


def test_other_texts_are_no_code(specs: Path) -> None:
    spec = load(specs, "title: ./nets.py:Net\ndata: {source: digits}\nstudent: {arch: tiny_vit_5m}\n")
    assert (spec.title, spec.code_places) == ("./nets.py:Net", {})


def test_options_stand_where_they_were_written(specs: Path) -> None:
    spec = load(specs, BASE)
    assert spec.code_places["student.options.width"] == f"{specs}/study.yaml:3:42"


def test_attention_loss_and_source_name_code(specs: Path) -> None:
    text = (
        "data: {source: ./i.py:draw}\nteacher: {arch: ./n.py:T, train: {epochs: 1}}\ndistill: {loss: ./l.py:soft}\n"
        "student: {arch: tiny_vit_5m, attention: {kind: ./a.py:Band, options: {band: 2}, stages: [2]}}\n"
    )
    (cell,) = expand_cells(load(specs, text))
    settings = cell.settings
    named = (settings.data.source, settings.distill.loss, settings.student.attention.kind)
    assert named == tuple(f"{specs}/{name}" for name in ("i.py:draw", "l.py:soft", "a.py:Band"))


def test_mappings_of_python_are_beside_the_working_folder(specs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(specs)
    words = {"name": "study", "data": {"source": "digits"}, "student": {"arch": "./nets.py:Net"}}
    assert archs(load_words(words)) == [f"{specs}/nets.py:Net"]
