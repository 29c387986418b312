"""Judges mutants: takes copies of the tree, mutants and their tests, gives which test kills each, or that none does.

First every test file runs without a mutant: it must pass, and how long it takes says how long a mutant may.
"""

from __future__ import annotations

import json
import queue
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from tests.mutants.copies import Copy, make_copy
from tests.mutants.texts import Mutant

LEAST_SECONDS = 30.0
FIRST_LIMIT = 1800.0
ALREADY = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"  # loaded ahead on purpose
PLAIN = ["-x", "-q", "--tb=short", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist", "-W", ALREADY]
T = TypeVar("T")
R = TypeVar("R")
NO_TESTS = 5  # pytest's exit status where all that it found is deselected


class NotGreen(Exception):
    """The tests fail without any mutant."""


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: killed, timeout (also a kill), or survived; by which test, in how many seconds."""

    mutant: Mutant
    outcome: str
    killer: str
    seconds: float

    @property
    def is_killed(self) -> bool:
        return self.outcome != "survived"


@dataclass(frozen=True)
class Judge:
    """A copy with the process that forks its tests."""

    copy: Copy
    process: subprocess.Popen[str]

    def run(self, tests: list[str], limit: float) -> dict[str, Any]:
        """Run test files until the first failure."""
        folder = self.copy.folder
        order = {
            "words": [*tests, *PLAIN, f"--basetemp={folder / 'b'}", f"--rootdir={self.copy.root}"],
            "limit": limit,
            "log": str(folder / "log"),
            "verdict": str(folder / "verdict"),
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the process that forks the tests has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer


class Bench:
    """Some judges that work side by side."""

    def __init__(self, judges: list[Judge]) -> None:
        self._count = len(judges)
        self._free: queue.SimpleQueue[Judge] = queue.SimpleQueue()
        for judge in judges:
            self._free.put(judge)

    def each(self, work: Callable[[Judge, T], R], items: list[T]) -> Iterator[R]:
        """Yield the answers in the order of the items."""

        def lend(item: T) -> R:
            judge = self._free.get()
            try:
                return work(judge, item)
            finally:
                self._free.put(judge)

        with ThreadPoolExecutor(self._count) as pool:
            yield from pool.map(lend, items)

    def measure(self, tests: list[str]) -> dict[str, float]:
        """Return how long each test file takes without a mutant. Raises NotGreen."""

        def once(judge: Judge, test: str) -> float:
            answer = judge.run([test], FIRST_LIMIT)
            if answer["status"] not in (0, NO_TESTS):
                log = (judge.copy.folder / "log").read_text()[-2000:]
                raise NotGreen(f"{answer['killer'] or test} fails without any mutant:\n{log}")
            return float(answer["seconds"])

        return dict(zip(tests, self.each(once, tests), strict=True))

    def judge(
        self, mutants: list[Mutant], groups: dict[str, list[list[str]]], seconds: dict[str, float]
    ) -> Iterator[Verdict]:
        """Yield a verdict per mutant; of tests equally near the quicker run first."""

        def once(judge: Judge, mutant: Mutant) -> Verdict:
            tests = [test for group in groups[mutant.path] for test in sorted(group, key=seconds.__getitem__)]
            with judge.copy.mutated(mutant):
                return judge_one(judge, mutant, tests, 3 * sum(map(seconds.__getitem__, tests)) + LEAST_SECONDS)

        return self.each(once, mutants)


def judge_one(judge: Judge, mutant: Mutant, tests: list[str], limit: float) -> Verdict:
    if not tests:
        return Verdict(mutant, "survived", "no test is near it", 0.0)
    answer = judge.run(tests, limit)
    status, killer = answer["status"], answer["killer"]
    if status is None:
        return Verdict(mutant, "timeout", "", answer["seconds"])
    outcome = "survived" if status in (0, NO_TESTS) else "killed"
    return Verdict(mutant, outcome, killer or ("" if outcome == "survived" else f"exit {status}"), answer["seconds"])


@contextmanager
def open_bench(source: Path, count: int) -> Iterator[Bench]:
    """Hold `count` copies of the tree with a judge each; all of it is gone afterwards."""
    with TemporaryDirectory(prefix="mutants-") as scratch, ExitStack() as stack:
        copies = [make_copy(source, Path(scratch, str(at))) for at in range(count)]
        yield Bench([stack.enter_context(_open_judge(copy)) for copy in copies])


@contextmanager
def _open_judge(copy: Copy) -> Iterator[Judge]:
    process = subprocess.Popen(
        [copy.python, "tests/mutants/preload.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=copy.root,
        env=copy.environment,
    )
    try:
        yield Judge(copy, process)
    finally:
        process.terminate()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
