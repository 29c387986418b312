"""A paper's file loaded: takes its path, gives its words, the specs it lists and its sayings; or every mistake.

A file is a paper's where it has `experiments:` at its top, which no spec has. A name that begins with an underscore is
an overlay's or a base's: it is no spec of its own, and is checked as far as it can be alone (`check_overlay`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from engine.errors import Problem, SpecError, closest_hint
from engine.home.files import read_regular
from engine.home.limits import limits
from engine.load.excerpts import showing_places
from engine.load.messages import explain_error, key_fix
from engine.load.overlays import REPLACE, check_replace
from engine.load.spec_file import load_spec
from engine.load.yaml_tree import Document, read_document
from engine.spec import Spec
from engine.spec.paper import Decider, Paper, Saying, Sayings
from store.metrics import METRICS

FIRST_KEY = "experiments"
Whole = TypeVar("Whole", bound=BaseModel)


@dataclass(frozen=True)
class LoadedPaper:
    """A paper with its specs' files, in its order, and its sayings."""

    file: Path
    paper: Paper
    specs: tuple[Path, ...]
    claims: tuple[Saying, ...] = ()
    inconsistencies: tuple[Saying, ...] = ()

    @property
    def name(self) -> str:
        """What its report is filed under."""
        return self.file.stem


def is_paper(file: Path) -> bool:
    """Whether a file is a paper's; one that cannot be read is none, and whoever takes it for a spec says why.

    A pipe is none: it can be read once only, and a paper's specs lie beside its file.
    """
    try:
        # Without the word, as in most specs, nothing has to be parsed twice; behind a backslash it may be spelt out.
        raw = read_regular(file, limits().yaml_bytes)
        may_be = FIRST_KEY.encode() in raw or b"\\" in raw
        return may_be and FIRST_KEY in read_document(file).tree
    except (OSError, ValueError, SpecError):
        return False


def load_paper(file: Path) -> LoadedPaper:
    """Read and check a paper's file and its sayings; the specs are checked by whoever loads them.

    Raises SpecError with every problem of the first file that has some.
    """
    with showing_places(file):
        return _load_paper(file)


def _load_paper(file: Path) -> LoadedPaper:
    document = read_document(file)
    paper = _validated(document, file, Paper)
    specs = [_near_file(document, file, (FIRST_KEY, at), name) for at, name in enumerate(paper.experiments)]
    sayings = [_read_sayings(document, file, key) for key in ("claims", "inconsistencies")]
    return LoadedPaper(file, paper, tuple(specs), *sayings)


def _read_sayings(document: Document, file: Path, key: str) -> tuple[Saying, ...]:
    name = document.tree.get(key)
    if name is None:
        return ()
    found = _near_file(document, file, (key,), str(name))
    return tuple(_validated(read_document(found), found, Sayings).sayings)


def _near_file(document: Document, file: Path, path: tuple[str | int, ...], name: str) -> Path:
    found = file.parent / name
    if found.is_file():
        return found
    names = [str(near.relative_to(file.parent)) for near in file.parent.glob("**/*.y*ml")]
    fix = closest_hint(name, names) if names else "give a path relative to this file"
    place = ".".join(map(str, path))
    raise SpecError([Problem(document.values[path], place, f"there is no file {found}", fix)])


def _validated(document: Document, file: Path, model: type[Whole]) -> Whole:
    try:
        return model.model_validate(document.tree)
    except ValidationError as error:
        raise SpecError(list(_explain(error, document, file, model))) from error


def _explain(error: ValidationError, document: Document, file: Path, model: type[BaseModel]) -> Iterator[Problem]:
    for detail in error.errors(include_url=False):
        found = explain_error(detail, model)
        place = _place(document, file, found.path, found.at_key)
        yield Problem(place, ".".join(map(str, found.path)), found.what, found.fix)


def _place(document: Document, file: Path, path: tuple[str | int, ...], at_key: bool) -> str:
    """Return where a word stands, or the nearest that was written of what it is part of."""
    for length in range(len(path), 0, -1):
        marks = document.keys if at_key or length < len(path) else document.values
        if path[:length] in marks:
            return marks[path[:length]]
    return f"{file}:1:1"


def load_specs(loaded: LoadedPaper, overrides: Sequence[str] = (), overlays: Sequence[str | Path] = ()) -> list[Spec]:
    """Return the specs of a paper. Raises SpecError with every problem of theirs, and of sayings that name no claim or
    arm of them."""
    specs, problems = list[Spec](), list[Problem]()
    for file in loaded.specs:
        try:
            specs.append(load_spec(file, overrides, overlays))
        except SpecError as error:
            problems += error.problems
    if not problems:
        problems = _unknown_names(loaded, {spec.name: spec for spec in specs})
    with showing_places(loaded.file):
        if problems:
            raise SpecError(problems)
    return specs


def _unknown_names(loaded: LoadedPaper, specs: Mapping[str, Spec]) -> list[Problem]:
    problems = []
    for key, sayings in (("claims", loaded.claims), ("inconsistencies", loaded.inconsistencies)):
        named = getattr(loaded.paper, key)
        document = read_document(loaded.file.parent / named) if named else Document({})
        for at, saying in enumerate(sayings):
            for number, decider in enumerate(saying.decided_by):
                for word, name, known in _names_of(decider, specs):
                    path = ("sayings", at, "decided_by", number, *word)
                    if name not in known:
                        what, place = f"{name!r} is nothing that the specs of this paper have", ".".join(map(str, path))
                        problems.append(Problem(document.values[path], place, what, closest_hint(name, known)))
    return problems


def _names_of(decider: Decider, specs: Mapping[str, Spec]) -> Iterator[tuple[tuple[str | int, ...], str, list[str]]]:
    """Yield the path of each name within a decider, the name, and the names that there are."""
    arms = [f"{name}/{arm}" for name, spec in specs.items() for arm in spec.arm_names]
    if decider.claim is not None:
        yield ("claim",), decider.claim, [f"{name}/{one.id}" for name, spec in specs.items() for one in spec.claims]
    if decider.across is not None:
        yield ("across", "arm"), decider.across.arm, arms
        yield ("across", "against"), decider.across.against, arms
        yield ("across", "metric"), decider.across.metric, list(METRICS)
    if decider.effect is not None:
        yield ("effect", "experiment"), decider.effect.experiment, list(specs)
        spec = specs.get(decider.effect.experiment)
        for side in ("plus", "minus") if spec is not None else ():
            for at, arm in enumerate(getattr(decider.effect, side)):
                yield ("effect", side, at), arm, list(spec.arm_names if spec else ())


def check_overlay(file: Path) -> None:
    """Check what can be of a file that is laid over specs or extended by them: its YAML, its top words, `replace:`."""
    with showing_places(file):
        _check_overlay(file)


def _check_overlay(file: Path) -> None:
    document = read_document(file)
    known = [*Spec.model_fields, REPLACE]
    unknown = [key for key in document.tree if key.partition(".")[0] not in known]
    if unknown:
        raise SpecError(
            [Problem(document.keys[key,], key, f"unknown key {key!r}", key_fix(key, known)) for key in unknown]
        )
    check_replace(document)
