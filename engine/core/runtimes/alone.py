"""A process that does nothing but run a file: takes a runtime and a file, gives seconds to open it and peak memory.

`python -P -m engine.core.runtimes.alone RUNTIME FILE BATCH SIZE THREADS` prints it as JSON. Memory is the largest
resident set of the process (VmHWM) less what it was before the runtime came in, so it holds the runtime's library,
the weights and what a call needs. Seconds are of opening the file, with the library there already.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from engine.errors import XpError

CALLS = 5
LOOK_SECONDS = 0.1
STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Alone:
    """What a process found that only ran a file.

    `seconds` to open it; `peak` bytes, None where the system does not tell, or the runtime cannot do without torch;
    `operators`: how often each ran in a call, by who ran it.
    """

    seconds: float
    peak: int | None
    operators: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """A file, the runtime that runs it, and on what."""

    word: str
    path: Path
    batch_size: int
    image_size: int
    threads: int

    def words(self) -> list[str]:
        return [self.word, str(self.path), *map(str, (self.batch_size, self.image_size, self.threads))]


def run_alone(task: Task, look_up: Callable[[], None] = lambda: None, *, operators: bool = False) -> Alone:
    """Run a file in a process of its own; `look_up` is called meanwhile, and what it raises ends the process.

    Raises XpError where the process fails, with the last that it said.
    """
    line = [sys.executable, "-P", "-m", "engine.core.runtimes.alone", *task.words(), *["operators"][: int(operators)]]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            while True:
                try:
                    told, said = process.communicate(timeout=LOOK_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    look_up()
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        last = (said.strip().splitlines() or [f"exit {process.returncode}"])[-1]
        raise XpError(f"a process that runs a file with {task.word} failed: {last}", where=str(task.path))
    return Alone(**json.loads(told.strip().splitlines()[-1]))


def peak_rss() -> int | None:
    """Return the largest resident set of this process so far in bytes, None where the system does not tell."""
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        return None
    found = (int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    return next(found, None)


def _look(task: Task, empty: int | None, *, operators: bool) -> Alone:
    import numpy as np

    from engine.core.runtimes.registry import RUNTIMES, open_file

    images = np.random.default_rng(0).standard_normal((task.batch_size, 3, task.image_size, task.image_size))
    batch = images.astype(np.float32)
    tell = RUNTIMES[task.word].operators
    if operators:
        return Alone(0.0, None, {} if tell is None else {who: dict(ran) for who, ran in tell(task.path, batch).items()})
    __import__(RUNTIMES[task.word].library)
    start = time.perf_counter()
    network = open_file(task.word, task.path, task.threads)
    seconds = time.perf_counter() - start
    for _ in range(CALLS):
        network(batch)
    peak = peak_rss()
    told = peak is not None and empty is not None and "torch" not in sys.modules
    return Alone(seconds, peak - empty if told else None)  # type: ignore[operator]  # both are there where told


def main(words: list[str]) -> int:
    """Print what was found, or in a line what kept it from being found; return the exit status."""
    empty = peak_rss()
    word, path, batch_size, image_size, threads, *rest = words
    task = Task(word, Path(path), int(batch_size), int(image_size), int(threads))
    try:
        print(json.dumps(asdict(_look(task, empty, operators=rest == ["operators"]))))
    except XpError as error:
        print(error.what, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
