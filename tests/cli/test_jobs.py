"""Commands about jobs: which room is asked for what, what goes to which stream, and the exit codes."""

from __future__ import annotations

import errno
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from engine.cli import app, main
from engine.errors import HomeError, XpError
from engine.home.paths import Home
from engine.inspect.doctor import Finding
from engine.schedule.slot_marks import SlotMarks
from engine.schedule.worker.lock import take_lock
from store.queue import Queue
from tests.helpers.queueing import Probe, make_home, states, submit_probes
from tests.run.bench import TRAIN_JOB, write_spec

QUICKSTART = Path(__file__).parents[2] / "specs" / "quickstart.yaml"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = make_home(tmp_path)
    submit_probes(home, "one", [Probe("train-1a"), Probe("train-2a")])
    return home


def run(home: Home, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--home", str(home.root)])


pytestmark = pytest.mark.usefixtures("started")
NAMED = "train-1a  role0 of one/arm/cell@0"
BEFORE = {"resume": "pause", "retry": "cancel"}


@pytest.mark.parametrize(
    ("verb", "after"), [("cancel", "cancelled"), ("pause", "paused"), ("resume", "queued"), ("retry", "queued")]
)
def test_each_order_is_carried_out_and_names_its_jobs(home: Home, verb: str, after: str) -> None:
    if verb in BEFORE:
        run(home, BEFORE[verb], "1a")
    answer = run(home, verb, "1a")
    assert (answer.exit_code, answer.stdout, answer.stderr) == (0, f"{NAMED}\n", f"{verb}: 1 jobs\n")
    assert states(home) == {"train-1a": after, "train-2a": "queued"}


def test_an_order_that_changes_nothing_says_why(home: Home) -> None:
    answer = run(home, "retry", "1a")
    assert (answer.exit_code, answer.stdout, answer.stderr) == (0, "", "retry: nothing to do: 1 queued\n")


def test_a_gpu_that_is_shut_out_is_told_and_tried_again_by_name(home: Home, started: list[Home]) -> None:
    SlotMarks(home).put("GPU-5a", "it broke", "train-9", 1, is_shut=True)
    lock = take_lock(home)
    assert lock is not None
    said = "slot GPU-5a is shut out: it broke (train-9, attempt 1); no job goes there until `xp retry GPU-5a`"
    assert said in run(home, "status").stderr.replace("\n", " ")
    assert json.loads(run(home, "status", "--json").stdout)["trouble"] == said
    lock.release()
    answer = run(home, "retry", "GPU-5a")
    told = "retry: jobs go to slot GPU-5a again, which was shut out: it broke\n"
    assert (answer.exit_code, answer.stdout, answer.stderr) == (0, "", told)
    assert started == [home], "there is work"
    assert SlotMarks(home).list_all() == []


def test_status_in_json_is_alone_on_stdout_and_of_the_one_named(home: Home) -> None:
    submit_probes(home, "two", [Probe("train-3a")])
    told = json.loads(run(home, "status", "--json").stdout)
    assert [view["experiment"] for view in told["experiments"]] == ["two", "one"]
    assert "no scheduler works here" in told["trouble"]
    told = json.loads(run(home, "status", "one", "--json").stdout)
    assert [view["experiment"] for view in told["experiments"]] == ["one"]


def test_status_says_trouble_or_that_nothing_is_there(home: Home, tmp_path: Path) -> None:
    answer = run(home, "status")
    assert answer.stdout.startswith("experiment")
    assert "no scheduler works here" in answer.stderr
    with Queue(home.queue_db) as queue:
        queue.request_cancel(experiment="one")
    assert "no scheduler" not in run(home, "status").stderr
    assert run(make_home(tmp_path / "empty"), "status").stderr == "nothing was submitted here yet: xp submit SPEC\n"


def test_logs_follow_only_when_asked(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.inspect.logs.read_logs", lambda _, jobs: [f"read {' '.join(jobs)}"])
    monkeypatch.setattr("engine.inspect.logs.follow_logs", lambda _, jobs: [f"followed {' '.join(jobs)}"])
    assert run(home, "logs", "one").stdout == "read train-1a train-2a\n"
    assert run(home, "logs", "one", "-f").stdout == "followed train-1a train-2a\n"


def test_logs_steer_no_terminal_behind_a_pipe(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.inspect.logs.read_logs", lambda *_: ["a\x1b]52;c;eA==\x07\tb"])
    assert run(home, "logs", "one").stdout == "a\\x1b]52;c;eA==\\x07\tb\n"


def test_why_tells_of_every_job_and_diff_of_the_first_to_the_second(home: Home) -> None:
    for job, lr in (("train-1a", 0.1), ("train-2a", 0.2)):
        write_spec(home.job(job), "train", {}, {**TRAIN_JOB, "train": {"lr": lr}})
    lines = run(home, "why", "one", "--all").stdout.splitlines()
    assert [line for line in lines if line.endswith("a train job")] == [
        "train-1a: a train job", "train-2a: a train job",
    ]  # fmt: skip
    assert run(home, "diff", "1a", "2a").stdout == "settings.train.lr: 0.1 -> 0.2\n"


@pytest.mark.parametrize(("is_well", "code"), [(True, 0), (False, 1)])
def test_doctor_ends_with_1_when_one_thing_is_wrong(
    home: Home, monkeypatch: pytest.MonkeyPatch, is_well: bool, code: int
) -> None:
    findings = [Finding("a", True, "well"), Finding("b", is_well, "so", "mend")]
    monkeypatch.setattr("engine.inspect.doctor.examine", lambda _: findings)
    plain, told = run(home, "doctor"), run(home, "doctor", "--json")
    assert (plain.exit_code, told.exit_code) == (code, code)
    assert plain.stdout.splitlines()[0] == "ok  a: well"
    assert [one["ok"] for one in json.loads(told.stdout)] == [True, is_well]


@pytest.mark.parametrize(("executor", "what"), [("ray", "no Ray answers at"), ("elsewhere", "there is no executor")])
def test_a_place_that_is_not_there_is_refused(
    home: Home, monkeypatch: pytest.MonkeyPatch, executor: str, what: str
) -> None:
    # A port that nobody may listen on.
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:1")
    for words in (("submit", str(QUICKSTART)), ("worker", "--until-idle")):
        answer = run(home, *words, "--executor", executor)
        assert isinstance(answer.exception, XpError)
        assert answer.exception.what.startswith(what)
        assert answer.exception.exit_code == 2
        assert "local" in answer.exception.fix
    assert home.records("quickstart") == []


def test_a_worker_says_what_it_does_on_stderr(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(_home: Home, **words: Any) -> int:
        logging.getLogger("xp.scheduler").info("job-1 attempt 1: started on cpu0")
        return 0

    monkeypatch.setattr("engine.schedule.worker.run_worker", work)
    answer = run(home, "worker", "--until-idle")
    assert answer.stdout == ""
    first, second, last = answer.stderr.splitlines()
    assert str(home.root) in first
    assert second.endswith("job-1 attempt 1: started on cpu0")
    assert last == "this scheduler ends: nothing is left for it to do"
    assert not logging.getLogger("xp.scheduler").handlers


def test_a_worker_does_not_say_that_nothing_is_left_while_another_works(home: Home) -> None:
    lock = take_lock(home)
    assert lock is not None
    try:
        answer = run(home, "worker", "--until-idle")
    finally:
        lock.release()
    assert answer.exit_code == 0
    assert answer.stderr.splitlines()[-1] == "this scheduler ends: another one works in this home"


def test_a_worker_ends_with_its_own_code(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def work(_home: Home, **words: Any) -> int:
        asked.append(words)
        return 3

    monkeypatch.setattr("engine.schedule.worker.run_worker", work)
    assert run(home, "worker", "--slots", "2", "--until-idle").exit_code == 3
    run(home, "worker")
    assert asked == [{"slots": 2, "until_idle": True}, {"slots": None, "until_idle": False}]


# The command line itself ----------------------------------------------------------------------------------------------


def end_of(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    def fail() -> None:
        raise error

    monkeypatch.setattr("engine.cli.app", fail)
    monkeypatch.setattr("engine.cli.gc.set_threshold", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("number", ["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "EIO"])
def test_a_disk_that_fails_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: str
) -> None:
    code = end_of(monkeypatch, OSError(getattr(errno, number), "so it is", "/there"))
    assert code == HomeError("x").exit_code
    said = capsys.readouterr().err
    assert "cannot write: so it is" in said
    assert "/there" in said


def test_what_cannot_be_read_is_not_said_to_be_full(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    secret = tmp_path / "secret.yaml"
    secret.touch()
    monkeypatch.setattr("engine.cli.os.access", lambda path, mode: path != str(secret))
    end_of(monkeypatch, PermissionError(errno.EACCES, "Permission denied", str(secret)))
    said = capsys.readouterr().err
    assert f"{secret}: cannot read: Permission denied\nfix: make it readable" in said


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_too_many_open_files_name_the_limit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    end_of(monkeypatch, OSError(number, "Too many open files", "/there"))
    said = capsys.readouterr().err
    assert "/there: cannot open a file: Too many open files\nfix: raise the limit (ulimit -n)" in said


def test_other_faults_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError):
        end_of(monkeypatch, FileNotFoundError(2, "gone"))
    with pytest.raises(ZeroDivisionError):
        end_of(monkeypatch, ZeroDivisionError())


def test_an_expected_error_ends_with_its_code_and_ctrl_c_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = XpError("it is wrong", where="here", fix="do this")
    assert end_of(monkeypatch, error) == error.exit_code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert "fix: do this" in said.err
    assert end_of(monkeypatch, KeyboardInterrupt()) == 130


def test_a_gpu_that_is_asked_for_and_not_here_is_said_at_once_and_cpu_does_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    home, asking = make_home(tmp_path), (str(QUICKSTART), "--set", "resources.gpus=1")
    said = "warning: resources.gpus: its jobs wait for a GPU: none is found here\n"
    assert said in run(home, "submit", *asking, "--no-start").stderr
    assert said in run(home, "plan", *asking).stderr
    answer = run(home, "submit", *asking, "--no-start", "--cpu")
    assert (answer.exit_code, "GPU" in answer.stderr) == (0, False)
    record = json.loads(home.records("quickstart")[-1].read_text())
    assert {job["details"]["device"] for job in record["jobs"]} == {"cpu"}
    assert record["spec"]["resources"]["gpus"] == 1, "what was asked stands as it was written"


def test_whose_a_job_is_that_goes_on_is_said_with_the_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait for its end is over, and the scheduler may not end it."""

    def give_up(*_: object) -> list[str]:
        raise XpError("still running after 20 s: train-1")

    home = make_home(tmp_path)
    submit_probes(home, "one", [Probe("train-1")])
    monkeypatch.setattr("engine.schedule.orders.give_order", give_up)
    monkeypatch.setattr("engine.inspect.foreign.tell_foreign", lambda _: ["its process is alice's"])
    answer = CliRunner().invoke(app, ["cancel", "one", "--home", str(home.root)])
    assert isinstance(answer.exception, XpError)
    assert "its process is alice's" in answer.output


def test_a_misspelt_variable_is_told_before_the_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XP_HOEM", "/elsewhere")
    monkeypatch.setattr("engine.cli.app", lambda: None)
    main()
    said = capsys.readouterr().err
    assert said == "warning: nothing reads the variable XP_HOEM\nfix: did you mean XP_HOME?\n"
