"""For notebooks and scripts: `import xp` gives what the commands do as functions, and the networks as torch modules.

    import xp
    spec = xp.load("specs/quickstart.yaml", ["train.epochs=2"]) # or a dict, or keywords: xp.load(name="mine", ...)
    xp.plan(spec) # a table of what it costs; a notebook shows it as one
    done = xp.submit(spec, wait=True) # shows progress; a scheduler works beside the notebook
    done.state, done.status() # "done"; how it stands
    xp.results("quickstart") # a DataFrame with a row for each run; xp.cells, xp.curves likewise
    xp.report("quickstart").save("report") # a notebook shows the page
    xp.sql("select arm, mean from cells where metric = 'test_top1'") # a dict for each row
    xp.compare("quickstart/sparse", "quickstart/original") # paired statistics, or why it would be unfair
    xp.open_snapshot(".xp").sql("from results").df() # duckdb's own connection; .df() needs pandas
    network = xp.build_network(spec.student, num_classes=10, image_size=56)

A name loads its room when it is first touched: `import xp` loads no torch, timm or duckdb. Homes are a path or a Home;
without one it is XP_HOME, else .xp here or in a folder above, as for the commands. Mistakes raise xp.XpError, which
says what, where, the fix.

    xp          the module that an installation has as `xp`
    specs       load
    plans       plan, and what it shows
    submitting  submit; the state of a submission, waiting for it
    watching    progress on a notebook's page or in lines
    relations   results, cells, curves; sql
    pages       report
    arms        compare
    arguments   what is handed over is of the right type, or told
    places      the home that is meant, with all results taken in
    showing     tables as text and as HTML
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.api.arms import compare
    from engine.api.pages import report
    from engine.api.plans import plan
    from engine.api.relations import cells, curves, results, sql
    from engine.api.specs import load
    from engine.api.submitting import submit
    from engine.core.network.build import build_network, load_timm_weights
    from engine.errors import XpError
    from engine.home.paths import open_home
    from engine.load import load_spec
    from engine.plan import make_plan
    from store.results import open_snapshot

__all__ = [
    "XpError", "build_network", "cells", "compare", "curves", "load", "load_spec", "load_timm_weights", "make_plan",
    "open_home", "open_snapshot", "plan", "report", "results", "sql", "submit",
]  # fmt: skip
OWNERS = {
    "XpError": "engine.errors",
    "build_network": "engine.core.network.build",
    "cells": "engine.api.relations",
    "compare": "engine.api.arms",
    "curves": "engine.api.relations",
    "load": "engine.api.specs",
    "load_spec": "engine.load",
    "load_timm_weights": "engine.core.network.build",
    "make_plan": "engine.plan",
    "open_home": "engine.home.paths",
    "open_snapshot": "store.results",
    "plan": "engine.api.plans",
    "report": "engine.api.pages",
    "results": "engine.api.relations",
    "sql": "engine.api.relations",
    "submit": "engine.api.submitting",
}


def __getattr__(name: str) -> Any:
    """Load the room that owns a name when somebody first asks for it."""
    if name not in OWNERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(OWNERS[name]), name)


def __dir__() -> list[str]:
    return __all__
