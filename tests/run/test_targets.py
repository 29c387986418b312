"""Targets and taught students as processes: kills, damage, online teachers, calibration, matched temperatures."""

from __future__ import annotations

import math
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine.core.network.heads import SlicedNetwork
from engine.home.files import read_json
from engine.home.paths import JobFolder
from engine.inputs.looks import Look
from engine.run.inputs import make_forward
from engine.run.targets import OpenTeacher
from tests.helpers.forking import strike
from tests.run.bench import DATA, LESSON, TARGETS_JOB, TRAIN, Bench, digits_bench, figures, visible_lines

VIEWS = 3


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    root = tmp_path_factory.mktemp("home")
    with digits_bench(root) as bench:
        better = {**TRAIN, "epochs": 10, "batch_size": 32}
        assert bench.run(bench.train("train-teacher", train=better)) == 0
        assert bench.run(write_targets(bench, "targets-1", views=VIEWS)) == 0
        assert bench.run(write_targets(bench, "targets-examined", views=0)) == 0
        yield bench


def write_targets(bench: Bench, job: str, teacher: str = "train-teacher", **settings: Any) -> JobFolder:
    return bench.write(job, "targets", {"pack": "pack-1", "teacher": teacher}, {**TARGETS_JOB, **settings})


def train_taught(bench: Bench, job: str, targets: str = "targets-1", *, code: int = 0, **settings: Any) -> JobFolder:
    """Train a student; words of `settings` that are none of a job's go into its distillation."""
    distill = {**LESSON, **settings.pop("distill", {})}
    needs = {"targets": targets, "teacher": "train-teacher", **settings.pop("needs", {})}
    folder = bench.train(job, needs=needs, distill=distill, data={**DATA, "views": VIEWS}, **settings)
    assert bench.run(folder) == code
    return folder


def weights_of(job: JobFolder) -> str:
    return str(read_json(job.result)["weights_sha256"])


def facts_of(job: JobFolder, name: str) -> Any:
    return [line["value"] for line in visible_lines(job) if line["type"] == "fact" and line["name"] == name][-1]


def teacher_rows(job: JobFolder) -> dict[tuple[str, str], float]:
    return {(line["part"], line["name"]): line["value"] for line in visible_lines(job) if line["type"] == "teacher"}


@pytest.fixture(scope="module")
def straight(bench: Bench) -> JobFolder:
    return train_taught(bench, "train-straight")


def test_killed_in_mid_targets_the_next_attempt_goes_on(bench: Bench) -> None:
    whole, job = bench.home.job("targets-1"), write_targets(bench, "targets-killed", views=VIEWS)
    pid, _ = bench.start_held(job, ("targets",), 3000)
    strike(pid, signal.SIGKILL)
    assert bench.server.wait() != 0
    assert not bench.home.targets(job.job).exists()
    assert bench.run(job) == 0
    assert facts_of(job, "targets")["found"] == 1797 + 2 * 539
    for name in ("centre.bin", "logits.bin"):
        killed, straight = (bench.home.targets(one.job) / name for one in (job, whole))
        assert killed.read_bytes() == straight.read_bytes()
    assert [path.name for path in bench.home.cache.glob(f"targets/{job.job}.*.tmp")] == []
    assert teacher_rows(job) == teacher_rows(whole)


