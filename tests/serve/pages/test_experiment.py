"""The page of an experiment: what is there, what is not, and where each figure comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from engine.collect import rebuild
from engine.home.paths import Home
from engine.schedule.worker.rebuild import rebuild_queue
from engine.serve.app import make_app
from engine.serve.pages.experiment import show_experiment
from engine.serve.site import Site
from engine.serve.view import Asked
from store.queue import Queue
from tests.helpers.synthetic import ARMS, Arm, SyntheticHome
from tests.serve.waiting import await_part

READY = 'id="arms"'


@pytest.fixture(scope="module")
def client(done_home: Home) -> Iterator[TestClient]:
    with TestClient(make_app(Site(done_home))) as opened:
        yield opened


@pytest.fixture(scope="module")
def results(client: TestClient) -> str:
    return await_part(client, "/e/study?part=results", READY)


def test_the_first_paint_waits_for_no_result(done_home: Home) -> None:
    view = show_experiment(Asked(Site(done_home), {"experiment": "study"}))
    assert view.data.body is None  # type: ignore[attr-defined]  # of this page
    assert view.data.again is not None  # type: ignore[attr-defined]  # and the page asks for it at once


def test_arms_have_intervals_changes_and_marks(results: str) -> None:
    row = results[results.index("study/proposed_pruned") :]
    assert re.search(r"\d+\.\d ± \d+\.\d \(n=3\)", row)
    assert re.search(r'class="edges" title="95 % interval over seeds">\[\d+\.\d+, \d+\.\d+\]', row)
    assert re.search(r"-\d+\.\d ± \d+\.\d \[a\]", row), "a mark of the guard"
    assert "<li>[a] proposed_pruned against original: not held equal" in row, "and its footnote"


def test_claims_have_verdicts(results: str) -> None:
    assert re.search(r'class="verdict (holds|refuted|undecided)"', results)


def test_arms_are_chosen_for_a_comparison(client: TestClient, results: str) -> None:
    assert unescape(re.findall(r'name="a" value="([^"]*)"', results)[0]) == "study/original"
    assert client.get("/compare?a=study/original&a=study/proposed").status_code == 200


def test_a_figure_leads_to_its_sql_and_runs(client: TestClient, results: str) -> None:
    link = unescape(re.findall(r'class="figure" href="\.\./(e/study/origin[^"]*)"', results)[0])
    text = client.get(f"/{link}").text
    assert "select n, mean, std, low, high from cells where" in unescape(text)
    assert text.count('href="../../run/run-') == 3


def test_an_unknown_figure_is_not_found(client: TestClient) -> None:
    assert client.get("/e/study/origin?arm=original&cell=nowhere&column=none").status_code == 404


def test_every_picture_of_the_page_is_there(client: TestClient, results: str) -> None:
    found = [unescape(one) for one in re.findall(r'src="\.\./(e/study/[^"]*)"', results)]
    charts, maps = ([one for one in found if f"/{kind}/" in one] for kind in ("chart", "map"))
    assert len(charts) >= 3
    drawn = client.get(f"/{charts[0]}")
    assert drawn.text.startswith("<svg")
    assert "immutable" in drawn.headers["cache-control"]
    assert client.get(f"/{maps[0]}").content.startswith(b"\x89PNG")


def test_no_other_file_is_given_as_a_map(client: TestClient) -> None:
    assert client.get("/e/study/map/..%2F..%2Fqueue.png").status_code == 404
    assert client.get("/e/study/chart/nothing.svg").status_code == 404


def test_a_table_sorts_by_an_address_that_can_be_sent(client: TestClient, results: str) -> None:
    def arms(way: str) -> list[str]:
        text = await_part(client, f"/e/study?part=results&sort=params&way={way}", READY)
        return re.findall(r'value="study/(\w+)"', text)[:3]

    assert arms("up") == arms("down")[::-1]
    assert arms("up")[0] == "proposed_pruned"


def test_an_unknown_experiment_names_the_nearest(client: TestClient) -> None:
    found = client.get("/e/stody")
    assert found.status_code == 404
    assert "study" in found.text


def queued_home(root: Path) -> SyntheticHome:
    """Three runs with their jobs in the queue; the last student was never begun."""
    made = SyntheticHome(root)
    runs = made.experiment("study", ARMS, seeds=(0,))
    kinds = {job: "train" if role == "student" else role for run in runs for role, job in run["jobs"].items()}
    jobs = [{"job": job, "kind": kind, "needs": [], "details": {}, "cost": 1.0, "chain": 1.0}
            for job, kind in kinds.items()]  # fmt: skip
    made.unfinish(runs[2])
    path = made.home.records("study")[-1]
    path.write_text(json.dumps({**json.loads(path.read_text()), "jobs": jobs}))
    rebuild(made.home)
    rebuild_queue(made.home)
    return made


def test_half_done_is_told_plainly(tmp_path: Path) -> None:
    with TestClient(make_app(Site(queued_home(tmp_path).home))) as client:
        text = await_part(client, "/e/study?part=results", READY)
        head = client.get("/e/study?part=head").text
    assert "1 of 3 runs" in text
    assert re.search(r">2</data> of <data value=\"3\">3</data> done", head)
    assert 'id="order-cancel"' in head
    assert 'id="order-retry"' not in head


def test_orders_fit_what_can_change(client: TestClient) -> None:
    assert 'id="order-' not in client.get("/e/study?part=head").text


def test_an_experiment_that_only_the_queue_knows_has_a_page(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    made.experiment("early", {"alone": ARMS["original"]})
    rebuild_queue(made.home)
    with TestClient(make_app(Site(made.home))) as client:
        found = client.get("/e/early")
    assert found.status_code == 200
    assert "No results are published yet" in found.text


def test_results_without_a_queue_have_a_page(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    made.experiment("late", {"alone": ARMS["original"]})
    rebuild(made.home)
    with TestClient(make_app(Site(made.home))) as client:
        found = client.get("/e/late")
    assert found.status_code == 200
    assert "xp rebuild --queue" in found.text


def test_titles_are_text_whatever_they_hold(tmp_path: Path) -> None:
    title = '<b>"bold"</b> & عنوان 実験 ' + "w" * 200
    made = SyntheticHome(tmp_path)
    made.experiment("odd", {"alone": ARMS["original"]}, title=title)
    rebuild(made.home)
    rebuild_queue(made.home)
    with TestClient(make_app(Site(made.home))) as client:
        pages = [client.get(address).text for address in ("/", "/e/odd", "/reports")]
    for text in pages:
        assert "<b>" not in text
        assert title in unescape(text)


def test_many_cells_have_an_overview_and_one_table(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    splits = tuple(f"{60 + at}/20/{20 - at}" for at in range(6))
    made.experiment("wide", {"one": Arm(), "two": Arm(0.7)}, seeds=(0,), splits=splits)
    rebuild(made.home)
    rebuild_queue(made.home)
    with TestClient(make_app(Site(made.home))) as client:
        text = await_part(client, "/e/wide?part=results&cell=data.split%3D62/20/18", READY)
    assert text.count('class="results arms"') == 1
    assert "<h3>data.split=62/20/18</h3>" in text
    assert text.count('#arms">data.<wbr>split=') == 6


def test_paused_jobs_can_be_resumed(tmp_path: Path) -> None:
    home = queued_home(tmp_path).home
    with Queue(home.queue_db) as queue:
        queue.request_pause(experiment="study")
    with TestClient(make_app(Site(home))) as client:
        text = client.get("/e/study?part=head").text
    assert 'id="order-resume"' in text
    assert 'id="order-pause"' not in text
