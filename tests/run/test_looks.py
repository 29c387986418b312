"""Maps by kind as a job: every figure is logged, a report finds what it needs, and a kill changes no byte."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from engine.home.paths import JobFolder
from engine.spec.job_kinds import ATTENTION_FIGURES, DELETION_FIGURES, MAP_KINDS
from tests.helpers.forking import strike
from tests.run.bench import DATA, NETWORK, TRAIN, Bench, digits_bench, figures, visible_lines

SPARSE = {**NETWORK, "attention": {"kind": "longformer", "radius": 1, "globals": 1}}
WORDS: dict[str, Any] = {"images": 3, "maps": list(MAP_KINDS), "deletion": 6}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with digits_bench(tmp_path_factory.mktemp("home")) as bench:
        assert bench.run(bench.train("train-1", network=SPARSE, train={**TRAIN, "epochs": 1})) == 0
        yield bench


def explaining(bench: Bench, name: str, **words: Any) -> JobFolder:
    settings = {"network": SPARSE, "num_classes": 10, "data": DATA, "explain": {**WORDS, **words}}
    return bench.write(name, "explain", {"pack": "pack-1", "parent": "train-1"}, settings)


@pytest.fixture(scope="module")
def explained(bench: Bench) -> JobFolder:
    job = explaining(bench, "explain-1")
    assert bench.run(job) == 0
    return job


def facts(job: JobFolder) -> dict[str, Any]:
    return {line["name"]: line["value"] for line in visible_lines(job) if line["type"] == "fact"}


def test_every_figure_of_every_kind_is_logged(explained: JobFolder) -> None:
    logged = {line["name"]: line for line in visible_lines(explained) if line["type"] == "measurement"}
    assert {*DELETION_FIGURES, *ATTENTION_FIGURES} <= set(logged)
    assert all(logged[name]["n"] == 6 for name in DELETION_FIGURES)
    assert all(logged[name]["n"] == 3 for name in ATTENTION_FIGURES)
    assert all(0 <= logged[f"deletion_auc_{kind}"]["value"] <= 1 for kind in MAP_KINDS)


def test_gains_are_the_areas_of_chance_less_those_of_the_map(explained: JobFolder) -> None:
    winner = explained.winner()
    assert winner is not None
    with np.load(winner.artifacts / "deletion.npz") as held:
        areas = {name: held[name] for name in held.files}
    told = facts(explained)["deletion"]
    for kind in MAP_KINDS:
        for curve, sign in (("deletion", 1), ("insertion", -1)):
            for control, other in (("chance", f"chance_{curve}"), ("others", f"{kind}_{curve}_others")):
                gains = sign * (areas[other] - areas[f"{kind}_{curve}"])
                spread = told["kinds"][kind][curve][control]
                assert [spread["mean"], spread["std"]] == pytest.approx([gains.mean(), gains.std(ddof=1)])
    assert len(told["chance"]["deletion"]["curve"]) == told["steps"] + 1


def test_images_and_maps_of_the_figure_are_kept(explained: JobFolder) -> None:
    winner = explained.winner()
    assert winner is not None
    with np.load(winner.artifacts / "looks.npz") as held:
        shapes = {name: held[name].shape for name in held.files}
    assert shapes["pictures"] == (3, 24, 24, 3)
    assert shapes["map_gradcam"] == shapes["map_received"] == (3, 2, 2)
    assert facts(explained)["looks"]["layers"]["rollout"] == "stages.2"


def test_without_a_deletion_test_there_are_maps_all_the_same(bench: Bench) -> None:
    job = explaining(bench, "explain-2", deletion=0, maps=["gradcam"])
    assert bench.run(job) == 0
    assert "deletion" not in facts(job)
    assert list(facts(job)["looks"]["layers"]) == ["gradcam"]


@pytest.mark.slow
def test_a_kill_in_the_middle_changes_no_byte(bench: Bench, explained: JobFolder) -> None:
    job = explaining(bench, "explain-3")
    pid, _ = bench.start_held(job, ("deletion",), 3)
    strike(pid, signal.SIGKILL)
    bench.server.wait()
    assert bench.run(job) == 0
    kept = [
        {path.name: path.read_bytes() for path in sorted(one.artifacts.iterdir())}
        for one in (explained.winner(), job.winner())
        if one is not None
    ]
    assert kept[0] == kept[1]
    assert figures(job) == figures(explained)
