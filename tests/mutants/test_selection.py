"""Which tests judge a file: the nearest first, then the room's, then those that import what it gives."""

from __future__ import annotations

from pathlib import Path

from tests.mutants.selection import select_tests
from tests.mutants.trees import write_tree


def test_mirrored_then_room_then_importers(tmp_path: Path) -> None:
    groups = select_tests(write_tree(tmp_path), "engine/a/words.py")
    assert groups == [["tests/a/test_words.py"], ["tests/a/test_other.py"], ["tests/test_user.py"]]


def test_a_single_file_has_its_own_test(tmp_path: Path) -> None:
    assert select_tests(write_tree(tmp_path), "engine/b.py") == [["tests/test_b.py"], [], []]


def test_a_namesake_elsewhere_is_no_mirror(tmp_path: Path) -> None:
    tree = write_tree(tmp_path, **{"tests/test_words.py": "", "tests/test_a.py": "", "tests/a/test_a.py": ""})
    assert select_tests(tree, "engine/a/words.py")[0] == ["tests/a/test_words.py"]
    assert select_tests(tree, "engine/a/__init__.py")[0] == ["tests/test_a.py", "tests/a/test_a.py"]


def test_a_query_has_the_tests_of_its_users(tmp_path: Path) -> None:
    near, rooms, far = select_tests(write_tree(tmp_path), "store/queries/a_rows.sql")
    assert (near, rooms) == (["tests/test_b.py"], ["tests/a/test_other.py", "tests/a/test_words.py"])
    assert far == ["tests/test_stranger.py", "tests/test_user.py"]


def test_older_store_tests_stay_in_reach(tmp_path: Path) -> None:
    tree = write_tree(tmp_path, **{"store/queue/claims.py": "", "tests/store/test_queue.py": ""})
    assert select_tests(tree, "store/queue/claims.py")[1] == ["tests/store/test_queue.py"]
