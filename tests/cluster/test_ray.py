"""Jobs on a real Ray of two nodes: where they run, and what they survive."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest

from engine.launch.process import is_alive, see_process
from engine.schedule.lookup import find_match
from engine.schedule.orders import give_order
from tests.cluster.ray_site import RaySite
from tests.cluster.working import RayLab, on_cpu, on_gpu, steps, wait_step, went_on
from tests.helpers.queueing import states

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


def count_running(lab: RayLab) -> int:
    return sum(state == "running" for state in states(lab.home).values())


# Where jobs run -------------------------------------------------------------------------------------------------------


def test_jobs_run_in_pilots_and_end(ray_lab: RayLab) -> None:
    ray_lab.submit([on_cpu(f"train-{number}") for number in range(6)])
    ray_lab.start()
    ray_lab.finish()
    assert set(states(ray_lab.home).values()) == {"done"}
    used = {ray_lab.slots(f"train-{number}")[0] for number in range(6)}
    assert {slot.rpartition("/")[2] for slot in used} <= ray_lab.nodes().keys()


def test_each_gpu_has_one_job_at_a_time(ray_lab: RayLab) -> None:
    go = ray_lab.home.root / "go"
    ray_lab.submit([on_gpu(f"train-{number}", do="sleep", go=str(go)) for number in range(6)])
    ray_lab.start()
    ray_lab.until(lambda: count_running(ray_lab) == 4, "four jobs on four GPUs")
    time.sleep(1.0)
    running = [job for job, state in states(ray_lab.home).items() if state == "running"]
    assert len({ray_lab.slots(job)[0] for job in running}) == len(running) == 4, "and the other two wait"
    go.touch()
    ray_lab.finish()
    told = [json.loads(ray_lab.home.job(job).attempt(1).result.read_text())["env"]["cuda"] for job in running]
    assert sorted(told) == ["0", "0", "1", "1"], "what Ray gave each on its node"


def test_cores_are_given_out_once(on_ray: Callable[..., RayLab]) -> None:
    lab = on_ray(cpus="2")
    go = lab.home.root / "go"
    lab.submit([on_cpu(f"train-{number}", do="sleep", go=str(go)) for number in range(6)])
    lab.start()
    lab.until(lambda: count_running(lab) == 4, "two jobs on the four cores of each node")
    time.sleep(2.0)
    assert count_running(lab) == 4
    assert Counter(lab.nodes().values()) == {"n1": 2, "n2": 2}
    go.touch()
    lab.finish()


def test_a_named_resource_chooses_the_node(on_ray: Callable[..., RayLab]) -> None:
    lab = on_ray(resources="{n2 = 1}")
    lab.submit([on_cpu(f"train-{number}") for number in range(3)])
    lab.start()
    lab.finish()
    assert set(lab.nodes().values()) == {"n2"}


def test_each_attempt_has_a_job_of_rays_where_that_is_wanted(on_ray: Callable[..., RayLab]) -> None:
    lab = on_ray(executor="ray-jobs")
    lab.submit([on_cpu(f"train-{number}") for number in range(3)])
    lab.start()
    lab.finish()
    assert len({lab.slots(f"train-{number}")[0] for number in range(3)}) == 3


def test_what_finds_no_room_is_asked_for_again(on_ray: Callable[..., RayLab], ray_site: RaySite) -> None:
    lab = on_ray(resources="{n2 = 1}")
    lab.submit([on_cpu("train-1")])
    with ray_site.occupied("n2"):
        lab.start()
        lab.until(lambda: "Ray had no room" in lab.log(), "the end of Ray's patience", seconds=240.0)
    lab.finish()
    assert lab.outcomes("train-1") == ["done"]


# What they survive ----------------------------------------------------------------------------------------------------


def test_a_cancelled_job_saves_first(ray_lab: RayLab) -> None:
    ray_lab.submit([steps("train-1"), on_cpu("train-2")])
    ray_lab.start()
    wait_step(ray_lab, "train-1")
    began = time.monotonic()
    give_order(ray_lab.home, "cancel", find_match(ray_lab.home, "train-1"))
    ray_lab.finish()
    assert states(ray_lab.home) == {"train-1": "cancelled", "train-2": "done"}
    assert json.loads(ray_lab.home.job("train-1").attempt(1).handle.read_text())["exit"] == 85
    assert time.monotonic() - began < 60


def test_a_stopped_pilot_saves_and_its_job_goes_on(ray_lab: RayLab) -> None:
    ray_lab.submit([steps("train-1")])
    ray_lab.start()
    wait_step(ray_lab, "train-1")
    ray_lab.site.stop_all()
    ray_lab.finish()
    assert ray_lab.outcomes("train-1") == ["preempted", "done"]
    assert went_on(ray_lab, "train-1")


def test_a_killed_job_goes_on_in_the_same_pilot(ray_lab: RayLab) -> None:
    ray_lab.submit([steps("train-1")])
    ray_lab.start()
    os.kill(wait_step(ray_lab, "train-1"), signal.SIGKILL)
    ray_lab.finish()
    assert ray_lab.outcomes("train-1") == ["lost", "done"]
    assert len(set(ray_lab.slots("train-1"))) == 1
    assert went_on(ray_lab, "train-1")


def test_a_killed_pilot_leaves_no_job_behind(ray_lab: RayLab) -> None:
    ray_lab.submit([steps("train-1")])
    ray_lab.start()
    pid = wait_step(ray_lab, "train-1")
    seen = see_process(pid)
    assert seen is not None
    ray_lab.site.kill(*ray_lab.pilots().values())
    ray_lab.until(lambda: not is_alive(pid, seen.start), "the end of the job", seconds=10.0)
    ray_lab.finish()
    assert ray_lab.outcomes("train-1")[-1] == "done"
    assert len(ray_lab.outcomes("train-1")) == 2
    assert went_on(ray_lab, "train-1")


def test_a_killed_worker_of_rays_lets_the_job_save(ray_lab: RayLab) -> None:
    ray_lab.submit([steps("train-1")])
    ray_lab.start()
    wait_step(ray_lab, "train-1")
    workers = ray_lab.workers()
    assert len(workers) == 1
    ray_lab.site.kill(*workers)
    ray_lab.finish()
    assert ray_lab.outcomes("train-1") == ["preempted", "done"]
    assert went_on(ray_lab, "train-1")


def test_a_killed_raylet_lets_the_job_save_and_go_on_elsewhere(ray_lab: RayLab, ray_site: RaySite) -> None:
    ray_lab.submit([steps("train-1")])
    with ray_site.occupied("n1"):
        ray_lab.start()
        wait_step(ray_lab, "train-1")
        assert ray_lab.node_of("train-1") == "n2"
    ray_site.kill(ray_site.raylet("n2"))
    ray_lab.finish()
    assert ray_lab.outcomes("train-1") == ["preempted", "done"]
    assert ray_lab.node_of("train-1") == "n1"
    assert went_on(ray_lab, "train-1")


def test_a_node_that_loses_power_costs_an_attempt(ray_lab: RayLab, ray_site: RaySite) -> None:
    """Daemon, worker, pilot and job are gone at once, without a word to anybody."""
    ray_lab.submit([steps("train-1")])
    with ray_site.occupied("n1"):
        ray_lab.start()
        wait_step(ray_lab, "train-1")
        assert ray_lab.node_of("train-1") == "n2"
    keepers = [seen.parent for seen in map(see_process, ray_lab.pilots().values()) if seen is not None]
    # From the outside in, or one that stands above another would still see to it.
    power = [ray_site.below(top) for top in (*keepers, ray_site.raylet("n2"))]
    ray_site.kill(*(process for tree in power for process in tree))
    ray_lab.finish()
    assert ray_lab.outcomes("train-1") == ["lost", "done"]
    assert ray_lab.node_of("train-1") == "n1"
    assert went_on(ray_lab, "train-1")


def test_a_restarted_head_doubles_nothing(on_ray: Callable[..., RayLab], ray_site: RaySite) -> None:
    """Ray has forgotten all then, and ends its other node after a while: what runs there is heard, and saves."""
    lab = on_ray(resources="{n2 = 1}")
    lab.submit([steps("train-1"), *(on_cpu(f"train-{number}") for number in range(2, 6))])
    lab.start()
    wait_step(lab, "train-1")
    ray_site.kill_node("n1")
    time.sleep(3.0)
    ray_site.start_node("n1")
    if "n2" not in ray_site.nodes():
        ray_site.start_node("n2")
    lab.until(lambda: len(lab.outcomes("train-1")) > 1, "a second attempt", seconds=240.0)
    lab.finish()
    # The pilots of a node are ended one after another: a job that was saved may begin in the next of them.
    *stopped, last = lab.outcomes("train-1")
    assert (set(stopped), last) == ({"preempted"}, "done")
    assert {job: lab.outcomes(job) for job in states(lab.home) if job != "train-1"} == {
        f"train-{number}": ["done"] for number in range(2, 6)
    }
    assert went_on(lab, "train-1")


def test_a_killed_scheduler_is_followed_without_a_double(ray_lab: RayLab) -> None:
    go = ray_lab.home.root / "go"
    ray_lab.submit([on_cpu("train-1", do="sleep", go=str(go))])
    first = ray_lab.start()
    pid = ray_lab.wait_running("train-1")
    first.kill()
    first.wait()
    ray_lab.start()
    time.sleep(1.0)
    go.touch()
    ray_lab.finish()
    assert ray_lab.outcomes("train-1") == ["done"]
    assert json.loads(ray_lab.home.job("train-1").attempt(1).handle.read_text())["pid"] == pid
