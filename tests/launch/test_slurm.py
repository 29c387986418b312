"""What Slurm is asked, and what is made of its answers, with commands that stand in for its own."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import XpError
from engine.home.paths import Home
from engine.launch.pilots.fleet import PENDING
from engine.launch.pilots.profile import Shape, SlurmProfile
from engine.launch.places import choose_executor, make_launcher
from engine.launch.slurm import (
    SlurmEngine,
    SlurmLauncher,
    WholeJobsLauncher,
    check_tools,
    count_gres,
    slurm_environment,
)
from tests.helpers.queueing import make_home

SHAPE = Shape(False, 4, 3 << 30, 5400)
GPU_SHAPE = Shape(True, 4, 3 << 30, 60)
TOOL = """#!/bin/sh
echo "$0 $@" >> {calls}
case "$0" in *sbatch) cat > {script};; esac
[ -f "$0.out" ] && cat "$0.out"
[ -f "$0.err" ] && cat "$0.err" >&2 && exit 1
exit 0
"""


class Site:
    """Commands on PATH: `answers` what one says, `fails` with which words, `calls` what they were asked."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.script = folder, folder / "script.txt"
        for name in ("sbatch", "squeue", "scancel", "sinfo"):
            (folder / name).write_text(TOOL.format(calls=folder / "calls", script=self.script))
            (folder / name).chmod(0o755)

    def answer(self, name: str, text: str) -> None:
        (self.folder / f"{name}.out").write_text(text)

    def fail(self, name: str, text: str) -> None:
        (self.folder / f"{name}.err").write_text(text)

    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().replace(str(self.folder) + "/", "").splitlines()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return Site(folder)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


def make_engine(home: Home, **words: object) -> SlurmEngine:
    return SlurmEngine(home, SlurmProfile.model_validate(words))


def test_one_call_asks_for_all_pilots(site: Site, home: Home) -> None:
    make_engine(home).ask(SHAPE, "abc", 7)
    (call,) = site.calls()
    for words in (
        "--array=0-6", "--cpus-per-task=4", "--mem=3072M", "--time=90", "--no-requeue", "--signal=B:TERM@45",
        f"--output={home.pilots_root}/abc-%a/log.txt",
    ):  # fmt: skip
        assert words in call.split()
    assert "gres" not in call


def test_the_script_becomes_the_pilot(site: Site, home: Home) -> None:
    make_engine(home, setup=["module load cuda"]).ask(SHAPE, "abc", 1)
    first, load, run = site.script.read_text().splitlines()
    assert (first, load) == ("#!/bin/sh", "module load cuda")
    assert run.startswith("exec ")
    assert run.endswith(f'{home.pilots_root}/abc"-$SLURM_ARRAY_TASK_ID"')


def test_a_sites_words_reach_sbatch(site: Site, home: Home) -> None:
    words = {"partition": "gpu", "cpu_partition": "cpu", "account": "lab", "qos": "q", "constraint": "a100|h100"}
    engine = make_engine(home, **words, gres="gpu:a100:1", directives=["--exclusive", "--nice=5"])
    with_gpu, without = engine.directives(GPU_SHAPE, "a", 1), engine.directives(SHAPE, "a", 1)
    assert {"--partition=gpu", "--account=lab", "--qos=q", "--constraint=a100|h100"} <= set(with_gpu)
    assert {"--gres=gpu:a100:1", "--exclusive", "--nice=5"} <= set(with_gpu)
    assert "--partition=cpu" in without
    assert not any(word.startswith("--gres") for word in without)


def test_a_single_gpu_is_asked_for_by_default(site: Site, home: Home) -> None:
    assert "--gres=gpu:1" in make_engine(home).directives(GPU_SHAPE, "a", 1)
    assert "--gres=gpu:4" in make_engine(home).directives(replace(GPU_SHAPE, gpus=4), "a", 1)


@pytest.mark.parametrize(
    ("gres", "gpus", "expected"),
    [
        ("gpu:a100:1", 4, "gpu:a100:4"), ("gpu:8", 4, "gpu:8"), ("gpu", 2, "gpu:2"), ("gpu:a100", 2, "gpu:a100:2"),
        ("gpu:a100:1", 1, "gpu:a100:1"), ("gpu:1", 0, ""),
    ],
)  # fmt: skip
def test_a_sites_word_has_as_many_gpus_as_a_job(gres: str, gpus: int, expected: str) -> None:
    assert count_gres(gres, gpus) == expected


def test_a_site_with_gpus_is_known_by_its_nodes(site: Site, home: Home) -> None:
    site.answer("sinfo", "(null)\n")
    assert not make_engine(home).has_gpus()
    site.answer("sinfo", "gpu:h200:2(S:0)\n")
    assert make_engine(home).has_gpus()
    assert not make_engine(home, gres="").has_gpus()


def test_only_pilots_of_this_home_are_read(site: Site, home: Home) -> None:
    engine = make_engine(home)
    mine, other = engine.tag, "xp-00000000"
    site.answer(
        "squeue",
        f"12_0|{mine}-abc|PENDING\n12_1|{mine}-abc|RUNNING\n13_0|{other}-abc|RUNNING\n14|{mine}-abc|RUNNING\nodd\n",
    )
    assert engine.list_pilots() == {"abc-0": PENDING, "abc-1": "running"}
    assert len(site.calls()) == 1


def test_pilots_are_ended_by_the_ids_of_now(site: Site, home: Home) -> None:
    engine = make_engine(home)
    site.answer("squeue", f"3_0|{engine.tag}-abc|PENDING\n3_1|{engine.tag}-abc|RUNNING\n")
    engine.end(["abc-1", "gone-0"])
    assert site.calls()[-1] == "scancel 3_1"


def test_slurms_own_words_are_told(site: Site, home: Home) -> None:
    site.fail("sbatch", "sbatch: error: invalid partition specified: nowhere\n")
    with pytest.raises(OSError, match=r"sbatch: .*invalid partition specified: nowhere"):
        make_engine(home).ask(SHAPE, "abc", 1)


def test_a_machine_without_slurm_says_so(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(XpError, match="there is no sbatch and no squeue") as caught:
        check_tools()
    assert caught.value.exit_code == 2
    assert "login node" in str(caught.value.fix)
    with pytest.raises(XpError, match="no sbatch"):
        choose_executor(home, "slurm")
    assert not home.executor_file.exists(), "the home keeps the word that worked"


@pytest.mark.parametrize(("name", "jobs"), [("slurm", 0), ("slurm-jobs", 1)])
def test_the_words_of_the_command_are_launchers(site: Site, home: Home, name: str, jobs: int) -> None:
    made = make_launcher(home, name, "some.module", 3)
    assert isinstance(made, WholeJobsLauncher if jobs else SlurmLauncher)
    assert isinstance(made.engine, SlurmEngine)
    assert (made.engine.jobs, made.engine.preload) == (jobs, "some.module")


def test_no_secret_and_no_word_of_an_outer_job_travels() -> None:
    ours = {
        "PATH": "/bin", "HF_TOKEN": "x", "SLURM_MEM_PER_NODE": "9", "SLURM_CONF": "/c", "SBATCH_ACCOUNT": "lab",
        "XP_CACHE": "/cache",
    }  # fmt: skip
    kept = slurm_environment(ours)
    assert {name: kept.get(name) for name in ours} == {**ours, "HF_TOKEN": None, "SLURM_MEM_PER_NODE": None}
    assert kept["PYTHONPATH"]
