"""A pilot's journals: whole lines alone, whoever was killed in the middle of one."""

from __future__ import annotations

from pathlib import Path

from engine.launch.pilots.folder import LineReader, LineWriter, PilotFolder


def test_a_reader_gets_each_line_once(tmp_path: Path) -> None:
    writer, reader = LineWriter(tmp_path / "told"), LineReader(tmp_path / "told")
    assert reader.read() == []
    writer.write([{"a": 1}, {"a": 2}])
    assert reader.read() == [{"a": 1}, {"a": 2}]
    writer.write([{"a": 3}])
    assert (reader.read(), reader.read()) == ([{"a": 3}], [])


def test_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "told"
    reader = LineReader(path)
    path.write_bytes(b'{"a": 1}\n{"a"')
    assert reader.read() == [{"a": 1}]
    with open(path, "ab") as file:
        file.write(b": 2}\n")
    assert reader.read() == [{"a": 2}]


def test_a_line_that_was_cut_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "orders"
    path.write_bytes(b'{"a": 1}\n{"a": 2')
    LineWriter(path).write([{"a": 3}])
    assert LineReader(path).read() == [{"a": 1}, {"a": 3}]


def test_what_is_no_object_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "told"
    path.write_bytes(b'[1]\n\xff\n"x"\n{"a": 1}\n')
    assert LineReader(path).read() == [{"a": 1}]


def test_nothing_to_say_writes_nothing(tmp_path: Path) -> None:
    LineWriter(tmp_path / "told").write([])
    assert not (tmp_path / "told").exists()


def test_a_beat_is_read_as_written(tmp_path: Path) -> None:
    folder = PilotFolder(tmp_path)
    assert folder.read_beat() is None
    folder.write_beat(7)
    assert folder.read_beat() == 7
    folder.beat.write_text('{"beat": "x"}')
    assert folder.read_beat() is None
