"""The commands: each takes words from the terminal, calls the rooms above, and ends with an exit code.

    base           the app, shared options, the two streams
    group          the commands, each made when it is wanted
    guide          every command by the flow: its file, line, examples, exit codes
    completion     what a shell may complete
    data           data report, data preview, data fetch
    specs          init, validate, schema, explain, describe
    plan           plan
    plan_text      how a plan looks: costs by arm, jobs, budget, changes
    plugins        plugins
    submit         submit
    search         search stop, search extend
    jobs           worker, logs, orders, why, diff, doctor
    status         status
    status_text    how a status looks: all experiments, one with its runs
    submitting     its steps
    listing        ls, history, tag, note
    keep           du, rm, gc, undo
    machines       slots, costs
    targets        targets verify
    verify         verify-resume
    profile        profile
    export         export, predict
    bench          bench
    archive        archive
    exchange       import, export-to
    report         report
    notebook       notebook
    serve          serve
    results        sql, check, compare, trace, freeze, rebuild
    terminal       the door to the terminal
    render         tables and bars as a terminal shows them
    progress       an experiment watched until it ends
    watch          a screen with keys, for `xp status --watch`
    watcher        what its keys mean
    watch_screen   what it shows
    run_curves     one run's curves, live or published
    braille        curves in letters
    keys           a terminal that gives single keys, and is restored
    sql_prompt     SQL in conversation
    starter_specs  what `xp init` lays out

Rooms are imported inside the commands: `xp validate` answers at once because it loads no torch and no duckdb.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from typing import NoReturn

from engine.cli.base import app, say
from engine.cli.completion import ASKS_BASH, answer_bash
from engine.cli.terminal import guard_streams
from engine.errors import HomeError, SpecError, XpError
from engine.home.variables import misspelt_variables

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; expected errors print as `where: what` and `fix: ...`."""
    gc.set_threshold(*SELDOM)
    guard_streams()
    for name, meant in misspelt_variables(os.environ):
        say(f"warning: nothing reads the variable {name}\nfix: did you mean {meant}?")
    try:
        if os.environ.get("_XP_COMPLETE") == ASKS_BASH:
            answer_bash(app)
        else:
            app()
    except XpError as error:
        say(f"error: {error}" if not isinstance(error, SpecError) else str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        _leave_pipe()
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # rich and typer saw it first
            _leave_pipe()
        _flush()
        raise
    except OSError as error:
        if error.errno not in DISK_FAULTS:
            raise
        _tell_fault(*_explain_fault(error))
    except Exception as error:
        # Only now, because SQLAlchemy takes its time to import and most commands do without.
        from store.queue import NewerQueue, QueueFault, QueueRefused, is_damage, is_on_server

        if isinstance(error, QueueRefused):
            _tell_fault(error.what, error.where, error.fix)
        if isinstance(error, NewerQueue) or (isinstance(error, QueueFault) and is_damage(error)):
            said = getattr(error, "orig", error)
            _tell_fault(f"the queue is damaged, or of another version: {said}", "queue.db", REBUILD_QUEUE)
        if not isinstance(error, QueueFault):
            raise
        if is_on_server():
            said = str(error.orig).splitlines()[0]
            _tell_fault(f"the server of the queue does not answer: {said}", "XP_QUEUE", ASK_AGAIN)
        _tell_fault(f"the queue cannot be used: {error.orig}", "queue.db")


def _leave_pipe() -> NoReturn:
    """The reader of a pipe went away, as `head` does when it has enough: nothing is to be said to anybody."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(0)


def _flush() -> None:
    """Write what is left to be printed; Python would do it too late for us to see that nobody reads it."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _leave_pipe()


# Imports make many objects and hardly any garbage: looking for it less often starts a command in a sixth less time.
SELDOM = (50_000, 20, 20)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
OPEN_FILES = (errno.EMFILE, errno.ENFILE)
# Something of another kind has the name of a file or folder of ours: a pipe, a folder, a link to itself.
OTHER_KINDS = (errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EEXIST, errno.ENAMETOOLONG)
DISK_FAULTS = (*FULL, *OPEN_FILES, *OTHER_KINDS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE)


MAKE_ROOM = "make room or make it writable, or name another home with --home or XP_HOME; xp doctor tells more"
ASK_AGAIN = "see that it runs and can be reached, and give the command again; nothing that was submitted is lost"
REBUILD_QUEUE = "xp rebuild --queue makes it again from experiments/ and jobs/, and loses nothing that was submitted"


def _explain_fault(error: OSError) -> tuple[str, str, str]:
    """Return what could not be done, with what, and the fix; of what is there and cannot be read, that."""
    where = str(error.filename or "")
    if error.errno in OPEN_FILES:
        return f"cannot open a file: {error.strerror}", where, "raise the limit (ulimit -n), or end what holds files"
    if error.errno in OTHER_KINDS:
        return f"cannot use what has this name: {error.strerror}", where, "move it away, or name another place"
    if error.errno not in FULL and os.path.exists(where) and not os.access(where, os.R_OK):
        return f"cannot read: {error.strerror}", where, "make it readable, or ask its owner to"
    return f"cannot write: {error.strerror}", where, MAKE_ROOM


def _tell_fault(what: str, where: str, fix: str = MAKE_ROOM) -> NoReturn:
    """A disk that is full, read-only or broken is no fault of ours, and a traceback would only hide what to do."""
    error = HomeError(what, where=where, fix=fix)
    say(f"error: {error}")
    sys.exit(error.exit_code)
