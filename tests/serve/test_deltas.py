"""Points by cursor: each comes once, whoever asks and whatever is published meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.analysis.snapshot import Snapshot
from engine.collect import collect
from engine.serve import deltas
from engine.serve.deltas import Watched, read_cursor
from engine.serve.site import Site
from engine.serve.starting import warm_up
from tests.collect.reading import log_steps
from tests.helpers.synthetic import SyntheticHome
from tests.serve.watching import Browser

JOB = "train-a"


@pytest.fixture
def made(tmp_path: Path) -> SyntheticHome:
    made = SyntheticHome(tmp_path / "home")
    made.job(JOB, "train")
    return made


def test_each_point_comes_once(made: SyntheticHome) -> None:
    _, journal = made.attempt(JOB, 1)
    browser = Browser(Site(made.home), Watched((JOB,)))
    log_steps(journal, 1, 2)
    assert [one.is_anew for one in browser.poll().series] == [True]
    log_steps(journal, 3)
    assert [(one.is_anew, one.x.tolist()) for one in browser.poll().series] == [(False, [3.0])]
    assert browser.poll().series == ()
    assert browser.steps(JOB) == [1, 2, 3]
    journal.close()


def test_a_publication_sends_nothing_again(made: SyntheticHome) -> None:
    _, journal = made.attempt(JOB, 1)
    browser = Browser(Site(made.home), Watched((JOB,)))
    log_steps(journal, 1, 2)
    browser.poll()
    collect(made.home)
    assert browser.poll().series == ()
    log_steps(journal, 3)
    assert [one.x.tolist() for one in browser.poll().series] == [[3.0]]
    late = Browser(browser.site, browser.watched)
    late.poll()
    assert late.steps(JOB) == browser.steps(JOB) == [1, 2, 3]
    journal.close()


def test_results_that_are_newer_than_they_looked_count_once(
    made: SyntheticHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publication between the look at the file and its opening."""
    _, journal = made.attempt(JOB, 1)
    log_steps(journal, 1)
    collect(made.home)
    site = Site(made.home)
    log_steps(journal, 2)
    mark = site.results_mark()
    Browser(site, Watched((JOB,))).poll()
    collect(made.home)
    monkeypatch.setattr(site.deltas.site, "results_mark", lambda: mark)
    monkeypatch.setattr(site, "snapshot", Site(made.home).snapshot)
    late = Browser(site, Watched((JOB,), width=700))
    late.poll()
    assert late.steps(JOB) == [1, 2]
    journal.close()


def test_a_browser_that_slept_is_brought_up_to_date(made: SyntheticHome) -> None:
    _, journal = made.attempt(JOB, 1)
    browser = Browser(Site(made.home), Watched((JOB,)))
    log_steps(journal, 1)
    browser.poll()
    log_steps(journal, 2)
    collect(made.home)
    log_steps(journal, 3)
    browser.poll()
    assert browser.steps(JOB) == [1, 2, 3]
    journal.close()


def test_a_new_attempt_starts_anew(made: SyntheticHome) -> None:
    _, first = made.attempt(JOB, 1)
    browser = Browser(Site(made.home), Watched((JOB,)))
    log_steps(first, 1, 2, 3)
    browser.poll()
    _, second = made.attempt(JOB, 2)
    assert browser.poll().series == ()
    second.resumed(1, 2, 2)
    log_steps(second, 30)
    assert browser.poll().series[0].is_anew
    assert browser.steps(JOB) == [1, 2, 30]
    log_steps(first, 4)
    assert browser.poll().series == ()
    first.close()
    second.close()


def test_a_finished_job_is_read_from_the_results(made: SyntheticHome) -> None:
    attempt, journal = made.attempt(JOB, 1)
    log_steps(journal, *range(2000))
    journal.close()
    made.finish(JOB, attempt)
    collect(made.home)
    assert attempt.compacted.exists()
    assert not attempt.journal.exists()
    browser = Browser(Site(made.home), Watched((JOB,), width=1000))
    browser.poll()
    assert browser.steps(JOB) == [*range(2000)]
    assert browser.poll().series == ()


