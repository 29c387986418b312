"""Whether own code is what its Protocol asks: takes questions as JSON, prints what is wrong with each.

`python -P -m engine.core.own_code.check` reads a list of questions and answers each with a line, which it announces
first: whoever asks knows which one hangs. What the code prints is caught, and is a mistake itself. It is imported
twice, since what differs between two imports differs between a job and its resumption.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from engine.core.own_code.loading import import_name, make_way
from engine.core.own_code.sides import State
from engine.core.own_code.subject import Question, Several, Subject, Wrong, guard, make_options, place_of
from engine.core.own_code.trials import TRIALS
from engine.errors import XpError
from engine.inputs.own_code.finding import Code
from engine.inputs.own_code.keeping import open_copy
from engine.launch.memory import memory_room
from engine.spec.own_code import read_reference

SEED = 0


def check_code(question: Question) -> list[dict[str, Any]]:
    """Return what is wrong with a piece of code: what, fix, and the option or the file and line; [] where nothing."""
    reference = read_reference(question.settled)
    assert reference is not None
    root, code = open_copy(reference)
    try:
        first = _look(question, root, code)
        second = _look(question, root, code)
        if first != second:
            what = f"{reference.name} is another one each time it is imported"
            raise Wrong(what, "decide nothing by time, chance or addresses at import: a resumed job imports it again")
    except Wrong as wrong:
        return [wrong.told]
    except Several as several:
        return [one.told for one in several.wrongs]
    return []


def _look(question: Question, root: Path, code: Code) -> str:
    """Import it anew and try it; return a digest of what it is and gives. The process is left as it was."""
    before = State()
    try:
        return _try_anew(question, root, code)
    finally:
        before.restore()


def _try_anew(question: Question, root: Path, code: Code) -> str:
    before = State()
    make_way(root, code.files, anew=True)
    name = code.reference.name
    thing = guard(root, "importing it", lambda: import_name(root, code.module, name, code.files))
    _refuse_changes(before, root, thing, "imported")
    if not callable(thing):
        raise Wrong(f"{name} is a {type(thing).__name__}, and no class or function", f"write `class {name}`")
    options = make_options(question, thing, root)
    torch.manual_seed(SEED)
    before = State()
    given = TRIALS[question.kind](Subject(question, root, thing, options))
    # What makes views is given the numbers that it may draw.
    _refuse_changes(before, root, thing, "called", draws=question.kind != "augmentation")
    return hashlib.sha256(f"{inspect.signature(thing)} {given}".encode()).hexdigest()


def _refuse_changes(before: State, root: Path, thing: Any, when: str, *, draws: bool = False) -> None:
    """Raise Wrong where the process is no longer as it was; where it `draws`, it may take random numbers."""
    changed = list(before.changes(draws=draws))
    if changed:
        fix = "leave what others in the process rely on as it was: they would no longer get what their ids say"
        raise Wrong(f"it changes {', '.join(changed[:3])} when it is {when}", fix, **place_of(root, thing))


def main() -> None:
    """Answer the questions of stdin, one line each, on what was stdout; what the code prints goes to a file.

    `room` is the memory that is free for it: whoever asks stops code that would take all of it.
    """
    questions = [Question(**told) for told in json.load(sys.stdin)]
    torch.set_num_threads(1)
    room = memory_room()
    with os.fdopen(os.dup(1), "w", buffering=1) as answers, tempfile.TemporaryFile() as printed:
        for stream in (1, 2):
            os.dup2(printed.fileno(), stream)
        for number, question in enumerate(questions):
            print(json.dumps({"begins": number, "room": room}), file=answers)
            print(json.dumps({"wrong": _answer(question, printed.fileno())}), file=answers)


def _answer(question: Question, printed: int) -> list[dict[str, Any]]:
    os.ftruncate(printed, 0)
    os.lseek(printed, 0, os.SEEK_SET)
    try:
        found = check_code(question)
    except XpError as error:
        return [{"what": error.what, "fix": error.fix, "at": "", "file": "", "line": 0}]
    except Exception as error:  # of ours: the code's own are told by its lines
        what = f"it cannot be tried: {type(error).__name__}: {error}"
        return [Wrong(what, "try it by hand: import the module in Python").told]
    sys.stdout.flush()
    if not found and os.fstat(printed).st_size:
        os.lseek(printed, 0, os.SEEK_SET)
        said = os.read(printed, 80).decode(errors="replace").splitlines()[0]
        what, fix = f"it prints {said!r} when it is imported or called", "print nothing: what xp prints is for programs"
        return [Wrong(what, fix).told]
    return found


if __name__ == "__main__":
    main()
