"""Where templates are filled in: takes a form, gives a Jinja environment in which what a template says is text."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from engine.report.forms.print_table import print_floats
from engine.report.sentences import say
from store.escape import code_markdown, escape_markdown
from store.tex_text import break_tex, to_tex

TEMPLATES = Path(__file__).parents[3] / "templates"
WORD_END = re.compile(r"(?<=_)|(?<=[a-z]\.)(?=[a-z])")  # in a_b and in a.b, and not in 0.5


def make_environment(is_html: bool = False) -> Environment:
    """Return where templates are filled in; in HTML what they say is escaped, in LaTeX where they say so."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=is_html, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    made.globals["say"] = say
    made.policies["json.dumps_kwargs"] = {"sort_keys": False}  # the facts of a number have their order
    made.filters |= {
        "tex": to_tex,
        "floats": print_floats,
        "breaks": _with_breaks,
        "deeper": _with_deeper_tags,
        "coded": _with_code,
    }
    made.filters |= {"wrapped": break_tex, "comment": lambda text: " ".join(str(text).split())}
    return made


@cache
def page_environment(is_html: bool = False) -> Environment:
    """Return the one where pages are filled in: what it has compiled serves the next one too. Nobody changes it."""
    return make_environment(is_html)


@cache
def markdown_environment() -> Environment:
    """Return where templates of Markdown are filled in: whatever they say is text, and no template can forget it.

    `code` makes a span of code of a text, and `link` a path that stands in brackets.
    """
    made = make_environment(is_html=True).overlay(finalize=_as_markdown)  # what is Markup already stays as it is
    made.filters |= {"code": lambda text: Markup(code_markdown(text)), "link": lambda path: Markup(quote(path))}
    made.filters |= {"deeper": _with_deeper_lines, "coded": _with_spans}
    return made


def _as_markdown(value: object) -> Markup:
    return value if isinstance(value, Markup) else Markup(escape_markdown(str(value)))


def _with_deeper_lines(text: Markup, levels: int) -> Markup:
    """Set the headings of Markdown lower: only a template's own begin a line with #, as texts are escaped."""
    return Markup(re.sub(r"^(?=#+ )", "#" * levels, text, flags=re.MULTILINE)) if levels else text


def _with_deeper_tags(text: Markup, levels: int) -> Markup:
    """Set the headings of HTML lower: only a template's own are tags, as texts are escaped."""

    def moved(found: re.Match[str]) -> str:
        return f"<{found[1]}h{min(int(found[2]) + levels, 6)}"

    return Markup(re.sub(r"<(/?)h([1-6])(?=[ >])", moved, text)) if levels else text


def _with_code(text: str) -> Markup:
    """Set in HTML what stands in backticks as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # a backtick that is not closed is one
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts))


def _with_spans(text: str) -> Markup:
    """Set in Markdown what stands in backticks as code, and all else as text."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # a backtick that is not closed is one
        return _as_markdown(text)
    return Markup("").join(Markup(code_markdown(part)) if at % 2 else _spaced(part) for at, part in enumerate(parts))


def _spaced(text: str) -> Markup:
    """Escape a part of a line, with the spaces that part it from what stands beside it."""
    if not text.strip():
        return Markup(" " if text else "")
    before, after = (" " if side else "" for side in (text[0].isspace(), text[-1].isspace()))
    return Markup(f"{before}{escape_markdown(text)}{after}")


def _with_breaks(text: str) -> Markup:
    """Let a long name break where its words end, and a path of settings where one of its names does."""
    return Markup("<wbr>").join(escape(part) for part in WORD_END.split(text))
