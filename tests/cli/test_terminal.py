"""What goes to a terminal: no command lets a text of somebody else steer it."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.text import Text
from typer.main import get_command

from engine.cli import app, main
from engine.cli.progress import open_screen
from engine.cli.render import error_console
from engine.cli.terminal import CleanStream, draw_line, guard_streams, hand_out
from engine.errors import DataError, Problem, SpecError
from engine.home.files import write_json
from engine.inspect.doctor import Finding
from engine.inspect.status import ExperimentView
from store.queue import Queue
from store.queue.rows import Verdict
from tests.cli.test_cli import QUICKSTART, command_names
from tests.helpers.queueing import Probe, submit_probes
from tests.helpers.synthetic import Arm, SyntheticHome

# Writes the clipboard, asks the terminal for an answer, rings, resets, and the same with the signs of eight bits.
HOSTILE = "a\x1b]52;c;SGk=\x07b\x1b[5nc\x1bcd\x9b5ne\x9d0;f\x9cg\x90qh\u202ei"
STEERING = re.compile(rb"\x1b(?!\[[0-9;]*[mKABHJ]|\[\?25[lh])|\x07|\xc2[\x80-\x9f]|\xe2\x80\xae|\x1b\[5n")


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], bytes]]:
    """Make both streams a terminal; what is given returns what reached it."""
    master, slave = os.openpty()
    seen: list[bytes] = []

    def read() -> None:
        while True:
            try:
                seen.append(os.read(master, 1 << 16))
            except OSError:  # the other end was closed
                return

    reader = threading.Thread(target=read)
    reader.start()
    stream = os.fdopen(slave, "w", encoding="utf-8")

    def shown() -> bytes:
        if not stream.closed:
            stream.close()
        reader.join()
        return b"".join(seen)

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        patch.setattr(sys, "stderr", stream)
        try:
            yield shown
        finally:
            shown()
            os.close(master)


def ask(words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, bytes]:
    """Run a command on a terminal; return its exit code and what the terminal got."""
    monkeypatch.setattr(sys, "argv", ["xp", *words])
    code = 0
    with terminal(monkeypatch) as shown:
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        return code, shown()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> SyntheticHome:
    """A home whose every free text is hostile, as older versions and other programs may have left it."""
    made = SyntheticHome(tmp_path_factory.mktemp("terminal") / "home")
    pack = made.job(f"pack-{sha256(b'paper').hexdigest()[:12]}", "pack")
    attempt, journal = made.attempt(pack, 1)
    with journal:
        journal.fact("classes", [HOSTILE, "b", "c"])
    made.finish(pack, attempt)
    claim = {"id": "one", "text": HOSTILE, "metric": "test_top1", "arm": "b", "against": "a", "expect": "greater"}
    arms = {name: Arm(settings={"data": {"root": HOSTILE + name, "split": HOSTILE}}) for name in "ab"}
    runs = made.experiment("paper", arms, seeds=(0, 1), claims=(claim,))
    for run in runs:
        run["cell"] = HOSTILE
    failed = made.job("train-failed", "train", settings={"root": HOSTILE})
    broken, journal = made.attempt(failed, 1)
    journal.close()
    made.outcome(broken, "crashed", HOSTILE)
    runs.append({**runs[0], "run": "run-failed", "seed": 7, "jobs": {"student": failed}})
    record = made.record("paper", runs, "a", (claim,))
    write_json(record, json.loads(record.read_text()) | {"title": HOSTILE})
    submit_probes(made.home, "queued", [Probe("train-1"), Probe("train-2")])
    with Queue(made.home.queue_db) as queue:
        for job, state in (("train-1", "failed"), ("train-2", "queued")):
            assert queue.lease(job, 1, "cpu:0", boot_id="b", expires=9e9, now=1.0)
            queue.finish(job, 1, Verdict("crashed", state, HOSTILE, 1), 2.0)
    for folder in made.home.jobs():
        for one in folder.attempts():
            one.log.write_text(f"{HOSTILE}\n{HOSTILE}\n")
            known = json.loads(one.provenance.read_text())
            write_json(one.provenance, dict.fromkeys(known, HOSTILE) | {"git_dirty": None})
    for number in (1, 2):
        log = made.home.job(f"train-{number}").attempt(1)
        log.root.mkdir(parents=True)
        log.log.write_text(HOSTILE)
    return made


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images whose classes are called in a hostile way; a slash cannot be in a name."""
    from PIL import Image

    root = tmp_path_factory.mktemp("images")
    for number, name in enumerate((HOSTILE, f"{HOSTILE}\r\x9b2J", "plain")):
        (root / name).mkdir()
        Image.new("RGB", (8, 8), (40 * number, 0, 0)).save(root / name / f"x{HOSTILE}.png")
        (root / name / f"broken{HOSTILE}.png").write_bytes(b"none")
    return root


