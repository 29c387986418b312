"""The program that fills in a template of others: takes a job of JSON on stdin, gives Filled as JSON on stdout.

It is run by its path, so that it imports nothing but Jinja and the escapes of the store.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import re
import resource
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2.debug  # loaded before no file can be opened any more
from jinja2 import FunctionLoader, StrictUndefined, Template, TemplateError, TemplateNotFound, TemplateSyntaxError
from jinja2.exceptions import SecurityError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing
from markupsafe import Markup

from store.escape import code_markdown, escape_markdown
from store.tex_text import to_tex

KEPT = ("range", "dict", "namespace")  # of Jinja's own functions
KINDS = {list: "a list", str: "a text", int: "a number", float: "a number", type(None): "what is null"}
NONE = "\u2013"
WARMING = "".join((
    "{% macro m(x) %}{{ x|upper }}{% endmacro %}", "{% set ns = namespace(n=1) %}",
    "{% for x in [2, 1]|sort %}", "{{ loop.index }}{{ m('a\\n') }}{% endfor %}", "{{ '<i> a'|striptags|wordwrap(3) }}",
    "{{ 'a'|urlencode }}{{ 'a'|tojson }}", "{{ {'a': 1}|xmlattr }}", "{{ 'a %s'|format(1) }}", "{{ 'a'|pprint }}",
    "{{ 1.5|round|filesizeformat }}", "{{ [{'a': 1}]|groupby('a')|list|length }}", "{{ table([{'a': 1}]) }}",
    "{{ 'http://a.b'|urlize }}", "{{ '{:>3}'.format(1) }}", "{{ [1, 2]|random }}",
))  # fmt: skip
MOST_WARMING = 10_000
MISTAKES = (ArithmeticError, LookupError, TypeError, ValueError, RuntimeError, AttributeError, OSError)
assert jinja2.debug


class Unknown(StrictUndefined):
    """A name that is not there: its error says which are near."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        name, held = str(self._undefined_name), self._undefined_obj
        if self._undefined_hint:
            return str(self._undefined_hint)
        if held is missing:
            return f"there is no variable {name!r}"
        if isinstance(held, Mapping):
            return f"there is no {name!r} here; {_nearest(name, held)}"
        return f"there is no {name!r} in {_kind_of(held)}"


def _kind_of(value: Any) -> str:
    return KINDS.get(type(value), "this")


def _nearest(name: str, known: Iterable[Any]) -> str:
    names = sorted(map(str, known))
    near = difflib.get_close_matches(name, names, 3)
    return f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are {', '.join(names[:12])}"


def make_environment(form: str, templates: Mapping[str, str]) -> ImmutableSandboxedEnvironment:
    """Return where the templates of a form are filled in: what they say of a value is escaped for that form."""

    def load(name: str) -> tuple[str, str, None] | None:
        return (templates[name], name, None) if name in templates else None

    made = ImmutableSandboxedEnvironment(
        loader=FunctionLoader(load), autoescape=True, undefined=Unknown, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, finalize=FINISHERS[form],
    )  # fmt: skip
    made.globals = {name: made.globals[name] for name in KEPT} | {"table": TABLES[form]}
    made.filters |= {"percent": _percent, "number": _number}
    made.filters |= {
        "code": lambda text: Markup(code_markdown(str(text))),
        "link": lambda path: Markup(quote(str(path))),
    }
    return made


def _finish_html(value: Any) -> Any:
    return NONE if value is None else value


def _finish_markdown(value: Any) -> Any:
    return value if isinstance(value, Markup) else Markup(escape_markdown(_text(value)))


def _finish_tex(value: Any) -> Any:
    return value if isinstance(value, Markup) else Markup(to_tex(_text(value)))


def _text(value: Any) -> str:
    return NONE if value is None else str(value)


def _percent(value: float | None, places: int = 1) -> str:
    """A share as per cent."""
    return NONE if value is None else f"{100 * value:.{int(places)}f}"


def _number(value: float | None, places: int = 2) -> str:
    return NONE if value is None else f"{value:,.{int(places)}f}"


def _grid(table: Any) -> tuple[list[str], list[list[str]], list[str]]:
    """Return headings, rows and notes of a table of a chapter, or of rows of a query."""
    if isinstance(table, Mapping):
        rows = [[_text(cell["text"]) for cell in row] for row in table["rows"]]
        return list(map(str, table["columns"])), rows, list(map(str, table["notes"]))
    rows = [[_text(value) for value in row.values()] for row in table]
    return list(map(str, table[0])) if table else [], rows, []


