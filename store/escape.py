"""Text made harmless for where it goes: takes what others wrote, gives it for a terminal, JSON, Markdown or LaTeX.

What a text of ours may hold is printable Unicode, tabs and line breaks. Imports nothing, so that any room can use it.
"""

from __future__ import annotations

import re

# C0 and C1 but for tab and line feed, DEL, the characters that turn the direction of writing, lone halves of a pair.
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
TEX_SIGNS = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "|": r"\textbar{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "±": r"$\pm$", "†": r"$^\dagger$", "‡": r"$^\ddagger$", "\u2013": "--", "…": r"\dots{}",
}  # fmt: skip
# What begins or ends something in the midst of a line of Markdown (CommonMark, GitHub's tables, strikes and formulas);
# a word_with_lines, [a] or [1, 2] and a lone < or & do not, and stay readable.
INLINE_SIGNS = re.compile(
    r"""(?P<sign>[\\`*~|$])                  # escapes, code, emphasis, strikes, cells, formulas
      | (?P<line>(?<![^\W_])_|_(?![^\W_]))   # emphasis, unless between letters or digits
      | (?P<pair>(?!\A\[[\ x]\])\[[a-z0-9\ .,;%+/-]*\](?![(\[:]))  # [a] is none of those that follow
      | (?P<bracket>[\[\]])                 # links, images, notes, boxes to tick
      | (?P<tag><(?=[a-zA-Z/!?]))            # HTML, addresses in angles
      | (?P<entity>&(?=\#?\w+;))
      | (?P<address>(?<=[a-zA-Z]):(?=//)|(?<=\bwww)\.)  # GitHub makes links of bare addresses
    """,
    re.VERBOSE | re.IGNORECASE,
)
MARKED = {"tag": "&lt;", "entity": "&amp;", "pair": r"\g<0>"}
# What makes a line a heading, a quote, a list, code, a rule or the edge of a table: its first sign is escaped.
LINE_START = re.compile(r"\d{1,9}(?=[.)](\s|$))|(?=[#>=]|[-+](\s|$)|-[-\s]*$|:-)")
CLOSING_SIGNS = re.compile(r"(?<=\s)#+$")  # of a heading


def find_unprintable(text: str) -> str:
    """Return the first character that no text may hold, as in `U+001B`; an empty text where there is none."""
    found = UNPRINTABLE.search(text)
    return f"U+{ord(found[0]):04X}" if found else ""


def show_text(text: str) -> str:
    r"""Return a text as it may be shown to a person: what could steer a terminal or turn the line around is \x1b."""
    return UNPRINTABLE.sub(lambda found: _escaped(found[0]), text)


def _escaped(sign: str) -> str:
    return f"\\x{ord(sign):02x}" if ord(sign) < 0x100 else f"\\u{ord(sign):04x}"


def show_json(text: str) -> str:
    """Return JSON that says the same and holds nothing unprintable: outside of its strings nothing of that can be."""
    return UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def escape_markdown(text: str) -> str:
    """Return a text for one line of Markdown that is shown as it is: no sign of it begins an element.

    Line breaks become spaces, as a line break would end what the text stands in.
    """
    marked = INLINE_SIGNS.sub(
        lambda found: found.expand(MARKED.get(found.lastgroup or "", r"\\\g<0>")), _one_line(text)
    )
    begins = LINE_START.match(marked)
    if begins:
        marked = f"{marked[: begins.end()]}\\{marked[begins.end() :]}"
    return CLOSING_SIGNS.sub(r"\\\g<0>", marked)


def code_markdown(text: str) -> str:
    """Return a text as a span of code; its fence is longer than any in the text. Not for a cell of a table."""
    flat = _one_line(text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", flat)), default=0))
    gap = " " if flat[:1] == "`" or flat[-1:] == "`" else ""
    return f"{fence}{gap}{flat}{gap}{fence}" if flat else ""


def _one_line(text: str) -> str:
    return show_text(" ".join(text.splitlines())).strip()


def escape_tex(text: str) -> str:
    return "".join(TEX_SIGNS.get(sign, sign) for sign in text)
