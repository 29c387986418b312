"""Asks a case: takes a Case and an empty folder, gives what xp answered, what it took and what it left behind."""

from __future__ import annotations

import gc
import io
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from engine.cli import main
from tests.hostile import archives, folders, homes, images, specs, weights
from tests.hostile.cases import Case

SECONDS = 120
MEASURE = f"""
import os, resource, sys
resource.setrlimit(resource.RLIMIT_DATA, ({8 * 10**9},) * 2)  # bytes: who breaks its promise ends before the machine
resource.setrlimit(resource.RLIMIT_CPU, ({SECONDS},) * 2)
child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss, file=open(sys.argv[1], "w"))
"""
"""Between this process and the child: a child's peak counts from its parent's memory on."""
ENDINGS = ("Traceback (most recent call last)", "MemoryError", "RecursionError")


@dataclass(frozen=True)
class Answer:
    """`code` is None for a traceback; `peak` in bytes, of a process of its own; `strays` what lies outside the home."""

    code: int | None
    text: str
    strays: tuple[str, ...] = ()
    peak: int | None = None

    @property
    def line(self) -> str:
        """The line that tells: an error, else the last."""
        lines = [line for line in self.text.splitlines() if line.strip()] or [""]
        return next((line for line in lines if line.startswith(("error", "broken: 1", "Traceback"))), lines[-1]).strip()


def ask(case: Case, folder: Path, *, alone: bool = False) -> Answer:
    """Write the case's input into `folder`, ask and look; `alone` in a process of its own, whose memory is measured."""
    place = folder / "case"
    for name in ("case", "tmp"):
        (folder / name).mkdir()
    case.make(place)
    words = [word.replace("{folder}", str(place)) for word in case.ask]
    before = _tree(folder)
    answer = _ask_alone(words, place) if alone or case.memory else _ask_here(words, place)
    strays = tuple(sorted(_tree(folder) - before))
    return Answer(answer.code, answer.text, strays, answer.peak)


def problems(case: Case, answer: Answer) -> list[str]:
    """Return what is wrong with an answer, nothing where it is as the case says."""
    found = [f"it ends with {word}" for word in ENDINGS if word in answer.text]
    if answer.code != case.code:
        found.append(f"exit code {answer.code}, not {case.code}")
    found += [f"it does not say {word!r}" for word in case.says if word not in answer.text]
    found += [f"it says {word!r}" for word in (*case.never, "\x1b", "\x07") if word in answer.text]
    if case.code and "fix: " not in answer.text:
        found.append("it names no fix")
    found += [f"it left {name}" for name in answer.strays]
    if case.memory and answer.peak and answer.peak > case.memory:
        found.append(f"it took {answer.peak / 1e6:,.0f} MB")
    return [*found, answer.text[-2000:]] if found else []


def _tree(folder: Path) -> frozenset[str]:
    """Return what lies under a folder, the home aside."""
    names: set[str] = set()
    for root, below, files in os.walk(os.fsencode(folder)):
        # torch makes a folder of its own for temporary files when it is imported.
        below[:] = [name for name in below if name != b"home" and not name.startswith(b"torchinductor")]
        names |= {os.path.join(root, name).decode(errors="backslashreplace") for name in (*below, *files)}
    return frozenset(names)


def _environment(place: Path) -> dict[str, str]:
    # PYTHONUTF8: a person's terminal, whatever the machine of the tests has.
    return {"XP_HOME": str(place / "home"), "TMPDIR": str(place.parent / "tmp"), "PYTHONUTF8": "1"}


def _ask_here(words: list[str], place: Path) -> Answer:
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="strict", write_through=True)
    err = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace", write_through=True)
    code: int | None = 0
    with _as_command(words, place), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        except BaseException:
            code = None
            err.write(traceback.format_exc())
    return Answer(code, "".join(stream.buffer.getvalue().decode() for stream in (out, err)))


@contextmanager
def _as_command(words: list[str], place: Path) -> Iterator[None]:
    """The command line's own marks on this process are taken back: its arguments, folder, environment and collector."""
    seldom = gc.get_threshold()
    with (
        chdir(place),
        mock.patch.object(sys, "argv", ["xp", *words]),
        mock.patch.dict(os.environ, _environment(place)),
        mock.patch.object(tempfile, "tempdir", str(place.parent / "tmp")),
    ):
        try:
            yield
        finally:
            gc.set_threshold(*seldom)


def _ask_alone(words: list[str], place: Path) -> Answer:
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, **_environment(place), "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as notes:
        told = Path(notes, "peak")
        command = [sys.executable, "-I", "-c", MEASURE, str(told), sys.executable, "-m", "engine.cli", *words]
        # A session of its own, so that none is left when it is ended.
        child = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=place,
            env=environment,
            start_new_session=True,
        )
        try:
            said = child.communicate(timeout=2 * SECONDS)[0]
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            return Answer(None, f"no answer in {2 * SECONDS} seconds: {child.communicate()[0].decode()}")
        code, peak = map(int, told.read_text().split())
    return Answer(code, said.decode(errors="backslashreplace"), (), peak * 1024)


GROUPS: dict[str, list[Case]] = {
    "archives": archives.CASES,
    "images": images.CASES,
    "folders": folders.CASES,
    "weights": weights.CASES,
    "specs": specs.CASES,
    "homes": homes.CASES,
}
"""All cases; a module of others is named here."""
