"""`make bench`: takes the scripts beside this file, runs them all, and writes what they measured to RESULTS.md."""

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
SCRIPTS = ("attention", "loader", "scheduler", "distillation", "store")
PACKAGES = ("torch", "timm", "duckdb", "sqlalchemy")
COLUMNS = ("case", "figure", "ours", "peer", "ratio", "unit", "n")


def main() -> int:
    """Run every script; return 1 when one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under two minutes a script, for a look")
    quick = ["--quick"] if parser.parse_args().quick else []
    pages, failed = [_heading(quick)], 0
    for name in (name for name in SCRIPTS if (HERE / f"{name}.py").exists()):
        print(f"{name} ...", file=sys.stderr, flush=True)
        command = [sys.executable, str(HERE / f"{name}.py"), "--json", *quick]
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent, check=False)
        failed += answer.returncode != 0
        pages.append(_page(name, quick, answer.stdout if answer.returncode == 0 else None))
    (HERE / "RESULTS.md").write_text("\n".join(pages))
    return 1 if failed else 0


def _heading(quick: list[str]) -> str:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    machine = f"{_cpu_model()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, no GPU used"
    kind = "Short runs (`--quick`): read the ratios as rough.\n" if quick else ""
    return (
        f"# What was measured\n\n{day}; {machine}; Python {platform.python_version()}, {versions}.\n"
        f"A ratio above 1 means that ours is better; both sides were measured in the same run. {kind}"
    )


def _page(name: str, quick: list[str], output: str | None) -> str:
    command = " ".join(["python", f"benchmarks/{name}.py", *quick])
    if output is None:
        return f"\n## {name}\n\n`{command}` failed.\n"
    rows = [_line(row) for row in json.loads(output)]
    head = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"
    return f"\n## {name}\n\n`{command}`\n\n{head}\n" + "\n".join(rows) + "\n"


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
