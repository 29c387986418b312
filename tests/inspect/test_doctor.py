"""The examination names what is wrong, and only that is bad."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections import namedtuple
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from engine.collect import collect
from engine.errors import HomeError
from engine.home.paths import Home
from engine.inspect import doctor
from engine.inspect.doctor import Finding, examine
from engine.schedule.worker.lock import take_lock
from store.queue.tables import SCHEMA_VERSION
from tests.helpers.queueing import Probe, make_home, submit_probes
from tests.helpers.synthetic import Arm, SyntheticHome

Usage = namedtuple("Usage", ("total", "used", "free"))


CARD = {"name": "Tesla T4", "capability": [7, 5], "has_kernels": True, "has_bf16": True}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = make_home(tmp_path)
    submit_probes(home, "one", [Probe("train-1")])
    return home


@pytest.fixture(autouse=True)
def imports(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What importing torch would answer; nothing is imported."""
    said: dict[str, Any] = {"returncode": 0, "stderr": ""}

    def answer(line: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert line[1:] == ["-P", "-c", "import torch, torchvision, timm"]
        return subprocess.CompletedProcess(line, said["returncode"], "", said["stderr"])

    monkeypatch.setattr("engine.inspect.doctor.subprocess.run", answer)
    monkeypatch.setattr(doctor, "list_gpus", lambda: [])
    monkeypatch.setattr("engine.inspect.doctor.shutil.disk_usage", lambda _: Usage(10**12, 0, 5 * 10**9))
    monkeypatch.setattr(doctor, "room_trouble", lambda _: "")
    monkeypatch.setattr(doctor, "tell_file_system", lambda _: (True, "ext4 at /", ""))
    monkeypatch.setattr(doctor, "try_disk", lambda _: (True, "all holds", ""))
    monkeypatch.setattr(doctor, "memory_room", lambda: 3 * 10**9)
    monkeypatch.setattr(doctor, "memory_limit", lambda: 4 * 10**9)
    return said


def finding(home: Home, name: str) -> Finding:
    return next(one for one in examine(home) if one.name == name)


def test_a_sound_machine_is_well_in_everything(home: Home) -> None:
    found = examine(home)
    assert [one.name for one in found if not one.is_well] == []
    assert [one.name for one in found] == [
        "python", "torch", "torchvision", "timm", "duckdb", "sqlalchemy", "pydantic", "torch with timm", "devices",
        "torch on GPUs", "memory", "limits", "disk", "file system", "what the disk does",
        "scheduler", "slots", "queue.db", "submissions", "results.duckdb",
    ]  # fmt: skip
    assert finding(home, "duckdb").what == metadata.version("duckdb")
    assert finding(home, "disk").what == f"5.0 GB free at {home.root}"
    assert finding(home, "queue.db").what == "whole"


@pytest.mark.parametrize(("version", "is_well"), [((3, 10), False), ((3, 11), True), ((3, 12), True)])
def test_python_must_be_of_3_11_or_newer(
    home: Home, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int], is_well: bool
) -> None:
    monkeypatch.setattr("engine.inspect.doctor.sys.version_info", version)
    assert doctor._python().is_well == is_well


@pytest.mark.parametrize(("free", "is_well"), [(1_999_999_999, False), (2_000_000_001, True)])
def test_little_room_is_bad(home: Home, monkeypatch: pytest.MonkeyPatch, free: int, is_well: bool) -> None:
    monkeypatch.setattr("engine.inspect.doctor.shutil.disk_usage", lambda _: Usage(10**12, 0, free))
    assert finding(home, "disk").is_well == is_well


