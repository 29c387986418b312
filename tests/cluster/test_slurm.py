"""Jobs on a real Slurm: where they run, and what they survive."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.launch.process import is_alive, see_process
from tests.cluster.calls import count_calls
from tests.cluster.slurm_site import SlurmSite
from tests.cluster.working import PROFILE, SlurmLab, on_cpu, on_gpu, steps, wait_step, went_on
from tests.helpers.queueing import states

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


# Where jobs run -------------------------------------------------------------------------------------------------------


def test_jobs_run_on_nodes_and_end(lab: SlurmLab) -> None:
    lab.submit([on_cpu(f"train-{number}") for number in range(6)])
    lab.start()
    lab.finish()
    assert set(states(lab.home).values()) == {"done"}
    assert all("@n" in slot for number in range(6) for slot in lab.slots(f"train-{number}"))


def test_each_gpu_has_one_job_at_a_time(lab: SlurmLab) -> None:
    go = lab.home.root / "go"
    lab.submit([on_gpu(f"train-{number}", do="sleep", go=str(go)) for number in range(6)])
    lab.start()
    lab.until(lambda: sum(state == "running" for state in states(lab.home).values()) == 4, "four jobs on four GPUs")
    time.sleep(1.0)
    running = [job for job, state in states(lab.home).items() if state == "running"]
    seen = {lab.slots(job)[0] for job in running}
    assert len(running) == len(seen) == 4, "and the other two wait"
    go.touch()
    lab.finish()
    told = [json.loads(lab.home.job(job).attempt(1).result.read_text())["env"]["cuda"] for job in running]
    assert sorted(told) == ["0", "0", "1", "1"], "what Slurm gave each on its node"


def test_halves_share_a_gpu(make: Callable[..., SlurmLab]) -> None:
    lab = make(profile=PROFILE + "most = 2\n")
    go = lab.home.root / "go"
    lab.submit([on_gpu(f"train-{number}", 0.5, do="sleep", go=str(go)) for number in range(4)])
    lab.start()
    lab.until(lambda: set(states(lab.home).values()) == {"running"}, "four halves on two GPUs")
    assert len({lab.slots(f"train-{number}")[0] for number in range(4)}) == 2
    go.touch()
    lab.finish()


def test_whole_jobs_have_a_task_of_slurms_each(make: Callable[..., SlurmLab]) -> None:
    lab = make("slurm-jobs")
    lab.submit([on_cpu(f"train-{number}") for number in range(5)])
    lab.start()
    lab.finish()
    assert len({lab.slots(f"train-{number}")[0] for number in range(5)}) == 5


def test_idle_pilots_give_their_nodes_back(make: Callable[..., SlurmLab], site: SlurmSite) -> None:
    lab = make(profile=PROFILE.replace("idle = 20.0", "idle = 1.0"))
    go = lab.home.root / "go"
    lab.submit([on_cpu("train-1"), on_cpu("train-2", do="sleep", go=str(go))])
    lab.start()
    lab.wait_running("train-2")
    lab.until(lambda: len(lab.numbers()) == 1, "the idle pilot's end")
    go.touch()
    lab.finish()


# What they survive ----------------------------------------------------------------------------------------------------


def test_scancel_of_a_pilot_saves_and_goes_on(lab: SlurmLab) -> None:
    lab.submit([steps("train-1")])
    lab.start()
    wait_step(lab, "train-1")
    lab.site.call("scancel", *lab.numbers())
    lab.finish()
    assert lab.outcomes("train-1") == ["preempted", "done"]
    assert went_on(lab, "train-1")


def test_a_killed_pilot_costs_an_attempt(lab: SlurmLab) -> None:
    lab.submit([steps("train-1")])
    lab.start()
    wait_step(lab, "train-1")
    for pid in lab.pilots().values():
        os.kill(pid, signal.SIGKILL)
    lab.finish()
    assert lab.outcomes("train-1")[-1] == "done"
    assert len(lab.outcomes("train-1")) == 2
    assert went_on(lab, "train-1")


def test_a_killed_job_goes_on_in_the_same_pilot(lab: SlurmLab) -> None:
    lab.submit([steps("train-1")])
    lab.start()
    os.kill(wait_step(lab, "train-1"), signal.SIGKILL)
    lab.finish()
    assert lab.outcomes("train-1") == ["lost", "done"]
    assert len(set(lab.slots("train-1"))) == 1
    assert went_on(lab, "train-1")


def test_a_killed_step_daemon_doubles_nothing(lab: SlurmLab) -> None:
    go = lab.home.root / "go"
    lab.submit([on_cpu("train-1", do="sleep", go=str(go))])
    lab.start()
    lab.wait_running("train-1")
    os.kill(parent_of(*lab.pilots().values()), signal.SIGKILL)
    time.sleep(3.0)
    go.touch()
    lab.finish()
    assert lab.outcomes("train-1")[-1] == "done"
    assert lab.home.job("train-1").result.exists()


def test_a_killed_node_daemon_leaves_one_result(lab: SlurmLab, site: SlurmSite) -> None:
    """The node counts as down, its pilot lives on unseen by Slurm, and whoever is second commits nothing."""
    go = lab.home.root / "go"
    lab.submit([on_cpu("train-1", do="sleep", go=str(go))])
    lab.start()
    pid = lab.wait_running("train-1")
    node = node_of(lab.slots("train-1")[0])
    site.kill(f"slurmd.{node}")
    try:
        lab.until(lambda: "down" in site.call("sinfo", "--noheader", "--Node", "--format=%N %T"), "a node that is down")
        seen = see_process(pid)
        assert seen is not None, "the old process is alive"
        go.touch()
        lab.finish()
    finally:
        site.start_node(node)
    assert lab.outcomes("train-1")[-1] == "done"
    result = json.loads(lab.home.job("train-1").result.read_text())
    assert result["attempt"] in range(1, len(lab.home.job("train-1").attempts()) + 1)


def test_a_node_that_loses_power_costs_an_attempt(lab: SlurmLab, site: SlurmSite) -> None:
    """Daemon, pilot and job are gone at once, and Slurm is told that the node is down."""
    lab.submit([steps("train-1")])
    lab.start()
    pid = wait_step(lab, "train-1")
    node = node_of(lab.slots("train-1")[0])
    site.kill(f"slurmd.{node}")
    for victim in (parent_of(*lab.pilots().values()), *lab.pilots().values(), pid):
        os.kill(victim, signal.SIGKILL)
    site.call("scontrol", "update", f"nodename={node}", "state=down", "reason=power")
    try:
        lab.finish()
    finally:
        site.start_node(node)
    assert lab.outcomes("train-1") == ["lost", "done"]
    assert node_of(lab.slots("train-1")[1]) != node, "it went on elsewhere"
    assert went_on(lab, "train-1")


def test_a_restarted_controller_changes_nothing(lab: SlurmLab, site: SlurmSite) -> None:
    go = lab.home.root / "go"
    lab.submit([on_cpu("train-1", do="sleep", go=str(go)), *(on_cpu(f"train-{number}") for number in range(2, 6))])
    lab.start()
    lab.wait_running("train-1")
    site.kill("slurmctld")
    time.sleep(3.0)
    site.start_controller()
    time.sleep(2.0)
    go.touch()
    lab.finish()
    assert {job: lab.outcomes(job) for job in states(lab.home)} == {f"train-{n}": ["done"] for n in range(1, 6)}


def test_a_killed_scheduler_is_followed_without_a_double(lab: SlurmLab) -> None:
    go = lab.home.root / "go"
    lab.submit([on_cpu("train-1", do="sleep", go=str(go))])
    first = lab.start()
    pid = lab.wait_running("train-1")
    first.kill()
    first.wait()
    lab.start()
    time.sleep(1.0)
    go.touch()
    lab.finish()
    assert lab.outcomes("train-1") == ["done"]
    assert json.loads(lab.home.job("train-1").attempt(1).handle.read_text())["pid"] == pid


def test_a_higher_partition_takes_the_node_and_the_job_goes_on(make: Callable[..., SlurmLab], site: SlurmSite) -> None:
    lab = make(profile=PROFILE.replace("cpus = 1", "cpus = 8") + 'directives = ["--nodelist=n1"]\n')
    lab.submit([steps("train-1")])
    lab.start()
    wait_step(lab, "train-1")
    words = ["--partition=high", "--nodelist=n1", "--cpus-per-task=8", "--mem=300M", "--wrap=sleep 3", "--output=none"]
    site.call("sbatch", *words)
    lab.finish(240)
    assert lab.outcomes("train-1") == ["preempted", "done"]
    assert went_on(lab, "train-1")


def test_a_time_limit_is_a_pause(make: Callable[..., SlurmLab]) -> None:
    lab = make(profile=PROFILE + 'time = "1m"\n')
    lab.submit([steps("train-1")])
    lab.start()
    lab.finish(300)
    assert lab.outcomes("train-1") == ["preempted", "done"]
    assert went_on(lab, "train-1")


def test_a_wrong_partition_is_said_and_mended_without_loss(make: Callable[..., SlurmLab]) -> None:
    lab = make(profile=PROFILE + 'partition = "nowhere"\n')
    lab.submit([on_cpu("train-1")])
    worker = lab.start()
    lab.until(lambda: "invalid partition" in lab.log(), "Slurm's own words")
    worker.terminate()
    worker.wait()
    (lab.home.root / "xp.toml").write_text(PROFILE)
    lab.start()
    lab.finish()
    assert lab.outcomes("train-1") == ["done"]


# What it costs --------------------------------------------------------------------------------------------------------


def test_many_short_jobs_take_few_calls(lab: SlurmLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count_calls(tmp_path / "bin", monkeypatch)
    lab.submit([on_cpu(f"train-{number}") for number in range(60)])
    lab.start()
    lab.finish()
    assert set(states(lab.home).values()) == {"done"}
    assert 1 <= calls("sbatch") <= 3


def node_of(slot: str) -> str:
    return slot.partition("@")[2].partition("/")[0]


def parent_of(*pids: int) -> int:
    """Return the parent of the first of these processes that lives: of a pilot, its step daemon."""
    for pid in pids:
        seen = see_process(pid)
        if seen is not None and is_alive(pid, seen.start):
            text = Path(f"/proc/{pid}/stat").read_text()
            return int(text[text.rindex(")") + 2 :].split()[1])
    raise AssertionError("no pilot lives")
