"""Logs on a page: the right lines of logs of any size, and nothing in them that could do harm."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.inspect.log_text import CHUNK, LONGEST, clean, read_after, read_last


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link", "link"),
        ("\x1b(Bplain\x1bM", "plain"),
        (" 10%\r 50%\r100%", "100%"),
        ("done\r", "done"),
        ("a\x00b\x07\x9b", "a\ufffdb\ufffd\ufffd"),
        ("a\u202eb", "a\ufffdb"),
        ("tab\there", "tab\there"),
        ("\x1b", "\ufffd"),
    ],
)
def test_control_characters_are_harmless(line: str, shown: str) -> None:
    assert clean(line) == shown


def test_no_more_is_read_than_may_be(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("x" * 100 + "\nlast\n")
    assert read_last(log, most=10).lines == ("last",)
    assert read_last(log, most=4).lines == ("ast",)


def test_a_line_without_an_end_is_cut() -> None:
    assert clean("x" * (LONGEST + 5)) == "x" * LONGEST + " … 5 letters more"


def test_the_last_lines_of_a_large_log_come_first(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("".join(f"line {at}\n" for at in range(100_000)))
    part = read_last(log)
    assert (part.lines[0], part.lines[-1], len(part.lines)) == ("line 99800", "line 99999", 200)
    assert part.end == log.stat().st_size


def test_earlier_lines_go_back_to_the_start_without_a_gap(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    lines = [f"line {at} " + "é" * (at % 97) for at in range(2500)]
    log.write_text("\n".join(lines) + "\n")
    part = read_last(log)
    found = list(part.lines)
    while part.start:
        part = read_last(log, before=part.start)
        assert part.lines
        found = [*part.lines, *found]
    assert found == lines


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_lines_longer_than_what_is_read_end_too(tmp_path: Path, end: bytes) -> None:
    log = tmp_path / "log.txt"
    log.write_bytes(b"start\n" + b"x" * (40 * CHUNK) + end)
    part, rounds = read_last(log), 0
    while part.start:
        part, rounds = read_last(log, before=part.start), rounds + 1
        assert rounds < 20
    assert "start" in part.text


def test_new_lines_come_whole(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_bytes(b"one\ntw")
    part = read_after(log, 0)
    assert (part.lines, part.end) == (("one",), 4)
    log.write_bytes(b"one\ntwo\n")
    assert read_after(log, part.end).lines == ("two",)
    assert read_after(log, 8).lines == ()
    assert read_after(log, 99).lines == ("one", "two"), "a log that was begun anew is read from its start"


def test_without_a_log_there_are_no_lines(tmp_path: Path) -> None:
    assert read_last(tmp_path / "none").lines == read_after(tmp_path / "none", 3).lines == ()
    (tmp_path / "empty").touch()
    assert read_last(tmp_path / "empty").lines == ()