def flip_byte(folder: Path) -> None:
    raw = bytearray((folder / "logits.bin").read_bytes())
    raw[len(raw) // 2] ^= 16
    (folder / "logits.bin").write_bytes(raw)


def cut_file(folder: Path) -> None:
    raw = (folder / "logits.bin").read_bytes()
    (folder / "logits.bin").write_bytes(raw[:-20])


def swap_manifest(folder: Path) -> None:
    """Another split's manifest, whole and right by its own digest."""
    shutil.copy(folder.parent / "targets-other" / "manifest.json", folder / "manifest.json")


@pytest.mark.parametrize("damage", [flip_byte, cut_file, swap_manifest])
def test_a_damaged_cache_is_rebuilt_and_never_trained_on(
    bench: Bench, straight: JobFolder, damage: Callable[[Path], None]
) -> None:
    # More to train on, out of the same order: no test image of this split has taught the teacher.
    other: dict[str, Any] = {"views": VIEWS, "data": {**DATA, "split": "40/10/50"}}
    if not bench.home.targets("targets-other").exists():
        assert bench.run(write_targets(bench, "targets-other", **other)) == 0
    folder = bench.home.targets("targets-1")
    before = (folder / "logits.bin").read_bytes()
    damage(folder)
    job = train_taught(bench, f"train-{damage.__name__.replace('_', '-')}")
    assert "the targets are made again" in job.attempt(1).log.read_text()
    assert weights_of(job) == weights_of(straight)
    assert (folder / "logits.bin").read_bytes() == before


def test_a_teacher_that_knows_nothing_stops_before_it_teaches(bench: Bench) -> None:
    assert bench.run(bench.train("train-dunce", train={**TRAIN, "epochs": 1, "lr": 1e-9})) == 0
    job = write_targets(bench, "targets-dunce", "train-dunce", views=VIEWS)
    assert bench.run(job) == 88
    log = job.attempt(1).log.read_text()
    assert "guessing gives 10.0%" in log
    assert "order of its classes" in log
    assert not bench.home.targets("targets-dunce").exists()


def test_an_online_teacher_says_what_a_cached_one_says(bench: Bench, straight: JobFolder) -> None:
    online = train_taught(bench, "train-online", "targets-examined", distill={"targets": "online"})
    pairs = zip(losses_of(straight), losses_of(online), strict=True)
    assert all(one == pytest.approx(other, rel=2e-3) for one, other in pairs)
    one, two = (teacher_rows(job)["test", "divergence"] for job in (straight, online))
    assert one == pytest.approx(two, rel=0.05)


def losses_of(job: JobFolder) -> list[float]:
    return [line["value"] for line in visible_lines(job) if line.get("name") == "train_loss"]


def test_an_online_student_resumes_to_the_same_bits(bench: Bench) -> None:
    words: dict[str, Any] = {"distill": {"targets": "online"}, "seed": 4}
    whole = train_taught(bench, "train-online-whole", "targets-examined", **words)
    needs = {"targets": "targets-examined", "teacher": "train-teacher"}
    distill = {**LESSON, "targets": "online"}
    job = bench.train("train-online-cut", needs=needs, distill=distill, data={**DATA, "views": VIEWS}, seed=4)
    pid, _ = bench.start_held(job, ("train",), 2)
    strike(pid, signal.SIGTERM)
    assert bench.server.wait() == 85
    assert bench.run(job) == 0
    assert weights_of(job) == weights_of(whole)
    assert figures(job) == figures(whole)


def test_calibration_is_on_the_students_own_validation_images(bench: Bench, straight: JobFolder) -> None:
    job = train_taught(bench, "train-calibrated", distill={"calibrate": True})
    fitted = teacher_rows(bench.home.job("targets-1"))["val", "fitted_temperature"]
    assert facts_of(job, "temperature")["calibration"] == pytest.approx(fitted, rel=1e-9)
    plain = teacher_rows(straight)["train", "divergence"]
    assert teacher_rows(job)["train", "divergence"] != plain


def test_without_validation_images_calibration_is_refused(bench: Bench) -> None:
    data = {**DATA, "split": "40/0/60", "views": VIEWS}
    assert bench.run(write_targets(bench, "targets-no-val", views=VIEWS, data=data)) == 0
    needs = {"targets": "targets-no-val"}
    job = bench.train("train-no-val", needs=needs, data=data, distill={**LESSON, "calibrate": True})
    assert bench.run(job) == 88
    assert "calibrated on validation images" in job.attempt(1).log.read_text()


def test_a_temperature_is_matched_to_the_reference(bench: Bench) -> None:
    """The reference is the teacher itself with its logits times 8, so the temperature that matches is 1 / 8."""
    assert bench.run(write_targets(bench, "targets-sharp", views=0, logit_scale=8.0)) == 0
    words = {"temperature": {"match": "entropy", "at": 8.0}}
    job = train_taught(bench, "train-matched", distill=words, needs={"reference": "targets-sharp"})
    logged = [line["value"] for line in visible_lines(job) if line.get("name") == "temperature" and "epoch" in line]
    assert logged == pytest.approx([1.0] * 3, rel=1e-3)


def test_a_sharper_teacher_has_the_same_answers_and_a_fitted_temperature_that_much_higher(bench: Bench) -> None:
    assert bench.run(write_targets(bench, "targets-scaled", views=VIEWS, logit_scale=8.0)) == 0
    plain, sharp = (teacher_rows(bench.home.job(name)) for name in ("targets-1", "targets-scaled"))
    for part in ("train", "val", "test"):
        assert sharp[part, "top1"] == plain[part, "top1"]
        assert sharp[part, "fitted_temperature"] == pytest.approx(8 * plain[part, "fitted_temperature"], rel=0.01)
        assert sharp[part, "signed_ece"] > max(0.1, plain[part, "signed_ece"])
    files = [bench.home.targets(name) / "logits.bin" for name in ("targets-1", "targets-scaled")]
    one, eight = (np.fromfile(path, "<f2") for path in files)
    assert np.array_equal(eight, 8 * one)


def test_a_student_says_how_near_it_came(straight: JobFolder) -> None:
    rows = teacher_rows(straight)
    assert set(rows) == {(part, name) for part in ("train", "test") for name in ("agreement", "divergence")}
    assert 0.1 < rows["test", "agreement"] <= 1
    assert 0 < rows["test", "divergence"] < math.log(10)


def test_a_teacher_that_saw_no_split_has_targets_of_every_image(bench: Bench) -> None:
    """Judged on all of them; its figures on a split are logged by the student of that split."""
    whole = {name: value for name, value in DATA.items() if name != "split"}
    job = write_targets(bench, "targets-all", views=VIEWS, rows="all", data=whole)
    assert bench.run(job) == 0
    assert {part for part, _ in teacher_rows(job)} == {"all"}
    size = (bench.home.targets("targets-all") / "logits.bin").stat().st_size
    assert size == VIEWS * 1797 * 10 * 2
    rows = teacher_rows(train_taught(bench, "train-of-all", "targets-all"))
    known = teacher_rows(bench.home.job("targets-1"))
    for part in ("train", "val", "test"):
        assert rows[part, "teacher_top1"] == known[part, "top1"]
        assert rows[part, "teacher_nll"] == pytest.approx(known[part, "nll"], rel=1e-3)


def test_until_stops_the_teacher(bench: Bench) -> None:
    job = train_taught(bench, "train-until", distill={"until": 0.34})
    lines = [line for line in visible_lines(job) if line["type"] == "metric" and line["name"] == "temperature"]
    assert [line["epoch"] for line in lines] == [0, 1]


def test_in_slice_mass_is_what_the_whole_head_gives_to_the_datas_classes() -> None:
    full = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 20))
    places = torch.tensor([4, 0, 17])
    network = SlicedNetwork(full, places)
    forward = make_forward(network, torch.device("cpu"), "fp32")
    teacher = OpenTeacher(network, forward, 2.0, {"outputs": 20}, Look(8, 0.875, "bicubic"))
    shown = torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8)
    whole = forward(full, shown) * 2
    torch.testing.assert_close(teacher.slice_mass(shown), whole.softmax(1)[:, places].sum(1))
    torch.testing.assert_close(teacher.predict(shown), whole[:, places])
    assert teacher.classes == 3


