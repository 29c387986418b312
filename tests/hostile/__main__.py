"""`python -m tests.hostile [GROUP...] [--alone]`: a table of all hostile inputs and what xp answers to each.

With --alone each is asked in a process of its own, and the memory that it took stands in the table.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.hostile.runner import GROUPS, ask, problems


def main() -> int:
    """Print the table; return how many answers are not as they should be."""
    alone = "--alone" in sys.argv
    chosen = [word for word in sys.argv[1:] if not word.startswith("-")] or list(GROUPS)
    wrong = 0
    for group in chosen:
        for case in GROUPS[group]:
            with tempfile.TemporaryDirectory() as folder:
                answer = ask(case, Path(folder), alone=alone)
                found = problems(case, answer)
                line = answer.line.replace(f"{folder}/case/", "")
            took = f" {answer.peak / 1e6:6,.0f} MB" if answer.peak else ""
            print(
                f"{group:9} {case.name:42} xp {' '.join(case.ask)[:34]:34} {answer.code}{took} {line[:150]}", flush=True
            )
            wrong += bool(found)
            for problem in found:
                print(f"          WRONG: {problem}", flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(min(main(), 100))