def test_a_home_that_cannot_be_written_is_bad(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.inspect.doctor.os.access", lambda *_: False)
    found = finding(home, "disk")
    assert not found.is_well
    assert found.what.endswith(", and it cannot be written")


def test_a_package_that_is_not_there_says_how_to_get_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("engine.inspect.doctor.metadata.version", version)
    assert str(finding(home, "timm")) == "BAD timm: not installed\n    fix: pip install timm"


def test_builds_that_do_not_fit_are_told_by_their_last_line(home: Home, imports: dict[str, Any]) -> None:
    imports |= {"returncode": 1, "stderr": "Traceback\nImportError: no operator nms\n"}
    found = finding(home, "torch with timm")
    assert (found.is_well, found.what) == (False, "ImportError: no operator nms")
    imports |= {"returncode": 0, "stderr": "a warning\n"}
    found = finding(home, "torch with timm")
    assert (found.is_well, found.what) == (True, "loads")


def test_devices_and_scheduler_are_told_as_they_are(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert finding(home, "devices").what.startswith("no GPU: jobs run on the CPU (")
    monkeypatch.setattr(doctor, "list_gpus", lambda: ["cuda:0", "cuda:1"])
    assert doctor._devices().what == "cuda:0, cuda:1"
    monkeypatch.setattr(doctor, "list_gpus", lambda: [])
    assert finding(home, "scheduler").what == "none runs (submit starts one)"
    lock = take_lock(home)
    assert lock is not None
    assert finding(home, "scheduler").what == "running"
    lock.release()


@pytest.mark.parametrize(
    ("answer", "is_well", "what"),
    [
        (CARD, True, "GPU-5a: Tesla T4 (compute capability 7.5)"),
        ({**CARD, "has_bf16": False}, True, "7.5), no bf16: its jobs need train.precision: fp16 or fp32"),
        ({**CARD, "has_kernels": False}, False, "7.5): this build of torch has no kernels for it"),
        ({"error": "The NVIDIA driver on your system is too old"}, False, "GPU-5a: The NVIDIA driver on your system"),
        (None, False, "GPU-5a: ImportError: no operator nms"),
    ],
)
def test_torch_is_asked_about_each_gpu(
    home: Home, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any] | None, is_well: bool, what: str
) -> None:
    seen: list[str] = []

    def ask(line: list[str], env: dict[str, str], **_: Any) -> subprocess.CompletedProcess[str]:
        seen.append(env["CUDA_VISIBLE_DEVICES"])
        assert line[-1] == "engine.core.card"
        said = "" if answer is None else f"a warning\n[1]\n{json.dumps(answer)}\n"
        return subprocess.CompletedProcess(line, int(answer is None), said, "Traceback\nImportError: no operator nms\n")

    monkeypatch.setattr(doctor, "list_gpus", lambda: ["GPU-5a", "GPU-5b"])
    monkeypatch.setattr("engine.inspect.doctor.subprocess.run", ask)
    found = doctor._cards()
    assert (found.is_well, seen) == (is_well, ["GPU-5a", "GPU-5b"])
    assert what in found.what.split("; ")[0]


def test_a_broken_queue_is_bad_and_can_be_made_anew(home: Home) -> None:
    home.queue_db.write_bytes(b"no database" * 1000)
    for rest in ("-wal", "-shm"):
        home.queue_db.with_name(home.queue_db.name + rest).unlink(missing_ok=True)
    found = finding(home, "queue.db")
    assert not found.is_well
    assert found.what != "whole"
    assert "xp rebuild --queue" in str(found)


@pytest.mark.parametrize("raw", [b"", b"no database" * 1000, b"cut"])
def test_results_that_cannot_be_read_are_made_anew_by_a_rebuild(home: Home, raw: bytes) -> None:
    assert finding(home, "results.duckdb").what == "none yet"
    collect(home)
    assert finding(home, "results.duckdb").what == "1 jobs; whether their files are whole tells --deep"
    whole = home.results_db.read_bytes()
    home.results_db.unlink()
    assert finding(home, "results.duckdb").what == "is gone, and results were taken in"
    home.results_db.write_bytes(raw if raw != b"cut" else whole[:10_000])
    found = finding(home, "results.duckdb")
    assert not found.is_well
    assert found.fix.startswith("xp rebuild makes it again")


def test_a_queue_that_is_gone_is_bad_where_something_was_submitted(home: Home) -> None:
    for path in home.root.glob("queue.db*"):
        path.unlink()
    assert finding(home, "queue.db").what == "is gone, and there are submissions"
    (home.experiment("one") / "1.json").unlink()
    assert finding(home, "queue.db").is_well


def test_a_queue_of_a_newer_xp_is_named(home: Home) -> None:
    with sqlite3.connect(home.queue_db) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    assert finding(home, "queue.db").what == f"it has schema 99, of a newer xp: this one knows {SCHEMA_VERSION}"


def test_submissions_are_held_against_the_queue_and_their_checksums(home: Home) -> None:
    assert finding(home, "submissions").is_well
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2")])
    (home.experiment("one") / "2.json").unlink()
    assert "the newest of one is gone" in finding(home, "submissions").what
    (home.experiment("one") / "1.json").write_bytes(b"\xff\x00")
    assert finding(home, "submissions").what == "experiments/one/1.json is no JSON object"


def test_what_the_results_leave_out_is_said(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path / "made", sealed=True)
    job = made.home.job(made.train("train-a", Arm(), 0))
    job.attempt(1).journal.unlink()
    collect(made.home)
    found = finding(made.home, "results.duckdb")
    assert found.what == "leaves out what is damaged: jobs/train-a/attempts/1/journal.jsonl is gone"
    assert not found.is_well


def test_a_check_that_fails_is_a_finding_and_the_others_are_made(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bool:
        raise RecursionError("of any kind\nwith more lines")

    monkeypatch.setattr(doctor, "scheduler_alive", fail)
    assert finding(home, "scheduler").what == "cannot be examined: RecursionError: of any kind"
    assert finding(home, "results.duckdb").is_well


def test_a_home_that_cannot_be_had_is_a_finding_with_its_fix(tmp_path: Path) -> None:
    found = examine(HomeError("this is a file", where="/there", fix="name a folder"))[-1]
    assert (found.name, found.is_well, found.what, found.fix) == (
        "home", False, "/there: this is a file", "name a folder",
    )  # fmt: skip
    absent = examine(Home(tmp_path / "absent" / "home", tmp_path / "absent" / "cache"))
    assert all(one.is_well for one in absent)
    assert "none yet" in [one.what for one in absent]
    assert f"5.0 GB free at {tmp_path}" in [one.what for one in absent]
    assert not (tmp_path / "absent").exists(), "looking makes nothing"


def test_only_what_is_bad_shows_its_fix() -> None:
    assert str(Finding("a", True, "well", "do this")) == "ok  a: well"
    assert str(Finding("a", False, "ill", "do this")) == "BAD a: ill\n    fix: do this"
    assert Finding("a", False, "ill", "do this").as_json() == {
        "name": "a", "ok": False, "what": "ill", "fix": "do this",
    }  # fmt: skip


def test_memory_is_what_processes_here_may_have(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert finding(home, "memory").what == "3.0 of 4.0 GB free for processes here"
    monkeypatch.setattr(doctor, "memory_room", lambda: 10**9)
    assert not finding(home, "memory").is_well


def test_limits_are_told_as_they_stand(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XP_LIMITS", "image_pixels=400M")
    told = finding(home, "limits")
    assert told.is_well
    assert "image_pixels 400,000,000" in told.what
    monkeypatch.setenv("XP_LIMITS", "image_pixel=1")
    told = finding(home, "limits")
    assert not told.is_well
    assert "'image_pixels'" in told.fix


def test_a_disk_without_inodes_is_not_well(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "room_trouble", lambda _: "the disk has no inodes left for new files")
    found = finding(home, "disk")
    assert not found.is_well
    assert found.what.endswith("; the disk has no inodes left for new files")
