"""Own code in a plan: takes a spec, gives it with each piece of code named by what it says, kept, trusted and checked.

In this order, so that nothing of it is imported before its owner said so: the files are found and parsed, then the home
is asked whether they may run, then they are copied into it, then a child tries the copies.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from engine.errors import DataError, MissingData, Problem, SpecError, StrangeCode, XpError
from engine.home.files import publish_folder, write_json
from engine.home.paths import Home
from engine.inputs.content import resolve_root
from engine.inputs.own_code.finding import Code, find_code
from engine.inputs.own_code.keeping import keep_code, original_place, use_home
from engine.inputs.own_code.trust import is_trusted, is_trusted_copy, trust
from engine.inputs.own_images import DONE, images_folder, is_whole
from engine.load.excerpts import show_place
from engine.plan.child import run_child
from engine.plan.code_check import check_all
from engine.spec import Data, Settings, Spec
from engine.spec.cells import expand_cells
from engine.spec.code_uses import Use, list_uses, replace_at
from engine.spec.data import MOST_IMAGES
from engine.spec.drawn_code import code_cells
from engine.spec.own_code import DIGEST_DIGITS
from engine.spec.shapes import network_shape

IMAGES_MODULE = "engine.core.own_code.images"
Codes = Mapping[str, Code]  # by the reference as the spec has it


def settle_spec(spec: Spec, home: Home) -> Spec:
    """Return the spec whose cells name code by its digest; the spec itself where it names none.

    Raises SpecError for code that is not there or not what it should be, StrangeCode for what may not run here yet.
    """
    codes = check_spec(spec, home)
    if not codes:
        return spec
    settled = spec.model_copy()
    settled.keep_cells([_with_images(cell.settings, settle(cell.settings, codes), home) for cell in expand_cells(spec)])
    return settled


def check_spec(spec: Spec, home: Home) -> Codes:
    """Return the code that a spec names, which is all here, allowed, copied and tried. Raises as `settle_spec` does."""
    use_home(home)
    _refuse_settled(spec, home)
    codes = find_codes(spec)
    if codes:
        _refuse_doubles(codes)
        _refuse_strangers(spec, home, codes)
        for code in codes.values():
            keep_code(home, code)
        check_uses(spec, home, codes)
    return codes


def trust_spec(spec: Spec, home: Home) -> list[Code]:
    """Let the code that a spec names run in this home; return it."""
    codes = list(find_codes(spec).values())
    if codes:
        trust(home, codes)
    return codes


def find_codes(spec: Spec) -> Codes:
    """Return the code of every reference of a spec, read and not imported. Raises SpecError for all that is wrong."""
    found: dict[str, Code] = {}
    problems: dict[str, Problem] = {}
    for use in _spec_uses(spec):
        text = str(use.reference)
        if use.reference.digest or text in found or text in problems:
            continue
        try:
            found[text] = find_code(use.reference)
        except XpError as error:
            what = f"{error.where}: {error.what}" if error.where else error.what
            problems[text] = _show(Problem(_place(spec, use), use.path, what, error.fix))
    if problems:
        raise SpecError(list(problems.values()))
    return found


def settle(settings: Settings, codes: Codes) -> Settings:
    """Return the settings with each piece of code by its settled name: what the ids of jobs are made of."""
    for use in list_uses(settings):
        if not use.reference.digest:
            settings = replace_at(settings, use.path, codes[str(use.reference)].settled)
    return settings


def _with_images(written: Settings, settings: Settings, home: Home) -> Settings:
    """Let a source of somebody's own give its images, once; from then on they are a folder in the cache.

    Where what it reads is not here, the plan says so of `data.root`.
    """
    data = settings.data
    if data.source == written.data.source:  # it has given them, or is none
        return settings
    try:
        root = resolve_root(data.root) if data.root else None
    except MissingData:
        return settings
    folder = images_folder(home, data.source, data.options, root)
    publish_folder(folder, partial(_draw_images, data, root), is_whole)
    return replace_at(settings, "data.root", str(folder))  # type: ignore[no-any-return]  # of the model that it took


def _draw_images(data: Data, root: Path | None, folder: Path) -> None:
    asked = {
        "settled": data.source, "options": dict(data.options), "root": root and str(root), "folder": str(folder),
        "most": data.most or MOST_IMAGES,
    }  # fmt: skip
    told = run_child(IMAGES_MODULE, asked, None, speaks=True)
    told = told or {"what": "it ended without an answer", "fix": "try it by hand"}
    if "what" in told:
        shutil.rmtree(folder)  # it may have filled the disk
        raise DataError(f"{data.source}: {told['what']}", where="data.source", fix=told["fix"])
    write_json(folder / DONE, told)


def _spec_uses(spec: Spec) -> Iterator[Use]:
    for cell in code_cells(spec):
        yield from list_uses(cell.settings)


def _show(problem: Problem) -> Problem:
    """Return the problem with its line of the spec."""
    return show_place(problem, Path(os.path.realpath(problem.where.rsplit(":", 2)[0])).parent)


def _place(spec: Spec, use: Use, path: str = "") -> str:
    """Return where a word about a piece of code stands: the one that names it, or one of its options."""
    known, path = spec.code_places, path or use.path
    return known.get(f"{path}={use.reference}") or known.get(path, "")


def _refuse_strangers(spec: Spec, home: Home, codes: Codes) -> None:
    """Raise StrangeCode naming every file of code that nobody has said may run in this home."""
    strangers = {text: code for text, code in codes.items() if not is_trusted(home, code)}
    if not strangers:
        return
    lines = [line for use in _first_uses(spec, strangers) for line in _introduce(spec, use, strangers)]
    fix = "read these files; if they are yours, or you trust who wrote them, say so: --trust"
    what = "this spec names code that nobody has said may run here:\n" + "\n".join(lines)
    raise StrangeCode(what, where=spec.name, fix=fix)


def _refuse_settled(spec: Spec, home: Home) -> None:
    """Raise XpError for a name with a digest that may not run: whoever writes one leaves out finding and asking."""
    for use in _spec_uses(spec):
        found = use.reference
        if found.digest and not is_trusted_copy(home, found.digest, found.name):
            fix = "name its file or module, without @ and what follows"
            raise XpError(f"{use.path}: {found} may not run in this home", where=spec.name, fix=fix)


def _refuse_doubles(codes: Codes) -> None:
    """Raise XpError where two projects have a module of one name: imported late, one would get the other's."""
    owners: dict[str, Code] = {}
    for code in codes.values():
        for name in code.files:
            first = name.split("/")[0].removesuffix(".py")
            other = owners.setdefault(first, code)
            if other.root != code.root:
                what = f"two projects have a module {first}: one in {other.root} and one in {code.root}"
                raise XpError(what, where=code.reference.place, fix="rename one of them, or lay both into one folder")


