"""The report of an experiment, or the page of a paper: takes a name and a form, gives the file, or that it is made."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.serve.making import KINDS, Made, paper_of, report_of
from engine.serve.pages.reports import find_paper
from engine.serve.readings import known
from engine.serve.view import Asked, Raw, Trouble, View

HTML = "html"
OWN_POLICY = re.compile(rb'http-equiv="Content-Security-Policy" content="([^"]*)"')
NOTHING = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@dataclass(frozen=True)
class Waiting:
    """What is being made, in which form, and of what."""

    name: str
    form: str


def show_report(asked: Asked) -> View | Raw:
    """Return the report, or a page that waits for it. Raises QueryError for an unknown experiment."""
    name = asked.path["experiment"]
    return _give(asked, name, lambda form: report_of(asked.site, name, form))


def show_paper(asked: Asked) -> View | Raw:
    """Return the page of a paper, or a page that waits for it. Raises SpecError for a paper that is wrong."""
    name = asked.path["paper"]
    file = find_paper(name)
    if file is None:
        return _unknown(f"there is no paper {name!r} among the specs here")
    return _give(asked, name, lambda form: paper_of(asked.site, file, form))


def show_frozen(asked: Asked) -> Raw:
    """Return the numbers of an experiment as `xp freeze` writes them. Raises QueryError for an unknown one."""
    from engine.analysis.freeze import ENDING, freeze_numbers

    name = asked.path["experiment"]
    with asked.site.snapshot() as snapshot, TemporaryDirectory(prefix="xp-freeze-") as scratch:
        body = freeze_numbers(known(snapshot), name, Path(scratch) / "numbers.json").read_bytes()
    return Raw(body, "application/json", f"{name}{ENDING}")


def _give(asked: Asked, name: str, make: Callable[[str], Made | None]) -> View | Raw:
    form = asked.word("form", HTML)
    if form not in KINDS:
        return _unknown(f"a report has no form {form!r}; it has {', '.join(KINDS)}")
    made = make(form)
    is_asking = asked.word("part") == "waiting"
    if made is None:
        return View("report", f"The report of {name}", Waiting(name, form))
    if is_asking:  # the waiting page asks again for the whole
        return Raw(b"", "text/html", headers={"HX-Refresh": "true"})
    if form == HTML:
        return Raw(made.body, "text/html; charset=utf-8", headers={"content-security-policy": policy_of(made.body)})
    return Raw(made.body, made.kind, made.name)


def policy_of(page: bytes) -> str:
    """Return the policy that a report has in its head, which names its one script; one that runs nothing without it."""
    found = OWN_POLICY.search(page)
    return unescape(found[1].decode()) if found else NOTHING


def _unknown(what: str) -> View:
    return View("trouble", "Not here", Trouble(what, "", "choose one on the page of reports"), 404)