@pytest.mark.parametrize(("count", "is_warm", "looks"), [(1, False, (1, 0)), (5, False, (0, 1)), (5, True, (0, 0))])
def test_a_few_jobs_are_looked_for_one_by_one_and_many_by_one_look_at_all_where_none_was_before(
    count: int, is_warm: bool, looks: tuple[int, int], made: SyntheticHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [f"train-{number}" for number in range(count)]
    for job in jobs:
        made.job(job, "train")
        attempt, journal = made.attempt(job, 1)
        log_steps(journal, 1, 2)
        journal.close()
        made.finish(job, attempt)
    collect(made.home)
    told: list[str] = []
    ask = Snapshot.ask

    def listen(self: Snapshot, query: str, **values: Any) -> list[dict[str, Any]]:
        told.append(query)
        return ask(self, query, **values)

    site = Site(made.home)
    if is_warm:
        warm_up(site)
    monkeypatch.setattr(Snapshot, "ask", listen)
    browser = Browser(site, Watched(tuple(jobs)))
    browser.poll()
    assert [browser.steps(job) for job in jobs] == [[1, 2]] * count
    assert (told.count("serve_range"), told.count("serve_ranges")) == looks


def test_a_browser_holds_no_more_than_its_screen(made: SyntheticHome) -> None:
    _, journal = made.attempt(JOB, 1)
    browser = Browser(Site(made.home), Watched((JOB,), width=50))
    longest = 0
    for turn in range(60):
        log_steps(journal, *range(100 * turn, 100 * (turn + 1)))
        browser.poll()
        longest = max(longest, len(browser.steps(JOB)))
    assert longest < 1000
    assert browser.steps(JOB)[-1] == 5999
    journal.close()


def test_what_was_left_out_comes_with_the_publication(made: SyntheticHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.serve.live.LEAST", 10_000)
    monkeypatch.setattr("engine.serve.live.MOST", 10_000)
    _, journal = made.attempt(JOB, 1)
    browser = Browser(Site(made.home), Watched((JOB,), width=1000))
    log_steps(journal, *range(1000))
    browser.poll()
    assert len(browser.steps(JOB)) < 200
    collect(made.home)
    log_steps(journal, 1000)
    browser.poll()
    assert browser.steps(JOB) == [*range(1001)]
    log_steps(journal, 1001)
    assert not browser.poll().series[0].is_anew
    journal.close()


def test_another_question_does_not_take_the_cursor(made: SyntheticHome) -> None:
    _, journal = made.attempt(JOB, 1)
    log_steps(journal, 1)
    site = Site(made.home)
    cursor = site.deltas.ask(Watched((JOB,))).cursor
    assert site.deltas.ask(Watched((JOB,), ("train_loss",)), cursor).series[0].is_anew
    assert site.deltas.ask(Watched((JOB,), axis="at"), cursor).series[0].is_anew
    journal.close()


@pytest.mark.parametrize("text", ["", "x", "bm9uZQ==", "W10=", "WzEsIDJd", "W1tdLHsiYSI6MX1d", "ö", "A" * 1001])
def test_a_cursor_of_nonsense_is_none(text: str) -> None:
    assert read_cursor(text, Watched((JOB,))) == {}


def test_jobs_that_do_not_exist_have_no_points(made: SyntheticHome) -> None:
    delta = Site(made.home).deltas.ask(Watched(("train-none",)))
    assert delta.series == ()


def test_what_is_held_is_bounded(made: SyntheticHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deltas, "HELD_JOBS", 3)
    site = Site(made.home)
    for number in range(6):
        site.deltas.ask(Watched((f"train-{number}", JOB)))
    assert len(site.deltas._jobs) == 3
    assert (None, JOB) in site.deltas._jobs


def test_curves_of_seconds_lie_along_the_clock(made: SyntheticHome) -> None:
    _, journal = made.attempt(JOB, 1)
    log_steps(journal, 1, 2)
    collect(made.home)
    log_steps(journal, 3)
    (one,) = Site(made.home).deltas.ask(Watched((JOB,), axis="at")).series
    assert np.all(np.diff(one.x) >= 0)
    assert one.x[0] > 1.7e9
    journal.close()