def _first_uses(spec: Spec, codes: Codes) -> list[Use]:
    """Return a use of each piece of code."""
    first: dict[str, Use] = {}
    for use in _spec_uses(spec):
        if str(use.reference) in codes:
            first.setdefault(str(use.reference), use)
    return list(first.values())


def _introduce(spec: Spec, use: Use, codes: Codes) -> Iterator[str]:
    code = codes[str(use.reference)]
    place = _place(spec, use)
    yield f"  {place + ': ' if place else ''}{use.path}: {use.reference.name} of module {code.module}, {code.file}"
    others = [code.root / name for name in sorted(code.files) if code.root / name != code.file]
    yield from (f"    with it {path}" for path in others)


# Whether it is what it should be -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """One question to the child, and the use that it is about."""

    use: Use
    code: Code
    question: Mapping[str, Any]


def check_uses(spec: Spec, home: Home, codes: Codes) -> None:
    """Raise SpecError for code that is not what its Protocol asks, or for options that it does not take."""
    asked: dict[str, Asked] = {}
    for cell in code_cells(spec):
        for use in list_uses(cell.settings):
            if use.reference.digest:
                continue
            code = codes[str(use.reference)]
            question = {
                "kind": use.kind, "settled": code.settled, "options": dict(use.options),
                "facts": _facts(cell.settings, use),
            }  # fmt: skip
            asked.setdefault(repr(question), Asked(use, code, question))
    listed = list(asked.values())
    answers = check_all(home, [one.question for one in listed])
    problems = [
        _problem(spec, home, one, wrong)
        for one, wrongs in zip(listed, answers, strict=True)
        for wrong in wrongs
    ]  # fmt: skip
    if problems:
        raise SpecError(list(dict.fromkeys(problems)))


def _facts(settings: Settings, use: Use) -> dict[str, Any]:
    """Return what a spec knows of where a piece of code is used, as far as its kind is told."""
    if use.kind == "network":
        network = dict(settings.networks)[use.path.removesuffix(".arch")]
        return {"image_size": getattr(network, "image_size", None) or settings.data.image_size}
    if use.kind == "attention":
        network = dict(settings.networks)[use.path.removesuffix(".attention.kind")]
        stages = network_shape(network, settings.data.image_size).stages
        return {"stages": [[one.dim, one.heads, one.window] for one in stages if one.own is not None]}
    if use.kind == "augmentation":
        sizes = {getattr(network, "image_size", None) or settings.data.image_size for _, network in settings.networks}
        return {"sizes": sorted(sizes)}
    if use.kind == "source" and settings.data.root:
        try:
            return {"root": str(resolve_root(settings.data.root))}
        except XpError:  # it is missing, which the plan says
            return {"root": None}
    return {}


def _problem(spec: Spec, home: Home, asked: Asked, wrong: Mapping[str, Any]) -> Problem:
    """Put a mistake at its place in the spec, with the line of the code as its owner has it."""
    use, at = asked.use, str(wrong["at"])
    path = f"{use.options_path}.{at}" if at else use.path
    what = str(wrong["what"])
    if wrong["file"]:
        file = original_place(home, asked.code.digest[:DIGEST_DIGITS], str(wrong["file"]))
        what = f"{file}:{wrong['line']}: {what}"
    elif not at:
        what = f"{asked.code.file}: {what}"
    return _show(Problem(_place(spec, use, path) or _place(spec, use), path, what, str(wrong["fix"])))
