"""Mutants of Python: which places are changed and how, what is left alone, and that nothing else of a file changes."""

from __future__ import annotations

import pytest

from tests.mutants.python import is_sound, needed_keywords, python_mutants
from tests.mutants.texts import apply_mutant


def results(source: str, kind: str = "", needed: dict[str, set[str]] | None = None) -> list[str]:
    mutants = python_mutants("a.py", source, needed)
    return [apply_mutant(source, mutant) for mutant in mutants if kind in ("", mutant.kind)]


@pytest.mark.parametrize(
    ("kind", "source", "expected"),
    [
        ("comparison", "a < b", ["a <= b"]),
        ("comparison", "a >= b == c", ["a > b == c", "a >= b != c"]),
        ("comparison", "(a) not  in (b)", ["(a) in (b)"]),
        ("comparison", "a is not b", ["a is b"]),
        ("logic", "(a or\n b) and c", ["(a or\n b) or c", "(a and\n b) and c"]),
        ("logic", "not (a)", ["(a)"]),
        ("logic", "x = -a", ["x = a"]),
        ("arithmetic", "a // b ** c", ["a / b ** c", "a // b * c"]),
        ("arithmetic", "a += b", ["a -= b"]),
        ("arithmetic", "a + 'text'", []),
        ("constant", "x = (1, 0.1, 0.0, True, None)", [
            "x = (2, 0.1, 0.0, True, None)",
            "x = (1, 0.2, 0.0, True, None)",
            "x = (1, 0.1, 1.0, True, None)",
            "x = (1, 0.1, 0.0, False, None)",
        ]),
        ("text", "a['k'], {'m': 'text'}, b == 'c'", [
            "a[\"k_\"], {'m': 'text'}, b == 'c'",
            "a['k'], {\"m_\": 'text'}, b == 'c'",
            "a['k'], {'m': 'text'}, b == \"c_\"",
        ]),
        ("condition", "[a for a in b if c]", ["[a for a in b if True]", "[a for a in b if False]"]),
        ("keyword", "f(1, b=2, c=3)", ["f(1, c=3)", "f(1, b=2)"]),
        ("keyword", "f(b=2, c=3)", ["f(c=3)", "f(b=2)"]),
        ("call", "os.fsync(file)", ["pass"]),
        ("return", "def f():\n    return a", ["def f():\n    return None"]),
        ("builtin", "min(a), any(b)", ["max(a), any(b)", "min(a), all(b)"]),
        ("builtin", "sorted(a, key=b)", ["list(a)"]),
        ("builtin", "sorted(x for x in a)", ["list(x for x in a)"]),
        ("slice", "a[b:c]", ["a[:c]", "a[b:]"]),
    ],
)  # fmt: skip
def test_a_kind_changes_one_place(kind: str, source: str, expected: list[str]) -> None:
    assert results(source, kind) == expected


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring of 1 < 2."""',
        "def f(a: Literal['a'] | None) -> dict[str, 3]:\n    'Says 1.'",
        "@cache(size=1)\ndef f(): ...",
        "raise ValueError(f'{100 * a} of {b + 1}')",
        "log.info('%d', 1 + a)",
        "__all__ = ['a'] + ['b']",
        "if TYPE_CHECKING:\n    x = 1 < 2",
        "x = Field(description='a' + b)",
        "from a import b",
        "Words = str | None",
    ],
)
def test_what_no_test_should_see_is_left_alone(source: str) -> None:
    assert results(source) == []


def test_every_mutant_is_sound_beside_odd_text() -> None:
    source = 'é = "ü"; x = f"{a + 1:.2f} ß" if (b\n    and c) else g(  # a note\n    d, e=1,\n)\n'
    mutants = python_mutants("a.py", source)
    assert {"arithmetic", "condition", "logic", "keyword", "constant"} <= {mutant.kind for mutant in mutants}
    assert all(is_sound(source, mutant) for mutant in mutants)


def test_bytes_outside_the_change_stay() -> None:
    source = "é = 'ü'\n\nif a<b :  # odd   spaces\n    c( d )\n"
    assert results(source, "comparison") == [source.replace("a<b", "a<=b")]


def test_what_means_the_same_is_unsound() -> None:
    source = "a = b[1:]\n"
    (mutant,) = python_mutants("a.py", source)[:1]
    assert is_sound(source, mutant)
    assert not is_sound(apply_mutant(source, mutant), mutant)


def test_needed_keywords_are_not_dropped() -> None:
    needed = needed_keywords(["def f(a, b=1, *, c, d=2): ...\nclass G:\n    e: int\n    h: int = 1"])
    assert needed == {"f": {"a", "c"}, "G": {"e", "h"} - {"h"}}
    assert results("f(a=w, b=x, c=y, d=z)", "keyword", needed) == ["f(a=w, c=y, d=z)", "f(a=w, b=x, c=y)"]


def test_key_stays_when_lines_move() -> None:
    source = "def f(a):\n    return a < 1\n"
    moved = "import os\n\n\n" + source
    before, after = (python_mutants("a.py", text) for text in (source, moved))
    assert [mutant.key for mutant in before] == [mutant.key for mutant in after]
    assert [mutant.line + 3 for mutant in before] == [mutant.line for mutant in after]


def test_twins_have_keys_of_their_own() -> None:
    keys = [mutant.key for mutant in python_mutants("a.py", "a(x)\na(x)\n")]
    assert len(set(keys)) == len(keys) == 2


def test_scope_names_class_and_function() -> None:
    source = "class A:\n    def f(self):\n        g()\n"
    assert {mutant.scope for mutant in python_mutants("a.py", source)} == {"A.f"}
