"""What pydantic found, in our words: takes one error detail, gives the path, what is wrong and the fix."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from engine.errors import closest_hint
from engine.load.repairs import example_of, repair, repair_pattern
from engine.spec import Spec
from engine.spec.base import show_number
from engine.spec.lexicon import all_terms, term_at
from engine.spec.network import OWN_TAG, LongformerAttention, WindowAttention
from engine.spec.synonyms import hint_word, meant_words
from engine.spec.written import write_value

KINDS = tuple(
    kind for model in (WindowAttention, LongformerAttention) for kind in get_args(model.model_fields["kind"].annotation)
)
UNION_TAGS = {"attention": (*KINDS, OWN_TAG), "temperature": ("number", "schedule", "matched")}
EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "a text",
    "bool_type": "true or false",
    "list_type": "a list in [brackets]",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
ALIKE = 0.85  # how near another word must be to come before one that means the same elsewhere


@dataclass(frozen=True)
class Explained:
    """One problem without its position; `at_key` when the key is wrong and not its value."""

    path: tuple[str | int, ...]
    what: str
    fix: str
    at_key: bool = False


def explain_error(detail: ErrorDetails, root: type[BaseModel] = Spec) -> Explained:
    """Turn one of pydantic's error details into words for the person who wrote the file of a `root`."""
    path = _clean_path(detail["loc"])
    kind, context, given = detail["type"], detail.get("ctx") or {}, detail["input"]
    if kind == "refused":
        inner = [int(part) if part.isdigit() else part for part in str(context.get("at", "")).split(".") if part]
        return Explained((*path, *inner), str(context["what"]), str(context["fix"]), at_key="key" in context)
    if isinstance(given, float) and not math.isfinite(given):
        return _no_number(path, given, root)
    if kind == "extra_forbidden":
        return explain_key(path, given, root)
    if kind == "missing":
        fix = "add `source: folder`" if path[-1] == "source" and "root" in given else _add_fix(path, root)
        return Explained(path, f"the key {path[-1]!r} is missing", fix, at_key=True)
    if kind in ("literal_error", "union_tag_invalid"):
        return _wrong_choice(path, context, given, root)
    if kind == "union_tag_not_found":
        what, fix = "`kind` is missing", "add " + " or ".join(f"`kind: {kind}`" for kind in KINDS)
        return Explained(path, what, fix, at_key=True)
    if kind == "float_type" and isinstance(given, int) and not isinstance(given, bool):
        return Explained(path, f"{_show(given)} is too large for any setting", "write the number that was meant")
    fix = _repair(given, path, root)
    if kind in EXPECTED:
        return Explained(path, f"{_show(given)} is not {EXPECTED[kind]}", fix)
    beyond = next((key for key in BEYOND if key in context), None)
    if beyond is not None:
        return Explained(path, f"{_show(given)} is {BEYOND[beyond]} {show_number(context[beyond])}", fix)
    return Explained(path, *_explain_form(kind, context, given, path, root, detail["msg"]))


def without_echoes(found: Iterable[Explained]) -> list[Explained]:
    """Leave away that a key is missing where the key beside it is that one, misspelt."""
    listed = list(found)
    meant = {(*one.path[:-1], word) for one in listed if one.at_key for word in re.findall(r"mean '([^']*)'", one.fix)}
    if ("extends",) in meant:  # all that it would bring is missing
        meant |= {one.path for one in listed}
    kept = [one for one in listed if not (one.what.startswith("the key ") and one.path in meant)]
    return list({(one.path, one.fix): one for one in reversed(kept)}.values())[::-1]


def _repair(given: Any, path: tuple[str | int, ...], root: type[BaseModel]) -> str:
    return repair(given, term_at(path, root), _entry_of(path))


def _entry_of(path: tuple[str | int, ...]) -> int | None:
    return path[-1] if path and isinstance(path[-1], int) else None


