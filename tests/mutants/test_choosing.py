"""Which mutants are tried: repeatable, spread over files, those known as equivalent passed over and counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.choosing import EQUIVALENT, choose_mutants, read_equivalents, share_out
from tests.mutants.trees import write_tree

LINES = "".join(f"x{at} = a{at} < b{at}\n" for at in range(20))


def test_shares_follow_size() -> None:
    assert share_out({"a": 60, "b": 30, "c": 10, "d": 0}, 10) == {"a": 6, "b": 3, "c": 1, "d": 0}
    assert share_out({"a": 1, "b": 1, "c": 1}, 2) == {"a": 1, "b": 1, "c": 0}


def test_a_seed_chooses_the_same_again(tmp_path: Path) -> None:
    tree = write_tree(tmp_path, **{"engine/b.py": LINES})
    first, again, other = (choose_mutants(tree, ["engine/b.py"], 5, seed).mutants for seed in (1, 1, 2))
    assert first == again != other
    assert len({mutant.line for mutant in first}) == 5


def test_an_equivalent_is_passed_over(tmp_path: Path) -> None:
    tree = write_tree(tmp_path, **{"engine/b.py": LINES})
    chosen = choose_mutants(tree, ["engine/b.py"], 5, 1).mutants
    listed = chosen[2]
    (tree / EQUIVALENT).parent.mkdir(parents=True)
    (tree / EQUIVALENT).write_text(f"# a note\nengine/b.py\t\t{listed.old}\t{listed.new}\tnobody looks\n")
    choice = choose_mutants(tree, ["engine/b.py"], 5, 1)
    assert choice.left_out == [listed]
    assert listed not in choice.mutants
    assert (len(choice.mutants), len(set(chosen) & set(choice.mutants)), choice.stale) == (5, 4, [])


def test_an_entry_that_fits_nothing_is_named(tmp_path: Path) -> None:
    tree = write_tree(tmp_path, **{EQUIVALENT: "engine/b.py\tf#2\ta\tb\tgone\nengine/a.py\t\ta\tb\tof another room\n"})
    assert choose_mutants(tree, ["engine/b.py"], 5, 1).stale == [("engine/b.py", "f", "a", "b", 2)]


def test_an_entry_without_reason_is_refused(tmp_path: Path) -> None:
    tree = write_tree(tmp_path, **{EQUIVALENT: "engine/b.py\tf\ta\tb\t \n"})
    with pytest.raises(ValueError, match=r"equivalent.txt:1 needs"):
        read_equivalents(tree)


def test_the_list_of_this_tree_is_well_formed() -> None:
    assert read_equivalents(Path(__file__).parents[2]) is not None
