"""Text for LaTeX: signs are escaped, endless words may break, letters that pdfLaTeX lacks have both of their forms."""

from __future__ import annotations

import pytest

from store.tex_text import break_tex, to_tex


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        (r"5 % & $x_1$ #{a} \input{b} ^~", r"5 \% \& \$x\_1\$ \#\{a\} \textbackslash{}input\{b\} \textasciicircum{}\textasciitilde{}"),  # noqa: E501  one text
        ("-0.62 against a-1, x -2", r"$-$0.62 against a-1, x $-$2"),
        ("a\nb\t c", "a b c"),
        ("60 ± 1 † → x", r"60 $\pm$ 1 $^\dagger$ $\rightarrow$ x"),
        ("é ß Ł", "é ß Ł"),
        ("the 中文 title", r"the \xpletters{中\allowbreak{}文\allowbreak{}}{U+4E2D U+6587} title"),
        ("a שלום עולם b", r"a \xprightletters{שלום עולם}{U+05E9 U+05DC U+05D5 U+05DD U+05E2 U+05D5 U+05DC U+05DD} b"),
        ("中 שלום", r"\xpletters{中\allowbreak{}}{U+4E2D} \xprightletters{שלום}{U+05E9 U+05DC U+05D5 U+05DD}"),
        ("a -- b 'c' \u2013", r"a -\kern0pt{}- b \textquotesingle{}c\textquotesingle{} \textendash{}"),
        ("й", r"\xpletters{й}{U+0439}"),
    ],
)  # fmt: skip
def test_a_text_is_set_as_it_is_written(text: str, printed: str) -> None:
    assert to_tex(text) == printed


def test_an_endless_word_may_break_and_a_long_one_need_not() -> None:
    assert to_tex("x" * 30) == r"\allowbreak{}".join(["x" * 12, "x" * 12, "x" * 6])
    assert to_tex("x" * 20) == "x" * 20


def test_of_many_letters_that_are_lacking_the_first_code_points_are_named() -> None:
    assert to_tex("й" * 20).endswith("{" + "U+0439 " * 8 + "and 12 more}")


def test_names_break_behind_their_signs_and_numbers_do_not() -> None:
    assert break_tex("student.attention_kind") == r"student.\allowbreak{}attention\_\allowbreak{}kind"
    assert break_tex("ratio 0.25, 1,024") == "ratio 0.25, 1,024"
