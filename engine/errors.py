"""The tree of errors: takes what went wrong, where, and the fix; gives text a person can act on.

XpError                 anything we refuse or cannot do; `exit_code` is what the command ends with
+-- SpecError           a spec, a --set or an argument is wrong: carries every Problem of a file at once
+-- DataError           images, splits or weights are missing or broken
|   +-- MissingData     ... only missing: a folder or ${VARIABLE} that is not there on this machine
+-- HomeError           the home folder cannot be used as asked
|   +-- VersionError      ... what another version of xp wrote, and this one does not understand
+-- StrangeCode         code that a spec names, and that nobody has said may run here
+-- QueryError          SQL that is wrong or not read-only
+-- JobError            a job cannot go on; retrying will not help
+-- ArchiveError        an archive of an experiment is damaged, hostile, or not what it says
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from store.escape import show_text

MOST_QUOTED = {"path": 120, "what": 240, "fix": 800}  # characters that a printed problem has of each
MOST_PLACE = 1000
LEAST_PART = 4  # letters of a part of a name: fewer are in too many


class XpError(Exception):
    """An expected failure: prints as `where: what` and a line `fix: ...`, never as a traceback.

    Printed, it holds nothing that could steer a terminal, whatever file or folder its words are from.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.fix = what, where, fix

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return show_text(f"{head}\nfix: {self.fix}" if self.fix else head)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.where, self.fix)


def _rebuild(kind: type[XpError], what: str, where: str, fix: str) -> XpError:
    """Keyword-only arguments survive a trip through pickle (process pools re-raise our errors)."""
    return kind(what, where=where, fix=fix)


@dataclass(frozen=True)
class Problem:
    """One mistake in a spec: `file:line:column`, the dotted path, the message, the repair; printed, of bounded size.

    `excerpt` is the line of the file with a mark under the place (load/excerpts.py), '' where none can be shown.
    """

    where: str
    path: str
    what: str
    fix: str
    excerpt: str = ""

    def __str__(self) -> str:
        path, what, fix = (shorten(getattr(self, name), most) for name, most in MOST_QUOTED.items())
        # Of a --set it is what was typed; the end of a file's name, with the line, stays.
        place = ": ".join(part for part in (shorten(self.where, MOST_PLACE), path) if part)
        shown = f"{self.excerpt}\n" if self.excerpt else ""
        return show_text(f"{place}: {what}\n{shown}fix: {fix}")


def shorten(text: str, most: int) -> str:
    """Return a text of `most` characters at most; of a longer one the beginning and the end."""
    tail = most // 4
    return text if len(text) <= most else f"{text[: most - tail - 5]} ... {text[-tail:]}"


class SpecError(XpError):
    """All problems of one spec together, so that a person can fix them all at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        super().__init__(first.what, where=first.where, fix=first.fix)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)

    def __reduce__(self) -> tuple[object, ...]:
        return SpecError, (self.problems,)


class DataError(XpError):
    """Images, a split or weights are missing, broken or impossible as asked."""


class MissingData(DataError):
    """What a spec names is not on this machine (yet): a plan is provisional, a submission is refused."""


class HomeError(XpError):
    """The home folder is missing, read-only, of another version, or in use."""


class VersionError(HomeError):
    """Another version of xp wrote this, and half of it may mean something else: it is not read."""


class QueryError(XpError):
    """A query is wrong, or would write or read outside the results."""


class StrangeCode(XpError):
    """A spec names somebody's own code, and nobody has said that it may run here."""


class JobError(XpError):
    """A job cannot go on, and the same attempt again would end the same way."""

    exit_code = 1


class ArchiveError(XpError):
    """An archive of an experiment does not hold: somebody changed it, or it is none."""

    exit_code = 1


def closest_hint(word: str, choices: Iterable[str], most: int = 12) -> str:
    """Return the nearest valid choices to `word`, else all of them (the first `most`)."""
    known = tuple(sorted(set(choices)))
    near = near_words(word, known)
    if near:
        return "did you mean " + " or ".join(repr(name) for name in near) + "?"
    more = f", ... ({len(known)} in all)" if len(known) > most else ""
    return "choose one of " + ", ".join(repr(name) for name in known[:most]) + more


@lru_cache(256)
def near_words(word: str, known: tuple[str, ...]) -> list[str]:
    """Return those that are nearly `word`, else those of which it is a part: `speed` of `infer_speedup`.

    Kept, since a slip in the base of a spec is asked about for each of its cells, and that takes long among a thousand.
    """
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    parts = [name for name in known if len(word) >= LEAST_PART and word.lower() in name.lower()]
    return near or parts[:3]
