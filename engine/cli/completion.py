"""What a shell may complete: takes the beginning of a word, gives names, addresses, fields, files.

Only files of the home are read, without a lock; where anything about them is wrong there is nothing to complete, and
nobody is told: a person who presses a key asked for no error.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout, suppress
from functools import wraps
from io import StringIO
from pathlib import Path
from typing import Any

Find = Callable[[Any, str], Iterator[str]]
Complete = Callable[[Any, str], list[str]]
MOST_BYTES = 1 << 24  # of a record: a larger one would take longer than a key press may
ENDS = (".yaml", ".yml")


def _quiet(find: Find) -> Complete:
    @wraps(find)
    def complete(ctx: Any, incomplete: str) -> list[str]:
        try:
            return sorted(dict.fromkeys(word for word in find(ctx, incomplete) if word.startswith(incomplete)))
        except Exception:
            return []

    return complete


@_quiet
def experiments(ctx: Any, incomplete: str) -> Iterator[str]:
    yield from (folder.name for folder in _home(ctx).experiments())


@_quiet
def addresses(ctx: Any, incomplete: str) -> Iterator[str]:
    """EXPERIMENT; after its slash its arms; after an @ the seeds of one."""
    name, slash, rest = incomplete.partition("/")
    if not slash:
        yield from _addresses_of(ctx, incomplete)
        return
    seeds = "@" in rest
    for run in _runs(ctx, name):
        cell = "" if run["cell"] == "default" else f"/{run['cell']}"
        yield f"{name}/{run['arm']}{cell if '/' in rest else ''}" + (f"@{run['seed']}" if seeds else "")


def _addresses_of(ctx: Any, incomplete: str) -> Iterator[str]:
    """Yield experiments; of the only one that is meant, its arms too."""
    names = [folder.name for folder in _home(ctx).experiments() if folder.name.startswith(incomplete)]
    yield from names
    if len(names) == 1:
        yield from (f"{names[0]}/{run['arm']}" for run in _runs(ctx, names[0]))


@_quiet
def metrics(ctx: Any, incomplete: str) -> Iterator[str]:
    from store.metrics import METRICS

    yield from METRICS


@_quiet
def metric_lists(ctx: Any, incomplete: str) -> Iterator[str]:
    """The last of a list with commas."""
    from store.metrics import METRICS

    before, comma, _ = incomplete.rpartition(",")
    yield from (f"{before}{comma}{name}" for name in METRICS)


@_quiet
def styles(ctx: Any, incomplete: str) -> Iterator[str]:
    yield from STYLES


@_quiet
def words(ctx: Any, incomplete: str) -> Iterator[str]:
    """What `xp explain` knows; columns after the dot of their relation."""
    from store.words import RELATIONS

    relation, dot, _ = incomplete.partition(".")
    if dot and relation in RELATIONS:
        yield from (f"{relation}.{column}" for column in RELATIONS[relation].columns)
        return
    from engine.spec.lexicon import all_terms
    from store.metrics import METRICS

    yield from (*all_terms(), *METRICS, *RELATIONS)


@_quiet
def settings(ctx: Any, incomplete: str) -> Iterator[str]:
    """Fields with their `=`; behind it the choices that there are."""
    from engine.spec.lexicon import all_terms

    path, equals, _ = incomplete.partition("=")
    terms = all_terms()
    if equals:
        yield from (f"{path}={choice}" for choice in terms[path].facts.choices)
        return
    yield from (f"{one}=" for one, term in terms.items() if not term.facts.models)


@_quiet
def spec_files(ctx: Any, incomplete: str) -> Iterator[str]:
    yield from _files(incomplete, ENDS)


@_quiet
def runs_or_files(ctx: Any, incomplete: str) -> Iterator[str]:
    yield from addresses(ctx, incomplete)
    yield from _files(incomplete, (*ENDS, ".onnx", ".pt2", ".safetensors"))


@_quiet
def names_or_papers(ctx: Any, incomplete: str) -> Iterator[str]:
    yield from experiments(ctx, incomplete)
    yield from _files(incomplete, ENDS)


@_quiet
def templates(ctx: Any, incomplete: str) -> Iterator[str]:
    """Folders: a template is one that `xp init --template` laid out, or a copy of it."""
    yield from _files(incomplete, ())


@_quiet
def removals(ctx: Any, incomplete: str) -> Iterator[str]:
    yield from (entry.name for entry in os.scandir(_home(ctx).trash) if entry.is_dir())


def _files(incomplete: str, ends: tuple[str, ...]) -> Iterator[str]:
    """Yield the folders, with a slash, and the files of these ends that begin so."""
    folder, slash, _ = incomplete.rpartition("/")
    with os.scandir(os.path.expanduser(folder + slash) or ".") as entries:
        for entry in entries:
            if entry.name.startswith(".") and not incomplete.rpartition("/")[2].startswith("."):
                continue
            if entry.is_dir():
                yield f"{folder}{slash}{entry.name}/"
            elif entry.name.endswith(ends) and ends:
                yield f"{folder}{slash}{entry.name}"


def _home(ctx: Any) -> Any:
    """Return the home that the words so far mean."""
    from engine.home.paths import open_home

    while ctx is not None:
        if ctx.params.get("home"):
            return open_home(Path(ctx.params["home"]))
        ctx = ctx.parent
    return open_home()


def _runs(ctx: Any, name: str) -> list[dict[str, Any]]:
    """Return the runs of an experiment's newest submission."""
    from engine.home.files import read_object

    newest = _home(ctx).records(name)[-1]
    found = read_object(newest) if newest.stat().st_size < MOST_BYTES else None
    return list((found or {}).get("runs", ()))


def rejoin_words(words: Sequence[str]) -> tuple[list[str], str]:
    """Put together again what bash takes apart at `@`, `=` and `:`; the last word is the one that is completed.

    Return the words, and what of the last one bash keeps: it replaces what stands behind the last sign.
    """
    found, begun, follows = list[str](), "", False
    for word in words:
        is_sign = bool(word) and set(word) <= SIGNS
        if found and (is_sign or follows):
            begun = found[-1] + (word if is_sign else "")
            found[-1] += word
        else:
            begun = ""
            found.append(word)
        follows = is_sign
    return found, begun


def answer_bash(run: Callable[[], object]) -> None:
    """Let typer answer bash about whole words, and give back only what bash will replace."""
    words = os.environ.get("COMP_WORDS", "").split("\n")
    found, begun = rejoin_words(words[: int(os.environ.get("COMP_CWORD") or 0) + 1])
    os.environ["COMP_WORDS"], os.environ["COMP_CWORD"] = "\n".join(found), str(len(found) - 1)
    with redirect_stdout(StringIO()) as told, suppress(SystemExit):
        run()
    for line in told.getvalue().splitlines():
        print(line.removeprefix(begun))


STYLES = ("table", "csv", "json", "markdown", "latex")  # store/format.py, which takes time to import
ASKS_BASH = "complete_bash"
SIGNS = frozenset("@=:")
