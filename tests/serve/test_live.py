"""What is read of running jobs is what collect finds in the same files, at once and at little cost."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from engine.collect import collect
from engine.serve.deltas import Watched
from engine.serve.live import KEPT, LiveJob
from engine.serve.site import Site
from engine.serve.thinning import PER_PART
from store.journal import JournalWriter
from tests.collect.reading import log_steps, read_rows
from tests.helpers.synthetic import SyntheticHome
from tests.serve.watching import Browser

JOB = "train-a"
CURVE = (
    "select m.step::double, m.value from raw.metrics m join raw.chains c using (job, attempt) where m.seq <= c.upto "
    f"and m.job = '{JOB}' and m.name = 'train_loss' order by m.attempt, m.seq"
)


@pytest.fixture
def made(tmp_path: Path) -> SyntheticHome:
    made = SyntheticHome(tmp_path / "home")
    made.job(JOB, "train")
    return made


def live_steps(live: LiveJob) -> list[int]:
    live.look()
    return [int(step) for step in live.points("train_loss", 0).step]


def test_a_torn_last_line_waits_for_its_end(made: SyntheticHome) -> None:
    attempt, journal = made.attempt(JOB, 1)
    log_steps(journal, 1, 2)
    live = LiveJob(made.home.job(JOB), {})
    with open(attempt.journal, "ab", buffering=0) as torn:
        torn.write(b'{"v":1,"seq":3,"type":"metric","at":1.0,"name":"train_loss","val')
        assert live_steps(live) == [1, 2]
        torn.write(b'ue":1.0,"step":3,"epoch":0}\n')
    assert live_steps(live) == [1, 2, 3]
    journal.close()


def test_what_was_read_is_not_read_again(made: SyntheticHome, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt, journal = made.attempt(JOB, 1)
    log_steps(journal, *range(1000))
    live = LiveJob(made.home.job(JOB), {})
    live.look()
    size = attempt.journal.stat().st_size
    starts: list[int] = []

    def note(path: Path, start: int, most: int) -> bytes:
        starts.append(start)
        return b""

    monkeypatch.setattr("engine.serve.live.read_bytes", note)
    live.look()
    assert starts == []
    log_steps(journal, 1000)
    live.look()
    assert starts == [size]
    journal.close()


def test_memory_does_not_grow_with_the_journal(made: SyntheticHome) -> None:
    _, journal = made.attempt(JOB, 1)
    live = LiveJob(made.home.job(JOB), {})
    for turn in range(40):
        for step in range(1000 * turn, 1000 * (turn + 1)):
            journal.metric("train_loss", 99.0 if step == 12_345 else step % 7, step=step, epoch=0)
        live.look()
    kept = live.points("train_loss", 0)
    assert len(kept) <= 2 * PER_PART * KEPT + 1000
    assert 99.0 in kept.value
    assert kept.step[-1] == 39_999
    journal.close()


def test_a_job_that_logs_too_fast_is_sampled_to_its_end(made: SyntheticHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.serve.live.LEAST", 20_000)
    monkeypatch.setattr("engine.serve.live.MOST", 20_000)
    _, journal = made.attempt(JOB, 1)
    live = LiveJob(made.home.job(JOB), {})
    log_steps(journal, *range(5000))
    steps = live_steps(live)
    assert live.is_sampled
    assert steps[0] == 0
    assert steps[-1] == 4999
    assert len(steps) < 300
    assert max(np.diff(steps)) < 400  # spread over all of it
    log_steps(journal, 5000, 5001)
    assert live_steps(live)[-2:] == [5000, 5001]
    journal.close()


def test_a_line_that_cuts_nothing_before_it_is_ignored(made: SyntheticHome) -> None:
    _, journal = made.attempt(JOB, 1)
    journal.resumed(1, 5, 5)
    journal.resumed(7, 5, 5)
    log_steps(journal, 1, 2)
    live = LiveJob(made.home.job(JOB), {})
    assert live_steps(live) == [1, 2]
    log_steps(journal, 3)
    assert live_steps(live) == [1, 2, 3]
    assert live.chain == "1:"
    journal.close()


def test_a_job_without_a_line_has_no_points(made: SyntheticHome) -> None:
    live = LiveJob(made.home.job(JOB), {})
    assert live_steps(live) == []
    _, journal = made.attempt(JOB, 1)
    assert live_steps(live) == []
    log_steps(journal, 1)
    assert live_steps(live) == [1]
    journal.close()


def test_an_attempt_without_a_line_hides_nothing(made: SyntheticHome) -> None:
    _, first = made.attempt(JOB, 1)
    log_steps(first, 1, 2)
    live = LiveJob(made.home.job(JOB), {})
    live.look()
    _, second = made.attempt(JOB, 2)
    log_steps(first, 3)
    assert live_steps(live) == [1, 2, 3]
    log_steps(second, 10)
    assert live_steps(live) == [10]
    first.close()
    second.close()


@pytest.mark.parametrize("seed", range(2))
def test_browsers_draw_what_collect_finds(made: SyntheticHome, seed: int) -> None:
    """Attempts that go on from each other, zombies, torn lines and publications, in an order of chance."""
    draw = random.Random(seed)
    site = Site(made.home)
    browsers = [Browser(site, Watched((JOB,), width=4000)) for _ in range(2)]
    journals: list[JournalWriter] = []
    for _ in range(60):
        move = draw.random()
        if not journals or move < 0.08:
            _begin_attempt(made, journals, draw)
        elif move < 0.75:
            log_steps(draw.choice([journals[-1], draw.choice(journals)]), *sorted(draw.sample(range(100), 3)))
        elif move < 0.85:
            collect(made.home)
        else:
            draw.choice(browsers).poll()
    if draw.random() < 0.5:
        number = draw.randint(1, len(journals))
        made.finish(JOB, made.home.job(JOB).attempt(number))
    for browser in browsers:
        browser.poll()
    collect(made.home)
    wanted = read_rows(made.home, CURVE)
    assert wanted
    for browser in [*browsers, Browser(site, Watched((JOB,), width=4000))]:
        assert browser.drawn.get((JOB, "train_loss"), wanted) == wanted
        browser.poll()
        assert browser.drawn[JOB, "train_loss"] == wanted
    for journal in journals:
        journal.close()


def _begin_attempt(made: SyntheticHome, journals: list[JournalWriter], draw: random.Random) -> None:
    _, journal = made.attempt(JOB, len(journals) + 1)
    if journals and draw.random() < 0.7:
        source = draw.randint(1, len(journals))
        # From a line that is there, as a checkpoint is taken after it; older releases told the step alone.
        journal.resumed(source, draw.randint(0, 100), draw.choice([None, draw.randint(0, journals[source - 1].seq)]))
    journals.append(journal)
