"""Jobs on the nodes of a Ray cluster: takes what waits, asks for pilots as jobs of Ray's, gives their states.

By Ray's own REST interface of jobs (docs.ray.io, Ray Jobs REST API), which `ray start --head`, KubeRay and clouds have
alike: the scheduler needs no Ray, and none of the cluster's version. A pilot is one such job, in a worker process of
its own, with the cores, memory, GPUs and named resources that it asks for. Ray starts nothing a second time by itself:
only the scheduler makes attempts. What finds a pilot is its name, `xp-<home>-<nonce>-<number>`.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import shlex
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from engine.errors import XpError
from engine.home.paths import Home
from engine.launch.environment import job_environment
from engine.launch.fork_link import server_env
from engine.launch.pilots.fleet import PENDING, Fleet
from engine.launch.pilots.folder import LineReader, PilotFolder, home_tag
from engine.launch.pilots.messages import LeaveOrder, read_order_line
from engine.launch.pilots.profile import RayProfile, Shape, read_profile, read_shape

log = logging.getLogger("xp.scheduler")
CALL_SECONDS = 30.0
USUAL = "http://127.0.0.1:8265"  # where `ray start --head` has its dashboard
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
SAVE_MARGIN = 15  # seconds past the grace: to write what was told and to end
MOST_SAID = 300  # characters of what Ray says of an error
# Ray gives a job up that found no room for 15 minutes (RAY_JOB_START_TIMEOUT_SECONDS, on its head).
NO_ROOM = "JOB_SUPERVISOR_ACTOR_START_TIMEOUT"
NO_ROOM_YET, FORGOTTEN = "had no room for it yet", "has forgotten it"
OWN_FAULT = "JOB_ENTRYPOINT_COMMAND_ERROR"  # what ended with a status that is not 0; its own log says why
# Of our variables those that say how jobs compute and where weights are; what names places of this machine stays here.
TRAVELS = ("XP_", "OMP_", "MKL_", "HF_", "TORCH", "TRITON_", "TIMM_", "NCCL_", "GLOO_", "CUBLAS_")
TOKEN = "RAY_AUTH_TOKEN"


class RayLink:
    """The REST interface of a cluster. Raises OSError with Ray's own words where it refuses or does not answer."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        is_here = urlsplit(self.address).hostname in LOOPBACK
        # A proxy is for other machines.
        self.opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if is_here else []))

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return what is answered, as read from JSON."""
        head = {"Content-Type": "application/json", "User-Agent": "xp"}
        if token := os.environ.get(TOKEN):
            head["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/api/{path}", data, head, method=method)
        try:
            with self.opener.open(request, timeout=CALL_SECONDS) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise OSError(f"Ray at {self.address}: {read_refusal(error)}") from error
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "reason", error)
            raise OSError(f"no Ray answers at {self.address}: {why}") from error
        except ValueError as error:
            raise OSError(f"what answers at {self.address} is no Ray: it sends no JSON") from error


def read_refusal(error: urllib.error.HTTPError) -> str:
    """Return why Ray refused: the last line of what it sends, which is a traceback."""
    lines = [line.strip() for line in error.read().decode(errors="replace").splitlines() if line.strip()]
    return (lines[-1] if lines else f"{error.code} {error.reason}")[:MOST_SAID]


class RayEngine:
    """Brings pilots as jobs of Ray's. Raises XpError at once where no Ray answers."""

    def __init__(self, home: Home, profile: RayProfile, preload: str = "engine.run", jobs: int = 0) -> None:
        self.home, self.profile, self.preload, self.jobs = home, profile, preload, jobs
        self.tag = home_tag(home)
        self.link = RayLink(find_address(profile))
        self.pending = set[str]()  # pilots that had not begun when we last looked
        check_ray(self.link)

    def ask(self, shape: Shape, nonce: str, count: int) -> None:
        """Ask for pilots, `<nonce>-0` and on. Raises OSError with Ray's words where it refuses; then there are none."""
        names = [f"{nonce}-{number}" for number in range(count)]
        try:
            for name in names:
                self.link.call("POST", "jobs/", self.request(shape, name))
                self.pending.add(name)
        except OSError:
            with suppress(OSError):
                self.end(names)
            raise

    def list_pilots(self) -> Mapping[str, str]:
        """Return Ray's state of each pilot that has not ended. Raises OSError when Ray does not answer."""
        found: dict[str, str] = {}
        jobs = {str(job["submission_id"]).removeprefix(f"{self.tag}-"): job for job in self._list_jobs()}
        for name, job in jobs.items():
            state, kind = str(job.get("status")), job.get("error_type")
            if state in ("PENDING", "RUNNING"):
                found[name] = PENDING if state == "PENDING" else "running"
            elif kind == NO_ROOM and self._ask_again(name, NO_ROOM_YET):
                found[name] = PENDING
            elif state == "FAILED" and kind != OWN_FAULT:
                self._write_why(name, str(job.get("message")))
        # A head that was started anew has forgotten all.
        found |= {name: PENDING for name in self.pending - jobs.keys() if self._ask_again(name, FORGOTTEN)}
        self.pending = {name for name, state in found.items() if state == PENDING}
        return found

    def end(self, names: Sequence[str]) -> None:
        """Take back pilots; one that Ray does not know is left alone."""
        known = {job["submission_id"] for job in self._list_jobs() if job.get("status") in ("PENDING", "RUNNING")}
        for name in names:
            if f"{self.tag}-{name}" in known:
                self.link.call("POST", f"jobs/{self.tag}-{name}/stop")

    def has_gpus(self) -> bool:
        """Return whether the cluster has GPUs to ask for."""
        return count_gpus(self.link.call("GET", "cluster_status")) if self.profile.gpus is None else self.profile.gpus

    def request(self, shape: Shape, name: str) -> dict[str, Any]:
        """Return what Ray is asked for a pilot."""
        return {
            "submission_id": f"{self.tag}-{name}",
            "entrypoint": self.script(shape, name),
            "entrypoint_num_cpus": shape.cpus,
            "entrypoint_num_gpus": shape.gpus,
            "entrypoint_memory": shape.memory,
            "entrypoint_resources": self.profile.resources,
            # How long Ray waits between asking a job to end and killing it.
            "runtime_env": {"env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(round(self.profile.grace) + SAVE_MARGIN)}},
            "metadata": {"xp_home": str(self.home.root)},
        }

    def script(self, shape: Shape, name: str) -> str:
        """Return what a shell on the node does: the site's lines, then a pilot in its place: signals reach that."""
        site, folder = self.profile, PilotFolder(self.home.pilots_root / name)
        words = [*site.pilot_words(shape, self.preload, self.jobs), "--keep", str(folder.root)]
        told = travelling()
        if site.python:
            # A Python of the nodes has its own xp.
            words[0] = site.python
            told.pop("PYTHONPATH")
        # Ray sets it to the cores of a worker: jobs are to have the threads that they have elsewhere.
        plain = [] if "OMP_NUM_THREADS" in told else ["-u", "OMP_NUM_THREADS"]
        run = shlex.join(["env", *plain, *(f"{name}={value}" for name, value in told.items()), *words])
        return "\n".join([f"exec >> {shlex.quote(str(folder.log))} 2>&1", *site.setup, f"exec {run}"])

    def _list_jobs(self) -> list[dict[str, Any]]:
        jobs = self.link.call("GET", "jobs/")
        ours = [job for job in jobs if isinstance(job, dict)] if isinstance(jobs, list) else []
        return [job for job in ours if str(job.get("submission_id")).startswith(f"{self.tag}-")]

    def _ask_again(self, name: str, why: str) -> bool:
        """Ask once more for a pilot that has not begun; False when it has, or is not wanted any more."""
        folder = PilotFolder(self.home.pilots_root / name)
        shape = read_shape(folder.shape)
        # It may live on though Ray does not know it: a second one would take its orders once more.
        has_begun = folder.log.exists() or folder.told.exists()
        orders = map(read_order_line, LineReader(folder.orders).read())
        if shape is None or has_begun or any(isinstance(order, LeaveOrder) for order in orders):
            return False
        log.warning("asked again for a pilot: Ray %s (%s)", why, shape)
        if why == NO_ROOM_YET:
            self.link.call("DELETE", f"jobs/{self.tag}-{name}")
        self.link.call("POST", "jobs/", self.request(shape, name))
        return True

    def _write_why(self, name: str, why: str) -> None:
        """Write what Ray says of a pilot that it could not start into its log, where there is none."""
        path = PilotFolder(self.home.pilots_root / name).log
        if path.parent.is_dir() and not path.exists():
            log.warning("Ray says of pilot %s: %s", name, " ".join(why.split())[:MOST_SAID])
            path.write_text(f"Ray says: {why}\n")


def travelling(ours: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return those of our variables that a pilot has on its node, and no secret."""
    kept = {name: value for name, value in job_environment(ours).items() if name.startswith(TRAVELS)}
    return {**kept, "PYTHONPATH": server_env()["PYTHONPATH"]}


def find_address(profile: RayProfile, ours: Mapping[str, str] = os.environ) -> str:
    """Return where the cluster is asked: as the site says, else as Ray's own commands find it."""
    named = (profile.address, ours.get("RAY_API_SERVER_ADDRESS", ""), ours.get("RAY_ADDRESS", ""))
    return next((address for address in named if address.startswith(("http://", "https://"))), USUAL)


def check_ray(link: RayLink) -> None:
    """Raise XpError where no Ray answers, or it does not let us see its jobs, with what to do."""
    try:
        if "ray_version" in link.call("GET", "version"):
            link.call("GET", "jobs/")
            return
        what = f"what answers at {link.address} is no Ray"
    except (OSError, TypeError) as error:
        what = str(error)
    fix = (
        "start one here (pip install 'xp-engine[ray]', then ray start --head), name the address of a cluster's"
        ' dashboard in xp.toml ([ray], address = "http://HOST:8265"; a token that it wants in RAY_AUTH_TOKEN), or use'
        " --executor local"
    )
    raise XpError(what, where="--executor ray", fix=fix)


def count_gpus(told: Any) -> bool:
    """Return whether the state of a cluster that Ray tells has GPUs in it, free or taken."""
    with suppress(KeyError, TypeError, IndexError):
        return float(told["data"]["clusterStatus"]["loadMetricsReport"]["usage"]["GPU"][1]) > 0
    return False


class RayLauncher(Fleet):
    """Pilots on a Ray cluster, each for as many attempts as come."""

    jobs = 0

    @classmethod
    def make(cls, home: Home, preload: str, slots: int) -> RayLauncher:
        profile = read_profile(home, "ray", RayProfile)
        return cls(home, RayEngine(home, profile, preload, cls.jobs), profile)


class RayJobsLauncher(RayLauncher):
    """The same with a job of Ray's own for each attempt."""

    jobs = 1
