"""Trust is of a file and what it says; it is asked for again when that changes, and nobody has it unread."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engine.home.paths import Home, open_home
from engine.inputs.own_code.finding import find_code
from engine.inputs.own_code.trust import is_trusted, is_trusted_copy, lend_trust, list_trusted, trust
from engine.spec.own_code import Reference
from tests.inputs.own_code.writing import write_code


def test_trust_is_of_place_and_digest(home: Home, tmp_path: Path) -> None:
    code = write_code(tmp_path / "lab")
    assert not is_trusted(home, code)
    trust(home, [code])
    trust(home, [code])
    assert is_trusted(home, code)
    assert is_trusted_copy(home, code.digest[:16], "Net")
    assert not is_trusted_copy(home, code.digest, "Other"), "another name of the same file"
    assert not is_trusted(home, write_code(tmp_path / "elsewhere"))
    changed = write_code(tmp_path / "lab", "class Net:\n    width = 3\n")
    assert not is_trusted(home, changed)
    assert not is_trusted_copy(home, changed.digest, "Net")


def test_trust_is_of_a_name(home: Home, tmp_path: Path) -> None:
    text = "class Net: ...\ndef wipe(root): ...\n"
    trust(home, [write_code(tmp_path / "lab", text)])
    other = find_code(Reference(f"{tmp_path}/lab/lab_kept.py", "wipe"))
    assert not is_trusted(home, other)


def test_a_copied_home_trusts_nothing_until_its_owner_lends(home: Home, tmp_path: Path) -> None:
    code = write_code(tmp_path / "lab")
    trust(home, [code])
    shutil.copytree(home.root, tmp_path / "copy")
    copy = open_home(tmp_path / "copy")
    assert not is_trusted(copy, code)
    assert not is_trusted_copy(copy, code.digest, "Net")
    lend_trust(home, copy)
    assert is_trusted(copy, code)


@pytest.mark.parametrize("text", ["", "[]", '{"trusted": 3}', '{"trusted": [4]}', "\0"])
def test_damaged_trust_trusts_nothing(home: Home, tmp_path: Path, text: str) -> None:
    code = write_code(tmp_path / "lab")
    home.own_code.mkdir()
    (home.own_code / "trusted.json").write_text(text)
    assert not is_trusted(home, code)
    trust(home, [code])
    assert is_trusted(home, code)


def test_list_tells_what_changed_since(home: Home, tmp_path: Path) -> None:
    trust(home, [write_code(tmp_path / "lab")])
    (one,) = list_trusted(home)
    assert (one.path, one.is_same) == (str(tmp_path / "lab" / "lab_kept.py"), True)
    changed = write_code(tmp_path / "lab", "class Net:\n    width = 3\n")
    assert [one.is_same for one in list_trusted(home)] == [False]
    trust(home, [changed])
    assert [(one.digest, one.is_same) for one in list_trusted(home)] == [(changed.digest, True)]
    (tmp_path / "lab" / "lab_kept.py").unlink()
    assert [one.is_same for one in list_trusted(home)] == [False]
