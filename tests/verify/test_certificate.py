"""What a certificate says of a machine: when it is good, which arms it covers, in which words, and how it is kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.home.paths import Home
from engine.verify.certificate import (
    Certificate,
    Verified,
    describe,
    keep_certificate,
    read_certificates,
    resume_text,
    training_digest,
)

GOOD = Verified("train-1", 3, "a", "a")
OTHER, NEVER, UNHURT = (
    Verified("train-2", 2, "a", "b"),
    Verified("train-3", 1, "a", ""),
    Verified("prune-4", 0, "a", "a"),
)


def certify(*jobs: Verified, **words: Any) -> Certificate:
    made = Certificate("one", {"arm": "d"}, jobs, "here", "cpu", "a CPU", "2.15", "today")
    return replace(made, **words)


@pytest.mark.parametrize(
    ("jobs", "identical", "kills"),
    [((GOOD,), True, 3), ((GOOD, OTHER), False, 5), ((GOOD, NEVER), False, 4), ((UNHURT,), False, 0), ((), True, 0)],
)
def test_a_certificate_is_as_good_as_its_worst_job(jobs: tuple[Verified, ...], identical: bool, kills: int) -> None:
    found = certify(*jobs)
    assert (found.is_identical, found.kills) == (identical, kills)
    assert (found.as_json()["is_identical"], found.as_json()["kills"]) == (identical, kills)


def test_each_training_has_its_own_words() -> None:
    assert describe(certify(GOOD, OTHER, NEVER, UNHURT)) == [
        "train-1: killed 3 times, the same bits",
        "train-2: killed 2 times, OTHER BITS",
        "train-3: killed 1 times, and it never ended",
        "prune-4: it ended before it could be killed (more --epochs make it longer)",
        "not identical: a training that is killed here does not end with the same bits, on here (cpu, torch 2.15)",
    ]
    assert describe(certify(GOOD, replace(GOOD, job="train-9")))[2:] == [
        "identical: 2 trainings, 6 kills, the same bits, on here (cpu, torch 2.15)"
    ]


def test_only_a_gpu_that_fails_is_told_to_be_deterministic() -> None:
    fix = "fix: train.deterministic: true"
    assert fix not in describe(certify(OTHER))
    assert fix not in describe(certify(GOOD, device="H100"))
    assert describe(certify(OTHER, device="H100"))[-1] == fix


def test_a_report_tells_each_machine_and_what_it_does_not_cover() -> None:
    there = certify(OTHER, host="there", networks={"arm": "d", "old": "e"})
    networks = {"arm": "d", "old": "f", "new": "g"}
    good = "verified bit-identical on here (cpu, torch 2.15, 3 kills, today)"
    bad = "NOT bit-identical on there (cpu, torch 2.15, 2 kills, today), but changed since or never tried: old, new"
    assert resume_text([certify(GOOD)], {"arm": "d"}) == good
    assert resume_text([certify(GOOD), there], networks) == (
        f"{good}, but changed since or never tried: old, new; {bad}"
    )
    for nothing in ([], [certify()], [certify(UNHURT)]):
        assert resume_text(nothing, networks) == "not verified (xp verify-resume SPEC)", "nothing was killed"
    part = "verified bit-identical in 1 of 2 trainings (the others ended before a kill) on here"
    assert resume_text([certify(GOOD, UNHURT)], networks).startswith(part)


def test_a_machine_keeps_its_newest_certificate(tmp_path: Path) -> None:
    home = Home(tmp_path, tmp_path / "cache")
    assert read_certificates(home, "one") == []
    keep_certificate(home, certify(OTHER))
    keep_certificate(home, certify(GOOD))
    keep_certificate(home, certify(OTHER, host="a/b"))
    assert read_certificates(home, "one") == [certify(OTHER, host="a/b"), certify(GOOD)]
    assert json.loads(home.certificate("one", "here").read_text()) == json.loads(json.dumps(certify(GOOD).as_json()))
    assert read_certificates(home, "two") == []


SETTINGS: dict[str, Any] = {
    "student": {"dims": [8, 16], "layers": [{"seed": 1, "width": 2}]},
    "teacher": {"train": {"epochs": 4, "lr": 1.0}},
    "distill": {"alpha": 0.5},
    "train": {"epochs": 9, "warmup_epochs": 1, "lr": 2.0},
    "prune": {"recover_epochs": 3, "keep": 0.5},
    "data": {"image_size": 32, "split": "30/10/60"},
    "seeds": [1],
}


def change(path: str, value: Any) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(json.dumps(SETTINGS))
    *heads, last = path.split(".")
    place: Any = tree
    for head in heads:
        place = place[int(head)] if isinstance(place, list) else place[head]
    place[last] = value
    return tree


@pytest.mark.parametrize(
    ("path", "value", "counts"),
    [
        ("student.dims", [8, 17], True),
        ("student.layers.0.width", 3, True),
        ("student.layers.0.seed", 5, False),
        ("teacher.train.lr", 3.0, True),
        ("teacher.train.epochs", 5, False),
        ("distill.alpha", 0.6, True),
        ("train.lr", 3.0, True),
        ("train.epochs", 5, False),
        ("train.warmup_epochs", 5, False),
        ("prune.keep", 0.6, True),
        ("prune.recover_epochs", 5, False),
        ("data.image_size", 64, True),
        ("data.split", "80/10/10", False),
        ("seeds", [2], False),
    ],
)
def test_what_decides_how_a_training_resumes(path: str, value: Any, counts: bool) -> None:
    assert (training_digest(change(path, value)) != training_digest(SETTINGS)) is counts


def test_settings_without_data_have_a_digest_too() -> None:
    assert len(training_digest({})) > 0
    assert training_digest({"data": None}) == training_digest({})
