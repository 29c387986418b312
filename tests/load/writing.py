"""Specs written for a test: takes YAML below a head of three lines, gives the file, or what is wrong in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import SpecError
from engine.load import load_spec
from engine.spec import Settings, Spec
from engine.spec.cells import expand_cells

HEAD = "name: a\ndata: {source: digits}\nstudent: {arch: tiny_vit_5m}\n"  # lines 1 to 3


def write_spec(folder: Path, text: str) -> Path:
    """Write HEAD and `text`."""
    file = folder / "spec.yaml"
    file.write_text(HEAD + text)
    return file


def problems_of(folder: Path, text: str, *overrides: str) -> list[tuple[str, str, str, str]]:
    """Return where (line and column), path, what and fix of each problem of HEAD and `text`."""
    file = write_spec(folder, text)
    with pytest.raises(SpecError) as caught:
        load_spec(file, overrides)
    told = caught.value.problems
    return [(problem.where.removeprefix(f"{file}:"), problem.path, problem.what, problem.fix) for problem in told]


def arms_of(spec: Spec) -> dict[str, Settings]:
    """Return the settings of each arm of a spec without a matrix."""
    return {cell.arm: cell.settings for cell in expand_cells(spec)}
