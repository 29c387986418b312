"""Mistakes in a person's words: the path as the spec has it, what is wrong, and a fix that is right."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from engine.load.messages import Explained, explain_error
from engine.spec import Spec

BASE: dict[str, Any] = {"name": "a", "data": {"source": "digits"}, "student": {"arch": "tiny_vit_5m"}}
SPARSE = {"arch": "tiny_vit_5m", "attention": {"kind": "longformer"}}


def found(**words: Any) -> list[Explained]:
    with pytest.raises(ValidationError) as caught:
        Spec.model_validate({**BASE, **words})
    return [explain_error(detail) for detail in caught.value.errors(include_url=False)]


def attention(**words: Any) -> dict[str, Any]:
    return {"arch": "tiny_vit_5m", "attention": {"kind": "longformer", **words}}


CASES: dict[str, tuple[dict[str, Any], tuple[str | int, ...], str, str]] = {
    "a word of ours": (
        {"seeds": [1, 1]},
        ("seeds",),
        "seed 1 is repeated",
        "list each seed once, as `[1]`: the same run twice is no sample of two",
    ),
    "a whole number": (
        {"train": {"epochs": 1.5}},
        ("train", "epochs"),
        "1.5 is not a whole number",
        "write a whole number, such as `30`",
    ),
    "a whole number with an exponent": (
        {"train": {"epochs": 1e3}},
        ("train", "epochs"),
        "1000.0 is not a whole number",
        "write `1000`, without point or exponent",
    ),
    "a whole number with a large exponent": (
        {"train": {"epochs": 1e26}},
        ("train", "epochs"),
        "1e+26 is not a whole number",
        "write a whole number, such as `30`",
    ),
    "a number in quotes": (
        {"train": {"epochs": "12"}},
        ("train", "epochs"),
        "'12' is not a whole number",
        "remove the quotes: write `12`",
    ),
    "a negative number in quotes": (
        {"train": {"lr": "-0.5"}},
        ("train", "lr"),
        "'-0.5' is not a number",
        "write a number, such as `0.001`",
    ),
    "a text for a number": (
        {"train": {"lr": "1.2.3"}},
        ("train", "lr"),
        "'1.2.3' is not a number",
        "write a number, such as `0.001`",
    ),
    "a number for a text": ({"title": 3}, ("title",), "3 is not a text", 'write `"3"`, in quotes: it is a text'),
    "a word for a truth": (
        {"train": {"deterministic": "yes"}},
        ("train", "deterministic"),
        "'yes' is not true or false",
        "write `true`",
    ),
    "a number for a list": (
        {"seeds": 3},
        ("seeds",),
        "3 is not a list in [brackets]",
        "write `[0, 1, 2]` for 3 seeds, or `[3]` for seed 3 alone",
    ),
    "a number for a mapping": (
        {"arms": 3},
        ("arms",),
        "3 is not a mapping",
        "write a mapping, such as `{original: {}, pruned: {prune.ratio: 0.2}}`",
    ),
    "nothing for a mapping": (
        {"train": None},
        ("train",),
        "null is not a mapping",
        "remove the key, or write below it what belongs there, such as `epochs: 30`",
    ),
    "a list for a number": (
        {"train": {"lr": [1]}},
        ("train", "lr"),
        "[1] is not a number",
        "write `1`, without brackets",
    ),
    "a mapping for a number": (
        {"train": {"lr": {"a": 1}}},
        ("train", "lr"),
        "this mapping is not a number",
        "write `1`, with nothing nested in it",
    ),
    "at least": (
        {"train": {"epochs": 0}},
        ("train", "epochs"),
        "0 is below 1",
        "use 1 to 1,000,000, such as `30`",
    ),
    "above": (
        {"train": {"lr": 0.0}},
        ("train", "lr"),
        "0.0 is not above 0",
        "use a value above 0 and of at most 100, such as `0.001`",
    ),
    "at most": (
        {"data": {"source": "digits", "image_size": 4000}},
        ("data", "image_size"),
        "4000 is above 2,048",
        "use 8 to 2,048, such as `224`",
    ),
    "below": (
        {"train": {"label_smoothing": 1.0}},
        ("train", "label_smoothing"),
        "1.0 is not below 1",
        "use a value of at least 0 and below 1, such as `0.1`",
    ),
    "above the largest": (
        {"train": {"epochs": 10**25}},
        ("train", "epochs"),
        "a whole number of 26 digits is above 1,000,000",
        "use 1 to 1,000,000, such as `30`",
    ),
    "a number that Python cannot write": (
        {"seeds": [10**9_999]},
        ("seeds", 0),
        "this is above 9,223,372,036,854,775,807",
        "use 0 to 9,223,372,036,854,775,807, such as `0`",
    ),
    "a number that no float holds": (
        {"train": {"lr": 10**400}},
        ("train", "lr"),
        "a whole number of 401 digits is too large for any setting",
        "write the number that was meant",
    ),
    "not a number": (
        {"train": {"lr": float("nan")}},
        ("train", "lr"),
        "NaN is no setting",
        "write a number, such as `0.001`",
    ),
    "not a number for a whole one": (
        {"train": {"epochs": float("nan")}},
        ("train", "epochs"),
        "NaN is no setting",
        "write a number, such as `30`",
    ),
    "infinity": (
        {"train": {"lr": float("-inf")}},
        ("train", "lr"),
        "infinity is no setting",
        "write the largest number that is meant, such as `0.001`",
    ),
    "a number of several kinds": (
        {"data": {"source": "digits", "view_seed": -1}},
        ("data", "view_seed"),
        "a number here is below 0",
        "use 0 to 9,223,372,036,854,775,807",
    ),
    "a number in an option of timm": (
        {"student": {"arch": "timm/resnet18", "options": {"width": [1, 10**10]}}},
        ("student", "options", "width"),
        "a number here is above 1,000,000,000",
        "use -1,000,000,000 to 1,000,000,000",
    ),
    "a wrong choice": (
        {"train": {"optimizer": "adamww"}},
        ("train", "optimizer"),
        "'adamww' is no choice here",
        "did you mean 'adamw' or 'radamw' or 'nadamw'?",
    ),
    "a wrong choice of many": (
        {"student": attention(select="x")},
        ("student", "attention", "select"),
        "'x' is no choice here",
        "choose one of 'grid', 'learned', 'none', 'norm', 'pooled', 'previous'",
    ),
    "a kind that is none": (
        {"student": {"arch": "tiny_vit_5m", "attention": {"kind": "windw"}}},
        ("student", "attention", "kind"),
        "'windw' is no choice here",
        "did you mean 'window'?",
    ),
    "a value below a kind": (
        {"student": attention(stages="x")},
        ("student", "attention", "stages"),
        "'x' is not a list in [brackets]",
        "write a list, such as `[2, 3]`",
    ),
    "a temperature below its tag": (
        {"distill": {"temperature": {"from": 0.0, "to": 1.0}}},
        ("distill", "temperature", "from"),
        "0.0 is not above 0",
        "use a value above 0 and of at most 1,000,000, such as `8`",
    ),
    "an option of another loss": (
        {"distill": {"loss": "dkd", "options": {"gama": 1.0}}},
        ("distill", "options", "gama"),
        "loss dkd has no option 'gama' (its own: alpha, beta)",
        "choose one of 'alpha', 'beta'",
    ),
    "an option that is misspelt": (
        {"distill": {"loss": "ats", "options": {"wrong_temperatur": 1.0}}},
        ("distill", "options", "wrong_temperatur"),
        "loss ats has no option 'wrong_temperatur' (its own: wrong_temperature)",
        "did you mean 'wrong_temperature'?",
    ),
    "an option of a loss that has none": (
        {"distill": {"options": {"beta": 1.0}}},
        ("distill", "options", "beta"),
        "loss hinton has no option 'beta' (its own: none)",
        "leave options away",
    ),
    "an option below 0": (
        {"distill": {"loss": "dkd", "options": {"beta": -1.0}}},
        ("distill", "options", "beta"),
        "option beta is -1",
        "use a value of at least 0",
    ),
    "an option that divides": (
        {"distill": {"loss": "ats", "options": {"wrong_temperature": 0.0}}},
        ("distill", "options", "wrong_temperature"),
        "option wrong_temperature is 0",
        "use a value above 0",
    ),
    "an option that is no number": (
        {"distill": {"loss": "dkd", "options": {"beta": "8"}}},
        ("distill", "options", "beta"),
        "'8' is not a number",
        "remove the quotes: write `8`",
    ),
    "an infinite option": (
        {"distill": {"loss": "dkd", "options": {"beta": float("inf")}}},
        ("distill", "options", "beta"),
        "infinity is no setting",
        "write the largest number that is meant",
    ),
    "a wrong loss and its option": (
        {"distill": {"loss": "dkt", "options": {"beta": 2.0}}},
        ("distill", "loss"),
        "'dkt' is no choice here",
        "did you mean 'dkd'?",
    ),
    "a wrong criterion": (
        {"prune": {"criterion": "tailor"}},
        ("prune", "criterion"),
        "'tailor' is no choice here",
        "did you mean 'taylor'?",
    ),
    "a wrong source": (
        {"data": {"source": "digit"}},
        ("data", "source"),
        "'digit' is no choice here",
        "did you mean 'digits'?",
    ),
    "an item of a list": (
        {"measure": {"batch_sizes": [1, 0]}},
        ("measure", "batch_sizes", 1),
        "0 is below 1",
        "use 1 to 1,000,000, such as `64`",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_told_with_its_path_and_its_fix(case: str) -> None:
    words, path, what, fix = CASES[case]
    (told,) = found(**words)
    assert (told.path, told.what, told.fix, told.at_key) == (path, what, fix, False)


def test_lengths_are_limits_too() -> None:
    (short,) = found(student={"arch": "tiny_vit_5m", "dims": [8, 8]})
    assert (short.path, short.fix) == (("student", "dims"), "write at least 4, such as `[16, 32, 48, 64]`")
    (long,) = found(student={"arch": "tiny_vit_5m", "dims": [8] * 5})
    assert long.fix == "write at most 4, such as `[16, 32, 48, 64]`"
    (name,) = found(name="No Name")
    assert (name.what, name.fix.split(":")[0]) == ("'No Name' is no name", "write `no_name`")


KEYS: dict[str, tuple[dict[str, Any], tuple[str | int, ...], str]] = {
    "of the whole": ({"titel": "x"}, ("titel",), "did you mean 'title'?"),
    "of a part": ({"train": {"epoch": 1}}, ("train", "epoch"), "did you mean 'epochs'?"),
    "below a kind": ({"student": attention(radios=1)}, ("student", "attention", "radios"), "did you mean 'radius'?"),
    "of a temperature": (
        {"distill": {"temperature": {"from": 2.0, "to": 1.0, "schedul": "linear"}}},
        ("distill", "temperature", "schedul"),
        "did you mean 'schedule'?",
    ),
    "of a claim": (
        {"claims": [{"id": "c", "text": "t", "metric": "m", "arm": "a", "against": "a", "expect": "less", "marge": 1}]},
        ("claims", 0, "marge"),
        "did you mean 'margin'?",
    ),
}


@pytest.mark.parametrize("case", KEYS)
def test_an_unknown_key_is_told_with_the_nearest(case: str) -> None:
    words, path, fix = KEYS[case]
    (told,) = found(**words)
    assert (told.path, told.what, told.fix, told.at_key) == (path, f"unknown key {path[-1]!r}", fix, True)


def test_a_claim_offers_all_of_its_words() -> None:
    from engine.spec import Claim

    claim = {"id": "c", "text": "t", "metric": "m", "arm": "a", "against": "a", "expect": "less", "zzz": 1}
    (told,) = found(claims=[claim])
    assert all(f"'{word}'" in told.fix for word in Claim.model_fields)


def test_a_missing_key_is_told_where_it_should_stand() -> None:
    (told,) = found(data={"image_size": 32})
    assert told == Explained(("data", "source"), "the key 'source' is missing", "add `source: digits`", at_key=True)
    (kind,) = found(student={"arch": "tiny_vit_5m", "attention": {"radius": 1}})
    assert (kind.path, kind.what, kind.at_key) == (("student", "attention"), "`kind` is missing", True)
    assert kind.fix == "add `kind: window` or `kind: longformer`"


def test_a_stage_list_of_unions_has_a_plain_path() -> None:
    told = found(student=attention(radius="wide"))
    assert {problem.path for problem in told} == {("student", "attention", "radius")}


@pytest.mark.parametrize(("length", "shown"), [(58, "'" + "x" * 58 + "'"), (59, "'" + "x" * 56 + "...")])
def test_a_long_value_is_cut_at_60(length: int, shown: str) -> None:
    (told,) = found(train={"lr": "x" * length})
    assert told.what == f"{shown} is not a number"
