"""What code raises is told with the last line of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.own_code.subject import Wrong, guard, place_of


def run(root: Path, text: str) -> None:
    (root / "mine.py").write_text(text)
    words: dict[str, object] = {}
    exec(compile(text, str(root / "mine.py"), "exec"), words)  # what a module of somebody's is
    guard(root, "calling it", words["go"])  # type: ignore[arg-type]  # the text defines it


@pytest.mark.parametrize(
    ("text", "says", "line"),
    [
        ("def go():\n    return 1 / 0\n", "calling it raises ZeroDivisionError: division by zero", 2),
        ("import json\ndef go():\n    json.loads('{')\n", "calling it raises JSONDecodeError", 3),
        ("def go():\n    import lab_absent\n", "it needs the module lab_absent, which is not here", 2),
        ("def go():\n    raise SystemExit(2)\n", "calling it raises SystemExit: 2", 2),
    ],
)
def test_the_last_own_line_is_told(tmp_path: Path, text: str, says: str, line: int) -> None:
    with pytest.raises(Wrong) as caught:
        run(tmp_path, text)
    assert says in caught.value.told["what"]
    assert (caught.value.told["file"], caught.value.told["line"]) == ("mine.py", line)


def test_long_messages_are_cut() -> None:
    assert len(Wrong("x" * 1000, "").told["what"]) < 400


def test_what_is_not_theirs_has_no_place(tmp_path: Path) -> None:
    assert place_of(tmp_path, Path) == {}
    assert place_of(tmp_path, 3) == {}
