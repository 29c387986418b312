"""`make bench`: runs the scripts beside this file, all or those named, and writes what they measured to RESULTS.md."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
SCRIPTS = (
    "startup",
    "attention",
    "kernels",
    "loader",
    "feeding",
    "training",
    "scheduler",
    "many_slots",
    "cluster",
    "orders",
    "checkpoint",
    "distillation",
    "real_teachers",
    "edge",
    "pruned_speed",
    "fidelity",
    "store",
    "duplicates",
    "rounds",
    "simulate",
    "estimates",
    "latency",
    "serve",
)
PACKAGES = ("torch", "timm", "duckdb", "sqlalchemy")
COLUMNS = ("case", "figure", "ours", "peer", "ratio", "unit", "n")


def main() -> int:
    """Run the scripts that are named, else all; return 1 when one of them failed."""
    parser = _parser()
    asked = parser.parse_args()
    if unknown := [name for name in asked.names if name not in SCRIPTS]:
        parser.error(f"no benchmark is called {unknown[0]}; there are {', '.join(SCRIPTS)}")
    quick = ["--quick"] if asked.quick else []
    sections, failed = _read_sections(), False
    for name in asked.names or SCRIPTS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        rows = _measure(name, quick)
        failed |= rows is None
        sections[name] = _section(name, quick, rows)
        # Those of other scripts stay, such as what benchmarks/gpu.py found on a GPU.
        order = [*SCRIPTS, *(other for other in sections if other not in SCRIPTS)]
        RESULTS.write_text(_heading() + "".join(sections[kept] for kept in order if kept in sections))
    return int(failed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SCRIPTS)}; all where none is named")
    parser.add_argument("--quick", action="store_true", help="under two minutes a script, for a look")
    return parser


def _measure(name: str, quick: list[str]) -> list[dict[str, Any]] | None:
    """Return the rows that a script prints, None when it failed."""
    command = [sys.executable, str(HERE / f"{name}.py"), "--json", *quick]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent, check=False)
    return json.loads(answer.stdout) if answer.returncode == 0 else None


def _read_sections() -> dict[str, str]:
    """Return the text of each script's section as it stands: what is not measured now keeps its figures."""
    text = RESULTS.read_text() if RESULTS.exists() else ""
    parts = text.split("\n## ")[1:]
    return {part.split("\n", 1)[0].strip(): f"\n## {part.rstrip()}\n" for part in parts}


def _heading() -> str:
    return (
        "# What was measured\n\nEach section names its machine; none but `gpu`, where it is there, used a GPU.\n"
        "A ratio above 1 means that ours is better; both sides were measured in the same run. "
        "Read the ratios of short runs (`--quick`) as rough.\n"
    )


def _section(name: str, quick: list[str], rows: list[dict[str, Any]] | None) -> str:
    command = " ".join(["python", f"benchmarks/{name}.py", *quick])
    if rows is None:
        return f"\n## {name}\n\n`{command}` failed.\n"
    versions = ", ".join(f"{package} {metadata.version(package)}" for package in PACKAGES)
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    head = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"
    lines = "\n".join(_line(row) for row in rows)
    machine = f"{_cpu_model()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    when = f"`{command}`, {day}, {machine}, Python {platform.python_version()}, {versions}"
    return f"\n## {name}\n\n{when}\n\n{head}\n{lines}\n"


def _line(row: dict[str, Any]) -> str:
    return "| " + " | ".join(_cell(row.get(column)) for column in COLUMNS) + " |"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


if __name__ == "__main__":
    sys.exit(main())
