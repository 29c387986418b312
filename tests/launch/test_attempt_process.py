"""The one door into an attempt: what folder and environment say, what a person may not name, what a process leaves."""

from __future__ import annotations

import errno
import faulthandler
import io
import json
import os
import sys
from pathlib import Path

import pytest

from engine.errors import HomeError
from engine.home.files import write_json
from engine.home.paths import Home
from engine.launch import Order
from engine.launch.attempt_process import Tee, log_too, order_by_hand, read_order, run_attempt
from engine.launch.exits import Exit
from engine.launch.memory import count_kills, oom_counter
from engine.launch.process import boot_id, host_name, see_process


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path, tmp_path / "cache")
    made.job("train-1").root.mkdir(parents=True)
    write_json(made.job("train-1").spec, {})
    return made


@pytest.fixture(autouse=True)
def _no_stacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faulthandler, "register", lambda number, **_: None)
    monkeypatch.setattr(faulthandler, "enable", lambda descriptor, **_: None)


def end_attempts(home: Home, *outcomes: str) -> None:
    for number, outcome in enumerate(outcomes, 1):
        home.job("train-1").attempt(number).root.mkdir(parents=True)
        write_json(home.job("train-1").attempt(number).outcome, {"outcome": outcome})


# What an order is read from -------------------------------------------------------------------------------------------


def test_an_order_survives_its_way(home: Home) -> None:
    order = Order(Home(home.root, Path("/shared")), "train-1", 3, "GPU-5a", 2)
    assert read_order(order.folder.root, order.environment) == order


def test_a_folder_alone_is_an_order(home: Home) -> None:
    assert read_order(home.job("train-1").attempt(3).root, {}) == Order(home, "train-1", 3, "cpu:0", 0)


def test_a_relative_folder_is_found_from_here(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home.job("train-1").root)
    assert read_order(Path("attempts/3"), {}) == Order(home, "train-1", 3)


@pytest.mark.parametrize(
    ("environment", "slot"),
    [
        ({"XP_SLOT": "GPU-1", "CUDA_VISIBLE_DEVICES": "GPU-2"}, "GPU-1"),
        ({"CUDA_VISIBLE_DEVICES": "GPU-2,GPU-3"}, "GPU-2"),
        ({"CUDA_VISIBLE_DEVICES": ""}, "cpu:0"),
        ({"XP_SLOT": "", "CUDA_VISIBLE_DEVICES": "-1"}, "cpu:0"),
    ],
)
def test_the_slot_is_what_the_environment_allows(home: Home, environment: dict[str, str], slot: str) -> None:
    assert read_order(home.job("train-1").attempt(1).root, environment).slot == slot


def test_earlier_wants_of_memory_are_counted(home: Home) -> None:
    """Those before this attempt, and not its own; who starts it may know better: a retry forgives."""
    end_attempts(home, "oom", "crashed", "oom", "oom")
    folder = home.job("train-1").attempt(4).root
    assert read_order(folder, {}).ooms == 2
    assert read_order(folder, {"XP_OOMS": "0"}).ooms == 0


# What a person names --------------------------------------------------------------------------------------------------


def test_a_job_stands_for_its_next_attempt(home: Home) -> None:
    assert order_by_hand(home.job("train-1").root, {}) == Order(home, "train-1", 1)
    end_attempts(home, "crashed", "oom")
    assert order_by_hand(home.job("train-1").root, {}) == Order(home, "train-1", 3, ooms=1)


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("jobs/train-9/attempts/1", "there is no such job here"),
        ("jobs/train-9", "there is no such job here"),
        ("jobs/train-1/attempts/x", "this is not the folder of an attempt"),
        ("jobs/train-1/attempts", "this is not the folder of an attempt"),
        ("work/train-1/attempts/1", "this is not the folder of an attempt"),
        ("jobs", "this is not the folder of an attempt"),
    ],
)
def test_a_folder_that_is_none_is_refused(home: Home, folder: str, words: str) -> None:
    with pytest.raises(HomeError, match=words) as caught:
        order_by_hand(home.root / folder, {})
    assert caught.value.fix


