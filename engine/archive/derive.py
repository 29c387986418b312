"""What follows from the files of a home: takes a small home, gives results, pages, specs, environments in a folder.

The one function that makes them for an archive, and again when it is verified: what differs then is no longer what
the files say.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from engine.archive.members import ENVIRONMENT, FORMATS, HOME, REPORT, RESULTS, SPECS, Members, unpack_below
from engine.collect import CollectReport, collect
from engine.errors import XpError
from engine.home.files import encode_json, read_object
from engine.home.paths import Home
from engine.home.records import read_record
from engine.load.yaml_text import write_yaml
from engine.report import make_report
from engine.schedule.worker.rebuild import make_queue
from store.results import export_relations

RUN_WORDS = ("run", "arm", "cell", "seed", "settings", "jobs")
TOGETHER = "_all"  # no experiment may be called so
MERGED = "extends"  # of the record: what it named is in it already


def open_small_home(members: Members, root: Path) -> tuple[Home, CollectReport]:
    """Make a home of what an archive holds, with its queue and results; none of its jobs is looked for or started."""
    unpack_below(members, HOME, root)
    # Not by open_home: XP_CACHE is of this machine's own homes.
    home = Home(root, root / "cache")
    for folder in (home.experiments_root, home.jobs_root, home.cache):
        folder.mkdir(parents=True, exist_ok=True)
    make_queue(home)
    return home, collect(home, wait=60.0)


def derive_all(home: Home, names: Sequence[str], target: Path, formats: Sequence[str] = FORMATS) -> None:
    """Write all that follows from the files of `home` about the experiments `names`."""
    export_relations(home, target / RESULTS)
    for name in names:
        make_report(home, name, formats, target / REPORT / name)
        _write_specs(home, name, target / SPECS)
    if len(names) > 1:
        make_report(home, names, formats, target / REPORT / TOGETHER)
    _write_environments(home, target / ENVIRONMENT)


def _write_specs(home: Home, name: str, folder: Path) -> None:
    """The spec as it was submitted, with the layers it extends in it, and what each run's settings came to."""
    folder.mkdir(parents=True, exist_ok=True)
    record = read_record(home.records(name)[-1])
    spec = record.get("spec")
    if not isinstance(spec, dict):
        raise XpError(f"the submission of {name} holds no spec", fix="submit it again: xp submit SPEC")
    told = {key: value for key, value in spec.items() if key != MERGED}
    (folder / f"{name}.yaml").write_text(write_yaml(told))
    runs = [{word: run.get(word) for word in RUN_WORDS} for run in record["runs"]]
    (folder / f"{name}.resolved.json").write_text(encode_json({"name": name, "runs": runs}))


def _write_environments(home: Home, folder: Path) -> None:
    """One list of packages for each environment that attempts ran in."""
    folder.mkdir(parents=True, exist_ok=True)
    origins = (read_object(one.provenance) or {} for job in home.jobs() for one in job.attempts())
    told = (_requirements(about) for about in origins if isinstance(about.get("packages"), list))
    for text, count in sorted(Counter(told).items()):
        head = f"# what {count} attempts ran with\n"
        (folder / f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.txt").write_text(head + text)


def _requirements(about: dict[str, object]) -> str:
    packages = about["packages"]
    assert isinstance(packages, list)
    lines = [f"{name}=={version}" for name, _, version in (str(one).rpartition("-") for one in packages) if name]
    return "\n".join([f"# Python {about.get('python')}", *lines]) + "\n"
