"""Own code of an archive: takes the spec as it was submitted, gives it naming the copies of the code that lie in it.

The files that a spec names lay on another machine, or say something else by now; the copies are what jobs ran with.
"""

from __future__ import annotations

import re

from engine.home.paths import Home
from engine.inputs.own_code.keeping import FILES, Kept, list_kept


def name_copies(text: str, home: Home) -> str:
    """Return the text of a spec in which each place of code that has a copy in the small home is that copy."""
    for kept in sorted(list_kept(home), key=lambda one: one.at, reverse=True):
        file = _entry_file(kept)
        here = f"{home.own_code.absolute() / kept.digest / FILES / file}:"
        for place in (kept.place(file), kept.module):
            # Not within a longer name or path, and not the key of a mapping.
            text = here.join(re.split(rf"(?<![\w./-]){re.escape(place)}:(?=[A-Za-z_])", text))
    return text


def list_files(home: Home) -> list[str]:
    """Return the files of code that an archive holds, by their names in it."""
    return sorted(f"home/own_code/{one.digest}/{FILES}/{name}" for one in list_kept(home) for name in one.parts)


def _entry_file(kept: Kept) -> str:
    stem = kept.module.replace(".", "/")
    return f"{stem}/__init__.py" if f"{stem}/__init__.py" in kept.parts else f"{stem}.py"
