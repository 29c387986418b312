"""The variables of the environment that xp reads: takes an environment, gives what in it is most likely misspelt.

A variable that nobody reads does nothing, and a home that was named with it would not be the home. Other words that
begin with XP_ are a person's own, as `${XP_DATA}` in a spec, and are let be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

PREFIX = "XP_"
NEAR = 0.8  # how alike two names are where one is a slip of the other


def misspelt_variables(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each name that is nearly one of VARIABLES, with that one."""
    for name in sorted(name for name in names if name.startswith(PREFIX) and name not in VARIABLES):
        import difflib

        yield from ((name, near) for near in difflib.get_close_matches(name, VARIABLES, n=1, cutoff=NEAR))


# what each is for
VARIABLES = {
    "XP_CACHE": "the folder of packed images and weights",
    "XP_CALIBRATE": "whether a plan tries how fast this machine is",
    "XP_DATA": "the folder of images that shipped specs name",
    "XP_HOME": "the home folder",
    "XP_LIMITS": "the largest that readers of files take",
    "XP_MOST_CELLS": "how many cells a spec may have",
    "XP_OOMS": "how often an attempt ran out of memory, from the scheduler",
    "XP_ORT_SPIN": "whether threads of ONNX Runtime wait awake, from the measurement",
    "XP_OWN_CODE": "the home whose copies of people's own code run, from xp itself",
    "XP_PREEMPT_SIGNAL": "the signal that a cluster sends before it takes a machine away",
    "XP_QUEUE": "the address of a PostgreSQL server that has the queue",
    "XP_SERVE_TOKEN": "the word that opens the dashboard",
    "XP_SLOT": "the slot of an attempt, from the scheduler",
}
