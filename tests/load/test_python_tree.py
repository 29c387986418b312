"""A spec written in Python: the same as in a file, with Python's own places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import SpecError
from engine.home.paths import Home
from engine.load import load_spec, load_words
from engine.load.python_tree import place_text, read_mapping
from engine.load.yaml_tree import read_document
from engine.plan import make_plan
from engine.spec import Claim, Data, Student
from tests.helpers.queueing import make_home

SPECS = Path(__file__).parents[2] / "specs"
LEAST: dict[str, Any] = {"name": "mine", "data": {"source": "digits"}, "student": {"arch": "tiny_vit_5m"}}


def with_words(**words: Any) -> dict[str, Any]:
    return {**LEAST, **words}


@pytest.mark.parametrize("file", ["quickstart", "phase2_pruned", "temperature"])
def test_a_mapping_is_the_spec_that_its_file_is(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SPECS)  # what a mapping extends lies beside the working folder
    written = load_spec(SPECS / f"{file}.yaml")
    said = load_words(read_document(SPECS / f"{file}.yaml").tree)
    assert said == written
    assert said.kept_cells == written.kept_cells
    assert said.doubts == tuple(line.replace(f"{SPECS / file}.yaml", "spec") for line in written.doubts)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("home"))


def test_a_spec_of_python_plans_the_ids_of_its_file(home: Home) -> None:
    written, said = (
        make_plan(spec, home)
        for spec in (load_spec(SPECS / "quickstart.yaml"), load_words(read_document(SPECS / "quickstart.yaml").tree))
    )
    assert [run.run for run in said.runs] == [run.run for run in written.runs]
    assert [job.job for job in said.jobs] == [job.job for job in written.jobs]


def test_models_tuples_paths_and_numpy_numbers_are_plain_values(tmp_path: Path) -> None:
    claim = Claim(id="c", text="t", metric="test_top1", arm="a", against="b", expect="greater")
    said = load_words(
        {"name": "mine", "data": Data(source="folder", root=str(tmp_path)), "student": Student(arch="tiny_vit_5m"),
         "seeds": (np.int64(0), 1), "train": {"lr": np.float64(1e-3)}, "arms": {"a": {}, "b": {"train.lr": 1e-4}},
         "claims": [claim]}
    )  # fmt: skip
    words = read_mapping({"data": {"root": tmp_path}, "seeds": (np.int64(0), 1), "lr": np.float64(1e-3)}).tree
    assert words == {"data": {"root": str(tmp_path)}, "seeds": [0, 1], "lr": 1e-3}
    assert (said.seeds, said.train.lr, said.claims) == ([0, 1], 1e-3, [claim])
    assert said.data.root == str(tmp_path)


def test_a_model_says_only_what_was_given_to_it() -> None:
    assert read_mapping({"student": Student(arch="tiny_vit_5m")}).tree == {"student": {"arch": "tiny_vit_5m"}}


ENDLESS: dict[str, Any] = {}
ENDLESS["name"] = ENDLESS


@pytest.mark.parametrize(
    ("words", "where", "what", "fix"),
    [
        (with_words(student={"arch": "tiny_vit_5"}), 'spec["student"]["arch"]', "unknown network", "tiny_vit_5m"),
        (with_words(trian={}), 'spec["trian"]', "unknown key 'trian'", "train"),
        (with_words(seeds=[0, "1"]), 'spec["seeds"][1]', "", "1"),
        (with_words(arms={"a": {"train.lrr": 1}}), 'spec["arms"]["a"]["train.lrr"]', "no such key", "train.lr"),
        ({"data": LEAST["data"], "student": LEAST["student"]}, "spec", "the key 'name' is missing", "name"),
        (with_words(train={"lr": {1}}), 'spec["train"]["lr"]', "a spec holds no set", "a list"),
        (with_words(train={3: 1}), 'spec["train"]', "3 is none", '"3"'),
        (with_words(title="a\x1b[2J"), 'spec["title"]', "not printable", "leave it out"),
        (with_words(extends="nowhere.yaml"), 'spec["extends"]', "there is no file", "path"),
        (ENDLESS, 'spec["name"]["name"]["name"]', "more than 100 levels", "itself"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_in_python(
    words: dict[str, Any], where: str, what: str, fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError) as said:
        load_words(words)
    assert (said.value.where, what in said.value.what, fix in said.value.fix) == (where, True, True), said.value


def test_a_place_is_written_as_python_writes_it() -> None:
    assert place_text(("claims", 0, "arm")) == 'spec["claims"][0]["arm"]'
