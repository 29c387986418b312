"""What the page of a run asks for beside itself: a curve, lines of a log, a file that an attempt left."""

from __future__ import annotations

import json
from typing import cast

from engine.errors import XpError
from engine.inspect.log_text import read_after, read_last
from engine.serve.artifacts import HEADERS, find_artifact
from engine.serve.curves import Along, Chain, Line
from engine.serve.growing import show_chart
from engine.serve.pages.run import along_of, byte_of, shown_attempt
from engine.serve.run_parts import RunAbout, read_run
from engine.serve.view import Asked, Raw


def show_curve(asked: Asked) -> Raw:
    """Return the curve of the metric `name` as charts.js takes it, over the jobs that made the run's network."""
    about = _about(asked)
    line = Line(f"{about.arm}, seed {about.seed}", (Chain(about.chain),))
    along = cast(Along, along_of(asked))
    return show_chart(asked.site, [line], asked.word("name"), along, asked.word("cursor"))


def show_log(asked: Asked) -> Raw:
    """Return lines of a job's log as JSON: those after the byte `after`, else those before the byte `before`."""
    attempt = asked.home.job(_job(asked)).attempt(asked.number("attempt", 1, 0, 10**9))
    if asked.word("before"):
        part = read_last(attempt.log, before=byte_of(asked, "before"))
    else:
        part = read_after(attempt.log, byte_of(asked, "after"))
    told = {"lines": part.lines, "start": part.start, "end": part.end}
    return Raw(json.dumps(told).encode(), "application/json")


def show_file(asked: Asked) -> Raw:
    """Return a file that is listed below an attempt's artifacts; pictures are shown, all else is saved."""
    attempt = shown_attempt(asked.home, _job(asked))
    found = find_artifact(attempt, asked.path["name"]) if attempt else None
    if found is None:
        raise XpError(f"there is no file {asked.path['name']!r} here", fix="the page of the run lists what there is")
    save = "" if found.is_picture else found.path.name.encode("ascii", "replace").decode().replace('"', "_")
    return Raw(b"", found.kind, save, HEADERS, found.path)


def _about(asked: Asked) -> RunAbout:
    with asked.site.snapshot() as snapshot:
        return read_run(asked.home, snapshot, asked.path["run"])


def _job(asked: Asked) -> str:
    """The job of the address, if it is one of the run's: no other folder is looked into."""
    job = asked.path.get("job") or asked.word("job")
    about = _about(asked)
    if job not in about.jobs.values():
        raise XpError(f"{about.run} has no job {job!r}", fix="the page of the run lists its jobs")
    return job
