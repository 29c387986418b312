"""Where a result comes from: each word of provenance.json, and the text of changes kept once."""

from __future__ import annotations

import hashlib
import json
import platform
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch

from engine.home.files import write_atomic
from engine.home.paths import Home
from engine.inputs.machine import cpu_model
from engine.run import provenance
from engine.run.attempt import Attempt
from engine.run.code import Code
from engine.run.provenance import describe_origin, installed_packages, write_origin
from engine.spec.job_settings import JobDetails

CODE = Code("digest", "commit", "the changes", "f00d" * 16)


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(provenance, "read_code", lambda: CODE)
    monkeypatch.setattr(provenance, "installed_packages", lambda: ["a-1", "b-2"])
    monkeypatch.setattr(provenance, "DRIVER", tmp_path / "driver")
    (tmp_path / "driver").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar 5\nGCC 12.3\n")
    (tmp_path / "spec.json").write_text('{"kind": "train"}')
    return tmp_path / "spec.json"


def test_every_word_of_an_origin_is_what_it_says(spec: Path) -> None:
    told = describe_origin(spec, device="cpu", threads=3, data_digest="data")
    assert told == {
        "git_commit": "commit",
        "git_dirty": True,
        "code_digest": "digest",
        "changes_digest": "f00d" * 16,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "timm": told["timm"],
        "host": socket.gethostname(),
        "device": "cpu",
        "driver": None,
        "cpu_model": cpu_model(),
        "threads": 3,
        "packages": ["a-1", "b-2"],
        "packages_digest": hashlib.sha256(b"a-1\nb-2").hexdigest(),
        "spec_digest": hashlib.sha256(b'{"kind": "train"}').hexdigest(),
        "data_digest": "data",
    }
    assert told["timm"].count(".") >= 2


def test_a_gpu_is_told_with_its_driver(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert describe_origin(spec, device="NVIDIA H100", threads=1, data_digest=None)["driver"] == "550.54.15"
    monkeypatch.setattr(provenance, "DRIVER", spec.parent / "absent")
    assert describe_origin(spec, device="NVIDIA H100", threads=1, data_digest=None)["driver"] is None


def test_packages_are_read_from_the_names_of_their_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one/b-2.dist-info", "one/a-1.dist-info", "two/b-2.dist-info", "two/c", "two/d.egg-info"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "two")
    monkeypatch.setattr(sys, "path", ["", str(tmp_path / "one"), str(tmp_path / "two"), str(tmp_path / "absent")])
    assert installed_packages() == ["a-1", "b-2"]


def test_a_package_that_is_absent_has_no_version() -> None:
    assert provenance._version_of("no-such-package") is None


def attempt_of(folder: Path, spec: Path, number: int) -> Attempt:
    home = Home(folder / "home", folder / "cache")
    root = home.job("train-1").attempt(number)
    root.root.mkdir(parents=True)
    details = JobDetails(root="/images", weights="/w.safetensors", workers=2)
    job = SimpleNamespace(spec=spec)
    return cast(Attempt, SimpleNamespace(rank=None, home=home, job=job, folder=root, details=details))


def test_changes_are_kept_once_for_all_who_ran_with_them(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def write(path: Path, text: str) -> None:
        written.append(path)
        write_atomic(path, text)

    monkeypatch.setattr(provenance, "write_atomic", write)
    first, second = attempt_of(tmp_path, spec, 1), attempt_of(tmp_path, spec, 2)
    write_origin(first, torch.device("cpu"), 2, "data")
    write_origin(second, torch.device("cpu"), 2, "data")
    kept = first.home.changes("f00d" * 16)
    assert written == [kept]
    assert kept.read_text() == "the changes"
    for attempt in (first, second):
        told = json.loads(attempt.folder.provenance.read_text())
        how, ranks = told.pop("details"), told.pop("ranks")
        assert ranks == 1
        assert told == describe_origin(spec, device="cpu", threads=2, data_digest="data")
        assert (how["workers"], how["memory"], how["resources"]["gpus"]) == (2, "standard", 1)
        assert not {"root", "weights", "teacher_weights"} & set(how), "where files lie is nobody's business"


@pytest.mark.parametrize("code", [Code("d"), Code("d", "c", "", None)])
def test_clean_code_keeps_no_changes(spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: Code) -> None:
    monkeypatch.setattr(provenance, "read_code", lambda: code)
    attempt = attempt_of(tmp_path, spec, 1)
    write_origin(attempt, torch.device("cpu"), 1, None)
    assert not (attempt.home.root / "code").exists()
    assert json.loads(attempt.folder.provenance.read_text())["git_dirty"] == code.is_dirty
