"""The page of the queue: what runs where, what waits and why, what failed, and which orders each has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.home.files import write_json
from engine.home.paths import Home
from engine.schedule.slot_marks import SlotMarks
from store.queue import Queue, Verdict
from tests.helpers.queueing import Probe, make_home, submit_probes
from tests.serve.conftest import Browse


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """One job runs, one failed, one waits for it, sixty are ready; another experiment goes before."""
    made = make_home(tmp_path)
    many = [Probe(f"train-w{number:02d}", cost=100.0 - number) for number in range(60)]
    submit_probes(made, "one", [Probe("train-run"), Probe("train-bad"), Probe("prune-1", ("train-bad",)), *many])
    submit_probes(made, "first", [Probe("train-first")], priority=1)
    with Queue(made.queue_db) as queue:
        for job in ("train-run", "train-bad"):
            assert queue.lease(job, 1, "cpu:0", boot_id="x", expires=1e12, now=1.0)
            made.job(job).attempt(1).root.mkdir(parents=True)
        queue.finish("train-bad", 1, Verdict("crashed", "failed", "ValueError: odd · fix: mend it"), 2.0)
    made.job("train-bad").attempt(1).log.write_text("a line\n<b>the end</b>\n")
    beat = {"phase": "train", "step": 30, "steps": 120, "epoch": 1, "epochs": 4, "rate": 512.0, "loss": 0.5}
    write_json(made.job("train-run").attempt(1).root / "heartbeat.json", beat)
    SlotMarks(made).put("GPU-7", "it fell off the bus", "train-q", 2, is_shut=True)
    return made


def test_what_runs_tells_where_and_how_far(browse: Browse, home: Home) -> None:
    text = browse(home).get("/queue?part=now").text
    row = next(row for row in text.split("<tr") if 'id="run-train-run"' in row)
    assert "CPU cpu:0" in row
    assert re.sub(r"<[^>]+>", "", row).split("30/120")[1].strip()
    assert '<data value="512.0">512</data>' in row
    assert "GPU-7" in text
    assert "it fell off the bus" in text
    assert "1</data> job failed" in text


def test_what_is_ready_stands_in_the_order_of_its_turn(browse: Browse, home: Home) -> None:
    client = browse(home)
    jobs = re.findall(r'<tr id="([^"]+)-\d+">', client.get("/queue?part=listed").text)
    assert jobs[:3] == ["train-first", "train-w00", "train-w01"]
    assert len(jobs) == 50
    rest = client.get("/queue?part=listed&page=2").text
    assert re.findall(r'<tr id="([^"]+)-\d+">', rest) == [f"train-w{number}" for number in range(49, 60)]
    assert "51</data> to <data" in rest


def test_a_failure_tells_why_and_what_to_do(browse: Browse, home: Home) -> None:
    text = browse(home).get("/queue?state=failed&part=listed").text
    assert "ValueError: odd" in text
    assert "What to do: mend it" in text
    assert "&lt;b&gt;the end&lt;/b&gt;" in text
    assert "order/retry" in text
    assert "order/pause" not in text


def test_what_waits_for_others_names_them(browse: Browse, home: Home) -> None:
    assert "waits for train-bad (failed)" in browse(home).get("/queue?state=blocked&part=listed").text


def test_an_experiment_is_shown_alone_and_run_by_run(browse: Browse, home: Home) -> None:
    client = browse(home)
    assert "train-w00" not in client.get("/queue?experiment=first&part=listed").text
    text = client.get("/queue?experiment=one&by=run&part=listed").text
    assert 'value="run-train-run"' in text
    assert len(re.findall("<tr id=", text)) == 50


@pytest.mark.parametrize("words", ["state=odd", "page=999999999", "experiment=%3Cb%3E&by=run", "by=run", "page=x"])
def test_odd_words_show_the_queue_all_the_same(browse: Browse, home: Home, words: str) -> None:
    found = browse(home).get(f"/queue?{words}")
    assert found.status_code == 200
    assert "<b>" not in found.text


def test_an_empty_home_says_how_to_begin(browse: Browse, empty_home: Home) -> None:
    text = browse(empty_home).get("/queue").text
    assert "Nothing was submitted here yet" in text
    assert "Jobs" not in text
