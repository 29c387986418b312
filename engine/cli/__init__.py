"""The commands: each takes words from the terminal, calls the rooms above, and ends with an exit code.

    base.py     the app, shared options, the two streams
    data.py     data report, data preview
    specs.py    init, validate, plan, schema
    jobs.py     submit, worker, status, logs, orders, why, diff, doctor
    results.py  sql, report, check, compare, trace, rebuild

Rooms are imported inside the commands: `xp validate` answers at once because it loads no torch and no duckdb.
"""

from __future__ import annotations

import sys

from engine.cli import data, jobs, results, specs
from engine.cli.base import app, say
from engine.errors import SpecError, XpError

__all__ = ["app", "data", "jobs", "main", "results", "specs"]


def main() -> None:
    """Run the command line; expected errors print as `where: what` and `fix: ...`."""
    try:
        app()
    except XpError as error:
        say(f"error: {error}" if not isinstance(error, SpecError) else str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of a pipe went away: nothing to say to anybody
        sys.stderr.close()
        sys.exit(0)
