"""A certificate says whether kills change the bits, is right when resuming is broken, and says what it covers."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.cli import app
from engine.errors import XpError
from engine.home.files import write_json
from engine.home.paths import Home, open_home
from engine.launch.process import is_alive
from engine.load import load_spec
from engine.plan import make_plan
from engine.schedule.submit import submit_plan
from engine.schedule.worker import run_worker
from engine.spec import EntropyMatch, Spec
from engine.spec.cells import expand_cells
from engine.spec.identity import counted_settings
from engine.verify.certificate import Certificate, Verified, describe, read_certificates, resume_text, training_digest
from engine.verify.resume import _scheduler, scratch_home, short_form, verify_resume
from tests.helpers.queueing import PROBE, Probe, submit_probes, told_process, until

ROOT = Path(__file__).parents[2]
TINY = Path(__file__).parents[1] / "resources" / "tiny.yaml"
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


@pytest.mark.slow
def test_a_broken_resume_is_found(tmp_path: Path) -> None:
    home, spec = open_home(tmp_path / "home", create=True), load_spec(one_arm(tmp_path), ())
    found = verify_resume(spec, home, lambda line: None, kills=1, preload="tests.helpers.forgetful_job")
    assert not found.is_identical
    assert found.jobs[0].killed != ""
    assert "OTHER BITS" in describe(found)[0]
    assert describe(found)[-1].startswith("not identical")


def taught_by_another_run(home: Home, folder: Path) -> Spec:
    """Submit an experiment of twelve epochs; return one that its network teaches."""
    submit_plan(make_plan(load_spec(one_arm(folder), ("train.epochs=12",)), home), home)
    (folder / "two.yaml").write_text(ONE_ARM.replace("name: one", "name: two\nteacher: {run: one/one}"))
    return load_spec(folder / "two.yaml", ())


def test_the_network_of_another_run_has_to_be_trained_before(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home", create=True)
    with pytest.raises(XpError, match="is not trained here yet"):
        verify_resume(taught_by_another_run(home, tmp_path), home, lambda line: None, kills=1)
    assert list(home.verify_root.iterdir()) == []


@pytest.mark.slow
def test_the_network_of_another_run_is_taken_as_it_is(tmp_path: Path) -> None:
    """Its training is longer than the short form, and is neither done again nor killed."""
    home = open_home(tmp_path / "home", create=True)
    taught = taught_by_another_run(home, tmp_path)
    assert run_worker(home, 1, until_idle=True, collect=None) == 0
    (teacher,) = [job.job for job in home.jobs() if job.job.startswith("train-")]
    found = verify_resume(taught, home, lambda line: None, kills=1)
    assert found.is_identical
    assert [job.job == teacher for job in found.jobs] == [False]
    assert [attempt.number for attempt in home.job(teacher).attempts()] == [1]
    assert home.job(teacher).result.exists()


def test_what_a_killed_verification_left_is_cleared_by_the_next_and_a_living_one_is_let_be(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home", create=True)
    code = f"import sys; from tests.verify.test_resume import scratch_and_wait; scratch_and_wait({str(home.root)!r})"
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert owner.stdout is not None
    left = Home(Path(owner.stdout.readline().strip()), home.cache)
    job, scheduler = told_process(left), json.loads(left.scheduler_file.read_text())
    with scratch_home(home) as mine:
        assert {path.name for path in home.verify_root.iterdir()} == {left.root.name, mine.root.name}
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert is_alive(*job)
    with scratch_home(home) as mine:
        assert [path.name for path in home.verify_root.iterdir()] == [mine.root.name]
        until(lambda: not is_alive(*job) and not is_alive(scheduler["pid"], scheduler["start_time"]))
    assert list(home.verify_root.iterdir()) == []


def scratch_and_wait(root: str) -> None:
    """Be a verification that works, with a scheduler and a job, until it is killed."""
    with scratch_home(open_home(root)) as scratch:
        submit_probes(scratch, "one", [Probe("train-1", does={"do": "sleep", "seconds": 600})])
        with _scheduler(scratch, PROBE) as scheduler:
            told_process(scratch)
            print(scratch.root, flush=True)
            scheduler.wait()


def test_every_training_of_a_chain_of_teachers_is_short() -> None:
    chain = (
        "teacher.assistants=[{arch: tiny_vit_5m, train: {epochs: 40}}]",
        "distill.temperature={match: entropy, reference: {arch: tiny_vit_5m, train: {epochs: 50}}}",
    )
    cells = {cell.arm: cell for cell in expand_cells(load_spec(TINY, chain))}
    short = short_form(cells["distilled_pruned"], 0, "verify-0", 0.1, 1)
    assert short.teacher is not None
    assert [helper.train.epochs for helper in short.teacher.assistants if helper.train] == [1]
    assert isinstance(short.distill.temperature, EntropyMatch)
    assert short.distill.temperature.reference.train is not None
    assert short.distill.temperature.reference.train.epochs == 1


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
    home, spec = (
        open_home(tmp_path / "home", create=True),
        load_spec(one_arm(tmp_path), ("train.lr=100", "train.weight_decay=100")),
    )
    with pytest.raises(XpError, match="the short form did not end"):
        verify_resume(spec, home, lambda line: None)
    assert list((home.root / "verify").iterdir()) == []
