"""What to write instead: takes a value that is wrong and the word it was given for, gives the line after `fix: `.

What a person is to write stands in `backticks`, and is right: of the type and in the range that the field says.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from engine.errors import SpecError
from engine.load.yaml_tree import parse_value
from engine.spec.base import MOST_SEED, name_fix, show_number
from engine.spec.lexicon import Facts, Term, all_terms
from engine.spec.synonyms import meant_words
from engine.spec.written import write_value

TRUE, FALSE = ("yes", "on", "y", "true", "1"), ("no", "off", "n", "false", "0", "none")
NUMBER = re.compile(r"[~<>=]*\s*(-?\d[\d_]*(?:[.,]\d+)?(?:[eE][-+]?\d+)?)\s*(%|[a-zA-Zµ/ ]{0,20})")
SIZES = {"k": "K", "m": "M", "g": "G", "t": "T"}
MOST_EXACT = 1e15  # beyond, a float's digits are no longer those that somebody wrote
FREE_TEXTS = ("title", "text", "says", "printed", "needs", "name", "id", "baseline", "arm", "against")


def repair(given: Any, term: Term | None, entry: int | None = None) -> str:
    """Return the fix of a value of the wrong type or beyond its range; `entry` is its place in a list."""
    if term is None:
        read = _read(given) if isinstance(given, str) else None
        return f"remove the quotes: write `{write_value(read)}`" if _is_number(read) else "write another value"
    facts = term.facts
    if facts.models and not facts.is_list and facts.inner <= {dict}:
        return _repair_section(given, term)
    in_list = facts.is_list and entry is None
    either = in_list and len(facts.kinds) > 1  # one value for all stages, or a list
    found = next(
        (
            one
            for one in _candidates(given, facts, in_list=in_list)
            if (either and _fits(one[0], facts, False)) or _fits(one[0], facts, in_list)
        ),
        None,
    )
    if found is None and _is_number(given) and term.path.rpartition(".")[2] in FREE_TEXTS:
        found = write_value(given), "write {}, in quotes: it is a text"
    if found is not None:
        value, why = found
        return why.format(f"`{write_value(value)}`")
    return _example_fix(given, term, entry)


def _example_fix(given: Any, term: Term, entry: int | None) -> str:
    facts, example = term.facts, example_of(term, entry)
    such = f", such as `{write_value(example)}`" if example is not None else ""
    if given is None and term.default is not ... and term.default is not None:
        return f"write `{write_value(term.default)}`, its default, or leave the key away"
    if _is_number(given) and not (facts.is_list and entry is None) and facts.range and _kind_fits(given, facts):
        return f"use {_within(facts)}{such}"
    if facts.choices and entry is None and not facts.kinds:
        return f"choose one of {', '.join(repr(word) for word in facts.choices[:12])}"
    kind = " or ".join(facts.kinds) if entry is None or not facts.is_list else _entry_kind(facts)
    return f"write {kind or 'another value'}{such}"


def _entry_kind(facts: Facts) -> str:
    words = {int: "a whole number", float: "a number", str: "a text", dict: "a mapping"}
    return " or ".join(words.get(kind, "a value") for kind in sorted(facts.inner, key=str))


def example_of(term: Term, entry: int | None = None) -> Any:
    """Return a value that is right; of a list that at `entry`."""
    value = term.example
    if entry is None or not isinstance(value, list | tuple):
        return value
    return value[min(entry, len(value) - 1)] if value else None


def _within(facts: Facts) -> str:
    if facts.least is not None and facts.most is not None:
        return f"{show_number(facts.least)} to {show_number(facts.most)}"
    words = {"of at least": facts.least, "above": facts.above, "of at most": facts.most, "below": facts.below}
    return "a value " + " and ".join(
        f"{word} {show_number(bound)}" for word, bound in words.items() if bound is not None
    )


def _candidates(given: Any, facts: Facts, *, in_list: bool) -> Iterator[tuple[Any, str]]:
    """Yield what may have been meant, with the sentence that says so, the likeliest first."""
    if isinstance(given, list) and len(given) == 1 and not in_list:
        yield given[0], "write {}, without brackets"
    if isinstance(given, Mapping) and len(given) == 1:
        yield next(iter(given.values())), "write {}, with nothing nested in it"
    if isinstance(given, str):
        yield from _from_text(given, facts)
    elif _is_number(given):
        yield from _from_number(given, facts, in_list=in_list)


def _from_text(given: str, facts: Facts) -> Iterator[tuple[Any, str]]:
    bare = given.strip(" \t\xa0\"'\u201c\u201d\u2018\u2019\u200b,;")
    written = _read(bare)
    if not isinstance(written, str):
        yield written, "remove the quotes: write {}" if bare == given else "write {}"
    if bool in facts.inner and bare.lower() in (*TRUE, *FALSE):
        yield bare.lower() in TRUE, "write {}"
    if bare != given:
        yield bare, "write {}"
    if facts.is_list:
        yield [part for part in map(_read, re.split(r"[\s,;]+", bare)) if part != ""], "write {}"
    if number := NUMBER.fullmatch(bare):
        plain = float(number[1].replace("_", "").replace(",", "."))
        value: int | float = int(plain) if plain % 1 == 0 and abs(plain) < MOST_EXACT else plain
        if number[2].strip() == "%" and _is_share(facts):
            yield plain / 100, f"write {{}}: {number[1]} % as a share"
        yield value, "write the number alone: {}"
    if facts.choices:
        yield from ((word, "did you mean {}?".replace("{}", repr(word))) for word in meant_words(bare, _texts(facts)))


def _from_number(given: float, facts: Facts, *, in_list: bool) -> Iterator[tuple[Any, str]]:
    if facts.is_list and in_list and facts.most == MOST_SEED and isinstance(given, int) and 1 < given <= 64:
        yield list(range(given)), f"write {{}} for {given} seeds, or `[{given}]` for seed {given} alone"
    if facts.is_list and in_list:
        yield [given], "write {}, in brackets"
    if isinstance(given, float) and given.is_integer() and abs(given) < MOST_EXACT:
        yield int(given), "write {}, without point or exponent"
    if _is_share(facts) and 1 < given <= 100:
        yield given / 100, f"write {{}} for {given:g} %: it is a share"
    if bool in facts.inner and given in (0, 1):
        yield bool(given), "write {}"


def _read(text: str) -> Any:
    try:
        return parse_value(text)
    except SpecError:
        return text


def _fits(value: Any, facts: Facts, in_list: bool) -> bool:
    if in_list:
        wanted = isinstance(value, list) and len(value) >= max(1, facts.fewest)
        return wanted and all(_fits(item, facts, False) for item in value)
    if isinstance(value, list | Mapping) or value is None:
        return False
    if facts.choices and value in facts.choices:
        return True
    return _kind_fits(value, facts) and _in_range(value, facts)


def _kind_fits(value: Any, facts: Facts) -> bool:
    if facts.choices and not facts.kinds:
        return value in facts.choices
    if isinstance(value, bool):
        return bool in facts.inner
    if isinstance(value, int):
        return bool(facts.inner & {int, float})
    if isinstance(value, float):
        return float in facts.inner
    return str in facts.inner and (not facts.choices or value in facts.choices)


def _in_range(value: Any, facts: Facts) -> bool:
    if not _is_number(value):
        return True
    return not (
        (facts.least is not None and value < facts.least)
        or (facts.above is not None and value <= facts.above)
        or (facts.most is not None and value > facts.most)
        or (facts.below is not None and value >= facts.below)
    )


def _is_share(facts: Facts) -> bool:
    """Whether nothing above 1 may stand here."""
    return float in facts.inner and 1 in (facts.most, facts.below)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _texts(facts: Facts) -> list[str]:
    return [word for word in facts.choices if isinstance(word, str)]


def _repair_section(given: Any, term: Term) -> str:
    """A section that is no mapping: a slip in its only line, or nothing below it."""
    inner = term.facts.models[0]
    if isinstance(given, str) and term.facts.is_null and given.strip().lower() in ("null", "none", "~", ""):
        return "write `null`, without quotes"
    if given is None:
        return f"remove the key, or write below it what belongs there, such as `{_first_line(inner)}`"
    word = _word_of_value(given, term) if isinstance(given, str) else None
    if word is not None:
        return f"write `{{{word[0]}: {write_value(word[1])}}}`"
    slip = re.fullmatch(r"([\w.]+)\s*[:=]\s*(\S+)", given) if isinstance(given, str) else None
    if slip and slip[1].split(".")[0] in inner.model_fields:
        return f"write `{{{slip[1]}: {slip[2]}}}`, with a space after the colon"
    return f"write a mapping, such as `{{{_first_line(inner)}}}`"


def _word_of_value(given: str, term: Term) -> tuple[str, str] | None:
    """Return the word of a section that has this choice, or else one spelt almost so; `kind` before all others."""
    prefix, choices = f"{term.path}.", dict[str, str]()
    for path, one in all_terms().items():
        name = path.removeprefix(prefix)
        if path.startswith(prefix) and "." not in name:
            choices |= {choice: name for choice in _texts(one.facts) if name == "kind" or choice not in choices}
    near = difflib.get_close_matches(given.strip().lower(), choices, n=1, cutoff=0.8)
    return (choices[near[0]], near[0]) if near else None


def _first_line(model: type[Any]) -> str:
    for name, field in model.model_fields.items():
        value = field.examples[0] if field.examples else field.default
        if isinstance(value, str | int | float | list) and not isinstance(value, bool):
            return f"{field.alias or name}: {write_value(value)}"
    return "..."


def repair_pattern(given: str, path: str) -> str | None:
    """Return the fix of a text whose form is wrong: names, sizes and times; None for any other word."""
    last = path.rpartition(".")[2]
    if last in ("name", "id"):
        return name_fix(given, "my_experiment")
    size = re.fullmatch(r"\s*(\d{1,9})(?:\.\d+)?\s*([kmgt])i?b?(?:ytes?)?\s*", given, re.IGNORECASE)
    if last == "memory":
        return (
            f"write `{size[1]}{SIZES[size[2].lower()]}`" if size else "write a number and K, M, G or T, such as `16G`"
        )
    length = re.fullmatch(r"\s*(\d{1,9})(?:\.\d+)?\s*([smhd])\w*\s*", given, re.IGNORECASE)
    if last == "time":
        clock = re.fullmatch(r"(\d+):(\d\d)(?::(\d\d))?", given)
        if clock:
            minutes = int(clock[1]) * 60 + int(clock[2])
            return f"write `{minutes // 60}h`" if minutes % 60 == 0 else f"write `{minutes}m`"
        return f"write `{length[1]}{length[2].lower()}`" if length else "write a number and s, m, h or d, such as `4h`"
    return None
