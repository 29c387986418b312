"""What Ray is asked, and what is made of its answers, with a server that stands in for its own."""

from __future__ import annotations

import json
import shlex
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from engine.errors import XpError
from engine.home.files import write_json
from engine.home.paths import Home
from engine.launch.pilots.fleet import PENDING
from engine.launch.pilots.folder import LineWriter, PilotFolder
from engine.launch.pilots.messages import LeaveOrder
from engine.launch.pilots.profile import RayProfile, Shape
from engine.launch.places import choose_executor, make_launcher
from engine.launch.ray import (
    NO_ROOM,
    OWN_FAULT,
    USUAL,
    RayEngine,
    RayJobsLauncher,
    RayLauncher,
    count_gpus,
    find_address,
    travelling,
)
from tests.helpers.queueing import make_home

SHAPE, GPU_SHAPE = Shape(0, 4, 3 << 30, 5400), Shape(2, 1, 1 << 30, 60)
STATUS = {"data": {"clusterStatus": {"loadMetricsReport": {"usage": {"CPU": [0.0, 8.0], "GPU": [1.0, 2.0]}}}}}


class Cluster:
    """The jobs of a made-up cluster: `asked` is what came in, `refuses` an id that it does not take."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str]] = []
        self.heads: list[dict[str, str]] = []
        self.refuses = self.token = ""
        self.version: Any = {"version": "4", "ray_version": "2.60.0"}

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        self.asked.append((method, path))
        if path == "version":
            return 200, self.version
        if path == "cluster_status":
            return 200, STATUS
        if method == "GET" and self.token and self.heads[-1].get("Authorization") != f"Bearer {self.token}":
            return 401, "Unauthorized: Missing authentication token"
        if method == "GET":
            return 200, list(self.jobs.values())
        if method == "POST" and path == "jobs/":
            return self.add(body)
        name = path.split("/")[1]
        if method == "DELETE":
            del self.jobs[name]
        else:
            self.jobs[name]["status"] = "STOPPED"
        return 200, {}

    def add(self, body: dict[str, Any]) -> tuple[int, Any]:
        if self.refuses and body["submission_id"].endswith(self.refuses):
            return 500, "Traceback (most recent call last):\n  File ...\nValueError: it is full\n"
        self.jobs[body["submission_id"]] = {**body, "status": "PENDING", "type": "SUBMISSION"}
        return 200, {"submission_id": body["submission_id"]}


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadingHTTPServer]:
    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            cluster: Cluster = self.server.cluster  # type: ignore[attr-defined]  # set below
            cluster.heads.append(dict(self.headers))
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            code, told = cluster.answer(self.command, self.path.removeprefix("/api/"), json.loads(text or "{}"))
            data = (told if isinstance(told, str) else json.dumps(told)).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = do

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def cluster(server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster()
    server.cluster = made  # type: ignore[attr-defined]  # for the handler
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", f"http://127.0.0.1:{server.server_port}")
    return made


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


def make_engine(home: Home, **words: object) -> RayEngine:
    return RayEngine(home, RayProfile.model_validate(words))


def ask(engine: RayEngine, shape: Shape, nonce: str, count: int) -> None:
    """Ask as the fleet does: the folders are there before."""
    for number in range(count):
        folder = PilotFolder(engine.home.pilots_root / f"{nonce}-{number}")
        folder.root.mkdir(parents=True)
        write_json(folder.shape, {"gpus": shape.gpus, "cpus": 4, "memory": 5, "seconds": 6})
    engine.ask(shape, nonce, count)


def fail(cluster: Cluster, name: str, kind: str, message: str = "why") -> None:
    job = next(job for key, job in cluster.jobs.items() if key.endswith(name))
    job.update(status="FAILED", error_type=kind, message=message)


# What is asked --------------------------------------------------------------------------------------------------------


def test_each_pilot_is_a_job_with_its_resources(cluster: Cluster, home: Home) -> None:
    engine = make_engine(home, resources={"big": 0.5}, grace=20)
    ask(engine, SHAPE, "abc", 2)
    assert list(cluster.jobs) == [f"{engine.tag}-abc-0", f"{engine.tag}-abc-1"]
    job = cluster.jobs[f"{engine.tag}-abc-1"]
    told = [job[f"entrypoint_{word}"] for word in ("num_cpus", "num_gpus", "memory", "resources")]
    assert told == [4, 0, 3 << 30, {"big": 0.5}]
    assert job["runtime_env"] == {"env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": "35"}}
    assert engine.request(GPU_SHAPE, "x-0")["entrypoint_num_gpus"] == 2


def test_the_shell_becomes_a_kept_pilot(cluster: Cluster, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    logged, load, run = make_engine(home, setup=["module load cuda"]).script(SHAPE, "abc-0").splitlines()
    folder = home.pilots_root / "abc-0"
    assert (logged, load) == (f"exec >> {folder}/log.txt 2>&1", "module load cuda")
    assert run.startswith("exec env -u OMP_NUM_THREADS ")
    assert run.endswith(f"--has-gpu 0 --keep {folder}")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert " OMP_NUM_THREADS=3 " in make_engine(home).script(SHAPE, "abc-0")
    assert "-u OMP" not in make_engine(home).script(SHAPE, "abc-0")


def test_a_folder_with_any_name_is_one_word(cluster: Cluster, tmp_path: Path) -> None:
    home = make_home(tmp_path / "it's $HOME; 100%")
    (home.pilots_root / "abc-0").mkdir(parents=True)
    script = make_engine(home, python="echo").script(SHAPE, "abc-0")
    subprocess.run(["/bin/sh", "-c", script], check=True)
    assert shlex.split(script.splitlines()[-1])[-1] == str(home.pilots_root / "abc-0")
    assert str(home.pilots_root / "abc-0") in (home.pilots_root / "abc-0" / "log.txt").read_text()


def test_a_python_of_the_nodes_has_its_own_xp(cluster: Cluster, home: Home) -> None:
    words = shlex.split(make_engine(home, python="/opt/bin/python").script(SHAPE, "abc-0").splitlines()[-1])
    assert "/opt/bin/python" in words
    assert not any(word.startswith("PYTHONPATH=") for word in words)
    assert any(word.startswith("PYTHONPATH=") for word in shlex.split(make_engine(home).script(SHAPE, "abc-0")))


def test_no_secret_and_no_place_of_this_machine_travels() -> None:
    ours = {
        "HF_HOME": "/w",
        "XP_CACHE": "/c",
        "HF_TOKEN": "x",
        "XP_QUEUE": "q",
        "PATH": "/bin",
        "LD_LIBRARY_PATH": "/l",
    }
    told = travelling(ours)
    assert told.pop("PYTHONPATH")
    assert told == {"HF_HOME": "/w", "XP_CACHE": "/c"}


def test_a_refusal_leaves_no_pilot_behind(cluster: Cluster, home: Home) -> None:
    cluster.refuses = "abc-2"
    engine = make_engine(home)
    with pytest.raises(OSError, match=r"^Ray at http://127.0.0.1:\d+: ValueError: it is full$"):
        ask(engine, SHAPE, "abc", 3)
    assert [job["status"] for job in cluster.jobs.values()] == ["STOPPED", "STOPPED"]


# What is answered -----------------------------------------------------------------------------------------------------


def test_only_pilots_of_this_home_that_have_not_ended_are_read(cluster: Cluster, home: Home) -> None:
    engine = make_engine(home)
    ask(engine, SHAPE, "abc", 4)
    cluster.jobs[f"{engine.tag}-abc-1"]["status"] = "RUNNING"
    cluster.jobs[f"{engine.tag}-abc-2"]["status"] = "SUCCEEDED"
    cluster.jobs[f"{engine.tag}-abc-3"]["status"] = "STOPPED"
    cluster.jobs["other"] = {"submission_id": "xp-00000000-abc-9", "status": "RUNNING"}
    cluster.jobs["driver"] = {"submission_id": None, "status": "RUNNING"}
    assert engine.list_pilots() == {"abc-0": PENDING, "abc-1": "running"}


def test_those_that_have_not_ended_are_stopped(cluster: Cluster, home: Home) -> None:
    engine = make_engine(home)
    ask(engine, SHAPE, "abc", 2)
    cluster.jobs[f"{engine.tag}-abc-1"]["status"] = "SUCCEEDED"
    engine.end(["abc-0", "abc-1", "gone-0"])
    assert [job["status"] for job in cluster.jobs.values()] == ["STOPPED", "SUCCEEDED"]
    assert sum(path.endswith("/stop") for _, path in cluster.asked) == 1


def test_one_that_found_no_room_is_asked_for_again(cluster: Cluster, home: Home) -> None:
    engine = make_engine(home)
    ask(engine, GPU_SHAPE, "abc", 1)
    fail(cluster, "abc-0", NO_ROOM)
    assert engine.list_pilots() == {"abc-0": PENDING}
    job = cluster.jobs[f"{engine.tag}-abc-0"]
    assert (job["status"], job["entrypoint_num_gpus"]) == ("PENDING", 2)


def test_one_that_a_new_head_has_forgotten_is_asked_for_again(cluster: Cluster, home: Home) -> None:
    engine = make_engine(home)
    ask(engine, SHAPE, "abc", 3)
    cluster.jobs[f"{engine.tag}-abc-1"]["status"] = "RUNNING"
    assert engine.list_pilots() == {"abc-0": PENDING, "abc-1": "running", "abc-2": PENDING}
    cluster.jobs.clear()
    LineWriter(PilotFolder(home.pilots_root / "abc-2").orders).write([LeaveOrder().model_dump()])
    assert engine.list_pilots() == {"abc-0": PENDING}, "one that ran is gone, and one is not wanted"
    assert list(cluster.jobs) == [f"{engine.tag}-abc-0"]


def test_one_that_has_begun_is_never_asked_for_again(cluster: Cluster, home: Home) -> None:
    """However it was last seen: two in one folder would take each order twice."""
    engine = make_engine(home)
    ask(engine, SHAPE, "abc", 2)
    PilotFolder(home.pilots_root / "abc-0").log.touch()
    PilotFolder(home.pilots_root / "abc-1").told.touch()
    cluster.jobs.clear()
    assert engine.list_pilots() == {}


def test_one_that_is_not_wanted_any_more_is_not_asked_for_again(cluster: Cluster, home: Home) -> None:
    engine = make_engine(home)
    ask(engine, SHAPE, "abc", 2)
    for name in ("abc-0", "abc-1"):
        fail(cluster, name, NO_ROOM)
    LineWriter(PilotFolder(home.pilots_root / "abc-0").orders).write([LeaveOrder().model_dump()])
    PilotFolder(home.pilots_root / "abc-1").shape.unlink()
    assert engine.list_pilots() == {}


def test_why_ray_could_not_start_one_is_in_its_log(cluster: Cluster, home: Home) -> None:
    engine = make_engine(home)
    ask(engine, SHAPE, "abc", 2)
    fail(cluster, "abc-0", "RUNTIME_ENV_SETUP_FAILURE", "no such image")
    fail(cluster, "abc-1", OWN_FAULT, "it ended with 2")
    assert engine.list_pilots() == {}
    assert "no such image" in PilotFolder(home.pilots_root / "abc-0").log.read_text()
    assert not PilotFolder(home.pilots_root / "abc-1").log.exists(), "a node that does not see the home leaves none"


def test_gpus_are_known_by_the_cluster_or_by_its_words(cluster: Cluster, home: Home) -> None:
    assert make_engine(home).has_gpus()
    assert not make_engine(home, gpus=False).has_gpus()
    assert count_gpus(STATUS)
    assert not count_gpus({"data": {"clusterStatus": {"loadMetricsReport": {"usage": {"CPU": [0.0, 8.0]}}}}})
    assert not count_gpus({"data": None})


# Where it is ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "jobs"), [("ray", 0), ("ray-jobs", 1)])
def test_the_words_of_the_command_are_launchers(cluster: Cluster, home: Home, name: str, jobs: int) -> None:
    made = make_launcher(home, name, "some.module", 3)
    assert isinstance(made, RayJobsLauncher if jobs else RayLauncher)
    assert isinstance(made.engine, RayEngine)
    assert (made.engine.jobs, made.engine.preload) == (jobs, "some.module")


def test_a_machine_without_ray_says_how_to_get_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:1")
    with pytest.raises(XpError, match=r"no Ray answers at http://127.0.0.1:1: .*refused") as caught:
        choose_executor(home, "ray")
    assert caught.value.exit_code == 2
    assert "pip install 'xp-engine[ray]'" in caught.value.fix
    assert "ray start --head" in caught.value.fix
    assert not home.executor_file.exists(), "the home keeps the word that worked"


@pytest.mark.parametrize("version", [{"version": "4"}, ["odd"], "<html>"])
def test_another_server_is_not_taken_for_ray(cluster: Cluster, home: Home, version: object) -> None:
    cluster.version = version
    with pytest.raises(XpError, match="is no Ray"):
        make_engine(home)


def test_the_sites_address_wins_over_rays_own_words() -> None:
    ours = {"RAY_API_SERVER_ADDRESS": "http://a:1", "RAY_ADDRESS": "http://b:1"}
    assert find_address(RayProfile(address="https://c"), ours) == "https://c"
    assert find_address(RayProfile(), ours) == "http://a:1"
    assert find_address(RayProfile(), {"RAY_ADDRESS": "http://b:1"}) == "http://b:1"
    assert find_address(RayProfile(), {"RAY_ADDRESS": "10.0.0.1:6379"}) == USUAL


def test_a_token_that_is_wanted_is_said(cluster: Cluster, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.token = "canary"
    with pytest.raises(XpError, match="Missing authentication token") as caught:
        make_engine(home)
    assert "RAY_AUTH_TOKEN" in caught.value.fix
    monkeypatch.setenv("RAY_AUTH_TOKEN", "canary")
    assert make_engine(home).list_pilots() == {}


def test_a_token_is_shown_to_ray_alone(cluster: Cluster, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "canary")
    engine = make_engine(home)
    ask(engine, SHAPE, "abc", 1)
    assert {head.get("Authorization") for head in cluster.heads} == {"Bearer canary"}
    assert "canary" not in json.dumps(list(cluster.jobs.values()))


def test_a_proxy_is_not_asked_for_this_machine(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert make_engine(home).has_gpus()
