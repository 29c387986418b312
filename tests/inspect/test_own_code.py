"""Of code behind settings the files are told, and those that say something else than before."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.home.files import read_json, write_json
from engine.home.paths import Home, open_home
from engine.inputs.own_code.finding import find_code
from engine.inputs.own_code.keeping import ABOUT, keep_code
from engine.inspect.own_code import code_lines, difference_lines
from engine.spec.own_code import Reference

FIRST = {"lab_a.py": "import lab_b, lab_c\nNet = 1\n", "lab_b.py": "B = 1\n", "lab_c.py": "C = 1\n"}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


def keep(home: Home, lab: Path, files: dict[str, str], at: float) -> str:
    for name, text in files.items():
        (lab / name).write_text(text)
    code = find_code(Reference(f"{lab}/lab_a.py", "Net"))
    about = keep_code(home, code).parent / ABOUT
    write_json(about, {**read_json(about), "at": at})
    return code.settled


def test_files_that_changed_are_named(home: Home, tmp_path: Path) -> None:
    first = keep(home, tmp_path, FIRST, 1.0)
    changed = {**FIRST, "lab_a.py": "import lab_b, lab_d\nNet = 1\n", "lab_b.py": "# a remark\nB = 2\n", "lab_d.py": ""}
    second = keep(home, tmp_path, changed, 2.0)
    assert list(code_lines(home, {"student.arch": first, "train.lr": 0.1}.items())) == [
        f"student.arch is code: {tmp_path}/lab_a.py, {tmp_path}/lab_b.py, {tmp_path}/lab_c.py"
    ]
    before = first.replace(":Net", "")
    assert list(code_lines(home, [("student.arch", second)]))[1:] == [
        f"  {tmp_path}/lab_a.py has changed since {before}",
        f"  {tmp_path}/lab_b.py has changed since {before}",
        f"  {tmp_path}/lab_c.py is gone since {before}",
        f"  {tmp_path}/lab_d.py is new since {before}",
    ]
    assert len(list(difference_lines(home, first, second))) == 4


def test_what_is_no_code_has_no_lines(home: Home, tmp_path: Path) -> None:
    settled = keep(home, tmp_path, FIRST, 1.0)
    assert list(code_lines(home, [("student.arch", "timm/resnet18"), ("title", "a:b"), ("x", None)])) == []
    assert list(difference_lines(home, "tiny_vit_5m", settled)) == []
    assert list(difference_lines(home, None, settled)) == []