# Layers that are followed ---------------------------------------------------------------------------------------------

FOLLOWED = [
    {"student": "stages.3", "teacher": "stages.3", "loss": "smooth_l1", "projector": "orthogonal"},
    {"student": "stages.1", "teacher": "stages.2", "loss": "mse", "projector": "linear"},
]
KEPT = [
    {"layer": layer, "pool": 1, "keeps": "map", "dtype": "fp16"} for layer in ("stages.2", "stages.3")
]  # in the order of their text


@pytest.mark.slow
def test_a_student_of_features_is_killed_and_goes_on_to_the_same_bits(bench: Bench, straight: JobFolder) -> None:
    """And it is the network that it was: projectors are in no file of it."""
    assert bench.run(write_targets(bench, "targets-features", views=VIEWS, features=KEPT)) == 0
    whole = train_taught(bench, "train-features", "targets-features", distill={"features": FOLLOWED})
    needs = {"targets": "targets-features", "teacher": "train-teacher"}
    lesson = {**LESSON, "features": FOLLOWED}
    killed = bench.train("train-struck", needs=needs, distill=lesson, data={**DATA, "views": VIEWS})
    pid, _ = bench.start_held(killed, ("train",), 12, save_minutes=1e-6)
    strike(pid, signal.SIGKILL)
    assert bench.server.wait() != 0
    assert bench.run(killed) == 0
    assert weights_of(killed) == weights_of(whole) != weights_of(straight)
    assert losses_of(killed) == losses_of(whole)
    plain, taught = (one.attempt(1).artifacts / "weights.safetensors" for one in (straight, whole))
    assert load_file(taught).keys() == load_file(plain).keys()
    online = train_taught(bench, "train-features-online", distill={"features": FOLLOWED, "feature_targets": "online"})
    pairs = zip(losses_of(whole), losses_of(online), strict=True)
    assert all(one == pytest.approx(other, rel=2e-3) for one, other in pairs)
