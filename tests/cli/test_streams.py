"""Where commands print: what is asked for on stdout, progress, notes and errors on stderr; pipes, files, colours."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.main import get_command

from engine.cli import app, main
from engine.inspect.doctor import Finding
from store.queue import Queue
from tests.cli.test_cli import QUICKSTART, ROOT, command_names
from tests.helpers.queueing import Probe, submit_probes
from tests.helpers.synthetic import Arm, SyntheticHome


@dataclass(frozen=True)
class Asked:
    """A command, what of its answer stands on stdout (`""`: nothing), and what beside it on stderr (None: whatever)."""

    words: str
    shown: str
    said: str | None = ""
    code: int = 0


# Each command as it answers, and as it refuses: `*` is a name that nobody has. {spec} and {home} are paths.
TABLE: dict[str, list[Asked]] = {
    "xp init": [Asked("init new", r"new/specs/quickstart\.yaml", "next: xp submit")],
    "xp explain": [Asked("explain train.lr", r"train\.lr \(field\)"), Asked("explain *", "", "fix: ", 2)],
    "xp schema": [Asked("schema", r"\A\{")],
    "xp validate": [Asked("validate {spec}", "valid, 4 arms"), Asked("validate *", "", "fix: ", 2)],
    "xp plan": [Asked("plan {spec}", "8 runs, 23 jobs", None), Asked("plan {spec} --json", r"\A\{", None),
                Asked("plan *", "", "fix: ", 2)],
    "xp describe": [Asked("describe *", "", "fix: ", 2)],
    "xp data report": [Asked("data report *", "", "fix: ", 2)],
    "xp data preview": [Asked("data preview *", "", "fix: ", 2)],
    "xp data fetch": [Asked("data fetch *", "", "fix: ", 2)],
    "xp submit": [Asked("submit {spec} --as trial --no-start", "", "trial: 23 jobs to do"),
                  Asked("submit *", "", "fix: ", 2),
                  Asked("submit {spec} --no-start --notify no-such-program", "", "fix: ", 2)],
    "xp worker": [Asked("worker --executor *", "", "fix: ", 2)],
    "xp cancel": [Asked("cancel train-1", "train-1", "cancel: 1 jobs"), Asked("cancel *", "", "fix: ", 2)],
    "xp retry": [Asked("retry train-4", "train-4", "retry: 1 jobs"), Asked("retry *", "", "fix: ", 2)],
    "xp pause": [Asked("pause train-2", "train-2", "pause: 1 jobs"), Asked("pause *", "", "fix: ", 2)],
    "xp resume": [Asked("resume train-3", "train-3", "resume: 1 jobs"), Asked("resume *", "", "fix: ", 2)],
    "xp status": [Asked("status", "queued", None),
                  Asked("status queued", "queued", None),
                  Asked("status --json", r"\A\{"), Asked("status *", "", "fix: ", 2)],
    "xp plugins": [Asked("plugins", "", "xp init --plugin"), Asked("plugins --json", r"\A\{")],
    "xp slots": [Asked("slots", "slot|no scheduler"), Asked("slots --json", r"\A[\[{]")],
    "xp costs": [Asked("costs", "experiment"), Asked("costs --json", r"\A[\[{]")],
    "xp logs": [Asked("logs train-8", "a line of the log"), Asked("logs *", "", "fix: ", 2)],
    "xp why": [Asked("why *", "", "fix: ", 2)],
    "xp diff": [Asked("diff paper/a paper/b", "data.root"), Asked("diff * paper/a", "", "fix: ", 2)],
    "xp serve": [Asked("serve --host 0.0.0.0", "", "fix: ", 2)],
    "xp ls": [Asked("ls", "paper"), Asked("ls paper", "test_top1"), Asked("ls paper --json", r"\A\["),
              Asked("ls queued --jobs", "train-9"), Asked("ls *", "", "fix: ", 2)],
    "xp sql": [Asked("sql select+1+as+one", "one"), Asked("sql select+1+as+one --format csv", r"\Aone\s+1\s*\Z"),
               Asked("sql select+*", "", "error: ", 2)],
    "xp compare": [Asked("compare paper/a paper/b", "test_top1", None), Asked("compare * paper/a", "", "fix: ", 2)],
    "xp check": [Asked("check {spec}", "undecided", None), Asked("check *", "", "fix: ", 2)],
    "xp trace": [Asked("trace paper/a test_top1", "test_top1"), Asked("trace paper/a *", "", "fix: ", 2)],
    "xp history": [Asked("history paper", "2 runs|4 runs"), Asked("history *", "", "fix: ", 2)],
    "xp report": [Asked("report --list", "html"), Asked("report paper --format md -o pages", r"\.md", None),
                  Asked("report paper --missing --json", r"\A\[", None), Asked("report *", "", "fix: ", 2)],
    "xp freeze": [Asked("freeze paper -o frozen.json", r"frozen\.json"), Asked("freeze *", "", "fix: ", 2)],
    "xp archive": [Asked("archive *", "", "fix: ", 2), Asked("archive verify *", "", "fix: ", 2)],
    "xp export-to": [Asked("export-to tensorboard paper -o written", "runs", None),
                     Asked("export-to tensorboard * -o written", "", "fix: ", 2)],
    "xp import": [Asked("import tensorboard *", "", "fix: ", 2)],
    "xp notebook": [Asked("notebook *", "", "fix: ", 2)],
    "xp export": [Asked("export *", "", "fix: ", 2)],
    "xp predict": [Asked("predict * photo.jpg", "", "fix: ", 2)],
    "xp bench": [Asked("bench *", "", "fix: ", 2)],
    "xp profile": [Asked("profile *", "", "fix: ", 2)],
    "xp du": [Asked("du", "together"), Asked("du --json", r"\A\{")],
    "xp rm": [Asked("rm paper --dry-run", "experiment paper", None), Asked("rm *", "", "fix: ", 2)],
    "xp gc": [Asked("gc --dry-run", "would go|nothing is there"), Asked("gc --older *", "", "fix: ", 2)],
    "xp undo": [Asked("undo --list", "", "the trash is empty"), Asked("undo *", "", "fix: ", 2)],
    "xp tag": [Asked("tag paper good", "good"), Asked("tag *", "", "fix: ", 2)],
    "xp note": [Asked("note paper good", "good"), Asked("note *", "", "fix: ", 2)],
    "xp doctor": [Asked("doctor", "home", code=1), Asked("doctor --json", r"\A\[", code=1)],
    "xp rebuild": [Asked("rebuild", "", "results.duckdb is new")],
    "xp verify-resume": [Asked("verify-resume *", "", "fix: ", 2)],
    "xp search stop": [Asked("search stop *", "", "fix: ", 2)],
    "xp search extend": [Asked("search extend * --trials 3", "", "fix: ", 2)],
    "xp targets verify": [Asked("targets verify *", "", "fix: ", 2)],
}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> SyntheticHome:
    made = SyntheticHome(tmp_path_factory.mktemp("streams") / "home")
    arms = {name: Arm(settings={"data": {"root": name}}) for name in "ab"}
    made.record("paper", made.experiment("paper", arms, seeds=(0, 1)), "a", ())
    submit_probes(made.home, "queued", [Probe(f"train-{number}") for number in (1, 2, 3, 4, 8, 9)])
    with Queue(made.home.queue_db) as queue:
        assert queue.lease("train-8", 1, "cpu:0", boot_id="b", expires=9e9, now=1.0)
        queue.request_pause(["train-3"])
        queue.request_cancel(["train-4"])
    log = made.home.job("train-8").attempt(1)
    log.root.mkdir(parents=True)
    log.log.write_text("a line of the log\n")
    return made


def test_every_command_is_in_the_table() -> None:
    assert sorted(TABLE) == sorted(command_names(get_command(app)))


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize("command", TABLE)
def test_what_is_asked_for_is_on_stdout_and_all_else_on_stderr(
    command: str,
    home: SyntheticHome,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XP_HOME", str(home.home.root))
    monkeypatch.setattr("gc.set_threshold", lambda *_: None)
    # It is not there, so that doctor ends with 1 on every machine.
    monkeypatch.setattr("engine.inspect.doctor._imports", lambda: Finding("torch", False, "is not here"))
    for asked in TABLE[command]:
        words = [word.replace("+", " ") for word in asked.words.replace("{spec}", str(QUICKSTART)).split()]
        monkeypatch.setattr(sys, "argv", ["xp", *("nothing-here" if word == "*" else word for word in words)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        shown, said = capsys.readouterr()
        assert code == asked.code, said
        assert re.search(asked.shown, shown) if asked.shown else shown == "", (asked.words, shown)
        if asked.said is not None:
            assert asked.said in said if asked.said else said == "", (asked.words, said)
        if asked.shown in (r"\A\{", r"\A\["):
            json.loads(shown)
        assert "\x1b" not in shown + said, "no colours where nobody looks"


def ask(words: str, home: SyntheticHome, **given: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "XP_HOME": str(home.home.root), "PYTHONPATH": str(ROOT), "PY": sys.executable, **given}
    return subprocess.run(["bash", "-c", words], capture_output=True, env=environment, check=False)


@pytest.mark.parametrize(
    "words",
    ["explain --all", "schema", "--help", "ls paper", 'sql "select range from range(100000)" --limit 100000'],
)
def test_a_reader_that_has_enough_ends_a_command_quietly(words: str, home: SyntheticHome) -> None:
    done = ask(f"set -o pipefail; $PY -m engine.cli {words} | head -c 1 > /dev/null", home)
    assert (done.returncode, done.stderr) == (0, b"")


def test_colours_are_for_terminals_that_want_them(home: SyntheticHome) -> None:
    """`script` gives a terminal; --help draws with rich, as tables do."""
    shown = ask("script -qec '$PY -m engine.cli --help' /dev/null", home, TERM="xterm-256color")
    if shown.returncode == 127:
        pytest.skip("script is not here")
    assert b"\x1b[1" in shown.stdout or b"\x1b[3" in shown.stdout
    plain = ask("script -qec '$PY -m engine.cli --help' /dev/null", home, TERM="xterm-256color", NO_COLOR="1")
    assert re.search(rb"\x1b\[3[0-7]", plain.stdout) is None
