"""`python -m engine.search --home DIR [NAME...]`: a look at each open search, or at those named; the scheduler's child.

Ends with 75 where another process looks at one of them: look again later.
"""

from __future__ import annotations

import argparse
import sys

from engine.errors import XpError
from engine.home.paths import open_home
from engine.schedule.growing import open_searches
from engine.schedule.searched import tell_problem
from engine.schedule.worker.searching import BUSY
from engine.search.advance import advance


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", required=True)
    parser.add_argument("names", nargs="*")
    asked = parser.parse_args()
    home = open_home(asked.home)
    code = 0
    for name in asked.names or open_searches(home):
        try:
            code = code if advance(home, name) else BUSY
            tell_problem(home, name, "")
        except XpError as error:
            print(f"search of {name}: {error}", file=sys.stderr)
            tell_problem(home, name, str(error))
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
