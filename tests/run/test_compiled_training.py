"""A compiled training is killed and goes on to the same bits; it never goes on in steps of the other kind."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from engine.home.files import read_json
from engine.home.paths import JobFolder
from engine.launch.exits import Exit
from store.journal import read_journal
from tests.helpers.forking import ForkServer, strike
from tests.run.bench import TRAIN, Bench, digits_bench, figures

# As small as a network of timm goes: its two graphs take half a minute to compile.
SMALL = {"depth": 1, "embed_dim": 16, "num_heads": 2, "patch_size": 8, "proj_drop_rate": 0.1}
NETWORK = {"arch": "timm/test_vit", "options": SMALL}
STEP = 5
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with digits_bench(tmp_path_factory.mktemp("compiled")) as made:
        yield made


def write_training(bench: Bench, name: str, compile: str = "max") -> JobFolder:
    return bench.train(name, network=NETWORK, train={**TRAIN, "epochs": 2, "compile": compile})


def kill_in_the_midst(bench: Bench, job: JobFolder) -> None:
    pid, _attempt = bench.start_held(job, ("train",), STEP, save_minutes=1e-6)
    strike(pid, signal.SIGKILL)
    assert bench.server.wait() == -signal.SIGKILL


def compile_facts(job: JobFolder) -> list[dict[str, Any]]:
    """What each attempt says became of compiling."""
    lines = [line for attempt in job.attempts() for line in read_journal(attempt.journal)[0]]
    return [line["value"] for line in lines if line.get("name") == "compile"]


def weights(job: JobFolder) -> str:
    return str(read_json(job.result)["weights_sha256"])


@contextmanager
def without_compiler(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """The same home on a machine that has no C++ compiler, and nothing that one has made."""
    made, away = bench.home.compiled, bench.home.root / "away"
    made.mkdir(parents=True, exist_ok=True)
    made.rename(away)
    with monkeypatch.context() as patched:
        patched.setenv("CXX", "/nowhere/g++")
        with ForkServer() as server:
            yield Bench(bench.home, server)
    shutil.rmtree(made, ignore_errors=True)
    away.rename(made)


def test_killed_a_compiled_training_ends_with_the_same_bits_or_says_why_it_cannot_go_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, killed = write_training(bench, "train-whole"), write_training(bench, "train-killed")
    assert bench.run(whole) == Exit.DONE
    kill_in_the_midst(bench, killed)
    with without_compiler(bench, monkeypatch) as lacking:
        assert lacking.run(killed) == Exit.FAILED
    said = killed.attempt(2).log.read_text()
    assert "its steps so far were compiled (default), and compiling fails here" in said
    assert "fix: mend that, then xp retry" in said
    assert bench.run(killed) == Exit.DONE
    assert weights(killed) == weights(whole)
    assert [fact["mode"] for fact in compile_facts(killed)] == ["default"] * 2, "of the attempts that trained"
    assert compile_facts(killed)[-1]["made"] == 0, "from the cache"
    without = ("compile",)
    told = [[line for line in figures(job) if line.get("name") not in without] for job in (killed, whole)]
    assert told[0] == told[1]


def test_what_could_not_compile_goes_on_in_plain_steps_where_it_could(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, killed = write_training(bench, "train-plain", "off"), write_training(bench, "train-lacking")
    assert bench.run(plain) == Exit.DONE
    with without_compiler(bench, monkeypatch) as lacking:
        kill_in_the_midst(lacking, killed)
    assert bench.run(killed) == Exit.DONE
    first, second = compile_facts(killed)
    assert (first["mode"], second["mode"]) == (None, None)
    assert first["reason"].startswith("it cannot be compiled here: ")
    assert second["reason"] == "it goes on as it began: the steps of an earlier attempt were not compiled"
    assert weights(killed) == weights(plain)