def test_a_short_path_is_no_attempt_either() -> None:
    with pytest.raises(HomeError, match="not the folder of an attempt"):
        order_by_hand(Path("/1"), {})


def test_an_attempt_that_was_begun_is_refused(home: Home) -> None:
    end_attempts(home, "crashed", "crashed")
    with pytest.raises(HomeError, match="begun already") as caught:
        order_by_hand(home.job("train-1").attempt(1).root, {})
    assert str(home.job("train-1").attempt(3).root) in caught.value.fix


def test_a_job_that_is_done_is_refused(home: Home) -> None:
    home.job("train-1").result.write_text("{}")
    with pytest.raises(HomeError, match="done already"):
        order_by_hand(home.job("train-1").root, {})


# Being the attempt ----------------------------------------------------------------------------------------------------


def test_a_handle_tells_who_runs_and_how_it_ended(home: Home) -> None:
    order, logs, during = Order(home, "train-1", 2, "GPU-5a"), list[Path](), list[bool]()

    def program(given: Order) -> int:
        during.append("exit" in json.loads(order.folder.handle.read_text()))
        return 85

    assert run_attempt(order, program, logs.append) == 85
    words, me = json.loads(order.folder.handle.read_text()), see_process(os.getpid())
    assert me is not None
    assert words.pop("ended_at") >= words.pop("started_at") > 0
    assert words.pop("oom_counter") == str(oom_counter())
    assert words.pop("oom_kills") == count_kills(oom_counter())
    who = {"pid": os.getpid(), "start_time": me.start, "host": host_name(), "boot_id": boot_id()}
    assert words == {**who, "job": "train-1", "attempt": 2, "slot": "GPU-5a", "exit": 85}
    assert (logs, during) == ([order.folder.log], [False])


def test_only_one_of_two_is_the_attempt(home: Home) -> None:
    order = Order(home, "train-1", 1)
    assert run_attempt(order, lambda given: 0, lambda log: None) == 0
    before = order.folder.handle.read_text()
    assert run_attempt(order, lambda given: pytest.fail("it ran twice"), lambda log: None) == 75
    assert order.folder.handle.read_text() == before


def test_a_bug_of_the_program_is_status_one(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    def program(order: Order) -> int:
        raise ValueError("a bug")

    assert run_attempt(Order(home, "train-1", 1), program, lambda log: None) == 1
    assert json.loads(home.job("train-1").attempt(1).handle.read_text())["exit"] == 1
    assert "ValueError: a bug" in capsys.readouterr().err


# Streams --------------------------------------------------------------------------------------------------------------


def test_a_full_disk_is_no_crash_although_its_log_cannot_tell(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    order = Order(home, "train-1", 1)

    def program(_: Order) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sys, "stderr", Full())
    assert run_attempt(order, program, lambda _: None) == Exit.LACKING
    assert json.loads(order.folder.handle.read_text())["exit"] == Exit.LACKING


def test_a_person_sees_what_the_log_gets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, getattr(sys, name))  # put back afterwards
    log_too(tmp_path / "log.txt")
    print("a line")
    print("a fault", file=sys.stderr)
    sys.stdout.flush()
    assert isinstance(sys.stdout, Tee)
    sys.stdout.second.close()
    assert (tmp_path / "log.txt").read_text() == "a line\na fault\n"
    assert capsys.readouterr() == ("a line\n", "a fault\n")


def test_a_tee_is_otherwise_its_first_stream() -> None:
    first, second = io.StringIO(), io.StringIO()
    assert Tee(first, second).write("four") == 4
    assert Tee(first, second).isatty() == first.isatty()
    assert Tee(first, second).getvalue() == second.getvalue() == "four"
