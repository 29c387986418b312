"""A certificate says whether kills change the bits, is right when resuming is broken, and says what it covers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.arms import expand_cells
from engine.certificate import Certificate, Verified, describe, read_certificates, resume_text, training_digest
from engine.cli import app
from engine.errors import XpError
from engine.home import Home, open_home, write_json
from engine.identity import counted_settings
from engine.load import load_spec
from engine.verify import short_form, verify_resume

TINY = Path(__file__).parent / "resources" / "tiny.yaml"
ONE_ARM = """
name: one
data: {source: digits, image_size: 32, short_side: 32, split: 30/10/60}
student:
  {arch: tiny_vit, dims: [8, 8, 16, 16], depths: [1, 1, 1, 1], heads: [1, 1, 2, 2], windows: [4, 4, 2, 1],
   drop_path: 0.3}
train: {epochs: 20, batch_size: 32, lr: 2.0e-3, precision: fp32, threads: 1}
resources: {gpus: 0}
"""
GOOD = Certificate("one", {"one": "d"}, (Verified("train-1", 3, "a", "a"),), "here", "cpu", "a CPU", "2.15", "today")


def one_arm(folder: Path) -> Path:
    (folder / "one.yaml").write_text(ONE_ARM)
    return folder / "one.yaml"


def test_a_training_that_resumes_well_is_certified_and_nothing_else_is_left(tmp_path: Path) -> None:
    home = tmp_path / "home"
    answer = CliRunner().invoke(
        app, ["verify-resume", str(one_arm(tmp_path)), "--kills", "2", "--json", "--home", str(home)]
    )
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.stdout)
    assert told["is_identical"]
    assert told["kills"] == 2
    assert read_certificates(Home(home, home / "cache"), "one")[0].as_json() == told | {"jobs": tuple(told["jobs"])}
    assert list((home / "verify").iterdir()) == []


def test_a_broken_resume_is_found(tmp_path: Path) -> None:
    home, spec = open_home(tmp_path / "home", create=True), load_spec(one_arm(tmp_path), ())
    found = verify_resume(spec, home, lambda line: None, kills=1, preload="tests.forgetful_job")
    assert not found.is_identical
    assert found.jobs[0].killed != ""
    assert "OTHER BITS" in describe(found)[0]
    assert describe(found)[-1].startswith("not identical")


def test_what_was_never_killed_or_never_ended_is_not_identical() -> None:
    assert GOOD.is_identical
    for job in (Verified("train-1", 0, "a", "a"), Verified("train-1", 3, "a", "")):
        found = replace(GOOD, jobs=(job,))
        assert not found.is_identical
        assert describe(found)[-1].startswith("not identical")


def test_on_a_gpu_the_fix_is_determinism() -> None:
    found = replace(GOOD, device="NVIDIA H100", jobs=(Verified("train-1", 1, "a", "b"),))
    assert describe(found)[-1] == "fix: train.deterministic: true"


def test_the_short_form_is_short_everywhere_and_the_same_network() -> None:
    cells = {cell.arm: cell for cell in expand_cells(load_spec(TINY, ("train.epochs=9", "prune.recover_epochs=7")))}
    short = short_form(cells["distilled_pruned"], 0, "verify-0", 0.1, 1)
    assert short.teacher is not None
    assert short.teacher.train is not None
    assert short.prune is not None
    assert (short.train.epochs, short.teacher.train.epochs, short.prune.recover_epochs) == (1, 1, 1)
    assert {short.train.save_minutes, short.teacher.train.save_minutes} == {0.1}
    assert short.student == cells["distilled_pruned"].settings.student


def test_a_certificate_covers_other_lengths_seeds_and_splits_but_no_other_network() -> None:
    def digest(*words: str) -> str:
        return training_digest(counted_settings(next(expand_cells(load_spec(TINY, words))).settings))

    assert digest("train.epochs=7", "data.split=80/10/10") == digest()
    assert digest("student.drop_path=0.2") != digest()
    assert digest("train.precision=bf16") != digest()


def test_a_report_says_what_was_verified_where() -> None:
    assert resume_text([], {"one": "d"}) == "not verified (xp verify-resume SPEC)"
    assert resume_text([GOOD], {"one": "d"}) == "verified bit-identical on here (cpu, torch 2.15, 3 kills, today)"
    assert resume_text([GOOD], {"one": "e"}).endswith("but changed since or never tried: one")
    bad = replace(GOOD, jobs=(Verified("train-1", 3, "a", "b"),))
    assert resume_text([bad], {"one": "d"}) == "NOT bit-identical on here (cpu, torch 2.15, 3 kills, today)"


def test_a_damaged_certificate_counts_as_none(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home", create=True)
    path = home.certificate("one", "here")
    path.parent.mkdir(parents=True)
    path.write_text("{")
    write_json(home.certificate("one", "there"), GOOD.as_json())
    assert read_certificates(home, "one") == [GOOD]


@pytest.mark.slow
def test_a_short_form_that_cannot_end_says_why(tmp_path: Path) -> None:
    home, spec = open_home(tmp_path / "home", create=True), load_spec(one_arm(tmp_path), ("train.lr=1e30",))
    with pytest.raises(XpError, match="the short form did not end"):
        verify_resume(spec, home, lambda line: None)
    assert list((home.root / "verify").iterdir()) == []
