"""Leaks for who only checks a spec: takes a spec and a home, or none, gives the refusal and warnings of its plan.

And whether the run is here that is to teach.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.errors import XpError
from engine.home.paths import Home, open_home
from engine.inputs.leaks import LeakError
from engine.plan import make_plan
from engine.plan.teacher_run import WHERE as RUN_WORD
from engine.spec import Spec


def find_leaks(spec: Spec, home: Home | None) -> tuple[LeakError | None, Sequence[str]]:
    """Return why a plan of `spec` is refused for what its weights have seen, and what it warns of.

    To be asked of a spec that names weights that are here or another run (`names_weights`, inputs/missing.py). A run
    that is not here is a warning, as it may be in another home; what else a plan refuses is for the plan to say.
    Without a home the headers of the files are all that is known of them.
    """
    if home is not None:
        return _ask_plan(spec, home)
    with TemporaryDirectory(prefix="xp-") as folder:
        return _ask_plan(spec, open_home(Path(folder), create=True))


def _ask_plan(spec: Spec, home: Home) -> tuple[LeakError | None, Sequence[str]]:
    try:
        return None, make_plan(spec, home).warnings
    except LeakError as error:
        return error, ()
    except XpError as error:
        return None, (str(error),) if error.where == RUN_WORD else ()
