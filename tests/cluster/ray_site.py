"""A Ray of two nodes on this machine, started by `ray start`: takes a folder, gives a running site.

The nodes are n1, the head, and n2 on another address of this machine. Of the four GPUs Ray counts and gives out the
numbers; torch sees none. Each node has a named resource of its name, by which a test chooses it. It needs
ray[default].
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from engine.launch.process import children_of, see_process

NODES = ("n1", "n2")
FAR = "127.0.0.2"  # where n2 is; Ray gives n1 the address of the machine
MARK = "XP_RAY_SITE"  # in the environment of all that the site starts, attempts too, by which it is found
QUIET = {
    "RAY_enable_worker_prestart": "0",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    # One that finds no room is given up after this, not after fifteen minutes.
    "RAY_JOB_START_TIMEOUT_SECONDS": "90",
    # A daemon that says nothing is dead after this; a machine that is busy answers late.
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_failure_threshold": "5",
    "RAY_health_check_timeout_ms": "10000",
}
SECONDS = 180.0  # that a node may take to come up on a busy machine
TRIES = 3  # of `ray start`, which itself waits for half a minute


@dataclass
class RaySite:
    """A running site. Schedulers find it by RAY_API_SERVER_ADDRESS, which is in `environment`."""

    root: Path
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.ports['dashboard']}"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "RAY_API_SERVER_ADDRESS": self.address}

    def ask(self, path: str, method: str = "GET", **body: Any) -> Any:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        data, head = json.dumps(body).encode() if body else None, {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.address}/api/{path}", data, head, method=method)
        with opener.open(request, timeout=30) as answer:
            return json.loads(answer.read())

    def jobs(self) -> list[dict[str, Any]]:
        return [job for job in self.ask("jobs/") if job.get("submission_id")]

    def describe(self) -> str:
        with suppress(OSError):
            jobs = [f"{job['submission_id']} {job['status']} {job['message']}" for job in self.jobs()]
            return "\n".join([*jobs, f"given out: {self.usage()}"])
        return "Ray does not answer"

    # -- nodes --------------------------------------------------------------------------------------------------

    def start_node(self, name: str) -> None:
        """Start a node that is not there, and wait until it takes jobs."""
        words = ["--head", f"--port={self.ports['gcs']}", "--dashboard-host=127.0.0.1"]
        words += [f"--dashboard-port={self.ports['dashboard']}", f"--temp-dir={self.root}"]
        # By which `ray start` would take the other node for a cluster that runs already.
        (self.root / "ray_current_cluster").unlink(missing_ok=True)
        if name != "n1":
            words = [f"--address=127.0.0.1:{self.ports['gcs']}"]
        words += [
            f"--node-ip-address={'127.0.0.1' if name == 'n1' else FAR}", f"--node-name={name}",
            "--num-cpus=4", "--num-gpus=2",
            f"--memory={4 << 30}", f"--object-store-memory={80 << 20}", f'--resources={{"{name}": 4}}',
            f"--dashboard-agent-listen-port={self.ports[name]}", "--disable-usage-stats", "--include-log-monitor=false",
        ]  # fmt: skip
        for _ in range(TRIES):
            done = subprocess.run(
                [*ray_words(), "start", *words],
                env={**os.environ, **QUIET, MARK: str(self.root)},
                capture_output=True, text=True, timeout=SECONDS,
            )  # fmt: skip
            if done.returncode == 0:
                return until(lambda: name in self.nodes(), f"node {name}")
            # What it has started and given up goes on, and would be taken for the cluster next time.
            self.kill_node(name)
        raise AssertionError(f"{done.stdout[-3000:]}{done.stderr[-3000:]}")

    def nodes(self) -> set[str]:
        """Return the nodes that are alive and can be told what to do."""
        with suppress(OSError, KeyError, TypeError):
            return self.usage().keys() & {*NODES}
        return set()

    def processes(self, word: str = "") -> list[int]:
        """Return what the site has started and has a word in its command line."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                is_ours = f"{MARK}={self.root}\0".encode() in (process / "environ").read_bytes() + b"\0"
                if is_ours and word.encode() in (process / "cmdline").read_bytes():
                    found.append(int(process.name))
        return found

    def raylet(self, name: str) -> int:
        """Return the process that is a node's daemon."""
        ours = [pid for pid in self.processes(f"--node-name={name}") if is_program(pid, "raylet")]
        assert len(ours) == 1, f"raylets of {name}: {ours}"
        return ours[0]

    def below(self, pid: int) -> list[int]:
        """Return a process and all that it and those have started."""
        return [pid, *(other for child in children_of(pid) for other in self.below(child.pid))]

    def kill(self, *pids: int) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_tree(self, *tops: int) -> None:
        """Kill processes with all below them, and wait until they are gone.

        Workers and agents write their titles over what /proc tells of their environment: their parents tell of them.
        """
        left = {pid for top in tops for pid in self.below(top)}
        end = time.monotonic() + SECONDS
        while (left := {pid for pid in left if is_running(pid)}) and time.monotonic() < end:
            self.kill(*left)
            time.sleep(0.1)

    def kill_node(self, name: str) -> None:
        """End a node as a whole: its daemon and workers; of the head the cluster's state and dashboard too.

        Pilots are left alone: they see by themselves that what stands above them is gone.
        """
        far = {pid for top in self.processes("--node-name=n2") for pid in self.below(top)}
        spec = find_spec("ray")
        assert spec is not None
        ours = self.processes(str(Path(str(spec.origin)).parent))
        self.kill_tree(*(far if name == "n2" else (pid for pid in ours if pid not in far)))

    def wait_idle(self, seconds: float = SECONDS) -> None:
        """Wait until both nodes take jobs and none is left; a node that a test has ended is started again."""
        for name in NODES:
            if name not in self.nodes():
                self.start_node(name)
        until(lambda: not any(job["status"] in ("PENDING", "RUNNING") for job in self.jobs()), "idle nodes", seconds)

    def stop_all(self, begins: str = "") -> None:
        """Stop all jobs whose names begin so, as `ray job stop` does."""
        for job in self.jobs():
            if job["status"] in ("PENDING", "RUNNING") and job["submission_id"].startswith(begins):
                self.ask(f"jobs/{job['submission_id']}/stop", "POST")

    def usage(self) -> dict[str, list[float]]:
        """Return of each resource what is given out and what there is, as Ray tells it every five seconds."""
        found: dict[str, list[float]] = self.ask("cluster_status")["data"]["clusterStatus"]["loadMetricsReport"][
            "usage"
        ]
        return found

    @contextmanager
    def occupied(self, node: str) -> Iterator[None]:
        """Have no room on a node meanwhile."""
        # What a job had is given back a while after it has ended: one that asks for all of it could wait in vain.
        until(lambda: not self.usage()["CPU"][0], "idle cores", tell=self.describe)
        words = {"entrypoint": "exec sleep 1200", "entrypoint_num_cpus": 4, "entrypoint_resources": {node: 1}}
        name = f"occupy-{time.monotonic_ns()}"
        self.ask("jobs/", "POST", submission_id=name, **words)
        until(lambda: self.ask(f"jobs/{name}")["status"] == "RUNNING", "the job that fills a node", tell=self.describe)
        try:
            yield
        finally:
            self.stop_all(name)


