"""What this machine's speeds are: takes questions, gives the answers that are kept, and has new ones found.

A child process tries what was never tried (verify/calibrate.py), for some seconds in all; each answer is kept in the
cache under the machine, the versions of torch and timm, and the question. A plan of many networks has the few tried
that most of its work is in; the others are scaled from those.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import ValidationError

from engine.home.files import read_object, write_atomic
from engine.home.paths import Home
from engine.inputs.gpus import list_gpus
from engine.inputs.machine import cpu_model, usable_cores
from engine.plan.child import package_version, run_child
from engine.plan.cost.speeds import Feed, FeedSpeed, Probe, Speed, Speeds
from engine.spec.identity import digest_of

MODULE = "engine.verify.calibrate"
MOST_PROBES, MOST_FEEDS = 8, 4
"""That are tried for one plan."""
SECONDS = 6.0
"""For all tries of a plan together; the child takes about as long to start, and some networks a second to build."""

Question = Probe | Feed


def kept_speeds(home: Home, probes: Iterable[Probe], feeds: Iterable[Feed]) -> Speeds:
    """Return what is known of these, without trying anything."""
    kept = _read_kept(home)
    networks = {probe: Speed.model_validate(kept[key]) for probe in set(probes) if (key := _key(probe)) in kept}
    ways = {feed: FeedSpeed.model_validate(kept[key]) for feed in set(feeds) if (key := _key(feed)) in kept}
    return Speeds(networks, ways)


def calibrate(home: Home, probes: Sequence[Probe], feeds: Sequence[Feed], tell: Callable[[str], None]) -> None:
    """Have the first of `probes` and `feeds` tried that nobody has, and keep what is found; `tell` hears of it.

    Where the child cannot run nothing is kept: estimates go by what there is.
    """
    kept = _read_kept(home)
    new_probes = [probe for probe in probes[:MOST_PROBES] if _key(probe) not in kept]
    new_feeds = [feed for feed in feeds[:MOST_FEEDS] if _key(feed) not in kept]
    if not new_probes and not new_feeds:
        return
    what = f"{len(new_probes)} networks" if len(new_probes) != 1 else "1 network"
    tell(f"calibrating: how fast {what} and the loading of images are here, for some seconds and only once")
    asked = {
        "probes": [asdict(probe) for probe in new_probes], "feeds": [asdict(feed) for feed in new_feeds],
        "slot": next(iter(list_gpus()), ""), "seconds": SECONDS,
    }  # fmt: skip
    answer = run_child(MODULE, asked)
    if answer is None:
        tell("that could not be tried, or took too long: what is told of them is a guess, and may be far off")
        return
    found = dict(zip(map(_key, new_probes), answer["probes"], strict=False))
    found |= dict(zip(map(_key, new_feeds), answer["feeds"], strict=False))
    _write_kept(home, {**kept, **{key: value for key, value in found.items() if value is not None}})


def _read_kept(home: Home) -> dict[str, Any]:
    held = (read_object(home.speeds) or {}) if home.speeds.exists() else {}
    return {key: value for key, value in held.items() if _is_answer(value)}


def _is_answer(value: Any) -> bool:
    for model in (Speed, FeedSpeed):
        try:
            model.model_validate(value)
        except ValidationError:
            continue
        return True
    return False


def _write_kept(home: Home, kept: dict[str, Any]) -> None:
    try:
        home.speeds.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(home.speeds, json.dumps(kept, sort_keys=True))
    except OSError:  # a cache that cannot be written: it is tried again next time
        return


def _key(question: Question) -> str:
    place = [cpu_model(), usable_cores()] if question.device == "cpu" else [platform.node(), list_gpus()[:1]]
    versions = [package_version(name) for name in ("torch", "timm")]
    return digest_of([type(question).__name__, place, versions, asdict(question)])
