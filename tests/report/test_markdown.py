"""report.md: whatever titles, claims, classes and settings say is text; no template has to think of it."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from engine.collect import collect
from engine.home.files import write_json
from engine.report import make_report
from engine.report.forms.environment import TEMPLATES, markdown_environment
from tests.helpers.synthetic import Arm, SyntheticHome

HOSTILE = (
    "<script>alert(1)</script> ![x](http://evil/a.png) [y](http://evil) | `code` **b** _i_ ~~s~~ $m$ &lt; <http://evil>"
    "\n\n# A heading\n\n- an item\n1. one\n> quote\n\n    code\n\n| a | b |\n| - | - |\n[r]: http://evil\n---\nhttp://evil"
)
SEEN = " ".join(HOSTILE.split())
ELEMENTS = {"text", "text_special", "strong_open", "strong_close", "code_inline", "image", "softbreak"}
READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> list[Token]:
    """The page of an experiment whose every free text is hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    made = SyntheticHome(folder / "home")
    pack = made.job(f"pack-{sha256(b'paper').hexdigest()[:12]}", "pack")
    attempt, journal = made.attempt(pack, 1)
    with journal:
        journal.fact("classes", [HOSTILE, f"{HOSTILE} 1", "c"])
    made.finish(pack, attempt)
    claim = {"id": "one", "text": HOSTILE, "metric": "test_top1", "arm": "b", "against": "a", "expect": "greater"}
    arms = {name: Arm(settings={"data": {"root": HOSTILE}, "student": {"arch": f"{HOSTILE}{name}"}}) for name in "ab"}
    runs = made.experiment("paper", arms, seeds=(0,), claims=(claim,))
    record = made.record("paper", runs, "a", (claim,))
    write_json(record, json.loads(record.read_text()) | {"title": HOSTILE})
    collect(made.home)
    (page,) = make_report(made.home, "paper", ("md",), folder / "out")
    return READER.parse(page.read_text())


def texts_of(tokens: list[Token], kind: str) -> list[str]:
    """What is seen in the blocks of a kind."""
    inlines = [after for before, after in pairwise(tokens) if before.type == kind]
    return ["".join(child.content for child in inline.children or ()) for inline in inlines]


def test_nothing_but_the_templates_own_elements_is_there(tokens: list[Token]) -> None:
    children = [child for token in tokens for child in token.children or ()]
    assert {child.type for child in children} <= ELEMENTS
    assert not {token.type for token in tokens} & {"html_block", "code_block", "fence", "hr", "ordered_list_open"}
    sources = [str(child.attrs["src"]) for child in children if child.type == "image"]
    assert sources
    assert not any(":" in source for source in sources)
    codes = [child.content for child in children if child.type == "code_inline"]
    assert codes == ["paper", "xp sql \"select * from results where experiment = 'paper'\""]


def test_headings_are_the_title_and_the_templates(tokens: list[Token]) -> None:
    title, *others = texts_of(tokens, "heading_open")
    told = re.findall(r"^#+ (\w.*)$", (TEMPLATES / "report_body.md.j2").read_text(), re.MULTILINE)
    assert " ".join(title.split()) == SEEN
    assert set(others) <= {*told, "data.split=60/20/20"}


def test_hostile_texts_are_read_as_they_were_written(tokens: list[Token]) -> None:
    cells = [" ".join(text.split()) for text in texts_of(tokens, "td_open")]
    assert SEEN in cells  # of the claim, of a class and of the images' place
    assert cells.count(SEEN) >= 3
    assert {f"{SEEN}a", f"{SEEN}b"} <= set(cells)


def test_a_template_cannot_forget_to_escape() -> None:
    said = markdown_environment().from_string(
        "{{ text }} {{ [text]|join }} {{ text ~ '' }}{% macro m(x) %}{{ x }}{% endmacro %}{{ m(text) }}"
    )
    assert said.render(text="*a*<b>").count(r"\*a\*&lt;b>") == 4
    for file in TEMPLATES.glob("*.md.j2"):
        assert not re.search(r"\|\s*(safe|breaks)|autoescape", file.read_text()), file.name


def test_a_path_in_brackets_and_a_span_of_code_hold_anything() -> None:
    said = markdown_environment().from_string("![]({{ path|link }}) {{ path|code }}").render(path="a b)`(<c>.png")
    inline = READER.parse(said)[1]
    image, code = (child for child in inline.children or () if child.type != "text")
    assert (image.attrs["src"], code.content) == ("a%20b%29%60%28%3Cc%3E.png", "a b)`(<c>.png")


@pytest.mark.parametrize("file", sorted(path.name for path in Path(TEMPLATES).glob("*.md.j2")))
def test_templates_join_no_cells_themselves(file: str) -> None:
    """Signs of Markdown in an expression would be escaped; they stand in the template."""
    assert not re.search(r"\{\{[^}]*[\"'][|*]", (TEMPLATES / file).read_text())