def until(
    holds: Callable[[], object], what: str, seconds: float = SECONDS, tell: Callable[[], str] = lambda: ""
) -> None:
    """Wait until something holds; where it does not, `tell` says more of why."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"{what} never came\n{tell()}"
        time.sleep(0.1)


def is_program(pid: int, name: str) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].endswith(f"/{name}".encode())
    return False


def ray_words() -> list[str]:
    return [sys.executable, "-m", "ray.scripts.scripts"]


def missing_ray() -> str:
    """Return why there can be no site here, "" where there can."""
    if sys.platform != "linux":
        return "two nodes of Ray on one machine take 127.0.0.2, which Linux has"
    if find_spec("ray") is None or find_spec("aiohttp") is None:
        return "not installed: ray[default] (pip install -c constraints.txt -e '.[ray]')"
    return ""


@contextmanager
def running_ray(root: Path) -> Iterator[RaySite]:
    """Start a site under a folder, which must have a short path: its sockets are in it; end all of it at the end."""
    root.mkdir()
    site = RaySite(root, dict(zip(("gcs", "dashboard", "n1", "n2"), free_ports(4), strict=True)))
    try:
        for name in NODES:
            site.start_node(name)
        yield site
    finally:
        _end(site)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(server.getsockname()[1]) for server in sockets]
    for server in sockets:
        server.close()
    return ports


def _end(site: RaySite) -> None:
    # Twice: one may have started another meanwhile.
    site.kill_tree(*site.processes())
    site.kill_tree(*site.processes())
    shutil.rmtree(site.root, ignore_errors=True)


def is_running(pid: int) -> bool:
    seen = see_process(pid)
    return seen is not None and seen.is_alive