SPEC = f"""name: hostile
title: "{HOSTILE.encode("unicode_escape").decode().replace("x1b", "e")}"
data: {{source: digits}}
student: {{arch: tiny_vit_5m}}
"{HOSTILE.encode("unicode_escape").decode()}": 1
"""
# A line of words for each command; {home}, {images}, {spec} and {here} are paths, and what is hostile is so itself.
COMMANDS: dict[str, list[list[str]]] = {
    "xp export": [["export", HOSTILE], ["export", "paper/a"]],
    "xp predict": [["predict", HOSTILE, HOSTILE]],
    "xp archive": [
        ["archive", HOSTILE, "-o", "{here}/x.zip"], ["archive", "verify", HOSTILE], ["archive", "verify", "{spec}"],
        ["archive", "paper"], ["archive", "verify", "{spec}", "--weights"],
    ],
    "xp bench": [["bench", HOSTILE], ["bench", "paper/a", HOSTILE]],
    "xp profile": [["profile", HOSTILE], ["profile", "{spec}"]],
    "xp init": [["init", f"{{here}}/{HOSTILE}"], ["init", "--template", f"{{here}}/{HOSTILE}"],
                ["init", "--plugin", f"{{here}}/{HOSTILE}"]],
    "xp validate": [["validate", "{spec}"], ["validate", HOSTILE], ["validate", "{here}"]],
    "xp plan": [["plan", "{spec}"], ["plan", "{quick}", "--set", f"title={HOSTILE}"], ["plan", "{quick}"],
                ["plan", "{quick}", "--only", HOSTILE], ["plan", "{quick}", "--jobs", "--diff", "--budget", "1h"]],
    "xp plugins": [["plugins"], ["plugins", "--json"]],
    "xp schema": [["schema"]],
    "xp explain": [["explain", "train.lr"], ["explain", HOSTILE], ["explain", "cells", "--json"]],
    "xp describe": [["describe", "{spec}"], ["describe", "{quick}", "--set", f"{HOSTILE}=1"]],
    "xp submit": [["submit", "{spec}", "--no-start"], ["submit", "{spec}", "--executor", HOSTILE],
                  ["submit", "{quick}", "--as", HOSTILE]],
    "xp worker": [["worker", "--executor", HOSTILE]],
    "xp serve": [["serve", "--port", HOSTILE], ["serve", "--host", HOSTILE], ["serve", "--allow-host", HOSTILE]],
    "xp notebook": [["notebook", HOSTILE]],
    "xp status": [["status"], ["status", "queued"], ["status", "queued", "--all"], ["status", HOSTILE],
                  ["status", "queued", "--json"]],
    "xp slots": [["slots"], ["slots", "--json"]],
    "xp costs": [["costs"], ["costs", "--json"]],
    "xp logs": [["logs", "train-1"], ["logs", "queued"], ["logs", HOSTILE]],
    "xp cancel": [["cancel", HOSTILE]],
    "xp retry": [["retry", HOSTILE]],
    "xp pause": [["pause", HOSTILE]],
    "xp resume": [["resume", HOSTILE]],
    "xp why": [["why", HOSTILE], ["why", "train-1"], ["why", "queued"], ["why", "paper"], ["why", "paper/b", "--all"]],
    "xp diff": [["diff", HOSTILE, HOSTILE]],
    "xp ls": [["ls"], ["ls", "paper"], ["ls", "queued", "--jobs"], ["ls", HOSTILE], ["ls", "--tag", HOSTILE]],
    "xp history": [["history", "paper"], ["history", HOSTILE], ["history", "paper", "--metric", HOSTILE]],
    "xp tag": [["tag", "paper", HOSTILE], ["tag", "paper", "--remove", HOSTILE]],
    "xp note": [["note", "paper", HOSTILE], ["note", "paper"], ["note", HOSTILE, "x"], ["ls"]],
    "xp import": [
        ["import", HOSTILE, "{here}"], ["import", "mlflow", f"{{here}}/{HOSTILE}"], ["import", "wandb", "{here}"],
    ],
    "xp export-to": [
        ["export-to", HOSTILE, "paper", "-o", "{here}/out"], ["export-to", "mlflow", HOSTILE, "-o", "{here}/out"],
        ["export-to", "wandb", "paper", "-o", f"{{here}}/{HOSTILE}"],
    ],
    "xp du": [["du"], ["du", "--json"]],
    "xp rm": [["rm", HOSTILE], ["rm", "paper", "--dry-run"], ["rm", f"paper/{HOSTILE}", "--yes"]],
    "xp gc": [["gc", "--dry-run"], ["gc", "--older", HOSTILE]],
    "xp undo": [["undo", HOSTILE], ["undo", "--list"]],
    "xp doctor": [["doctor", "--home", "{home}"]],
    "xp data report": [["data", "report", "{images}"], ["data", "report", HOSTILE]],
    "xp data preview": [["data", "preview", "{spec}", "-o", HOSTILE]],
    "xp data fetch": [["data", "fetch", "{spec}", "--set", f"data.root=memory://{HOSTILE}"]],
    "xp search stop": [["search", "stop", HOSTILE]],
    "xp search extend": [["search", "extend", HOSTILE, "--trials", "3"]],
    "xp targets verify": [["targets", "verify", HOSTILE]],
    "xp verify-resume": [["verify-resume", "{spec}"]],
    "xp sql": [
        ["sql", "select * from experiments", "--format", style] for style in ("table", "csv", "json", "markdown")
    ] + [["sql", "select * from provenance", "--format", "latex"], ["sql", f"select '{HOSTILE}' as \"{HOSTILE}\""]],
    "xp report": [
        ["report", "paper", "--missing"], ["report", HOSTILE],
        ["report", "paper", "--format", "md", "-o", f"{{here}}/{HOSTILE}"], ["report", "paper", "--columns", HOSTILE],
        ["report", "--list"], ["report", "paper", "--template", f"{{here}}/{HOSTILE}"],
    ],
    "xp rebuild": [["rebuild"]],
    "xp check": [["check", "{spec}"]],
    "xp compare": [["compare", "paper/a", "paper/b", "--anyway"], ["compare", HOSTILE, "paper/b"]],
    "xp trace": [["trace", "paper/a", "test_top1", "--diff"], ["trace", "paper/a", HOSTILE]],
    "xp freeze": [["freeze", "paper", "-o", f"{{here}}/{HOSTILE}"], ["freeze", HOSTILE]],
}  # fmt: skip


