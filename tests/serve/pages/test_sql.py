"""The page of SQL: rows, mistakes in their place, names, files, and what is refused."""

from __future__ import annotations

import io

import pytest

from engine.home.paths import Home
from engine.serve.pages.sql import EXAMPLES, KINDS
from tests.serve.conftest import Browse


def ask(browse: Browse, home: Home, query: str) -> str:
    return browse(home).get("/sql", params={"q": query, "part": "answer"}).text


def test_rows_are_shown_with_their_numbers(browse: Browse, done_home: Home) -> None:
    text = ask(browse, done_home, "select '<b>' as word, 2.5 as number, null as nothing")
    assert '<td data-label="number" data-number="2.5">2.5</td>' in text
    assert "&lt;b&gt;" in text
    assert '<data value="1">1</data> row.' in text


def test_the_page_itself_asks_nothing(browse: Browse, done_home: Home) -> None:
    text = browse(done_home).get("/sql", params={"q": "select 7 as seven"}).text
    assert "select 7 as seven</textarea>" in text
    assert "Not asked yet" in text
    assert 'data-relation="cells"' in text
    assert 'data-put="mean"' in text


def test_more_rows_than_are_shown_are_said(browse: Browse, done_home: Home) -> None:
    text = ask(browse, done_home, "select range as number from range(1001)")
    assert "1,000</data> rows; there are more" in text
    assert text.count("<tr>") == 1001


def test_a_mistake_stands_in_its_place_with_the_nearest_name(browse: Browse, done_home: Home) -> None:
    text = ask(browse, done_home, "select arm,\n  meann\nfrom cells")
    assert "nearest: mean" in text
    assert "2:   <mark>meann</mark>" in text
    assert 'data-line="2" data-column="3" data-length="5"' in text


@pytest.mark.parametrize(
    "query",
    ["drop table runs", "select 1; select 2", "copy cells to '/tmp/x'", "select * from read_csv('/etc/passwd')"],
    ["drop table runs", "select 1; select 2", "copy cells to '/tmp/x'", "select * from read_csv('/etc/passwd')"],
)
def test_what_would_write_or_read_elsewhere_is_refused(browse: Browse, done_home: Home, query: str) -> None:
    text = ask(browse, done_home, query)
    assert 'role="alert"' in text
    assert "<td" not in text


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_has_an_answer(browse: Browse, done_home: Home, name: str) -> None:
    assert "<td" in ask(browse, done_home, EXAMPLES[name])


@pytest.mark.parametrize("form", KINDS)
def test_an_answer_is_saved_in_every_format(browse: Browse, done_home: Home, form: str) -> None:
    found = browse(done_home).get(f"/sql/{form}", params={"q": "select 'one' as word, 2 as number"})
    assert found.headers["content-disposition"] == f'attachment; filename="answer.{KINDS[form][0]}"'
    if form == "csv":
        assert found.text == "word,number\none,2\n"
    if form == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pyarrow")
        assert parquet.read_table(io.BytesIO(found.content)).to_pylist() == [{"word": "one", "number": 2}]


def test_an_unknown_format_and_a_bad_query_are_told(browse: Browse, done_home: Home) -> None:
    client = browse(done_home)
    assert "there is no format" in client.get("/sql/exel?q=select+1").text
    assert client.get("/sql/csv?q=selct+1").status_code == 400


def test_a_query_that_does_not_run_cannot_be_cancelled(browse: Browse, done_home: Home) -> None:
    assert "does not run any more" in browse(done_home).post("/sql/cancel", data={"ticket": "x"}).headers["HX-Trigger"]


def test_without_results_it_says_so(browse: Browse, empty_home: Home) -> None:
    assert "There are no results yet" in browse(empty_home).get("/sql").text
    assert "no results yet" in ask(browse, empty_home, "select 1")
