"""The fix that was printed, carried out by its words alone: takes a text and a problem, gives the mended text or None.

What a person is to write stands in `backticks`, the words to choose among in 'quotes', the first of them the best.
"""

from __future__ import annotations

import re

from engine.errors import SpecError
from tests.slips.spots import Spot, find_spots, offset_of
from tests.slips.telling import Problem

TOKEN = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|[^\s,{}\[\]#:](?:[^\s,{}\[\]#:]|:(?=\S))*")
CHOICE = re.compile(r"(?:did you mean|choose one of) '([^']*)'")


def mend(raw: bytes, problem: Problem) -> bytes | None:
    """Return the text with the fix carried out, None where it says nothing that can be done without thinking."""
    if "UTF-8" in problem.fix:
        return raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1").encode()
    text = raw.decode("utf-8-sig")
    mended = _mend_text(text, problem)
    return None if mended is None or mended == text else mended.encode()


def _mend_text(text: str, problem: Problem) -> str | None:
    at = offset_of(text, problem.line, problem.column)
    fix = problem.fix
    if choice := CHOICE.search(fix):
        return _put(text, _ends(text, at, whole=False), choice[1])
    written = re.search(r"`([^`]*)`", fix)
    verb = fix.split(" ", 1)[0]
    if verb in ("write", "use") and written:
        return _write(text, at, written[1])
    if verb == "add" and written:
        return _add(text, at, written[1])
    if verb == "set" and written:
        return _set(text, written[1])
    if verb == "put" and written:
        return text[:at] + written[1] + text[at:]
    if verb == "replace" and len(found := re.findall(r"`([^`]*)`", fix)) == 2:
        return text[:at] + text[at:].replace(found[0], found[1], 1)
    if verb == "indent" and (count := re.search(r"by (\d+) space", fix)):
        begin = text.rfind("\n", 0, at) + 1
        return text[:begin] + " " * int(count[1]) + text[begin:].lstrip(" \t\xa0")
    if verb == "move" and (below := re.match(r"move it (?:to the top|below `([\w.]+):`)(?:, as `(\w+)`)?", fix)):
        return _move(text, at, below[1] or "", below[2])
    if verb in ("remove", "leave", "keep"):
        return _remove(text, at, problem)
    return None


def _spot_at(text: str, at: int) -> Spot | None:
    try:
        spots = find_spots(text)
    except SpecError:
        return None
    keyed = next((spot for spot in spots if spot.key and spot.key[0] == at), None)
    return keyed or next((spot for spot in reversed(spots) if spot.value[0] == at), None)


def _ends(text: str, at: int, *, whole: bool) -> tuple[int, int]:
    """Return where the word, or with `whole` also the list or mapping, at a place ends."""
    spot = _spot_at(text, at)
    if spot is not None and spot.key is not None and spot.key[0] == at and not whole:
        return spot.key
    if spot is not None:
        return spot.value
    token = TOKEN.match(text, at)
    return (at, token.end()) if token else (at, at)


def _put(text: str, ends: tuple[int, int], new: str) -> str:
    return text[: ends[0]] + new + text[ends[1] :]


def _write(text: str, at: int, new: str) -> str:
    """A value is written over a value; `key: value` over a key and its value, a whole line over what cannot be read."""
    spot = _spot_at(text, at)
    if re.match(r"[\w.]+:( |$)", new):
        if spot is not None and spot.key is not None and spot.key[0] == at:
            return _put(text, (spot.key[0], spot.value[1]), new)
        end = text.find("\n", at)
        return _put(text, (at, end if end >= 0 else len(text)), new)
    if spot is None and not _spots(text):
        end = text.find("\n", at)
        return _put(text, (at, end if end >= 0 else len(text)), new)
    if spot is None:
        token = TOKEN.match(text, at)
        return _put(text, (at, token.end() if token else at), new)
    return _put(text, spot.value, (" " if text[spot.value[0] - 1] == ":" else "") + new)


def _add(text: str, at: int, new: str) -> str | None:
    """A line is added to the mapping whose key, or whose first key, is at the place."""
    if not _spots(text):
        return None
    spot = _spot_at(text, at)
    if spot is not None and spot.kind == "scalar" and text[spot.value[0] : spot.value[1]].strip():
        spot = next((one for one in _spots(text) if one.path == spot.path[:-1]), None) if spot.path[1:] else None
    if spot is None:
        return text.rstrip("\n") + f"\n{new}\n"
    if spot.kind == "mapping" and text[spot.value[0]] == "{":
        inner = text[spot.value[0] + 1 : spot.value[1] - 1].strip()
        return _put(text, spot.value, "{" + new + (", " + inner if inner else "") + "}")
    if spot.kind == "mapping":
        begin = text.rfind("\n", 0, spot.value[0]) + 1
        lead = text[begin : spot.value[0]]
        return text[: spot.value[0]] + new + "\n" + re.sub(r"[^ ]", " ", lead) + text[spot.value[0] :]
    if not text[spot.value[0] : spot.value[1]].strip():
        return _put(text, spot.value, " {" + new + "}")
    return None


def _spots(text: str) -> list[Spot]:
    try:
        return find_spots(text)
    except SpecError:
        return []


def _set(text: str, new: str) -> str | None:
    """`set a.b: value` is written where a.b stands, else at the foot of its section, else of the file."""
    found = re.match(r"([\w.]+): (.*)$", new)
    if not found:
        return None
    path, value = tuple(found[1].split(".")), found[2]
    spots = _spots(text)
    for spot in spots:
        if spot.path == path:
            return _put(text, spot.value, value)
    section = next((spot for spot in spots if spot.path == path[:-1] and spot.kind == "mapping"), None)
    if section is not None:
        return _add(text, section.start, f"{path[-1]}: {value}")
    if len(path) == 1:
        return text.rstrip("\n") + f"\n{new}\n"
    above = text.rstrip("\n")
    line = f"{path[0]}: {{{'.'.join(path[1:])}: {value}}}\n"
    return (f"{above}\n" if above else "") + line if len(path) == 2 else None


def _move(text: str, at: int, section: str, name: str | None) -> str | None:
    spot = _spot_at(text, at)
    if spot is None:
        return None
    value = text[spot.value[0] : spot.value[1]]
    name = name or spot.name.rpartition(".")[2]
    left = _without(text, spot)
    return _set(left, f"{section}.{name}: {value}" if section else f"{name}: {value}")


def _remove(text: str, at: int, problem: Problem) -> str | None:
    """What goes is named in 'quotes' or `backticks`, else it is the key at the place with all that is below it."""
    named = re.search(r"(?:remove|leave) (?:the \w+ )?[`']([^`']+)[`']", problem.fix)
    if "quotes" in problem.fix:
        ends = _ends(text, at, whole=True)
        return _put(text, ends, text[ends[0] : ends[1]].strip("'\""))
    if named and "away" not in problem.fix:
        here = text.find(named[1], at)
        if here >= 0:
            gap = 1 if text[here + len(named[1]) : here + len(named[1]) + 1] == " " and named[1][0] == "!" else 0
            return text[:here] + text[here + len(named[1]) + gap :]
    if named and "away" in problem.fix:
        spots = [spot for spot in _spots(text) if str(spot.name).endswith(named[1].rpartition(".")[2])]
        near = sorted(spots, key=lambda spot: abs(spot.value[0] - at))
        return _without(text, near[0]) if near else None
    if "line" in problem.fix or "keep one" in problem.fix:
        begin = text.rfind("\n", 0, at) + 1
        end = text.find("\n", at) + 1 or len(text)
        return text[:begin] + text[end:]
    spot = _spot_at(text, at)
    return _without(text, spot) if spot else text[:at] + text[at + 1 :]


def _without(text: str, spot: Spot) -> str:
    if spot.is_flow:
        after = re.match(r"\s*,\s*", text[spot.value[1] :])
        before = re.search(r",\s*$", text[: spot.start])
        if after:
            return text[: spot.start] + text[spot.value[1] + after.end() :]
        begin = spot.start - len(before[0]) if before else spot.start
        return text[:begin] + text[spot.value[1] :]
    begin = text.rfind("\n", 0, spot.start) + 1
    end = text.find("\n", max(spot.value[1] - 1, spot.start)) + 1 or len(text)
    return text[:begin] + text[end:]