def test_every_command_is_asked() -> None:
    assert sorted(COMMANDS) == sorted(command_names(get_command(app)))


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_lets_a_text_steer_the_terminal(
    command: str, home: SyntheticHome, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    paths = {"home": home.home.root, "images": images, "spec": spec, "here": tmp_path, "quick": QUICKSTART}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XP_HOME", str(home.home.root))
    monkeypatch.setattr("gc.set_threshold", lambda *_: None)
    monkeypatch.setattr("engine.inspect.doctor._imports", lambda: Finding("torch", False, HOSTILE, HOSTILE))
    for words in COMMANDS[command]:
        given = [re.sub(r"\{(\w+)\}", lambda found: str(paths[found[1]]), word) for word in words]
        code, shown = ask(given, monkeypatch)
        assert code in (0, 1, 2)
        assert shown.strip()
        assert b"Traceback" not in shown
        assert STEERING.search(shown) is None, words


@pytest.mark.parametrize(
    "words",
    [["sql", "select title from experiments"], ["sql", "select title from experiments", "--format", "csv"],
     ["logs", "queued"], ["data", "report", "{images}"], ["report", "paper", "--missing"], ["status"],
     ["trace", "paper/a", "test_top1"], ["compare", "paper/a", "paper/b", "--anyway"]],
)  # fmt: skip
def test_what_would_steer_is_shown(
    words: list[str], home: SyntheticHome, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above has something to find: these commands do show hostile texts."""
    monkeypatch.setenv("XP_HOME", str(home.home.root))
    monkeypatch.setattr("gc.set_threshold", lambda *_: None)
    monkeypatch.setenv("COLUMNS", "300")
    _, shown = ask([word.replace("{images}", str(images)) for word in words], monkeypatch)
    assert rb"a\x1b]52;c;SGk=" in shown
    assert rb"\x9d0;f\x9cg\x90qh\u202ei" in shown


@pytest.mark.parametrize(
    ("words", "is_exact"),
    [(["sql", "select title from experiments", "--format", "csv"], True), (["logs", "train-1"], False),
     (["sql", "select title from experiments"], False), (["report", "paper", "--missing"], False)],
)  # fmt: skip
def test_data_goes_to_another_program_as_it_is(
    words: list[str], is_exact: bool, home: SyntheticHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XP_HOME", str(home.home.root))
    monkeypatch.setattr("gc.set_threshold", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["xp", *words])
    pipe = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", pipe)
    with pytest.raises(SystemExit):
        main()
    pipe.flush()
    text = pipe.buffer.getvalue().decode()
    assert (HOSTILE in text) == is_exact
    assert (r"\x1b]52;c;" in text) != is_exact


def test_json_on_a_terminal_is_json_still(home: SyntheticHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XP_HOME", str(home.home.root))
    monkeypatch.setattr("gc.set_threshold", lambda *_: None)
    _, shown = ask(["sql", "select title from experiments where experiment = 'paper'", "--format", "json"], monkeypatch)
    assert json.loads(shown) == [{"title": HOSTILE}]


PRINTERS: dict[str, Callable[[], Any]] = {
    "print": lambda: print(HOSTILE),
    "typer": lambda: typer.echo(HOSTILE),
    "hand_out": lambda: hand_out(HOSTILE),
    "writelines": lambda: sys.stderr.writelines([HOSTILE, "\n"]),
    "warning": lambda: sys.stderr.write(warnings.formatwarning(HOSTILE, UserWarning, HOSTILE, 1, HOSTILE)),
    "traceback": lambda: sys.excepthook(ValueError, ValueError(HOSTILE), None),
    "text": lambda: error_console().print(Text(HOSTILE)),
    "markup": lambda: error_console().print(f"[link=http://x]{HOSTILE}[/link]"),
    "error": lambda: print(DataError(HOSTILE, where=HOSTILE, fix=HOSTILE)),
    "problems": lambda: print(SpecError([Problem(HOSTILE, HOSTILE, HOSTILE, HOSTILE)])),
}


@pytest.mark.parametrize("name", PRINTERS)
def test_whoever_prints_steers_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as shown:
        guard_streams()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("COLUMNS", "300")
            PRINTERS[name]()
        said = shown()
    assert rb"\x1b]52;c;SGk=" in said
    assert STEERING.search(said) is None


def test_what_we_draw_goes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as shown:
        guard_streams()
        error_console().print(Text("green", "green"))
        draw_line("7/8")
        said = shown()
    assert b"\x1b[32mgreen\x1b[0m" in said
    assert said.endswith(b"\r7/8")


def test_a_screen_that_is_redrawn_is_drawn_and_not_told_as_text(
    home: SyntheticHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `--wait` shows: while it is redrawn, the streams are cleaned as always, and the drawing is not."""
    view = ExperimentView("paper", {}, {"queued": 1}, {"queued": 1.0}, ())
    with terminal(monkeypatch) as shown:
        monkeypatch.setenv("TERM", "xterm-256color")
        guard_streams()
        with open_screen(home.home, error_console()) as screen:
            screen.show([view])
            screen.show([view])
        said = shown()
    assert b"paper" in said
    assert b"\x1b[1A" in said, "it was redrawn in its place"
    assert rb"\x1b" not in said


def test_a_pipe_is_left_as_it_is_but_that_no_character_ends_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", pipe)
    monkeypatch.setattr(sys, "stderr", None)
    guard_streams()
    assert sys.stdout is pipe
    print("é\udcff\x1b")
    pipe.flush()
    assert pipe.buffer.getvalue() == b"\xc3\xa9\\udcff\x1b\n"
    assert sys.stderr.name == os.devnull  # it was closed
    sys.stderr.close()


def test_a_clean_stream_is_the_stream_otherwise() -> None:
    inner = io.StringIO()
    stream = CleanStream(inner)
    assert stream.write("a\x07") == 2
    assert inner.getvalue() == r"a\x07"
    assert stream.writable()


def test_errors_in_a_notebook_steer_nothing() -> None:
    assert str(DataError("a\x1b[5n", where="b\x07", fix="c\x9b")) == "b\\x07: a\\x1b[5n\nfix: c\\x9b"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_leads_nowhere(tmp_path: Path, closed: str) -> None:
    """Its number belongs to no file that is opened afterwards, and nothing ends with a traceback."""
    code = (
        "import os, sys; from engine.cli.terminal import guard_streams; guard_streams(); "
        "file = open('told', 'w'); print('printed'); print('said', file=sys.stderr); read = sys.stdin.read(); "
        "file.write(f'{file.fileno() > 2} {read!r} {os.get_inheritable(1)}')"
    )
    words = f'"{sys.executable}" -c "$CODE" {closed}'
    here = Path(__file__).parents[2]
    given = {**os.environ, "CODE": code, "PYTHONPATH": str(here)}
    done = subprocess.run(["sh", "-c", words], cwd=tmp_path, env=given, stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert (tmp_path / "told").read_text() == "True '' True"
