"""Runs of an archive done again: which are meant, whether they are the same work here, and what is said where not."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.archive import rerun
from engine.archive.rerun import Asked, choose_runs, rerun_runs, slot_of
from engine.errors import ArchiveError
from engine.home.files import read_json, write_json
from engine.home.paths import Home, open_home
from engine.launch import CPU_SLOT
from engine.load import load_spec
from engine.plan import make_plan
from engine.plan.own_code import trust_spec
from engine.schedule.submit import submit_plan
from tests.analysis.test_fill import SPEC


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("specs")
    (folder / "small.yaml").write_text(SPEC)
    return folder


@pytest.fixture
def home(specs: Path, tmp_path: Path) -> Home:
    """What an archive has of an experiment: here nothing but its submission and what jobs took."""
    place = open_home(tmp_path / "home", create=True)
    submit_plan(make_plan(load_spec(specs / "small.yaml"), place), place)
    seconds = {"short": 1.0, "long": 40.0, "longest": 400.0}
    for run in read_json(place.records("small")[-1])["runs"]:
        for job in run["jobs"].values():
            write_json(place.job(job).result, {"attempt": 1, "seconds": seconds[run["arm"]] + run["seed"]})
    return place


def picked(home: Home, *words: str) -> list[tuple[str, int]]:
    records: Mapping[str, Any] = {"small": read_json(home.records("small")[-1])}
    return [(run["arm"], run["seed"]) for run in choose_runs(home, records, words)["small"]]


def test_runs_are_named_by_arm_cell_seed_or_id(home: Home) -> None:
    run = read_json(home.records("small")[-1])["runs"][0]["run"]
    assert picked(home, "long") == [("long", 0), ("long", 1)]
    assert picked(home, "long/1", run) == [("short", 0), ("long", 1)]
    assert picked(home, "small/longest/default/1") == [("longest", 1)]


def test_a_number_takes_the_quickest(home: Home) -> None:
    assert picked(home, "3") == [("short", 0), ("short", 1), ("long", 0)]


def test_a_word_that_names_no_run_is_told_with_the_nearest(home: Home) -> None:
    with pytest.raises(ArchiveError, match="no run of this archive is called 'lung/0'") as told:
        picked(home, "lung/0")
    assert "'long/0'" in told.value.fix


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Jobs that end at once, and what is compared of their runs."""
    code = (
        "import json, pathlib, sys; folder = pathlib.Path(sys.argv[1]);"
        "(folder / 'attempts' / '1').mkdir(parents=True);"
        "(folder / 'result.json').write_text(json.dumps({'attempt': 1}))"
    )
    monkeypatch.setattr(rerun, "module_words", lambda _, *words: [sys.executable, "-c", code, *words])
    compared: list[str] = []
    monkeypatch.setattr(rerun, "collect", lambda *_, **__: None)

    def compare(*sides: Any) -> list[str]:
        compared.append(sides[2]["arm"])
        return ["compared"]

    monkeypatch.setattr(rerun, "tell_repeated", compare)
    return compared


def test_the_jobs_of_a_run_and_no_others_are_done_each_after_its_needs(
    home: Home, specs: Path, tmp_path: Path, probed: list[str]
) -> None:
    told: list[str] = []
    asked = Asked(["short/0"])
    assert rerun_runs(home, ["small"], specs, asked, tmp_path / "again", told.append)
    done = {folder.job for folder in Home(tmp_path / "again" / "small", tmp_path).jobs()}
    run = read_json(home.records("small")[-1])["runs"][0]
    assert set(run["jobs"].values()) == done
    assert (probed, told[-1]) == (["short"], "compared")
    order = [line.split(": ")[1].split("-")[0] for line in told if " of " in line]
    assert order.index("pack") < order.index("train")


def test_other_data_is_no_repetition_and_nothing_is_run(
    home: Home, specs: Path, tmp_path: Path, probed: list[str]
) -> None:
    told: list[str] = []
    asked = Asked(["short/0"], ["train.lr=0.25"])
    assert not rerun_runs(home, ["small"], specs, asked, tmp_path / "again", told.append)
    assert probed == []
    assert told == [
        "small: short default seed 0: another student job here, because train.lr is 0.0005 there and 0.25 here"
    ]


def test_data_that_is_not_here_is_told(home: Home, specs: Path, tmp_path: Path, probed: list[str]) -> None:
    told: list[str] = []
    away = Asked(["short/0"], ["data.source=folder", "data.root=/nowhere/at/all"])
    assert not rerun_runs(home, ["small"], specs, away, tmp_path / "again", told.append)
    assert "cannot be done again here: " in told[0]
    assert "/nowhere/at/all" in told[0]
    assert probed == []


def test_a_job_goes_where_a_scheduler_would_put_it(home: Home, specs: Path) -> None:
    plan = make_plan(load_spec(specs / "small.yaml"), home)
    train = next(job for job in plan.jobs if job.kind == "train")
    on_gpu = train.details.model_copy(
        update={"device": "auto", "resources": train.details.resources.model_copy(update={"gpus": 1.0})}
    )
    assert slot_of(train, ["GPU-1"]) == CPU_SLOT
    asked = type(train)(train.key, train.job, train.kind, train.needs, train.settings, on_gpu)
    assert (slot_of(asked, ["GPU-1"]), slot_of(asked, [CPU_SLOT])) == ("GPU-1", CPU_SLOT)


def test_code_of_an_archive_runs_only_where_somebody_says_so(
    tmp_path: Path, probed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.plan.own_code.check_all", lambda _, questions: [[] for _ in questions])
    loss, folder = tmp_path / "losses.py", tmp_path / "specs"
    loss.write_text("def soft(student, teacher, labels, temperature): ...\n")
    folder.mkdir()
    (folder / "small.yaml").write_text(
        f"name: small\ndata: {{source: digits, image_size: 32}}\nstudent: {{arch: tiny_vit_5m}}\n"
        f"teacher: {{arch: tiny_vit_5m, train: {{}}}}\ndistill: {{loss: '{loss}:soft'}}\n"
    )
    home = open_home(tmp_path / "home", create=True)
    spec = load_spec(folder / "small.yaml")
    trust_spec(spec, home)
    submit_plan(make_plan(spec, home), home)
    loss.unlink()
    told: list[str] = []
    assert not rerun_runs(home, ["small"], folder, Asked(["small"]), tmp_path / "again", told.append)
    assert "files/losses.py; fix: read it" in told[0]
    assert rerun_runs(home, ["small"], folder, Asked(["small"], trust=True), tmp_path / "trusted", told.append)
    assert probed == ["small"]