def _table_markdown(table: Any) -> Markup:
    heads, rows, notes = _grid(table)
    texts = [f"| {' | '.join(map(escape_markdown, row))} |" for row in (heads, *rows)]
    texts.insert(1, "|" + " --- |" * len(heads))
    return Markup("\n".join([*texts, *(f"\n{escape_markdown(note)}" for note in notes)]) + "\n")


def _table_html(table: Any) -> Markup:
    heads, rows, notes = _grid(table)
    head = Markup("").join(Markup("<th>{}</th>").format(text) for text in heads)
    body = [Markup("").join(Markup("<td>{}</td>").format(text) for text in row) for row in rows]
    lines = [Markup("<tr>{}</tr>\n").format(row) for row in (head, *body)]
    told = [Markup("<p>{}</p>\n").format(note) for note in notes]
    return Markup("<table>\n{}</table>\n{}").format(Markup("").join(lines), Markup("").join(told))


def _table_tex(table: Any) -> Markup:
    heads, rows, notes = _grid(table)
    lines = [rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}", r"\toprule", _tex_row(heads), r"\midrule"]
    lines += [*map(_tex_row, rows), r"\bottomrule", r"\end{tabular}"]
    return Markup("\n".join([*lines, *(rf"\par {to_tex(note)}" for note in notes)]) + "\n")


def _tex_row(row: Sequence[str]) -> str:
    return "{}" + " & ".join(map(to_tex, row)) + r" \\"  # a bracket behind the end of a row would be its length


def _limit(seconds: int, memory: int) -> None:
    """From here on no file can be opened, no process be started, and time and memory are bounded."""
    statm = Path("/proc/self/statm")
    used = int(statm.read_text().split()[0]) * resource.getpagesize() if statm.exists() else 0
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    for limit, most in ((resource.RLIMIT_AS, used + memory), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_NOFILE, 3)):
        with contextlib.suppress(ValueError, OSError):  # what this system cannot bound
            resource.setrlimit(limit, (most, most))


def run(job: Mapping[str, Any], most: int) -> dict[str, Any]:
    """Return Filled as a mapping."""
    name = job["name"]
    try:
        template = make_environment(job["form"], job["templates"]).get_template(name)
        return {"text": _joined(template, job["context"], most)}
    except TemplateSyntaxError as error:
        return {"problem": str(error.message), "template": error.name or name, "line": error.lineno}
    except TemplateNotFound as error:
        fix = f"a template includes files of its own folder alone: {_nearest(str(error.name), job['templates'])}"
        what = f"there is no template {error.name!r} here"
        return {"problem": what, "fix": fix, **_place(error, job)}
    except SecurityError as error:
        fix = "use the values and filters alone"
        return {"problem": f"refused: {error}", "fix": fix, **_place(error, job)}
    except UndefinedError as error:
        problem, _, fix = str(error).partition("; ")
        variable = re.fullmatch(r"there is no variable '(.*)'", problem)
        fix = _nearest(variable[1], job["context"]) if variable else fix
        return {"problem": problem, "fix": fix, **_place(error, job)}
    except MemoryError:
        what = "the template needs too much memory"
        return {"problem": what, "template": name, "fix": "loop over less"}
    except (TemplateError, *MISTAKES) as error:
        return {"problem": f"{type(error).__name__}: {error}"[:300], **_place(error, job)}


def _joined(template: Template, context: Mapping[str, Any], most: int) -> str:
    """Return the text, read piece by piece so that it ends where it is too long."""
    parts, size = list[str](), 0
    for part in template.generate(**context):
        parts.append(part)
        size += len(part)
        if size > most:
            raise ValueError(f"the page is longer than {most:,} letters")
    return "".join(parts)


def _place(error: BaseException, job: Mapping[str, Any]) -> dict[str, Any]:
    """Return which template it was and the line of it: of the innermost frame that is a template's."""
    places = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    name, line = next(((name, line) for name, line in reversed(places) if name in job["templates"]), (job["name"], 0))
    return {"template": name, "line": line}


def _load_all() -> None:
    """Fill in a template that uses what Jinja loads when it is used first: later no file can be opened."""
    for form in FINISHERS:
        for text in (WARMING, "{{ unknown }}", "{{ '\u00e9\\n' }}{% broken %}"):
            run({"name": "a", "form": form, "templates": {"a": text}, "context": {}}, MOST_WARMING)


FINISHERS = {"md": _finish_markdown, "html": _finish_html, "tex": _finish_tex}
TABLES = {"md": _table_markdown, "html": _table_html, "tex": _table_tex}

if __name__ == "__main__":
    held = json.loads(sys.stdin.buffer.read())
    _load_all()
    _limit(held.pop("seconds"), held.pop("memory"))
    sys.stdout.buffer.write(json.dumps(run(held, held.pop("most"))).encode())
