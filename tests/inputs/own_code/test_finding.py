"""Code is found by its name without running: which files belong to it, what its digest follows, what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engine.errors import XpError
from engine.inputs.own_code.finding import Code, find_code
from engine.spec.own_code import Reference, read_reference

NETS = '''
"""A network."""
from lab_parts import part

class Net:
    """Says what it is."""
    def build(self):
        return part(1)  # one
'''
PARTS = "def part(width):\n    return width\n"


def code_of(text: str) -> Code:
    reference = read_reference(text)
    assert reference is not None
    return find_code(reference)


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    (tmp_path / "lab_nets.py").write_text(NETS)
    (tmp_path / "lab_parts.py").write_text(PARTS)
    (tmp_path / "unrelated.py").write_text("raise RuntimeError\n")
    return tmp_path


def test_files_are_those_it_imports(lab: Path) -> None:
    found = code_of(f"{lab}/lab_nets.py:Net")
    assert sorted(found.files) == ["lab_nets.py", "lab_parts.py"]
    assert (found.root, found.module, found.file) == (lab, "lab_nets", lab / "lab_nets.py")
    assert found.settled == f"lab_nets:Net@{found.digest[:16]}"


def test_finding_imports_nothing(lab: Path) -> None:
    (lab / "lab_parts.py").write_text(f"open({str(lab / 'ran')!r}, 'w')\n" + PARTS)
    code_of(f"{lab}/lab_nets.py:Net")
    assert not (lab / "ran").exists()
    assert not {"lab_nets", "lab_parts"} & set(sys.modules)


@pytest.mark.parametrize(
    "changed",
    [
        NETS.replace("# one", "# another remark"),
        NETS.replace("\n\n", "\n\n\n\n"),
        NETS.replace("return part(1)", "return part(\n            1,\n        )"),
    ],
)
def test_comments_and_layout_keep_the_digest(lab: Path, changed: str) -> None:
    before = code_of(f"{lab}/lab_nets.py:Net")
    assert changed != NETS
    (lab / "lab_nets.py").write_text(changed)
    assert code_of(f"{lab}/lab_nets.py:Net").digest == before.digest


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("lab_nets.py", "part(1)", "part(2)"),
        ("lab_nets.py", "part(1)", "part(1.0)"),
        ("lab_nets.py", "part(1)", "part('1')"),
        ("lab_nets.py", '"""A network."""', '"""Another."""'),
        ("lab_parts.py", "return width", "return width + 0"),
        ("lab_parts.py", "def part(width)", "def part(width=None)"),
    ],
)
def test_code_changes_the_digest_and_its_file(lab: Path, file: str, old: str, new: str) -> None:
    before = code_of(f"{lab}/lab_nets.py:Net")
    path = lab / file
    path.write_text(path.read_text().replace(old, new))
    after = code_of(f"{lab}/lab_nets.py:Net")
    assert after.digest != before.digest
    assert [name for name in after.parts if after.parts[name] != before.parts[name]] == [file]


def test_digest_is_the_same_elsewhere(lab: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    for name in ("lab_nets.py", "lab_parts.py"):
        (other / name).write_text((lab / name).read_text())
    assert code_of(f"{other}/lab_nets.py:Net").settled == code_of(f"{lab}/lab_nets.py:Net").settled


def test_imports_are_followed_in_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "lab_pack" / "deep"
    package.mkdir(parents=True)
    (tmp_path / "lab_pack" / "__init__.py").write_text("from . import names\n")
    (tmp_path / "lab_pack" / "names.py").write_text("import json\n")
    (tmp_path / "lab_pack" / "other.py").write_text("")
    (package / "__init__.py").write_text("")
    (package / "nets.py").write_text(
        "from ..other import thing\nfrom .blocks import *\ndef late():\n    from . import late\n"
    )
    (package / "blocks.py").write_text("class Net: ...\n")
    (package / "late.py").write_text("")
    wanted = [
        "__init__.py",
        "deep/__init__.py",
        "deep/blocks.py",
        "deep/late.py",
        "deep/nets.py",
        "names.py",
        "other.py",
    ]
    monkeypatch.chdir(tmp_path)
    found = code_of("lab_pack.deep.nets:Net")
    assert sorted(found.files) == [f"lab_pack/{name}" for name in wanted]
    assert code_of(f"{package}/nets.py:Net").settled == found.settled


def test_installed_neighbours_are_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "site-packages"
    place.mkdir()
    (place / "lab_mine.py").write_text("import lab_theirs\nclass Net: ...\n")
    (place / "lab_theirs.py").write_text("")
    monkeypatch.syspath_prepend(place)
    assert sorted(code_of("lab_mine:Net").files) == ["lab_mine.py"]


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        ("class Other: ...\nclass Nets: ...\n", "Net", "did you mean 'Nets'?"),
        ("class Net: ...\nx = 1\ndef Net(): ...\n", "Net", "defines Net twice, in lines 1 and 3"),
        ("class Net(:\n", "Net", "lab_broken.py:1: is no Python"),
        ("x = '\\0'\0\n", "Net", "is no Python"),
        ("x = " + "(" * 400 + ")" * 400, "Net", "is no Python"),
        ("", "Net", "defines no Net"),
        ("from shutil import rmtree\n", "rmtree", "defines no rmtree"),
        ("from shutil import *\nclass Net: ...\n", "rmtree", "defines no rmtree"),
        ("from lab_broken import other as Net\n", "Net", "defines no Net"),
        ("x = 1\n" * 200_000, "x", "has more than 1,048,576 bytes"),
    ],
)
def test_what_is_no_such_code_is_refused(tmp_path: Path, text: str, name: str, says: str) -> None:
    (tmp_path / "lab_broken.py").write_text(text)
    with pytest.raises(XpError) as caught:
        find_code(Reference(f"{tmp_path}/lab_broken.py", name))
    assert says in str(caught.value)


def test_branches_of_one_name_are_one(tmp_path: Path) -> None:
    (tmp_path / "lab_either.py").write_text("try:\n    import x as Net\nexcept ImportError:\n    Net = None\n")
    assert code_of(f"{tmp_path}/lab_either.py:Net").module == "lab_either"


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("engine.core:Net", "xp's own"),
        ("json:Net", "Python's own"),
        ("lab_of_nobody:Net", "there is no module lab_of_nobody"),
        ("{root}/absent.py:Net", "there is no file"),
        ("{root}/json.py:Net", "is the name of a module of Python"),
        ("{root}/two-words.py:Net", "none that Python can import"),
    ],
)
def test_places_that_cannot_be_are_refused(tmp_path: Path, place: str, says: str) -> None:
    for name in ("json.py", "two-words.py"):
        (tmp_path / name).write_text("class Net: ...\n")
    with pytest.raises(XpError) as caught:
        code_of(place.format(root=tmp_path))
    assert says in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize("place", ["énets.py", "my-lab/nets.py"])
def test_names_that_no_reference_can_have_are_refused(tmp_path: Path, place: str) -> None:
    file = tmp_path / place
    file.parent.mkdir(exist_ok=True)
    if file.parent != tmp_path:
        (file.parent / "__init__.py").touch()
    file.write_text("class Net: ...\n")
    with pytest.raises(XpError, match="cannot stand in a name of code") as caught:
        find_code(Reference(str(file), "Net"))
    assert caught.value.fix.startswith("rename it")
