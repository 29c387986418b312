"""`python -m tests.fuzz [TARGET...] [--minutes 60] [--jobs 2]`: fuzzes the targets, each for its share of the minutes.

What crashes a reader, takes it over a minute or over 1.5 GB is copied to crashes/TARGET/, where the tests feed it
again; commit it with the mend. The exit code is 1 where something was found. `build/fuzz` keeps each target's corpus.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

from tests.fuzz.target import CRASHES
from tests.fuzz.targets import TARGETS

BUILD = Path(__file__).parents[2] / "build" / "fuzz"
MEGABYTES, SECONDS = 1500, 60


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz what is asked for; print what each target did; return 1 when one crashed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*TARGETS, []], metavar="TARGET", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--minutes", type=float, default=60.0, help="of all targets together")
    parser.add_argument("--jobs", type=int, default=2, help="targets at a time")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    names = asked.names or list(TARGETS)
    seconds = max(1, int(60 * asked.minutes * asked.jobs / len(names)))
    with ThreadPoolExecutor(asked.jobs) as pool:
        found = list(pool.map(lambda name: fuzz(name, seconds, asked.seed), names))
    print(f"{sum(found)} new crashes; kept under {CRASHES}" if any(found) else "no crash")
    return int(any(found))


def fuzz(name: str, seconds: int, seed: int) -> int:
    """Run one target in a process of its own, to its first crash or the end of its time; return how many there were."""
    corpus, broken = BUILD / name / "corpus", BUILD / name / "broken"
    shutil.rmtree(broken, ignore_errors=True)
    for folder in (corpus, broken):
        folder.mkdir(parents=True, exist_ok=True)
    for content in TARGETS[name].seeds():
        (corpus / sha256(content).hexdigest()[:16]).write_bytes(content)
    with (BUILD / name / "log.txt").open("wb") as log:
        subprocess.run(_command(name, seconds, seed, corpus, broken), stdout=log, stderr=log, check=False, env=_quiet())
    kept = [_keep(name, path) for path in sorted(broken.iterdir())]
    print(f"{name}: {_last_figures(BUILD / name / 'log.txt')}, {len(kept)} crashes", flush=True)
    return len(kept)


def _command(name: str, seconds: int, seed: int, corpus: Path, broken: Path) -> list[str]:
    limits = [f"-max_total_time={seconds}", f"-rss_limit_mb={MEGABYTES}", f"-timeout={SECONDS}", f"-seed={seed}"]
    # By itself libFuzzer would keep what took 10 s as well: on a busy machine that is anything.
    limits.append(f"-report_slow_units={SECONDS}")
    places = [f"-artifact_prefix={broken}/", "-max_len=20000", "-print_final_stats=1", str(corpus)]
    return [sys.executable, "-m", "tests.fuzz.guided", name, *limits, *places]


def _quiet() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def _keep(name: str, path: Path) -> Path:
    folder = CRASHES / name
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / path.name.split("-")[-1][:16]
    shutil.copyfile(path, kept)
    return kept


def _last_figures(log: Path) -> str:
    told = [line for line in log.read_text(errors="replace").splitlines() if "number_of_executed_units" in line]
    return f"{told[-1].split(':')[-1].strip()} inputs" if told else f"no count, see {log}"


if __name__ == "__main__":
    sys.exit(main())
