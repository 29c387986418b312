"""Names that lead out of an archive, or that two members have, are refused; others are brought into one form."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import DataError
from engine.inputs import member_names
from engine.inputs.member_names import MemberNames, name_problem, place_text, plain_name

WRONG = {
    "/etc/1.png": "leads out",
    "\\\\host\\1.png": "leads out",
    "../1.png": "leads out",
    "ant/../../1.png": "leads out",
    "ant\\..\\1.png": "leads out",
    "C:/ant/1.png": "leads out",
    "c:\\ant\\1.png": "leads out",
    "ant\\1.png": "has a backslash",
    "ant/1\0.png": "has control characters",
    "ant/\x1b[2J.png": "has control characters",
    "ant/\n.png": "has control characters",
    "ant/\x9b.png": "has control characters",
    "": "has no name",
    "./.": "has no name",
    "x" * 4097: "has a name of 4,097 letters",
    "a/" * 65 + "1.png": "lies 65 folders deep",
}
RIGHT = ["ant/1.png", "./ant/1.png", "a..b/c...png", "caf\u00e9/\U0001f41c.png", "a:b/1.png", " /1.png", "x" * 4096]


@pytest.mark.parametrize("name", WRONG, ids=ascii)
def test_a_wrong_name_is_refused_with_a_fix(name: str, tmp_path: Path) -> None:
    (tmp_path / "x.zip").touch()
    with pytest.raises(DataError, match=WRONG[name]) as caught:
        MemberNames(tmp_path / "x.zip").add(name)
    assert caught.value.fix
    assert caught.value.where.startswith(str(tmp_path / "x.zip!"))


@pytest.mark.parametrize("name", [*RIGHT, "a/" * 63 + "1.png"])
def test_a_right_name_is_kept(name: str) -> None:
    assert name_problem(name) is None


def test_names_come_in_one_form() -> None:
    assert plain_name("./ant//./1.png") == "ant/1.png"


def test_a_name_that_comes_again_in_another_form_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.zip").touch()
    names = MemberNames(tmp_path / "x.zip")
    assert names.add("./ant/1.png") == "ant/1.png"
    assert names.add("ant/2.png") == "ant/2.png"
    with pytest.raises(DataError, match="two members have this name"):
        names.add("ant//1.png")


def test_members_are_counted_by_the_size_of_their_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member_names, "ALWAYS", 2)
    (tmp_path / "x.zip").write_bytes(bytes(64 * 4))
    names = MemberNames(tmp_path / "x.zip")
    for _ in range(4):
        names.count()
    with pytest.raises(DataError, match=r"more than 4 members\nfix: unpack it"):
        names.count()
    monkeypatch.setenv("XP_LIMITS", "archive_members=1")
    names = MemberNames(tmp_path / "x.zip")
    names.count()
    with pytest.raises(DataError, match="archive_members="):
        names.count()


def test_a_long_name_is_told_shortened() -> None:
    told = place_text(Path("x.zip"), "a" * 5000 + ".png")
    assert told.endswith("aaa.png")
    assert len(told) < 200
