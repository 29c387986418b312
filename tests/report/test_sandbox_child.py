"""Templates of others: known ways out of Jinja are refused, mistakes name their place, values are escaped."""

from __future__ import annotations

from typing import Any

import pytest

from engine.report.sandbox_child import NONE, run

SECRET = "c0ffee-secret"
ROWS = [{"arm": "a_*b*", "mean": 0.5}, {"arm": "<b>", "mean": None}]
ESCAPES = (
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ rows.__class__.__base__ }}",
    "{{ ().__class__.__bases__[0].__subclasses__()[0] }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ table.__globals__['__builtins__']['open']('/etc/passwd').read() }}",
    "{{ table.__wrapped__ }}{{ table.__code__ }}",
    "{{ range.__self__ }}{{ namespace.__init__.__globals__ }}",
    "{{ lipsum.__globals__.os.popen('id').read() }}",
    "{{ cycler.__init__.__globals__.os }}",
    "{{ '{0.__class__.__init__.__globals__}'.format(rows) }}",
    "{{ ('{0.__class__}'|attr('format'))(rows) }}",
    "{{ ('%s'.__mod__)(rows) }}",
    "{{ rows|attr('__class__') }}",
    "{{ rows|map(attribute='__class__')|list }}",
    "{{ [''.format]|map('call')|list }}",
    "{{ rows|map('attr', '__class__')|list|first }}{{ (rows|map('attr', '__class__')|list|first)() }}",
    "{% set f = '{0.__class__}'.format_map %}{{ f(rows) }}",
    "{% include '/etc/passwd' %}",
    "{% include '../secret.j2' %}",
    "{% import 'os' as os %}{{ os.getcwd() }}",
    "{% extends '/etc/hostname' %}",
    "{{ rows.append(1) }}",
    "{{ loop.__class__ }}{% for x in [1] %}{{ loop.__init__.__globals__ }}{% endfor %}",
    "{% macro m() %}{{ caller.__globals__ }}{% endmacro %}{% call m() %}{% endcall %}",
    "{{ config }}{{ request.application }}",
)


def told(text: str, form: str = "md", most: int = 10_000, **others: str) -> dict[str, Any]:
    context = {"rows": ROWS, "name": "n", "secret": SECRET}
    return run({"name": "x", "form": form, "templates": {"x": text, **others}, "context": context}, most)


@pytest.mark.parametrize("text", ESCAPES)
def test_known_ways_out_are_refused(text: str) -> None:
    found = told(text)
    assert found.get("problem") or found["text"] == "[Undefined, Undefined]", found


@pytest.mark.parametrize(
    ("text", "line", "problem", "fix"),
    [
        ("a\n{{ rosw }}", 2, "there is no variable 'rosw'", "did you mean 'rows'?"),
        ("\n\n{% for row in rows %}{{ row.maen }}{% endfor %}", 3, "there is no 'maen' here", "did you mean 'mean'?"),
        ("{{ name\n", 1, "unexpected end of template", ""),
        ("{{ rows|percnt }}", 1, "No filter named 'percnt'.", ""),
        ("{{ 1 / 0 }}", 1, "ZeroDivisionError: division by zero", ""),
        ("{% include 'two' %}", 1, "there is no template 'two' here", "folder alone"),
    ],
)
def test_a_mistake_names_its_line_and_what_is_near(text: str, line: int, problem: str, fix: str) -> None:
    found = told(text)
    assert (found["template"], found["line"]) == ("x", line)
    assert problem in found["problem"]
    assert fix in found.get("fix", "")


def test_a_mistake_in_an_included_file_names_that_file() -> None:
    found = told("{% include '_y' %}", _y="a\n\n{{ nmae }}")
    assert (found["template"], found["line"]) == ("_y", 3)


def test_a_page_that_is_too_long_ends() -> None:
    assert "longer than 100 letters" in told("{% for i in range(99999) %}{{ i }}{% endfor %}", most=100)["problem"]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("md", rf"a\_\*b\*|50.0 &lt;b>|{NONE}"),
        ("html", f"a_*b*|50.0 &lt;b&gt;|{NONE}"),
        ("tex", r"a\_*b*|50.0 \textless{}b\textgreater{}|\textendash{}"),
    ],
)
def test_what_a_value_says_is_text_in_each_form(form: str, text: str) -> None:
    assert told("{% for row in rows %}{{ row.arm }}|{{ row.mean|percent }} {% endfor %}", form)["text"].strip() == text


def test_rows_of_a_query_make_a_table_in_each_form() -> None:
    lines = told("{{ table(rows) }}")["text"].splitlines()
    assert lines[:3] == ["| arm | mean |", "| --- | --- |", r"| a\_\*b\* | 0.5 |"]
    assert "<tr><td>&lt;b&gt;</td>" in told("{{ table(rows) }}", "html")["text"]
    assert r"{}a\_*b* & 0.5 \\" in told("{{ table(rows) }}", "tex")["text"]
    assert "text" in told("{{ table([]) }}", "tex")
