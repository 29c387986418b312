"""Staged journal lines: each says whose it is, and the longest is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from store.results.staging import Lines, _longest_line, stage_lines


def test_every_line_gets_its_job_and_attempt(tmp_path: Path) -> None:
    chunks = [Lines("a", 1, 0, b'{"seq":1}\n{"seq":2}\n'), Lines("b", 2, 0, b'broken\n{"seq":1}\n')]
    stage_lines(chunks, tmp_path / "stage")
    assert (tmp_path / "stage").read_text().splitlines() == [
        '{"_job":"a","_attempt":1,"seq":1}',
        '{"_job":"a","_attempt":1,"seq":2}',
        "broken",
        '{"_job":"b","_attempt":2,"seq":1}',
    ]


@pytest.mark.parametrize(
    ("data", "longest"),
    [
        (b"", 4),
        (b"ab\ncd\n", 4),
        (b"abcdefgh\n", 8),
        (b"a\nabcdefg\nb\n", 7),
        (b"a\nb\nabcdef", 6),
        (b"abcd\nabcde\n", 5),
    ],
)
def test_longest_line_is_found_where_it_is_longer_than_enough(data: bytes, longest: int) -> None:
    assert _longest_line(data, 4) == longest
