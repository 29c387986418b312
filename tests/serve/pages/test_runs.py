"""The table of runs, as its address asks for it."""

from __future__ import annotations

import re
from html import unescape

import pytest

from engine.home.paths import Home
from engine.report.number_text import NONE
from engine.serve.pages import runs
from engine.serve.pages.runs import ROWS, Row, RunsPage, show_runs
from engine.serve.paging import Paging
from engine.serve.site import Site
from engine.serve.view import Asked
from tests.serve.conftest import Browse


def page(home: Home, **words: str | tuple[str, ...]) -> RunsPage:
    asked = {name: (value,) if isinstance(value, str) else value for name, value in words.items()}
    data = show_runs(Asked(Site(home), {}, asked)).data
    assert isinstance(data, RunsPage)
    return data


def cells_of(row: Row) -> dict[str, str]:
    return {heading: text for heading, text, _ in row.cells}


def test_all_runs_are_shown_and_counted(done_home: Home) -> None:
    shown = page(done_home)
    assert (shown.total, shown.matching, shown.paging.total, len(shown.rows)) == (21, 21, 21, 21)
    assert [state[:2] for state in shown.states] == [("done", 21)]
    assert shown.problems == ()


def test_a_filter_asks_for_words_settings_and_figures(done_home: Home) -> None:
    shown = page(done_home, q="-alone kind=longformer test_top1>0.4 prune.ratio=none seed=1")
    assert shown.problems == ()
    assert {row.name for row in shown.rows} == {"proposed, seed 1"}
    assert shown.matching == 2  # in two splits


def test_an_unknown_name_is_told_with_the_nearest(done_home: Home) -> None:
    shown = page(done_home, q="test_topp1>0.5", sort="-zork", group="arms", col=("test_top1", "q"))
    assert len(shown.problems) == 4
    assert any("test_top1" in problem for problem in shown.problems)
    assert shown.matching == 21


def test_runs_are_sorted_by_any_column_and_the_empty_come_last(done_home: Home) -> None:
    rows = page(done_home, sort="-test_top1", col="test_top1").rows
    values = [float(row.cells[-1][1]) for row in rows]
    assert values == sorted(values, reverse=True)
    up = page(done_home, sort="prune.ratio", col="prune.ratio").rows
    down = page(done_home, sort="-prune.ratio", col="prune.ratio").rows
    assert up[0].cells[-1][1] == down[0].cells[-1][1] == "0.2"
    assert up[-1].cells[-1][1] == down[-1].cells[-1][1] == NONE


def test_a_head_sorts_up_down_and_not_at_all(done_home: Home) -> None:
    def ways(sort: str) -> tuple[str, str]:
        head = next(head for head in page(done_home, col="test_top1", sort=sort).heads if head.name == "test_top1")
        return head.sorted, "".join(re.findall(r"sort=([^&]*)", head.address))

    assert ways("") == ("none", "-test_top1")
    assert ways("-test_top1") == ("descending", "test_top1")
    assert ways("test_top1") == ("ascending", "")


def test_groups_have_means_with_intervals(done_home: Home) -> None:
    shown = page(done_home, experiment="study", group="arm", col=("test_top1", "data.split"))
    assert (shown.paging.total, shown.matching) == (3, 18)
    cells = cells_of(shown.rows[0])
    assert cells["runs"] == "6"
    assert cells["data.split"] == "2 values"
    assert re.fullmatch(r"\d\d\.\d\d \[\d\d\.\d\d, \d\d\.\d\d\] \(n=6\)", cells["test top-1 [%]"])
    assert shown.rows[0].pick == "study/original"
    by_best = page(done_home, experiment="study", group="arm", sort="-test_top1").rows
    means = [float(cells_of(row)["test top-1 [%]"].split()[0]) for row in by_best]
    assert means == sorted(means, reverse=True)


def test_a_group_leads_to_its_runs(done_home: Home, browse: Browse) -> None:
    for row in page(done_home, group="prune.ratio").rows:
        found = browse(done_home).get("/" + row.address).text
        assert f'<data value="{cells_of(row)["runs"]}">' in found


def test_a_page_has_a_part_and_leads_on(large: Home) -> None:
    first = page(large)
    assert (len(first.rows), first.paging) == (ROWS, Paging(0, ROWS, 60, "", "page=2"))
    last = page(large, page="99")
    assert last.paging == Paging(ROWS, 60, 60, "page=1", "")
    assert {row.address for row in first.rows}.isdisjoint(row.address for row in last.rows)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """60 runs that nobody has begun."""
    from engine.home.paths import open_home
    from store.queue import Queue
    from tests.helpers.queueing import Probe, make_record

    home = open_home(tmp_path_factory.mktemp("large"), create=True)
    with Queue(home.queue_db) as queue:
        queue.add_experiment(make_record("many", [Probe(f"train-{at}") for at in range(60)]))
    return home


def test_what_is_chosen_stays_chosen(done_home: Home) -> None:
    run = page(done_home).rows[3].pick
    shown = page(done_home, a=(run, "study/original"))
    assert [row.pick for row in shown.rows if row.is_picked] == [run]
    assert shown.chosen == (run, "study/original")
    assert all("a=" in head.address for head in shown.heads if head.address)
    assert page(done_home, a=("study/original",), group="arm", experiment="study").rows[0].is_picked


def test_the_address_holds_the_whole_view(done_home: Home, browse: Browse) -> None:
    words = "q=proposed&experiment=study&group=arm&sort=-test_top1&col=test_top1&col=train.epochs"
    text = unescape(browse(done_home).get(f"/runs?{words}").text)
    assert 'value="proposed"' in text
    assert re.search(r'<option value="study" selected>', text)
    assert re.search(r'<option value="arm" selected>', text)
    assert len(re.findall(r'name="col" value="[^"]*" checked', text)) == 2


@pytest.mark.parametrize(
    "words",
    ["q=%3Cscript%3Ealert(1)%3C/script%3E", "q=%00%FF", "page=-1", "page=x", "sort=%22", "group=%27", "col=", "a="],
)
def test_odd_addresses_are_answered(done_home: Home, browse: Browse, words: str) -> None:
    found = browse(done_home).get(f"/runs?{words}")
    assert found.status_code == 200
    assert "<script>alert" not in found.text


def test_an_empty_home_says_how_to_begin(empty_home: Home, browse: Browse) -> None:
    assert "xp submit" in browse(empty_home).get("/runs").text
    assert "There are no runs of" in browse(empty_home).get("/runs?experiment=none").text


def test_a_part_is_the_table_alone(done_home: Home, browse: Browse) -> None:
    text = browse(done_home).get("/runs?q=seed%20x&part=table").text
    assert text.strip().startswith('<section id="table"')
    assert "No run is like that" in text


def test_a_page_has_as_many_rows_as_were_chosen(done_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "ROWS", 5)
    monkeypatch.setattr(runs, "SIZES", (5, 10, 1000))
    assert [len(page(done_home, rows=size).rows) for size in ("5", "10", "1000", "7", "", "99999")] == [
        5,
        10,
        21,
        5,
        5,
        21,
    ]
    last = page(done_home, rows="10", page="3")
    assert last.paging == Paging(20, 21, 21, "rows=10&page=2", "")
    assert last.sizes == ((5, False, "runs?rows=5"), (10, True, "runs?rows=10"), (1000, False, "runs?rows=1000"))
