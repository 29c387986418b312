"""What is typed over the table of runs, term by term."""

from __future__ import annotations

import pytest

from engine.serve.filtering import Cell, Term, parse_terms, resolve_name, to_number


def test_words_names_and_quotes_are_told_apart() -> None:
    assert parse_terms('sparse lr>=1e-3 -state=done cell="a b"') == (
        Term("sparse"),
        Term("1e-3", "lr", ">="),
        Term("done", "state", "=", is_not=True),
        Term("a b", "cell", "="),
    )


def test_odd_texts_are_words() -> None:
    assert parse_terms("= >3 a= - ") == (Term("="), Term(">3"), Term("a="), Term("-"))
    assert len(parse_terms("a " * 5000)) == 40


@pytest.mark.parametrize(
    ("text", "found", "fits"),
    [
        ("acc>0.8", 0.81, True),
        ("acc>0.8", 0.8, False),
        ("acc>=80%", 0.8, True),
        ("acc<0.8", None, False),
        ("lr=1e-3", "0.001", True),
        ("lr=0.001", "0.0010001", False),
        ("lr!=0.001", "0.002", True),
        ("loss=Hinton", "hinton", True),
        ("prune=none", None, True),
        ("prune!=none", "0.2", True),
        ("-prune=none", None, False),
        ("loss>3", "hinton", False),
    ],
)
def test_values_are_compared_as_numbers_where_they_are(text: str, found: Cell, fits: bool) -> None:
    (term,) = parse_terms(text)
    assert term.fits("", found) is fits


def test_a_word_may_be_refused() -> None:
    (term,) = parse_terms("-Sparse")
    assert term.fits("dense seed 1", None)
    assert not term.fits("sparse seed 1", None)


def test_the_end_of_a_name_will_do_where_it_is_one() -> None:
    known = dict.fromkeys(("train.lr", "train.min_lr", "data.split", "other.split"))
    assert resolve_name("lr", known) == "train.lr"
    assert resolve_name("train.lr", known) == "train.lr"
    assert resolve_name("split", known) is None


def test_what_is_no_number_is_none() -> None:
    assert to_number("12%") == 0.12
    assert to_number("adamw") is None
    assert to_number("x%") is None
