"""`xp.report`: takes names of experiments, gives their page as an object: HTML, Markdown, and files to keep."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

from markupsafe import escape

from engine.api.arguments import as_names
from engine.api.places import AnyHome, find_fresh
from engine.report import make_report

FORMS = ("md", "html")
HEIGHT = 800  # pixels of a notebook's page


@dataclass(frozen=True)
class Report:
    """The page of one experiment or several, as the results were when it was made; a notebook shows it whole."""

    names: tuple[str, ...]
    html: str = field(repr=False)
    """One page that needs no other file and no network."""
    markdown: str = field(repr=False)
    """Its charts are files, which `save` writes."""
    folder: Path = field(repr=False, compare=False)
    """Where its files lie as long as it lives."""

    def save(self, folder: str | Path) -> Path:
        """Write report.html, report.md and what they show into a folder, made if need be; return it."""
        target = Path(folder)
        shutil.copytree(self.folder, target, dirs_exist_ok=True, copy_function=shutil.copyfile)
        return target

    def _repr_html_(self) -> str:
        # A page of its own: neither its style nor its script meets the notebook's.
        frame = f"<iframe title='report' style='width:100%;height:{HEIGHT}px;border:0' sandbox='allow-scripts'"
        return f'{frame} srcdoc="{escape(self.html)}"></iframe>'


def report(names: str | Sequence[str], home: AnyHome = None, *, columns: Sequence[str] | None = None) -> Report:
    """Return the report of an experiment, or of several with a chapter for each, of all results that are there.

    `columns` are the metrics of its tables. Raises QueryError for an unknown experiment or metric.
    """
    named = tuple(as_names(names, "xp.report"))
    folder = Path(mkdtemp(prefix="xp-report-"))
    try:
        make_report(find_fresh(home), named, FORMS, folder, columns=columns)
        made = Report(named, (folder / "report.html").read_text(), (folder / "report.md").read_text(), folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(made, shutil.rmtree, folder, ignore_errors=True)
    return made
