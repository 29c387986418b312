"""Copies of code: what a job runs stays what it was, is checked, and runs only where its owner said so."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import JobError, XpError
from engine.home.paths import Home, open_home
from engine.inputs.own_code.finding import Code
from engine.inputs.own_code.keeping import keep_code, lend_copies, list_kept, open_copy, original_place, use_home
from engine.inputs.own_code.trust import trust
from engine.spec.own_code import Reference, read_reference
from tests.inputs.own_code.writing import write_code


def settled(code: Code) -> Reference:
    found = read_reference(code.settled)
    assert found is not None
    return found


def kept(home: Home, code: Code) -> Reference:
    keep_code(home, code)
    trust(home, [code])
    use_home(home)
    return settled(code)


def test_copy_stays_when_its_file_changes(home: Home, tmp_path: Path) -> None:
    code = write_code(tmp_path / "lab")
    reference = kept(home, code)
    write_code(tmp_path / "lab", "class Net:\n    width = 2\n")
    root, found = open_copy(reference)
    assert found.digest == code.digest
    assert (root / "lab_kept.py").read_text() == "class Net: ...\n"


def test_copy_follows_comments(home: Home, tmp_path: Path) -> None:
    reference = kept(home, write_code(tmp_path / "lab"))
    later = write_code(tmp_path / "lab", "# why\nclass Net: ...\n")
    assert settled(later) == reference
    assert (keep_code(home, later) / "lab_kept.py").read_text().startswith("# why")


def test_changed_copy_is_refused(home: Home, tmp_path: Path) -> None:
    reference = kept(home, write_code(tmp_path / "lab"))
    (home.own_code / reference.digest / "files" / "lab_kept.py").write_text("class Net:\n    evil = True\n")
    with pytest.raises(JobError, match="is not what it was"):
        open_copy(reference)


def test_lost_copy_is_refused(home: Home, tmp_path: Path) -> None:
    reference = kept(home, write_code(tmp_path / "lab"))
    (home.own_code / reference.digest / "files" / "lab_kept.py").unlink()
    with pytest.raises(JobError, match="is gone"):
        open_copy(reference)


@pytest.mark.parametrize("name", ["__pycache__/lab_kept.cpython-311.pyc", "lab_kept.so", "torch.py"])
def test_copy_with_more_than_the_code_is_refused(home: Home, tmp_path: Path, name: str) -> None:
    """Python would take some of it in the place of what was read."""
    reference = kept(home, write_code(tmp_path / "lab"))
    more = home.own_code / reference.digest / "files" / name
    more.parent.mkdir(exist_ok=True)
    more.write_text("")
    with pytest.raises(JobError, match="is not what it was"):
        open_copy(reference)


def test_copy_without_trust_is_refused(home: Home, tmp_path: Path) -> None:
    code = write_code(tmp_path / "lab")
    keep_code(home, code)
    use_home(home)
    with pytest.raises(JobError, match="may not run in this home") as caught:
        open_copy(settled(code))
    assert "--trust" in caught.value.fix


def test_reference_without_a_plan_is_refused(home: Home, tmp_path: Path) -> None:
    use_home(home)
    with pytest.raises(XpError, match="no plan has settled"):
        open_copy(Reference("lab_kept", "Net"))


def test_copies_know_where_they_lay(home: Home, tmp_path: Path) -> None:
    code = write_code(tmp_path / "lab")
    keep_code(home, code)
    (one,) = list_kept(home)
    assert (one.digest, one.module, one.origin) == (code.digest[:16], "lab_kept", (str(tmp_path / "lab"), "lab_kept"))
    assert original_place(home, one.digest, "lab_kept.py") == str(tmp_path / "lab" / "lab_kept.py")


def test_another_home_may_borrow(home: Home, tmp_path: Path) -> None:
    reference = kept(home, write_code(tmp_path / "lab"))
    other = open_home(tmp_path / "other", create=True)
    lend_copies(home, other)
    use_home(other)
    assert open_copy(reference)[0].is_relative_to(other.root)
