"""A word is explained by its sentence, its range and an example; an unknown one by the nearest."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import XpError
from engine.inspect.meaning import explain_word, known_words, reference_page

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"


def test_a_field_has_its_range_default_and_example() -> None:
    (found,) = explain_word("train.lr")
    assert (found.word, found.kind) == ("train.lr", "field")
    assert "scales it with the batch size" in found.about
    assert dict(found.facts) == {
        "type": "a number",
        "range": "above 0, at most 100",
        "default": "0.0005",
        "example": "lr: 0.001",
    }


def test_a_field_is_found_by_its_last_word() -> None:
    assert [found.word for found in explain_word("crop_share")] == ["data.crop_share", "teacher.crop_share"]
    assert [found.word for found in explain_word("epochs")] == ["train.epochs", "search.fidelity.epochs"]


def test_a_section_names_what_is_in_it() -> None:
    (found,) = explain_word("distill.temperature")
    assert dict(found.facts)["default"] == "the loss's own"
    assert "distill.temperature.from" in found.inside
    (data,) = explain_word("data")
    assert {"data.root", "data.augment"} <= set(data.inside)
    assert "data.augment.flip" not in data.inside


def test_choices_are_listed_and_cut() -> None:
    (loss,) = explain_word("distill.loss")
    assert "hinton" in dict(loss.facts)["choices"]
    (optimizer,) = explain_word("train.optimizer")
    assert " in all)" in dict(optimizer.facts)["choices"]


def test_a_metric_has_unit_and_direction() -> None:
    (found,) = explain_word("infer_latency")
    facts = dict(found.facts)
    assert (found.kind, facts["unit"], facts["better"]) == ("metric", "ms", "less is better")
    assert facts["compared"].startswith("on one device")
    (exact,) = explain_word("params_before")
    assert "compared" not in dict(exact.facts)


def test_relations_and_columns_have_queries() -> None:
    cells = next(found for found in explain_word("cells") if found.kind == "relation")
    assert "cells.mean" in cells.inside
    (mean,) = explain_word("cells.mean")
    assert mean.kind == "column"
    (top1,) = explain_word("results.test_top1")
    assert dict(top1.facts)["unit"] == "fraction"


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("learning_rate", "'train.lr'"),
        ("tran.lr", "'train.lr'"),
        ("accuracy", "'test_top1'"),
        ("cells.men", "'cells.mean'"),
        ("zzzzqq", "xp explain --all"),
    ],
)
def test_an_unknown_word_is_answered_with_the_nearest(word: str, near: str) -> None:
    with pytest.raises(XpError) as caught:
        explain_word(word)
    assert near in caught.value.fix


def test_every_known_word_is_explained() -> None:
    for word in known_words():
        assert all(found.about for found in explain_word(word)), word


def test_the_page_is_what_the_words_say() -> None:
    assert PAGE.read_text() == reference_page(), "make it anew: xp explain --all > docs/reference.md"


def test_the_page_holds_every_word() -> None:
    page = reference_page()
    missing = [word for word in known_words() if f"`{word.rpartition('.')[2]}`" not in page]
    assert missing == []
    assert all(line.count("|") - line.count("\\|") in (3, 5, 6) for line in page.splitlines() if line[:1] == "|")


def test_a_meaning_is_json() -> None:
    (found,) = explain_word("train.lr")
    assert found.as_json()["facts"]["default"] == "0.0005"
    assert found.as_json()["inside"] == ()


def test_a_value_says_what_it_is_and_where_it_goes() -> None:
    (found,) = explain_word("longformer")
    assert (found.kind, found.about) == (
        "value of student.attention.kind", "longformer: a neighbourhood and global tokens."
    )  # fmt: skip
    assert dict(found.facts) == {"write": "student.attention.kind: longformer", "beside": "window"}
    (loss,) = explain_word("hinton")
    assert "hinton is the KL divergence" in loss.about
    assert "dkd" in dict(loss.facts)["beside"]


def test_a_network_is_a_value() -> None:
    (found,) = explain_word("tiny_vit_5m")
    assert dict(found.facts)["write"] == "student.arch: tiny_vit_5m"


def test_a_misspelt_value_has_its_neighbour() -> None:
    with pytest.raises(XpError) as caught:
        explain_word("longformr")
    assert "'longformer'" in str(caught.value.fix)
