"""A spec of an archive names the copies of code that lie in it, wherever the files lay, and nothing else is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.archive.own_code import list_files, name_copies
from engine.home.paths import Home, open_home
from engine.inputs.own_code.finding import find_code
from engine.inputs.own_code.keeping import keep_code
from engine.spec.own_code import Reference
from tests.inputs.own_code.writing import write_code


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


def test_a_file_becomes_its_copy(home: Home, tmp_path: Path) -> None:
    code = write_code(tmp_path / "lab")
    copy = keep_code(home, code) / "lab_kept.py"
    text = f"student: {{arch: '{tmp_path}/lab/lab_kept.py:Net'}}\nlab_kept: Other\nnote: my_lab_kept:Net\n"
    named = name_copies(text, home)
    assert named == text.replace(f"{tmp_path}/lab/lab_kept.py", str(copy))
    assert find_code(Reference(str(copy), "Net")).settled == code.settled
    assert name_copies(named, home) == named
    assert list_files(home) == [f"home/own_code/{code.digest[:16]}/files/lab_kept.py"]


def test_a_module_becomes_its_copy(home: Home, tmp_path: Path) -> None:
    copy = keep_code(home, write_code(tmp_path / "lab")) / "lab_kept.py"
    assert name_copies("arch: lab_kept:Net\n", home) == f"arch: {copy}:Net\n"


def test_of_two_copies_of_a_file_the_newest_counts(home: Home, tmp_path: Path) -> None:
    for width in (1, 2):
        copy = keep_code(home, write_code(tmp_path / "lab", f"class Net:\n    width = {width}\n"))
    assert str(copy) in name_copies(f"arch: {tmp_path}/lab/lab_kept.py:Net\n", home)
