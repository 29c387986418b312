"""What is written instead of a wrong value is right: of its type, in its range, and what was most likely meant."""

from __future__ import annotations

from typing import Any

import pytest

from engine.load.repairs import repair, repair_pattern
from engine.spec.lexicon import all_terms
from engine.spec.written import write_value

CASES: list[tuple[str, Any, str]] = [
    ("prune.ratio", 20, "write `0.2` for 20 %: it is a share"),
    ("prune.ratio", "20%", "write `0.2`: 20 % as a share"),
    ("seeds", 2, "write `[0, 1]` for 2 seeds, or `[2]` for seed 2 alone"),
    ("train.lr", "1e-3", "remove the quotes: write `0.001`"),
    ("train.lr", "0,001", "write the number alone: `0.001`"),
    ("train.epochs", "10 epochs", "write the number alone: `10`"),
    ("train.epochs", 10.0, "write `10`, without point or exponent"),
    ("train.epochs", [10], "write `10`, without brackets"),
    ("train.epochs", {"value": 10}, "write `10`, with nothing nested in it"),
    ("train.epochs", None, "write `10`, its default, or leave the key away"),
    ("train.epochs", "many", "write a whole number, such as `30`"),
    ("train.epochs", 0, "use 1 to 1,000,000, such as `30`"),
    ("train.deterministic", "yes", "write `true`"),
    ("train.deterministic", 0, "write `false`"),
    ("measure.batch_sizes", 64, "write `[64]`, in brackets"),
    ("measure.batch_sizes", "[1, 64]", "remove the quotes: write `[1, 64]`"),
    ("student.dims", 16, "write a list of whole numbers, such as `[16, 32, 48, 64]`"),
    ("student.attention.radius", "2", "remove the quotes: write `2`"),
    ("title", 3, 'write `"3"`, in quotes: it is a text'),
    ("teacher", "null", "write `null`, without quotes"),
    ("train", None, "remove the key, or write below it what belongs there, such as `epochs: 30`"),
    ("train", "epochs:10", "write `{epochs: 10}`, with a space after the colon"),
    ("student.attention", "longformer", "write `{kind: longformer}`"),
    ("teacher.attention", "longformr", "write `{kind: longformer}`"),
    ("prune", "structured", "write `{method: structured}`"),
    ("distill.loss", "kd", "did you mean 'hinton'?"),
]


@pytest.mark.parametrize(("path", "given", "fix"), CASES, ids=[f"{path}: {given}" for path, given, _ in CASES])
def test_a_wrong_value_is_repaired(path: str, given: Any, fix: str) -> None:
    assert repair(given, all_terms()[path]) == fix


def test_an_entry_of_a_list_is_repaired_alone() -> None:
    assert repair("3", all_terms()["seeds"], 1) == "remove the quotes: write `3`"
    assert repair(None, all_terms()["student.windows"], 3) == "write a whole number, such as `7`"


def test_a_number_in_an_unknown_option_loses_its_quotes() -> None:
    assert repair("8", None) == "remove the quotes: write `8`"
    assert repair("x", None) == "write another value"


@pytest.mark.parametrize(
    ("path", "given", "fix"),
    [
        ("name", "My Name!", "write `my_name`"),
        ("claims.0.id", "A b", "write `a_b`"),
        ("resources.memory", "16 GB", "write `16G`"),
        ("resources.memory", "lots", "write a number and K, M, G or T, such as `16G`"),
        ("resources.time", "4 hours", "write `4h`"),
        ("resources.time", "1:30", "write `90m`"),
        ("resources.time", "soon", "write a number and s, m, h or d, such as `4h`"),
    ],
)
def test_a_text_of_the_wrong_form_is_put_right(path: str, given: str, fix: str) -> None:
    found = repair_pattern(given, path)
    assert found is not None
    assert found.startswith(fix)


def test_other_words_have_no_form() -> None:
    assert repair_pattern("x", "train.lr") is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([1, 2.5, "a"], "[1, 2.5, a]"), ({"a": None, "b": True}, "{a: null, b: true}"), ("60/20/20", '"60/20/20"'),
        ("null", '"null"'), (5e-4, "0.0005"), (2.0, "2"),
    ],
)  # fmt: skip
def test_a_value_is_written_as_yaml(value: Any, text: str) -> None:
    assert write_value(value) == text
