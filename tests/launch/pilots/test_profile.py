"""A site's words: each is read, a wrong one is refused with its place, and the shape covers all that waits."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from engine.errors import HomeError
from engine.home.files import write_json
from engine.home.paths import Home
from engine.launch import Want
from engine.launch.pilots.profile import (
    RayProfile,
    Shape,
    SlurmProfile,
    find_profile,
    read_profile,
    read_shape,
    read_size,
    read_time,
)
from tests.helpers.queueing import make_home

GIB = 1 << 30


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


def test_no_file_is_nobodys_words(home: Home) -> None:
    assert read_profile(home, "slurm", SlurmProfile) == SlurmProfile()


def test_the_file_in_the_home_wins(home: Home) -> None:
    (home.root.parent / "xp.toml").write_text('[slurm]\npartition = "beside"\n')
    assert read_profile(home, "slurm", SlurmProfile).partition == "beside"
    (home.root / "xp.toml").write_text('[slurm]\npartition = "inside"\n')
    assert read_profile(home, "slurm", SlurmProfile).partition == "inside"
    assert find_profile(home) == home.root / "xp.toml"


@pytest.mark.parametrize(
    ("text", "told", "fix"),
    [
        ("[slurm]\npartitoin = 'x'\n", "there is no word slurm.partitoin", "partition"),
        ("[slurm]\nmost = 0\n", "slurm.most", "guide"),
        ("[slurm]\nmemory = '3 GB'\n", "slurm.memory", "guide"),
        ("[slurm\n", "cannot read", "TOML"),
        ("slurm = 3\n", "slurm", "guide"),
    ],
)
def test_a_wrong_word_names_itself_and_the_file(home: Home, text: str, told: str, fix: str) -> None:
    (home.root / "xp.toml").write_text(text)
    with pytest.raises(HomeError, match=told) as caught:
        read_profile(home, "slurm", SlurmProfile)
    assert caught.value.exit_code == 2
    assert str(home.root / "xp.toml") in str(caught.value)
    assert fix in str(caught.value.fix)


def test_each_engine_has_its_own_table(home: Home) -> None:
    text = '[slurm]\nmost = 3\n[ray]\naddress = "http://head:8265"\nresources = {big = 0.5}\nsetup = ["a"]\n'
    (home.root / "xp.toml").write_text(text)
    read = read_profile(home, "ray", RayProfile)
    assert (read.address, read.resources, read.setup, read.most) == ("http://head:8265", {"big": 0.5}, ("a",), 16)
    assert read_profile(home, "slurm", SlurmProfile).most == 3


@pytest.mark.parametrize(
    ("words", "told", "fix"),
    [
        ("partition = 'x'", "there is no word ray.partition", "address"),
        ("time = '8h'", "there is no word ray.time", "choose"),
        ("address = 'head:6379'", "ray.address", "guide to Ray"),
        ("resources = {big = 0}", "ray.resources.big", "guide to Ray"),
    ],
)
def test_a_word_that_ray_does_not_have_is_refused(home: Home, words: str, told: str, fix: str) -> None:
    (home.root / "xp.toml").write_text(f"[ray]\n{words}\n")
    with pytest.raises(HomeError, match=told) as caught:
        read_profile(home, "ray", RayProfile)
    assert fix in str(caught.value.fix)


def test_the_command_of_a_pilot_ends_before_its_folder() -> None:
    words = RayProfile(idle=7, grace=3).pilot_words(Shape(2, 1, GIB, 60), "some.module", 1)
    assert words[-10:] == [
        "--preload",
        "some.module",
        "--idle",
        "7.0",
        "--grace",
        "3.0",
        "--jobs",
        "1",
        "--has-gpu",
        "1",
    ]


def test_a_shape_covers_every_want() -> None:
    wants = [Want(0.5, 2, 8 * GIB, 60), Want(0.25, 8, 4 * GIB, 7200)]
    shape = SlurmProfile().shape_pilots(wants)
    assert shape == Shape(True, 8, 8 * GIB, 7200)
    assert all(shape.covers(SlurmProfile().shape_pilots([want])) for want in wants)


def test_a_sites_words_win_over_a_specs() -> None:
    site = SlurmProfile(cpus=2, memory="3G", time="1d")
    assert site.shape_pilots([Want(0.0, 64, 900 * GIB, 60)]) == Shape(False, 2, 3 * GIB, 86_400)


def test_a_pilot_has_as_many_gpus_as_a_job_has_together() -> None:
    shape = SlurmProfile().shape_pilots([Want(4.0, 2, GIB, 60)])
    assert (shape.gpus, str(shape)) == (4, "4 GPUs, 2 cores, 1024 MiB, 1 min")
    assert shape.covers(SlurmProfile().shape_pilots([Want(1.0, 2, GIB, 60)]))
    assert not Shape(2, 2, GIB, 60).covers(shape)


def test_a_gpu_is_not_spent_on_a_job_without() -> None:
    with_gpu, without = Shape(True, 4, GIB, 60), Shape(False, 4, GIB, 60)
    assert (with_gpu.covers(without), without.covers(with_gpu), with_gpu.covers(with_gpu)) == (False, False, True)


def test_a_shape_is_read_as_written(tmp_path: Path) -> None:
    write_json(tmp_path / "shape.json", {"has_gpu": True, "cpus": 4, "memory": 5, "seconds": 6})
    assert read_shape(tmp_path / "shape.json") == Shape(True, 4, 5, 6)
    write_json(tmp_path / "shape.json", asdict(Shape(4, 3, 5, 6)))
    assert read_shape(tmp_path / "shape.json") == Shape(4, 3, 5, 6)
    write_json(tmp_path / "shape.json", {"has_gpu": True, "cpus": None})
    assert read_shape(tmp_path / "shape.json") is None


def test_sizes_and_times_have_units() -> None:
    assert (read_size("16G"), read_size("1K"), read_time("90m"), read_time("2d")) == (16 * GIB, 1024, 5400, 172_800)
