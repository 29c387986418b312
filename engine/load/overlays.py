"""What is laid over a spec: takes overlay files and --set, gives one tree, and merges it over a spec and its arms.

An overlay may hold `replace:`, from the name of a network to the words that are put over it wherever it stands: as a
student, a teacher, an assistant or a reference, in the spec or in an arm. So one overlay makes many specs small.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.errors import Problem, SpecError, closest_hint
from engine.load.messages import path_fix
from engine.load.yaml_tree import Document, parse_value, read_document
from engine.spec import Settings, Spec
from engine.spec.architectures import known_networks
from engine.spec.cells import Tree, kept_words, merge_trees, nest_paths, other_kind, unknown_part
from engine.spec.search import Axis

REPLACE = "replace"
LISTS = ("seeds", "claims")  # of a spec's top
AXIS_WORDS = tuple(field.alias or name for name, field in Axis.model_fields.items())


def read_overlays(overrides: Sequence[str], overlays: Sequence[str | Path]) -> Tree:
    """Return all overlays and then all overrides (texts such as `train.epochs=2`) as one tree, the later winning."""
    tree: Tree = {}
    for overlay in overlays:
        document = read_document(Path(overlay), "an overlay")
        check_replace(document)
        if "extends" in document.tree:
            raise _extends_refusal(document.keys.get(("extends",), ""))
        tree = merge_trees(tree, _nest_overlay(document.tree))
    for text in overrides:
        tree = merge_trees(tree, _parse_override(text))
    return tree


def over_places(
    overrides: Sequence[str], overlays: Sequence[str | Path], *, key: bool = False
) -> dict[tuple[str | int, ...], str]:
    """Return where each word, or its `key`, was written that overlays and overrides say, by its path with all dots
    nested."""
    places: dict[tuple[str | int, ...], str] = {}
    for overlay in overlays:
        document = read_document(Path(overlay), "an overlay")
        marks = document.keys if key else document.values
        places |= {_nested_path(path): mark for path, mark in marks.items()}
    for text in overrides:
        path = _nested_path((text.partition("=")[0].strip(),))
        places |= dict.fromkeys(_paths_in(_value_at(_parse_override(text), path), path), f"--set {text}")
    return places


def _nested_path(path: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """The keys of a matrix and of a search's space hold dots and stay whole."""
    first = str(path[0])
    if first.startswith("matrix"):
        return (*first.split(".", 1), *path[1:])
    if first.partition(".")[0] == "search":
        return (*split_search(first), *path[1:])
    return tuple(part for key in path for part in (key.split(".") if isinstance(key, str) else (key,)))


def split_search(path: str) -> tuple[str, ...]:
    """Split a dotted path into a search, whose spaces have dotted paths as keys: `search.space.train.lr.log`."""
    first, *parts = path.split(".")
    at = {"space": 1, "arms": 2}.get(parts[0] if parts else "", len(parts))
    before, within = parts[:at], parts[at:]
    word = within[-1:] if len(within) > 1 and within[-1] in AXIS_WORDS else []
    axis = within[: len(within) - len(word)]
    return (first, *before, *([".".join(axis)] if axis else []), *word)