def _no_number(path: tuple[str | int, ...], given: float, root: type[BaseModel]) -> Explained:
    """Neither is ever meant: a slip, or a computed value that went wrong."""
    term = term_at(path, root)
    example = example_of(term, _entry_of(path)) if term else None
    such = f", such as `{write_value(example)}`" if example is not None else ""
    if math.isnan(given):
        return Explained(path, "NaN is no setting", f"write a number{such}")
    return Explained(path, "infinity is no setting", f"write the largest number that is meant{such}")


def _explain_form(
    kind: str, context: Mapping[str, Any], given: Any, path: tuple[str | int, ...], root: type[BaseModel], said: str
) -> tuple[str, str]:
    """Explain a text that is of the wrong form, or a list that is too short or too long."""
    fix = repair_pattern(given, ".".join(map(str, path))) if kind == "string_pattern_mismatch" else None
    if fix is not None:
        return f"{_show(given)} is no {path[-1]}", fix
    if kind in ("too_short", "too_long"):
        term = term_at(path, root)
        count = context.get("min_length", context.get("max_length"))
        example = example_of(term) if term else None
        such = f", such as `{write_value(example)}`" if isinstance(example, list) else ""
        least = "at least" if kind == "too_short" else "at most"
        few = f"{len(given)} entries" if len(given) != 1 else "one entry"
        return f"a list of {few if given else 'no entries'}", f"write {least} {count}{such}"
    limits = [f"{words} {context[key]}" for key, words in LIMITS.items() if key in context]
    return f"{_show(given)}: {_lower(said)}", "use " + " and ".join(limits) if limits else _lower(said)


