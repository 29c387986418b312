"""Text for terminals, JSON, Markdown and LaTeX: what others wrote comes out as text, and as nothing else."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from store.escape import UNPRINTABLE, code_markdown, escape_markdown, escape_tex, find_unprintable, show_json, show_text

STEERING = [
    "\x1b[31m",
    "\x1b]52;c;aGk=\x07",
    "\x07",
    "\x9b2J",
    "\x90q\x9c",
    "\u202egnp",
    "\u2066",
    "\ud800",
    "\r",
    "\x7f",
]
few = settings(max_examples=40, deadline=None)
READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
SIGNS = "\\`*_{}[]()<>#+-.!|&~$:=\"'/@^%; \t\n\rab1é\u00a0\u2028\x1b"
# Pieces that would be elements, and any text in between.
PIECES = st.sampled_from(
    ["[a](http://x)", "![b](y)", "[x] ", "<b>", "</", "<!--", "&lt;", "&#60;", "`x`", "**", "__", "# ", "- ", "1. ",
     "> ", "---",
     "===", "|", "\\|", "\\", "[a]: /b", "[^1]", "- [x] ", "~~~", "```", "$$", "http://x.y", "www.x.y", "<http://x>",
     "a_b", "_a_", "[1, 2]", "a < b", ":--", "\n\n", "\n    "]
)  # fmt: skip
TEXTS = st.lists(st.one_of(PIECES, st.text(SIGNS, max_size=6)), max_size=8).map("".join)
PLACES = {
    "heading": ("# {}\n", ["heading_open", "inline", "heading_close"]),
    "paragraph": ("before\n\n{}\n\nafter\n", ["paragraph_open", "inline", "paragraph_close"] * 3),
    "item": ("- {}\n", ["bullet_list_open", "list_item_open", "paragraph_open", "inline", "paragraph_close",
                        "list_item_close", "bullet_list_close"]),
    "quote": ("> {}\n", ["blockquote_open", "paragraph_open", "inline", "paragraph_close", "blockquote_close"]),
    "cell": ("| a | b |\n| --- | --- |\n| x{} | {} |\n", []),
    "alt": ("![{}](a.png)\n", ["paragraph_open", "inline", "paragraph_close"]),
}  # fmt: skip


def seen(text: str) -> str:
    """What a reader sees of a text: what cannot be printed escaped, spaces as one."""
    return " ".join(show_text(" ".join(text.splitlines())).split())


def inner(tokens: list[Token]) -> list[Token]:
    return [child for token in tokens for child in token.children or ()]


@few
@given(TEXTS)
@example("# x #")
@example("[a]: /b")
@example("[1, 2]")
@example("[^1]")
@example("[[a]](b)")
@example("\\")
@example("\\|")
@example("a\\")
@example("##")
@example("-")
@example("1)")
@pytest.mark.parametrize("place", [place for place in PLACES if place not in ("cell", "alt")])
def test_text_in_markdown_is_text_alone(place: str, text: str) -> None:
    page, blocks = PLACES[place]
    if seen(text):
        tokens = READER.parse(page.format(escape_markdown(text)))
        assert [token.type for token in tokens] == blocks
        middle = next(token for token in tokens if token.type == "inline" and token.content not in ("before", "after"))
        assert {child.type for child in middle.children or ()} <= {"text", "text_special"}
        assert " ".join("".join(child.content for child in middle.children or ()).split()) == seen(text)


@few
@given(TEXTS)
@example("\\|")
@example("\\\\|")
@example("|")
def test_text_in_a_cell_stays_in_its_cell(text: str) -> None:
    marked = escape_markdown(text)
    tokens = READER.parse(PLACES["cell"][0].format(marked, marked))
    assert sum(token.type == "td_open" for token in tokens) == 2
    cells = [token for token in tokens if token.type == "inline"][2:]
    assert {child.type for child in inner(cells)} <= {"text", "text_special"}
    said = ["".join(child.content for child in cell.children or ()) for cell in cells]
    assert " ".join(said[1].split()) == seen(text)
    assert said[0].startswith("x")


@few
@given(TEXTS)
def test_text_beside_an_image_says_what_it_shows(text: str) -> None:
    (image,) = inner(READER.parse(PLACES["alt"][0].format(escape_markdown(text))))
    assert (image.type, image.attrs["src"]) == ("image", "a.png")
    assert " ".join("".join(child.content for child in image.children or ()).split()) == seen(text)


@few
@given(TEXTS)
def test_text_as_code_is_one_span(text: str) -> None:
    if seen(text):
        (span,) = inner(READER.parse(code_markdown(text)))
        assert span.type == "code_inline"
        assert " ".join(span.content.split()) == seen(text)


@pytest.mark.parametrize(
    "text",
    ["proposed_pruned", "data.split=60/20/20", "+1.2 ± 0.3", "84.1 [83.2, 85.0] (n=1)", "p < 0.05", "1.5",
     "-0.62 points", "[a] odd",
     "a & b", "(baseline)", "50 %", "x > y", "student.arch = 'tiny'", "2026-01-02 03:04 UTC", "1.0 † [a]"],
)  # fmt: skip
def test_what_is_no_markdown_stays_readable(text: str) -> None:
    assert escape_markdown(text) == text


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("http://a.b", r"http\://a.b"),
        ("see www.a.b", r"see www\.a.b"),
        ("<script>", "&lt;script>"),
        ("&amp;", "&amp;amp;"),
        ("![a](b)", r"!\[a\](b)"),
        ("# a", r"\# a"),
        ("1. a", r"1\. a"),
        ("$x_1$", r"\$x_1\$"),
        ("a\n\n# b", "a  # b"),
        ("_a_", r"\_a\_"),
        ("a\x1b[0m", r"a\\x1b\[0m"),
        ("[x] done", r"\[x\] done"),
        ("", ""),
    ],
)
def test_what_begins_an_element_is_escaped(text: str, marked: str) -> None:
    assert escape_markdown(text) == marked


@pytest.mark.parametrize("text", STEERING)
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    shown = show_text(f"a{text}b\tc\nd")
    assert all(unicodedata.category(sign) not in ("Cc", "Cs") or sign in "\t\n" for sign in shown)
    assert (shown[0], shown[-5:]) == ("a", "b\tc\nd")
    assert show_text(shown) == shown


def test_what_is_shown_names_the_character() -> None:
    assert show_text("\x1b]52;c;x\x07 \x9b \u202e \ud800 \r") == r"\x1b]52;c;x\x07 \x9b \u202e \ud800 \x0d"
    assert (find_unprintable("a\x1b\x07"), find_unprintable("é\t\n שלום")) == ("U+001B", "")


@few
@given(st.dictionaries(st.text(), st.text()))
def test_json_says_the_same_and_steers_nothing(tree: dict[str, str]) -> None:
    said = show_json(json.dumps(tree, ensure_ascii=False, indent=1))
    assert json.loads(said) == tree
    assert not UNPRINTABLE.search(said)


@few
@given(st.text("\\&%$#_{}~^|<>ab "))
def test_latex_has_no_sign_of_its_own_left(text: str) -> None:
    assert not re.search(r"(?<!\\)[&%#_$]", escape_tex(text))