def _value_at(tree: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        tree = tree[part]
    return tree


def _paths_in(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Yield a path and those of all that is in its value."""
    yield path
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from _paths_in(item, (*path, key))


def _extends_refusal(where: str) -> SpecError:
    """What a spec extends is read before anything is laid over it, so it would do nothing here."""
    fix = "name each file that is to lie over the spec: --overlay FILE --overlay FILE"
    return SpecError([Problem(where, "extends", "only a spec extends another file", fix)])


def check_replace(document: Document) -> None:
    held = document.tree.get(REPLACE, {})
    for arch, words in held.items() if isinstance(held, Mapping) else [("", held)]:
        path = f"{REPLACE}.{arch}" if arch else REPLACE
        where = document.keys.get((REPLACE, arch)) or document.keys.get((REPLACE,), "")
        if not isinstance(words, Mapping):
            fix = "write `timm/NAME: {arch: ..., weights: ...}` lines below it"
            raise SpecError([Problem(where, path, "no words that replace a network", fix)])
        if arch not in known_networks():
            raise SpecError([Problem(where, path, f"unknown network {arch!r}", closest_hint(arch, known_networks()))])


def _nest_overlay(tree: Tree) -> Tree:
    """Keys below `matrix`, `search` and `replace` hold dots and stay whole; others that do write a nested path."""
    whole = {key: tree[key] for key in ("matrix", "search", REPLACE) if key in tree}
    dotted = [key for key in tree if key.startswith("search.")]
    rest = {key: value for key, value in tree.items() if key not in whole and key not in dotted}
    nested = merge_trees(nest_paths(rest), whole)
    for key in dotted:
        nested = merge_trees(nested, _put_at(split_search(key), tree[key]))
    return nested


def _put_at(path: Sequence[str], value: Any) -> Tree:
    for part in reversed(path):
        value = {part: value}
    return dict(value)


def _parse_override(text: str) -> Tree:
    path, equals, value = text.partition("=")
    path = path.strip()
    if not equals or not path:
        raise SpecError(
            [Problem(f"--set {text}", "", "this is no path=value", "write for instance --set train.epochs=2")]
        )
    first, _, rest = path.partition(".")
    if first == "extends":
        raise _extends_refusal(f"--set {text}")
    arm, _, inner = rest.partition(".") if first == "arms" else ("", "", "")
    wrong = (
        unknown_part(path) if first in Settings.model_fields else _unknown_top(first) or (inner and unknown_part(inner))
    )
    if wrong:
        fix = path_fix(inner or path, *wrong)
        raise SpecError([Problem(f"--set {text}", path, f"unknown key {wrong[0]!r}", fix)])
    given = _parse_given(text, path, value)
    if inner:
        return {"arms": {arm: nest_paths({inner: given})}}
    if first in ("matrix", "arms"):  # the keys of a matrix are dotted paths, and stay whole
        if not (rest or isinstance(given, Mapping)):
            fix = f"write for instance --set {first}.{'train.lr=[0.1, 0.2]' if first == 'matrix' else 'b.train.lr=0.1'}"
            raise SpecError([Problem(f"--set {text}", first, f"{value} is not a mapping", fix)])
        return {first: {rest: given} if rest else given}
    if rest and first in LISTS:
        what = f"this sets a part of {first}, a list that is set as a whole"
        whole = "[0, 1]" if first == "seeds" else "[{id: ..., metric: ...}]"
        fix = f"change it in the file, or write the whole list: --set '{first}={whole}'"
        raise SpecError([Problem(f"--set {text}", path, what, fix)])
    return _put_at(split_search(path), given) if first == "search" else nest_paths({path: given})


def _parse_given(text: str, path: str, value: str) -> Any:
    """Return the value of a --set; what is none of YAML is told with all that was typed."""
    try:
        return parse_value(value)
    except SpecError as error:
        raise SpecError([Problem(f"--set {text}", path, error.what, error.fix)]) from error


def _unknown_top(name: str) -> tuple[str, list[str]] | None:
    return None if name in Spec.model_fields else (name, sorted(Spec.model_fields))


def change_arms(tree: Tree, over: Tree) -> Tree:
    """Replace networks, and merge what overlays and --set say of one arm, so that arms which extend it follow."""
    tree = _replace_networks(tree, over[REPLACE]) if over.get(REPLACE) else tree
    arms, changes = tree.get("arms") or {}, over.get("arms")
    if not isinstance(changes, Mapping) or not isinstance(arms, Mapping):
        return tree
    nested = {arm: nest_paths(arms[arm]) if isinstance(arms.get(arm), Mapping) else {} for arm in changes}
    return {**tree, "arms": merge_trees({**arms, **nested}, changes)}


def _replace_networks(value: Any, words: Mapping[str, Tree]) -> Any:
    """Put the words of each network that has some over the mapping it stands in; in arms, dotted paths too."""
    if isinstance(value, list):
        return [_replace_networks(item, words) for item in value]
    if not isinstance(value, Mapping):
        return value
    changed = {key: _replace_networks(item, words) for key, item in value.items()}
    for key, arch in value.items():
        if str(key).rpartition(".")[2] == "arch" and isinstance(arch, str) and arch in words:
            place = str(key).removesuffix("arch")  # `teacher.` where an arm writes `teacher.arch`
            changed |= {f"{place}{word}": new for word, new in words[arch].items()}
    return changed


def apply_over(tree: Tree, over: Tree) -> Tree:
    """Merge overlays and --set over the base and over every arm that changes the same thing."""
    over = {key: value for key, value in over.items() if key != REPLACE}
    if not over:
        return tree
    inner = {key: value for key, value in over.items() if key in Settings.model_fields}
    of_arms = {key: value for key, value in inner.items() if _is_of_arms(key, value, tree)}
    merged = merge_trees(tree, {key: value for key, value in over.items() if key not in ("arms", *of_arms)})
    if isinstance(over.get("matrix"), Mapping):
        matrix = tree.get("matrix")
        merged["matrix"] = {**(matrix if isinstance(matrix, Mapping) else {}), **over["matrix"]}
    arms = merged.get("arms")
    if isinstance(arms, Mapping):
        merged["arms"] = {arm: _over_arm(nest_paths(changes or {}), inner, of_arms) for arm, changes in arms.items()}
    return merged


def _is_of_arms(key: str, value: Any, tree: Tree) -> bool:
    """Where only arms have a teacher, words about it are for those: an arm without one is there to be without."""
    if key != "teacher" or not isinstance(value, Mapping) or tree.get("teacher"):
        return False
    arms = tree.get("arms")
    return isinstance(arms, Mapping) and any(nest_paths(arm or {}).get("teacher") for arm in arms.values())


def _over_arm(arm: Tree, over: Tree, of_arms: Tree) -> Tree:
    """Merge `over` only where the arm says something itself: the base has the rest, but not of what is `of_arms`."""
    merged = kept_words(arm, over)
    for key in merged.keys() & over.keys():
        old, new = arm[key], over[key]
        if old is None and isinstance(new, Mapping):
            continue  # what an arm switched off stays off
        if isinstance(old, Mapping) and isinstance(new, Mapping) and not other_kind(old, new):
            merged[key] = merge_trees(old, new) if key in of_arms else _over_arm(dict(old), dict(new), {})
        else:
            merged[key] = new
    return merged
