"""Files read as YAML: bytes, line ends, devices, pipes, folders, links; what is none is refused with its fix."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from engine.errors import SpecError
from engine.load import yaml_tree
from engine.load.yaml_tree import read_document


def test_a_file_is_named_in_its_positions(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: ä\n", encoding="utf-8")
    document = read_document(tmp_path / "a.yaml")
    assert document.tree == {"name": "ä"}
    assert document.values[("name",)] == f"{tmp_path}/a.yaml:1:7"


def test_a_file_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "_small.yaml", "c.txt"):
        (tmp_path / name).write_text("")
    with pytest.raises(SpecError) as caught:
        read_document(tmp_path / "d.yaml")
    (problem,) = caught.value.problems
    assert problem.where == f"{tmp_path}/d.yaml:1:1"
    assert problem.what == "cannot read the file: No such file or directory"
    assert problem.fix == f"there are {tmp_path}/a.yml, {tmp_path}/b.yaml"


def test_where_no_spec_is_near_init_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        read_document(tmp_path / "d.yaml")
    assert "`xp init`" in caught.value.problems[0].fix


@pytest.mark.parametrize(
    ("raw", "place", "fix"),
    [
        (b"name: \xff\n", "1:7", "save it as UTF-8"),
        ("name: ä\ntitle: ä".encode() + b" \xe9\n", "2:10", "save it as UTF-8"),
        (b"\xef\xbb\xbfname: \xff\n", "1:7", "save it as UTF-8"),
        ("name: a\n".encode("utf-16"), "1:1", "save it as UTF-8 (it looks like UTF-16)"),
        ("name: a\n".encode("utf-16-le"), "1:1", "save it as UTF-8 (it looks like UTF-16)"),
        ("name: a\n".encode("utf-16-be"), "1:1", "save it as UTF-8 (it looks like UTF-16)"),
        ("name: a\n".encode("utf-32"), "1:1", "save it as UTF-8 (it looks like UTF-32)"),
        ("name: a\n".encode("utf-32-be"), "1:1", "save it as UTF-8 (it looks like UTF-32)"),
    ],
)
def test_a_file_of_bytes_is_refused_where_they_begin(raw: bytes, place: str, fix: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(raw)
    with pytest.raises(SpecError) as caught:
        read_document(tmp_path / "a.yaml")
    (problem,) = caught.value.problems
    assert problem.where == f"{tmp_path}/a.yaml:{place}"
    assert (problem.what, problem.fix) == ("the file is not UTF-8 text", fix)


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_of_other_systems_are_line_ends(end: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(f"name: a{end}title: b{end}".encode())
    document = read_document(tmp_path / "a.yaml")
    assert (document.tree, document.values[("title",)]) == ({"name": "a", "title": "b"}, f"{tmp_path}/a.yaml:2:8")


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_no_spec(device: str) -> None:
    with pytest.raises(SpecError, match=f"{device}:1:1: cannot read the file: it is a device\nfix: give the path"):
        read_document(Path(device))


def test_a_link_to_nowhere_says_so_and_is_not_offered(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text("")
    (tmp_path / "gone.yaml").symlink_to("nowhere")
    with pytest.raises(SpecError) as caught:
        read_document(tmp_path / "gone.yaml")
    (problem,) = caught.value.problems
    assert problem.what == "this link leads to no file"
    assert problem.fix == f"make it again, or name another: there are {tmp_path}/good.yaml"


def test_a_file_that_may_not_be_read_is_to_be_made_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("engine.load.yaml_tree._read_start", refuse)
    with pytest.raises(SpecError) as caught:
        read_document(tmp_path / "a b.yaml")
    assert caught.value.problems[0].fix == f"make it readable: chmod u+r '{tmp_path}/a b.yaml'"


def test_a_file_is_read_no_further_than_its_limit(tmp_path: Path) -> None:
    with (tmp_path / "huge.yaml").open("wb") as huge:
        huge.truncate(10**12)  # holds no byte of it
    with pytest.raises(SpecError, match="the file is larger than 1,000,000 bytes") as caught:
        read_document(tmp_path / "huge.yaml")
    assert "yaml_bytes" in caught.value.problems[0].fix


def test_a_byte_order_mark_moves_no_column(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfname: a\n")
    document = read_document(tmp_path / "a.yaml")
    assert (document.tree, document.values[("name",)]) == ({"name": "a"}, f"{tmp_path}/a.yaml:1:7")


def test_a_folder_is_told_with_the_specs_in_it(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("")
    with pytest.raises(SpecError) as caught:
        read_document(tmp_path)
    (problem,) = caught.value.problems
    assert problem.what == "cannot read the file: Is a directory"
    assert problem.fix == f"there are {tmp_path}/a.yaml"


def test_a_name_that_is_too_long_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot read the file: File name too long"):
        read_document(tmp_path / ("x" * 5000) / "y.yaml")


def test_a_pipe_is_read_and_one_that_nobody_writes_into_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "spec.yaml"
    os.mkfifo(pipe)
    writer = threading.Timer(0.1, lambda: pipe.write_text("name: a\n"))
    writer.start()
    assert read_document(pipe).tree == {"name": "a"}
    writer.join()
    monkeypatch.setattr(yaml_tree, "PIPE_SECONDS", 0.05)
    with pytest.raises(SpecError, match="nobody has written into this pipe"):
        read_document(pipe)
