"""What every test stands on: threads that do not spin against each other, no home or data of the person's own, an order
in which the longest files come first, and rooms whose files stay in one process."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from engine.home import access

HERE = Path(__file__).parent
# before anything loads torch: spinning threads make a busy machine ten times slower
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# one thread: networks of tests are so small that sharing them out costs more than it gives, and two workers share two
# cores. A test of threads says how many itself
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# a plan would try this machine's speed for some seconds, in every test that makes one in a home of its own
os.environ["XP_CALIBRATE"] = "0"


# The files that take longest, longest first: begun at the end, one of them would keep one process busy alone
LONGEST = (
    "run/test_teachers.py", "flow/test_flow.py", "gpu_stub/test_jobs.py", "search/test_advance.py",
    "run/test_targets.py", "run/test_pruning.py", "run/test_continuing.py", "search/test_schedulers.py",
    "run/test_training.py", "gpu_stub/test_walks.py", "report/test_report.py",
    "verify/test_resume.py", "report/test_own_templates.py", "core/network/triton_attention/test_forward.py",
    "collect/test_collect.py", "collect/test_compact.py", "chaos/test_damages.py", "hostile/test_hostile.py",
    "core/train/ranks/test_backward.py", "core/network/test_oracles.py", "flow/test_memory.py",
    "analysis/test_claims.py", "cli/test_cli.py", "cli/test_specs.py",
)  # fmt: skip
# Rooms with homes, files or a browser that all their tests share: in two processes these would be made in each. A file
# is of the first room here that it lies in
ROOMS = ("serve/browser", "serve", "core/export", "archive", "exchange")
# New objects between two looks for garbage: the 700 of Python are few for what models, pages and tables are made of
SELDOM = (10_000, 20, 20)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What collecting makes stays for good: looked through for garbage once at its end, and never again.

    What it compiles is kept, also where the environment says otherwise: every process that tests start loads it.
    """
    keeps_nothing, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    gc.disable()
    try:
        return (yield)
    finally:
        sys.dont_write_bytecode = keeps_nothing
        gc.enable()
        gc.collect()
        gc.freeze()
        gc.set_threshold(*SELDOM)


@pytest.hookimpl(trylast=True)  # after pytest-randomly, whose order of chance all other files keep
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {name: place for place, name in enumerate((*LONGEST, *ROOMS))}
    items.sort(key=lambda item: rank.get(unit_of(item.path.relative_to(HERE).as_posix()), len(rank)))


def unit_of(file: str) -> str:
    """Return what stays together of a test run: the room of a file below tests/, or the file itself."""
    return next((room for room in ROOMS if file.startswith(f"{room}/")), file)


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share out files and rooms, as `--dist loadfile` does files."""
    from xdist.scheduler import LoadFileScheduling

    if config.getvalue("dist") != "loadfile":
        return None
    sharing = LoadFileScheduling(config, log)
    sharing._split_scope = lambda test: unit_of(test.partition("::")[0].removeprefix("tests/"))
    return sharing


@pytest.fixture(autouse=True)
def _no_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XP_HOME", "XP_CACHE", "XP_DATA", "XP_SLOT", "XP_OOMS", "XP_MOST_CELLS", "XP_LIMITS", "XP_OWN_CODE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def own_umask() -> Iterator[None]:
    """A command that a test calls here takes on the umask of its home: the next test has its own again."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)
    access.before.clear()


@pytest.fixture(autouse=True, scope="session")
def _empty_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The empty database of a first collection is made once in each process, and copied where another one is wanted.

    To make it takes a quarter of such a collection, of which there are hundreds.
    """
    from store.results import ingest, schema

    made: list[bytes] = []
    begin = ingest.Ingest.__init__

    def begin_as_copied(self: ingest.Ingest, path: Path) -> None:
        is_plain = vars(ingest)["schema_sql"] is schema.schema_sql  # a test may have another
        if is_plain and path.parent.is_dir() and not path.exists():
            if not made:
                first = tmp_path_factory.mktemp("empty") / "empty.duckdb"
                begin(self, first)
                self.close()
                made.append(first.read_bytes())
            with suppress(OSError):  # what is wrong there is for DuckDB to find
                path.write_bytes(made[0])
        begin(self, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingest.Ingest, "__init__", begin_as_copied)
        yield
