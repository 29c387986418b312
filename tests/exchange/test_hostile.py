"""Any bytes in any file of another tool: runs that can be read, or what is wrong; never anything else."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import DataError
from engine.exchange.folders import plain_tree, run_settings
from engine.exchange.foreign import Found
from engine.exchange.importing import READERS
from engine.spec.identity import canonical_json
from tests.exchange.sources import MADE, START, write_mlflow_db, write_mlruns, write_neptune

ROUNDS = 60
T = int(START * 1000)


def make_source(tool: str, root: Path) -> Path:
    if tool == "mlflow":
        return write_mlruns(root / "mlruns", 1)
    if tool == "neptune":
        return write_neptune(root / "neptune")
    return Path(shutil.copytree(MADE / tool, root / tool))


def hurt(file: Path, whole: bytes, chance: random.Random) -> None:
    """Change some bytes of a file, cut it, or put something else in its place."""
    data, way = bytearray(whole), chance.randrange(4)
    if way == 0:
        for _ in range(chance.randrange(1, 9)):
            data[chance.randrange(len(data))] = chance.randrange(256)
    elif way == 1:
        del data[chance.randrange(len(data)) :]
    elif way == 2:
        at = chance.randrange(len(data))
        data[at:at] = chance.randbytes(chance.randrange(1, 40))
    else:
        data = bytearray(chance.randbytes(chance.randrange(200)))
    file.write_bytes(bytes(data))


def read_all(reader: Callable[[Path], Found], path: Path) -> None:
    """Read every run and value, as an import does; what is said of a broken one has its place."""
    try:
        found = reader(path)
    except DataError as error:
        assert error.where  # noqa: PT017  # either outcome is right
        return
    for run in found.runs:
        assert canonical_json(plain_tree(run_settings("mlflow", run)))
        try:
            values = run.read_values()
        except DataError as error:
            assert error.where  # noqa: PT017
            continue
        for series in values.series.values():
            assert len(series.steps) == len(series.times) == len(series.values)
            assert all(type(step) is int for step in series.steps)
            assert all(type(value) is float for value in series.values)


@pytest.mark.parametrize("tool", READERS)
def test_changed_files_are_read_or_refused(tool: str, tmp_path: Path) -> None:
    path, chance = make_source(tool, tmp_path), random.Random(7)
    files = {file: file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file() and file.stat().st_size}
    for _ in range(ROUNDS):
        file = chance.choice(list(files))
        hurt(file, files[file], chance)
        read_all(READERS[tool], path)
        file.write_bytes(files[file])


def test_changed_database_is_read_or_refused(tmp_path: Path) -> None:
    path, chance = (
        write_mlflow_db(tmp_path / "mlflow.db", [("acc", 0.5, T + at, at, 0) for at in range(200)]),
        random.Random(7),
    )
    whole = path.read_bytes()
    for _ in range(ROUNDS):
        hurt(path, whole, chance)
        read_all(READERS["mlflow"], path)


@pytest.mark.parametrize("tool", READERS)
def test_folders_and_links_where_files_should_be_do_no_harm(tool: str, tmp_path: Path) -> None:
    path = make_source(tool, tmp_path)
    for file in sorted(path.rglob("*")):
        if file.is_file():
            file.unlink()
            file.symlink_to(file) if file.name[-1] in "abe" else file.mkdir()
    read_all(READERS[tool], path)
