"""python -m engine.schedule.worker --home DIR --until-idle: the scheduler that `submit` starts."""

from __future__ import annotations

import argparse
import logging
import sys

from engine.errors import XpError
from engine.home.access import write_as_home
from engine.home.paths import open_home
from engine.schedule.worker.serve import run_collect, run_worker


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="engine.schedule.worker")
    parser.add_argument("--home", required=True)
    parser.add_argument("--slots", type=int)
    parser.add_argument("--until-idle", action="store_true")
    parser.add_argument("--preload", default="engine.run", help="module whose main(order) runs a job")
    parser.add_argument("--no-collect", action="store_true")
    given = parser.parse_args(words)
    # start_detached points stderr at the scheduler's log.
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    collect = None if given.no_collect else run_collect
    try:
        home = open_home(given.home)
        # Its jobs inherit it.
        write_as_home(home.root)
        return run_worker(home, given.slots, given.until_idle, preload=given.preload, collect=collect)
    except XpError as error:
        logging.getLogger("xp.scheduler").error("%s", error)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
