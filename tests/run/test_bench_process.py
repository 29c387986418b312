"""A bench in a process of its own answers, passes errors on, and never outlives the job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import pytest

from engine.core.train.loop import Stopped
from engine.errors import JobError, XpError
from engine.launch.process import see_process
from engine.run.bench_process import BenchProcess
from tests.helpers.queueing import until

# From Python 3.12 on a fork beside other threads warns; these benches start none and lock nothing.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
ROOT = Path(__file__).parents[2]


class Toy:
    """Does what a bench may do, without torch."""

    def __init__(self) -> None:
        self.pid, self.calls = os.getpid(), 0

    def count(self, more: int) -> tuple[int, int]:
        self.calls += more
        return self.pid, self.calls

    def refuse(self) -> NoReturn:
        raise JobError("the weights are damaged", where="here", fix="train again")

    def crash(self) -> NoReturn:
        raise KeyError("lost")

    def fill_memory(self) -> NoReturn:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def hang(self) -> None:
        time.sleep(600)

    def be_struck(self) -> str:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            os.kill(os.getpid(), number)
        return "alive"


def look_up() -> None:
    """Nobody asks to stop."""


def test_answers_come_from_one_other_process() -> None:
    with BenchProcess(Toy, look_up) as bench:
        first, second = bench.ask("count", 2), bench.ask("count", 3)
    assert first[0] == second[0] != os.getpid()
    assert (first[1], second[1]) == (2, 5)
    assert is_gone(first[0])


def test_each_bench_has_a_process_of_its_own() -> None:
    with BenchProcess(Toy, look_up) as one, BenchProcess(Toy, look_up) as two:
        assert one.ask("count", 1)[0] != two.ask("count", 1)[0]


def test_an_error_is_raised_here_as_it_was_there(capfd: pytest.CaptureFixture[str]) -> None:
    with BenchProcess(Toy, look_up) as bench:
        with pytest.raises(JobError, match="the weights are damaged") as caught:
            bench.ask("refuse")
        assert (caught.value.where, caught.value.fix) == ("here", "train again")
        with pytest.raises(MemoryError, match="can't allocate"):
            bench.ask("fill_memory")
        assert capfd.readouterr().err == ""
        with pytest.raises(RuntimeError, match="KeyError: 'lost'"):
            bench.ask("crash")
        assert 'raise KeyError("lost")' in capfd.readouterr().err
        assert bench.ask("count", 1)[1] == 1


def test_a_bench_that_dies_is_told_with_its_exit() -> None:
    with BenchProcess(Toy, look_up) as bench, pytest.raises(XpError, match=r"without an answer \(exit -9\)"):
        bench.ask("die")


class Flag:
    """Asks to stop once it is up."""

    def __init__(self) -> None:
        self.is_up, self.looks = False, 0

    def look(self) -> None:
        self.looks += 1
        if self.is_up or self.looks > 3:
            raise Stopped


def test_a_job_that_is_asked_to_stop_leaves_a_bench_that_is_at_work() -> None:
    flag = Flag()
    with BenchProcess(Toy, flag.look) as bench:
        pid = bench.ask("count", 1)[0]
        with pytest.raises(Stopped):
            bench.ask("hang")
    assert is_gone(pid)


def test_a_job_that_is_asked_to_stop_asks_no_further_however_quick_the_answers() -> None:
    flag = Flag()
    with BenchProcess(Toy, flag.look) as bench:
        bench.ask("count", 1)
        flag.is_up = True
        with pytest.raises(Stopped):
            bench.ask("count", 1)


def test_signals_are_the_jobs_to_answer() -> None:
    with BenchProcess(Toy, look_up) as bench:
        assert bench.ask("be_struck") == "alive"


def test_a_killed_job_takes_its_bench_along(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom engine.run.bench_process import BenchProcess\n"
        "from tests.run.test_bench_process import Toy\n"
        "bench = BenchProcess(Toy, lambda: None)\n"
        "Path(sys.argv[1], 'part').write_text(str(bench.ask('count', 1)[0]))\n"
        "Path(sys.argv[1], 'part').rename(Path(sys.argv[1], 'pid'))\nbench.ask('hang')\n"
    )
    job = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT)
    until((tmp_path / "pid").exists, seconds=120.0)
    job.kill()
    job.wait()
    until(lambda: is_gone(int((tmp_path / "pid").read_text())), seconds=30.0)


def is_gone(pid: int) -> bool:
    seen = see_process(pid)
    return seen is None or not seen.is_alive
