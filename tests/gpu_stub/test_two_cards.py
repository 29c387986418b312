"""A whole experiment by the real scheduler on two cards: all jobs are done, on the good one where one is broken."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from engine.home.files import read_json
from engine.home.paths import Home, open_home
from engine.inspect.status import tell_shut
from engine.load import load_spec
from engine.plan import make_plan
from engine.schedule.submit import submit_plan
from store.queue import Queue
from tests.flow.commands import ROOT
from tests.gpu_stub.build import build_stub, why_not
from tests.gpu_stub.children import A100, H100, T4, Card, call_on
from tests.gpu_stub.jobs import write_teacher
from tests.helpers.answering import answer_here

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")
FIRST, SECOND = "GPU-5a", "GPU-5b"
SPEC = Path(__file__).with_name("two_cards.yaml")
KINDS = {"pack", "train", "targets", "prune", "measure", "explain"}
# Without the arms whose kinds of job the others have too
FEW = re.compile("  (plain|sparse): .*\n")


def work_through(
    root: Path, broken: str, card: Card = H100, precision: str = "bf16", *, is_whole: bool = True, gpus: int = 1
) -> Home:
    """Submit the experiment in a new home and be its scheduler until nothing is left to do."""
    home, spec = root / "home", root / "two_cards.yaml"
    call_on(H100, write_teacher, path=str(root / "head.safetensors"))
    text = SPEC.read_text().replace("head.safetensors", str(root / "head.safetensors"))
    text = text.replace("gpus: 1", f"gpus: {gpus}")
    text = text if is_whole else FEW.sub("", text).replace("baseline: plain", "baseline: taught")
    spec.write_text(text.replace("precision: bf16", f"precision: {precision}"))
    begun = open_home(home, create=True)
    with mock.patch("engine.plan.child.run_child", answer_here):  # what only torch can answer is known here
        submit_plan(make_plan(load_spec(spec), begun), begun)
    words = ["--home", str(home), "--until-idle", "--no-collect", "--preload", "tests.gpu_stub.program"]
    command = [sys.executable, "-P", "-m", "engine.schedule.worker", *words]
    environment = {**os.environ, **card.environment(build_stub()), "XP_STUB_BROKEN": broken}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return begun


@pytest.fixture
def _two_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", f"{FIRST},{SECOND}")


def read_queue(home: Home) -> tuple[dict[str, str], set[int], list[Any]]:
    """Return the state of each job, what they spent of their budgets, and all attempts."""
    with Queue(home.queue_db) as queue, queue._read() as connection:
        assert connection is not None
        states = {row.job: row.state for row in connection.exec_driver_sql("SELECT job, state FROM jobs")}
        spent = set(connection.exec_driver_sql("SELECT crashed + lost + ooms FROM jobs").scalars())
    with Queue.open_readonly(home.queue_db) as queue:
        return states, spent, queue.attempt_rows()


@pytest.mark.slow
@pytest.mark.usefixtures("_two_cards")
def test_every_kind_of_job_is_done_on_the_good_card_and_none_pays_for_the_broken_one(tmp_path: Path) -> None:
    home = work_through(tmp_path, broken=FIRST, is_whole=False)
    states, spent, attempts = read_queue(home)
    assert {job.split("-")[0] for job in states} == KINDS
    assert set(states.values()) == {"done"}, states
    assert spent == {0}
    assert {row.slot for row in attempts if row.outcome == "done"} == {SECOND, "cpu:0"}
    assert [(row.slot, row.outcome) for row in attempts if row.outcome != "done"] == [(FIRST, "crashed")]
    assert tell_shut(home).startswith(f"slot {FIRST} is shut out: uncorrectable ECC error encountered")


@pytest.mark.slow
@pytest.mark.usefixtures("_two_cards")
def test_a_training_has_both_cards_and_all_others_one(tmp_path: Path) -> None:
    home = work_through(tmp_path, broken="", is_whole=False, gpus=2)
    states, spent, attempts = read_queue(home)
    assert (set(states.values()), spent) == ({"done"}, {0})
    trained = {row.slot for row in attempts if row.job.split("-")[0] in ("train", "prune")}
    assert trained == {f"{FIRST},{SECOND}"}
    assert {row.slot for row in attempts if row.slot not in trained} <= {FIRST, SECOND, "cpu:0"}
    told = [read_json(path)["ranks"] for path in home.root.glob("jobs/train-*/attempts/1/provenance.json")]
    assert set(told) == {2}


@pytest.mark.slow
@pytest.mark.usefixtures("_two_cards")
def test_two_good_cards_share_the_jobs_and_say_which_they_are(tmp_path: Path) -> None:
    home = work_through(tmp_path, broken="")
    states, spent, attempts = read_queue(home)
    assert (set(states.values()), spent) == ({"done"}, {0})
    assert {row.outcome for row in attempts} == {"done"}
    assert {row.slot for row in attempts} == {FIRST, SECOND, "cpu:0"}
    devices = {read_json(path)["device"] for path in home.root.glob("jobs/train-*/attempts/1/provenance.json")}
    assert devices == {H100.name}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("card", "precision"), [(H100, "bf16"), (A100, "tf32"), (T4, "fp16")], ids=["H100", "A100", "T4"]
)
def test_one_card_does_a_whole_experiment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, card: Card, precision: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", FIRST)
    home = work_through(tmp_path, "", card, precision)
    states, spent, attempts = read_queue(home)
    assert {job.split("-")[0] for job in states} == KINDS
    assert (set(states.values()), spent) == ({"done"}, {0})
    assert {row.slot for row in attempts} == {FIRST, "cpu:0"}
    devices = {read_json(path)["device"] for path in home.root.glob("jobs/train-*/attempts/1/provenance.json")}
    assert devices == {card.name}
