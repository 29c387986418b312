"""Reports in their forms: takes a site and what was asked, gives files, made in a thread and kept for their state.

A report is drawn by matplotlib, which takes seconds: whoever asks first is told to wait, and gets it when it is there.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.analysis.snapshot import Snapshot
from engine.home.paths import Home
from engine.serve.apart import LARGE
from engine.serve.drawings import DRAWING
from engine.serve.readings import await_briefly, count_runs, known
from engine.serve.site import Site
from store.results import open_snapshot

KINDS = {"html": "text/html", "md": "text/markdown", "tex": "application/x-tex", "zip": "application/zip"}
ALL = ("md", "html", "tex")
PATIENCE = 0.8  # seconds that an answer waits before it says that it is being made


@dataclass(frozen=True)
class Made:
    """A file of a report."""

    body: bytes
    kind: str
    name: str


def report_of(site: Site, name: str, form: str) -> Made | None:
    """Return the report of an experiment in a form of KINDS; None while it is being made.

    Raises QueryError for an experiment that is not in the results.
    """

    def make() -> Made:
        with site.snapshot() as snapshot:
            if count_runs(known(snapshot), name) < LARGE:
                return _make(name, form, lambda folder: write_report(known(snapshot), name, form, folder))
        return site.apart.run(make_apart, site.home, name, form)

    key = ("report", name, form, site.results_mark())
    return await_briefly(site.kept.begin(key, make), PATIENCE)


def paper_of(site: Site, file: Path, form: str) -> Made | None:
    """Return the page of a paper's file in a form; None while it is being made. Raises SpecError for a wrong one."""

    def write(folder: Path) -> Sequence[Path]:
        from engine.report.paper.making import make_paper_report

        with site.snapshot() as snapshot:
            return make_paper_report(known(snapshot), file, _forms(form), folder)

    key = ("paper", str(file), file.stat().st_mtime_ns, form, site.results_mark())
    return await_briefly(site.kept.begin(key, lambda: _make(file.stem, form, write)), PATIENCE)


def make_apart(home: Home, name: str, form: str) -> Made:
    """Return the report of an experiment in a form; for a process of its own."""
    with open_snapshot(home, seconds=None) as db:
        return _make(name, form, lambda folder: write_report(Snapshot(home, db), name, form, folder))


def write_report(snapshot: Snapshot, name: str, form: str, folder: Path) -> Sequence[Path]:
    from engine.report import make_report

    return make_report(snapshot, name, _forms(form), folder)


def _forms(form: str) -> tuple[str, ...]:
    return ALL if form == "zip" else (form,)


def _make(name: str, form: str, write: Callable[[Path], Sequence[Path]]) -> Made:
    with TemporaryDirectory(prefix="xp-report-") as scratch:
        with DRAWING:
            pages = write(Path(scratch))
        body = _zip(Path(scratch), name) if form == "zip" else pages[0].read_bytes()
    return Made(body, KINDS[form], f"{name}.{form}")


def _zip(folder: Path, name: str) -> bytes:
    """Return a folder's files as one, below `name`."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                made.write(path, f"{name}/{path.relative_to(folder)}")
    return out.getvalue()
