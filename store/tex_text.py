"""Text for LaTeX: takes what others wrote, gives it escaped, with places to break, for pdfLaTeX and LuaLaTeX alike.

pdfLaTeX sets Latin letters. Others stand in \\xpletters{letters}{code points}: LuaLaTeX sets the letters, from the
right where they are written so, and pdfLaTeX their code points, so that a document compiles whatever a title says.
"""

from __future__ import annotations

import re
import unicodedata

from store.escape import TEX_SIGNS, escape_tex

# What pdfLaTeX sets in the encoding T1 by itself: Latin-1 and most of Latin Extended-A.
LATIN = "\u00a1-\u00ac\u00ae-\u0107\u010a-\u010f\u0112-\u0113\u0116-\u011b\u011e-\u011f\u0122\u0123\u012a\u012b\u012e-\u0131\u0136\u0137\u0139-\u013e\u0141-\u0148\u014a-\u014d\u0150-\u0155\u0158-\u015b\u015e-\u0165\u016a\u016b\u016e-\u0173\u0178-\u017e"  # noqa: E501  one class of characters
SIGNS = {
    "\u2018": "`", "\u2019": "'", "\u2013": r"\textendash{}",
    "\u201c": "``", "\u201d": "''", "\u2014": r"\textemdash{}", "\u2026": r"\dots{}",
    "\u2190": r"$\leftarrow$", "\u2192": r"$\rightarrow$", "\u2191": r"$\uparrow$", "\u2193": r"$\downarrow$",
    "\u2264": r"$\leq$", "\u2265": r"$\geq$", "\u2248": r"$\approx$", "\u2260": r"$\neq$", "\u221e": r"$\infty$",
    "\u2212": r"$-$", "\u03b1": r"$\alpha$", "\u03b2": r"$\beta$", "\u03bb": r"$\lambda$", "\u03bc": r"$\mu$",
    "\u03c3": r"$\sigma$", "\u03c4": r"$\tau$", "\u0394": r"$\Delta$", "\u00a0": "~",
    '"': r"\textquotedbl{}", "`": r"\textasciigrave{}", "'": r"\textquotesingle{}",
}  # fmt: skip
RIGHT = r"\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe"  # letters of scripts that are written from the right
FROM_RIGHT = rf"[{RIGHT}]+(?: [{RIGHT}]+)*"  # with the spaces between words, which are in their order
OTHER = rf"[^\x20-\x7e{LATIN}{RIGHT}{''.join(map(re.escape, (*SIGNS, *TEX_SIGNS)))}]+"
LETTERS = re.compile(rf"({FROM_RIGHT}|{OTHER})")
LONG_RUN = re.compile(r"\S{24,}")
MOST_POINTS = 8  # code points that pdfLaTeX prints for letters it lacks, before it says how many more there are
STEP = 12  # letters of a word that no space breaks, between two places where it may break
BREAK = r"\allowbreak{}"
WIDE = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "FULLWIDTH", "IDEOGRAPHIC")


def to_tex(text: str) -> str:
    """Escape for LaTeX, on one line; a hyphen before a number is a minus, and endless words may break."""
    parts = LETTERS.split(" ".join(text.split()))
    return "".join(_letters(part) if at % 2 else _latin(part) for at, part in enumerate(parts))


def break_tex(text: str) -> str:
    """Escape for a narrow column: names may break behind a sign too."""
    return re.sub(r"\\_|/|(?<=[A-Za-z])[.=,](?=[A-Za-z0-9])", lambda found: found[0] + BREAK, to_tex(text))


def _latin(text: str) -> str:
    cut = LONG_RUN.sub(lambda found: "\0".join(re.findall(f".{{1,{STEP}}}", found[0])), text)
    escaped = "".join(SIGNS.get(sign) or escape_tex(sign) for sign in cut)
    minus = re.sub(r"(?<![\w\-])-(?=\d)", "$-$", escaped)
    # Two hyphens would be set as a dash, in LuaLaTeX also with {} between them.
    return re.sub(r"(?<=-)(?=-)", r"\\kern0pt{}", minus).replace("\0", BREAK)


def _letters(text: str) -> str:
    command = r"\xprightletters" if re.match(FROM_RIGHT, text) else r"\xpletters"
    points = [f"U+{ord(sign):04X}" for sign in text if sign != " "]
    more = [f"and {len(points) - MOST_POINTS} more"] if len(points) > MOST_POINTS else []
    return f"{command}{{{''.join(map(_breakable, text))}}}{{{' '.join(points[:MOST_POINTS] + more)}}}"


def _breakable(sign: str) -> str:
    """Ideographs have no spaces between words: a line may break behind each."""
    return sign + BREAK if unicodedata.name(sign, "").startswith(WIDE) else sign
