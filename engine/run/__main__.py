"""python -m engine.run FOLDER: one attempt, by hand or for a cluster: takes a folder, gives an exit status.

What the job says goes to the terminal and into the attempt's log; with `--log` into the log alone.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from engine import run
from engine.errors import XpError
from engine.home.access import write_as_home
from engine.launch.attempt_process import log_alone, log_too, order_by_hand, run_attempt, taken_error
from engine.launch.exits import Exit


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m engine.run", description="Run one attempt of a job here.")
    parser.add_argument("folder", type=Path, help="jobs/<job>/attempts/<k>, or jobs/<job> for its next attempt")
    parser.add_argument("--log", action="store_true", help="say everything into the attempt's log.txt alone")
    given = parser.parse_args(words)
    try:
        order = order_by_hand(given.folder, os.environ)
    except XpError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    write_as_home(order.home.root)
    status = run_attempt(order, run.main, log_alone if given.log else log_too)
    if status == Exit.TAKEN:  # in the moment between our look and theirs
        print(f"error: {taken_error(order)}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
