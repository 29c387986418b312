"""A small tree of rooms for the tests of the tool: takes files and their texts, gives the folder that holds them."""

from __future__ import annotations

from pathlib import Path


def write_tree(root: Path, **more: str) -> Path:
    """Write rooms a, b, core/data and a file data.py, a query of a, and their tests; keys of `more` are paths."""
    files = {
        "engine/__init__.py": "",
        "engine/a/__init__.py": "from engine.a.words import say",
        "engine/a/words.py": "def say(n):\n    return n < 1\n",
        "engine/b.py": "from engine.a import say\nQUERY = 'a_rows.sql'\n",
        "engine/core/__init__.py": "",
        "engine/core/data/__init__.py": "",
        "engine/core/data/views.py": "X = 1\n",
        "engine/spec/__init__.py": "",
        "engine/spec/data.py": "Y = 2\n",
        "engine/spec/both.py": "",
        "store/__init__.py": "",
        "store/both.py": "",
        "store/queries/a_rows.sql": "select 1\n",
        "tests/a/test_words.py": "",
        "tests/a/test_other.py": "",
        "tests/core/data/test_views.py": "",
        "tests/test_b.py": "from engine import b",
        "tests/test_user.py": "from engine.a import say",
        "tests/test_stranger.py": "from engine.a import other",
        **more,
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root