def _clean_path(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Drop the tags that pydantic puts between the names: the chosen kind, and the types of a union."""
    kept: list[int | str] = []
    for part in loc:
        is_tag = bool(kept) and part in UNION_TAGS.get(str(kept[-1]), ())
        is_type = isinstance(part, str) and (part in ("int", "str", "float", "bool") or "[" in part)
        if not (is_tag or is_type):
            kept.append(part)
    return tuple(kept)


def explain_key(path: tuple[int | str, ...], given: Any = None, root: type[BaseModel] = Spec) -> Explained:
    """Explain a key that is none: another spelling, one without its space, or one that belongs elsewhere."""
    word, names = str(path[-1]), valid_names(path[:-1], root)
    return Explained(path, f"unknown key {word!r}", key_fix(word, names, path[:-1], given, root), at_key=True)


def valid_names(parent: tuple[int | str, ...], root: type[BaseModel] = Spec) -> list[str]:
    """Return the words that may stand in a section."""
    inner = ".".join(part for part in parent if isinstance(part, str))
    prefix = f"{inner}." if inner else ""
    listed = [path.removeprefix(prefix) for path in all_terms(root) if path.startswith(prefix)]
    return sorted(path for path in listed if "." not in path)


def key_fix(
    word: str, names: list[str], parent: tuple[int | str, ...] = (), given: Any = None, root: type[BaseModel] = Spec
) -> str:
    """Return the fix of an unknown key among the `names` that are known where it stands."""
    slip = re.fullmatch(r"([\w.-]+)\s*[:=]\s*(\S.*)|([\w.-]+)\s+(\S.*)", word)
    if slip and given is None and (slip[1] or slip[3]) in names:
        return f"write `{slip[1] or slip[3]}: {slip[2] or slip[4]}`, with a colon and a space"
    if meant_words(word, names):
        return hint_word(word, names)
    clean = word.strip("\"'\u201c\u201d\u2018\u2019\u200b\xa0 ")
    if clean in names:
        return f"did you mean {clean!r}?"
    near = _nearest(word, names)
    if near is None and (place := _elsewhere(word, parent, root)):
        section, name = place
        other = f", as `{name}`" if name != word else ""
        return f"move it below `{section}:`{other}" if section else f"move it to the top{other}"
    return hint_word(word, names) if names else "remove it: nothing can stand here"


def path_fix(written: str, wrong: str, names: list[str]) -> str:
    """Return the fix of a dotted path, as arms, matrix and --set have them: the path as it should be written."""
    slip = re.fullmatch(r"([\w.]+)(?:\s*[:=]\s*|\s+)(\S.*)", written)
    if slip is not None:
        return f"write `{slip[1]}: {slip[2]}`, with a colon and a space"
    paths = difflib.get_close_matches(written, all_terms(), n=1, cutoff=0.9) if "." in written else []
    if paths and paths[0].split(".")[:-1] != written.split(".")[:-1]:
        return f"did you mean {paths[0]!r}?"
    near = meant_words(wrong, names) or difflib.get_close_matches(wrong, names, n=3, cutoff=0.6)
    if near:
        meant = [".".join(name if part == wrong else part for part in written.split(".")) for name in near]
        return f"did you mean {' or '.join(map(repr, meant))}?"
    if "." not in written and (place := _elsewhere(wrong, (), Spec)):
        return f"did you mean {'.'.join(filter(None, place))!r}?"
    return closest_hint(wrong, names) if names else "remove it: nothing can stand here"


def _nearest(word: str, names: list[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word, names, n=1, cutoff=ALIKE)), None)


def _elsewhere(word: str, parent: tuple[int | str, ...], root: type[BaseModel]) -> tuple[str, str] | None:
    """Return the section where this word is one, and its name there; of several the one nearest to the top."""
    terms = sorted(all_terms(root), key=lambda path: (path.count("."), not path.startswith("train.")))
    if word in terms and "." in word:
        section, _, name = word.rpartition(".")
        return section, name
    last = {path: path.rpartition(".")[2] for path in terms if path.count(".") <= 2}
    same = [path for path, name in last.items() if name == word]
    meant = [path for path, name in last.items() if len(word) > 1 and meant_words(word, [name])]
    here = ".".join(part for part in parent if isinstance(part, str))
    found = next((path for path in [*same, *meant] if path.rpartition(".")[0] != here), None)
    return (found.rpartition(".")[0], last[found]) if found else None


def _add_fix(path: tuple[int | str, ...], root: type[BaseModel]) -> str:
    """Return the line to add; a section with what it needs in it."""
    term = term_at(path, root)
    if term is None or term.facts.models:
        needed = {"data": "{source: digits}", "student": "{arch: tiny_vit_5m}"}.get(str(path[-1]), "")
        return f"add `{path[-1]}: {needed}`" if needed else f"add `{path[-1]}:` here"
    example = example_of(term)
    return f"add `{path[-1]}: {write_value(example)}`" if example is not None else f"add `{path[-1]}:` here"


def _wrong_choice(
    path: tuple[int | str, ...], context: Mapping[str, Any], given: object, root: type[BaseModel]
) -> Explained:
    expected = str(context.get("expected", context.get("expected_tags", "")))
    # Pydantic gives the choices as one text: 'a', 'b' or 'c'.
    choices = [word.strip(" '\"") for part in expected.split(" or ") for word in part.split(",")]
    if "tag" in context:
        path, given = (*path, "kind"), context["tag"]
    what, known = f"{_show(given)} is no choice here", [word for word in choices if word and word != OWN_TAG]
    if isinstance(given, str):
        bare = given.strip("\"'\u201c\u201d\u2018\u2019\u200b,; ")
        return Explained(path, what, f"did you mean {bare!r}?" if bare in known else hint_word(given, known))
    fix = _repair(given, path, root)
    return Explained(path, what, fix if "`" in fix or "mean" in fix else hint_word(_plain(given), known))


def _plain(given: object) -> str:
    return write_value(given) if isinstance(given, bool | int | float) or given is None else ""


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _show(given: object) -> str:
    if isinstance(given, BaseModel | Mapping):
        return "this mapping"
    try:
        text = "null" if given is None else repr(given)
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return "this"
    if isinstance(given, bool):
        text = str(given).lower()
    if isinstance(given, int) and len(text) > 20:
        return f"a whole number of {len(text.lstrip('-'))} digits"
    return text if len(text) <= 60 else text[:57] + "..."


BEYOND = {"ge": "below", "gt": "not above", "le": "above", "lt": "not below"}
LIMITS = {
    "min_length": "a length of at least",
    "max_length": "a length of at most",
    "pattern": "a text that matches",
}
