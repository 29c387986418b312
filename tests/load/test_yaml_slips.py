"""A slip that makes a text no YAML is named at its own line, and its repair makes it YAML."""

from __future__ import annotations

import pytest

from engine.errors import SpecError
from engine.load.yaml_nodes import compose_nodes
from engine.load.yaml_slips import MOST_BYTES, find_slip

HEAD = "name: a\ntrain:\n  epochs: 10\n"
CASES = {
    "no space": ("  lr:1e-3\n  threads: 1\n", "4:3", "there is no space after the colon", "write `lr: 1e-3`"),
    "equals": ("  lr = 1e-3\n", "4:3", "`=` stands where a colon belongs", "write `lr: 1e-3`"),
    "no colon": ("  lr 1e-3\n  threads: 1\n", "4:3", "there is no colon after the key", "write `lr: 1e-3`"),
    "open bracket": ("seeds: [0, 1\ntitle: a\n", "4:8", "nothing closes this bracket", "write `[0, 1]`"),
    "open brace": ("data: {source: digits\ntitle: a\n", "4:7", "nothing closes this bracket",
                   "write `{source: digits}`"),
    "other bracket": ("seeds: [0, 1}\n", "4:8", "`}` closes a `[`", "write `[0, 1]`"),
    "one too many": ("seeds: [0, 1]]\n", "4:14", "nothing opens this `]`", "write ``"),
    "open quote": ("title: 'a b\nseeds: [1]\n", "4:8", "this quote has no other end", "write `a b`"),
    "two commas": ("seeds: [0,, 1]\n", "4:10", "two commas", "write `, 1]`"),
    "no comma": ("data: {source: digits image_size: 8}\n", "4:7", "no comma stands between two entries",
                 "write `{source: digits, image_size: 8}`"),
    "a colon": ("title: a: b\n", "4:8", "mapping values are not allowed here", "write `'a: b'`"),
    "too far right": ("   lr: 1\n", "4:4", "this line is indented by 3 spaces, unlike those it belongs to",
                      "indent it by 2 spaces"),
    "too far left": (" lr: 1\n", "4:2", "this line is indented by 1 space, unlike those it belongs to",
                     "indent it by 2 spaces"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_slip_is_named_where_it_is(case: str) -> None:
    text, place, what, fix = CASES[case]
    with pytest.raises(SpecError) as caught:
        compose_nodes(HEAD + text, "f")
    (problem,) = caught.value.problems
    assert (problem.where, problem.what, problem.fix) == (f"f:{place}", f"this is not YAML: {what}", fix)


def test_a_tab_is_replaced_by_the_spaces_that_fit() -> None:
    from engine.load.yaml_nodes import refuse_tabs

    with pytest.raises(SpecError) as caught:
        refuse_tabs("train:\n  epochs: 1\n\tlr: 1\n", "f")
    assert caught.value.problems[0].fix == "indent it by 2 spaces"


def test_what_cannot_be_repaired_has_no_slip() -> None:
    assert find_slip("a: b: c\n", [0], lambda _: False) is None
    assert find_slip("a: b: c\n" + "#" * MOST_BYTES, [0], lambda _: True) is None
