"""Slips that make a text no YAML: takes the text and where its reader stumbled, gives the line that was meant.

A reader stumbles behind the slip: over the line after an open bracket, at the end of the file for an open quote. So
likely repairs of the lines about that place are tried, and the first that makes the text YAML is the fix.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from engine.spec.lexicon import all_terms

MOST_BYTES, MOST_TRIES, BACK = 64_000, 60, 3
LINE = re.compile(r"(?P<lead>\s*(?:- )*)(?P<rest>.*?)(?P<comment>\s+#.*|\s*)")
CLOSERS = {"[": "]", "{": "}"}


@dataclass(frozen=True)
class YamlSlip:
    """What is wrong at a line and column (from 0), '' for what the reader says itself, and the fix."""

    line: int
    column: int
    what: str
    fix: str


@dataclass(frozen=True)
class _Try:
    """A line as it may have been meant; `column` is where it differs in kind, `written` what stands from there on."""

    column: int
    line: str
    what: str
    fix: str = ""


def find_slip(text: str, places: Sequence[int], is_yaml: Callable[[str], bool]) -> YamlSlip | None:
    """Return the slip whose repair makes the text YAML, looked for at the lines `places` and just before them."""
    if len(text) > MOST_BYTES:
        return None
    lines = text.split("\n")
    tries = 0
    for way in WAYS:
        for at in _near(lines, places):
            for one in way(lines, at):
                tries += 1
                if tries > MOST_TRIES:
                    return None
                if is_yaml("\n".join([*lines[:at], one.line, *lines[at + 1 :]])):
                    return YamlSlip(at, one.column, one.what, one.fix or _rewrite(one))
    return None


def _rewrite(one: _Try) -> str:
    return f"write `{LINE.fullmatch(one.line[one.column :])['rest']}`"  # type: ignore[index]  # it matches any line


def _near(lines: list[str], places: Sequence[int]) -> list[int]:
    """Return the lines to look at, the likeliest first: where it stumbled, those before with something on them, one
    after."""
    found: dict[int, None] = {}
    for place in places:
        before = [at for at in range(min(place, len(lines) - 1), -1, -1) if lines[at].strip()][: BACK + 1]
        found |= dict.fromkeys([*before, *range(place + 1, min(place + 2, len(lines)))])
    return [at for at in found if lines[at].strip() and not lines[at].lstrip().startswith("#")]


@cache
def _known() -> frozenset[str]:
    return frozenset(path.rpartition(".")[2] for path in all_terms())


def _no_space(lines: list[str], at: int) -> Iterator[_Try]:
    """`epochs:10`, `epochs=10` and `epochs 10`."""
    lead, rest, comment = _parts(lines[at])
    ways = (
        (r"([\w.]+):([^\s:/].*)", "there is no space after the colon"),
        (r"([\w.]+)\s*=\s*(\S.*)", "`=` stands where a colon belongs"),
        (r"([\w.]+)\s+:?(\S.*)", "there is no colon after the key"),
    )
    for pattern, what in ways:
        found = re.fullmatch(pattern, rest)
        if found and found[1].rpartition(".")[2] in _known():
            yield _Try(len(lead), f"{lead}{found[1]}: {found[2]}{comment}", what)
    for found in re.finditer(r"(?<=[{,\s])([\w.]+)\s*(?::(?=[^\s])|=)\s*", rest):
        if found[1].rpartition(".")[2] in _known():
            what = "a key in {braces} has no colon and space after it"
            new = rest[: found.start()] + f"{found[1]}: " + rest[found.end() :]
            yield _Try(len(lead) + found.start(), f"{lead}{new}{comment}", what)


def _open_quote(lines: list[str], at: int) -> Iterator[_Try]:
    """A quote that begins and does not end, or the other way round."""
    lead, rest, comment = _parts(lines[at])
    for sign in ("'", '"'):
        for found in re.finditer(sign, rest) if rest.count(sign) % 2 else ():
            cut = rest[: found.start()] + rest[found.end() :]
            yield _Try(len(lead) + found.start(), f"{lead}{cut}{comment}", "this quote has no other end")
        if rest.count(sign) % 2:
            start = len(lead) + rest.index(sign)
            yield _Try(start, f"{lead}{rest}{sign}{comment}", "this quote has no other end")


def _open_bracket(lines: list[str], at: int) -> Iterator[_Try]:
    """A bracket that nothing closes, one too many, or one of the other kind."""
    lead, rest, comment = _parts(lines[at])
    stack: list[tuple[int, str]] = []
    for place, sign in _signs(rest, "[]{}"):
        if sign in CLOSERS:
            stack.append((place, sign))
        elif stack and CLOSERS[stack[-1][1]] == sign:
            stack.pop()
        else:
            what = f"nothing opens this `{sign}`" if not stack else f"`{sign}` closes a `{stack[-1][1]}`"
            if stack:
                other = rest[:place] + CLOSERS[stack[-1][1]] + rest[place + 1 :]
                yield _Try(len(lead) + stack[-1][0], f"{lead}{other}{comment}", what)
                inserted = rest[:place] + CLOSERS[stack[-1][1]] + rest[place:]
                yield _Try(len(lead) + stack[-1][0], f"{lead}{inserted}{comment}", "nothing closes this bracket")
            yield _Try(len(lead) + place, f"{lead}{rest[:place]}{rest[place + 1 :]}{comment}", what)
            return
    if stack:
        closed = "".join(CLOSERS[sign] for _, sign in reversed(stack))
        ends = [
            len(rest),
            *(found.start() for found in re.finditer(r",\s*[\w.]+:\s", rest) if found.start() > stack[-1][0]),
        ]
        for end in ends[:4]:
            new = rest[:end].rstrip(", ") + closed + rest[end:]
            yield _Try(len(lead) + stack[-1][0], f"{lead}{new}{comment}", "nothing closes this bracket")


def _commas(lines: list[str], at: int) -> Iterator[_Try]:
    lead, rest, comment = _parts(lines[at])
    for found in re.finditer(r",(\s*,)+", rest):
        yield _Try(
            len(lead) + found.start(), f"{lead}{rest[: found.start()]},{rest[found.end() :]}{comment}", "two commas"
        )
    for found in re.finditer(r"(?<=[^\s,{\[])\s+(?=[\w.]+:\s)", rest):
        new = f"{rest[: found.start()]}, {rest[found.end() :]}"
        start = rest.rfind("{", 0, found.start())
        if start >= 0:
            yield _Try(len(lead) + start, f"{lead}{new}{comment}", "no comma stands between two entries")


def _needs_quotes(lines: list[str], at: int) -> Iterator[_Try]:
    """A value with a colon in it, or one that begins with a sign that means something to YAML."""
    lead, rest, comment = _parts(lines[at])
    found = re.fullmatch(r"([\w.]+:\s+)(.*)", rest)
    if not found:
        return
    value = found[2]
    column = len(lead) + len(found[1])
    if value.endswith((",", ";")):
        yield _Try(column, f"{lead}{found[1]}{value.rstrip(',;')}{comment}", "a sign stands behind the value")
    if re.fullmatch(r"[\"'].*[\"'].+", value):
        inner = value.replace('"', "").replace("'", "")
        yield _Try(column, f"{lead}{found[1]}{inner}{comment}", "the quotes do not hold the whole value")
    quoted = "'" + value.replace("'", "''") + "'"
    if re.search(r":(\s|$)|^[@`%&!|>]|^- ", value):
        yield _Try(column, f"{lead}{found[1]}{quoted}{comment}", "")  # the reader's own words say why


def _indent(lines: list[str], at: int) -> Iterator[_Try]:
    """A line that stands further to the left or right than those it belongs to."""
    text = lines[at]
    own = len(text) - len(text.lstrip(" \xa0\t"))
    bare = text.lstrip(" \xa0\t")
    around = [_depth(lines, at, -1), _depth(lines, at, 1)]
    levels = _even_levels(lines, at, own) if own % 2 else []
    levels += [around[0] + 2] if around[0] is not None and _opens(lines, at) else []
    levels += [depth for depth in around if depth is not None]
    if "\xa0" in text[:own]:
        levels = [own, *levels]
    for depth in dict.fromkeys(levels):
        if depth >= 0 and (depth != own or "\xa0" in text[:own]):
            what = f"this line is indented by {own} space{'s' * (own != 1)}, unlike those it belongs to"
            what = "a space that does not break indents this line" if "\xa0" in text[:own] else what
            fix = f"indent it by {depth} space{'s' * (depth != 1)}"
            yield _Try(min(own, len(text)), " " * depth + bare, what, fix)


def _even_levels(lines: list[str], at: int, own: int) -> list[int]:
    """Return the two levels about an odd one, first that of the nearest line before which has one of the two."""
    both = [own + 1, own - 1]
    if _opens(lines, at):
        return both
    for above in range(at - 1, -1, -1):
        depth = len(lines[above]) - len(lines[above].lstrip(" "))
        if lines[above].strip() and depth in both:
            return [depth, *(one for one in both if one != depth)]
    return both


def _opens(lines: list[str], at: int) -> bool:
    """Whether the line before this one begins a section."""
    before = next((lines[above] for above in range(at - 1, -1, -1) if lines[above].strip()), "")
    return bool(re.search(r":\s*(#.*)?$", before))


def _odd_indent(lines: list[str], at: int) -> Iterator[_Try]:
    own = len(lines[at]) - len(lines[at].lstrip(" \xa0\t"))
    if own % 2 or lines[at][:own].strip(" "):
        yield from _indent(lines, at)


def _depth(lines: list[str], at: int, step: int) -> int | None:
    at += step
    while 0 <= at < len(lines):
        if lines[at].strip() and not lines[at].lstrip().startswith("#"):
            return len(lines[at]) - len(lines[at].lstrip(" "))
        at += step
    return None


def _parts(line: str) -> tuple[str, str, str]:
    found = LINE.fullmatch(line)
    return (found["lead"], found["rest"], found["comment"]) if found else ("", line, "")


def _signs(rest: str, wanted: str) -> Iterator[tuple[int, str]]:
    """Yield the signs of a line that stand in no quotes."""
    quote = ""
    for place, sign in enumerate(rest):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"" and (place == 0 or rest[place - 1] in " [{,:"):
            quote = sign
        elif sign in wanted:
            yield place, sign


WAYS: tuple[Callable[[list[str], int], Iterator[_Try]], ...] = (
    _no_space, _open_quote, _open_bracket, _commas, _odd_indent, _needs_quotes, _indent,
)  # fmt: skip
