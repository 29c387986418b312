"""The steps of a submission: what was asked is checked before anything is written, and who is told is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.cli.submitting import Asked, load_asked, read_asked
from engine.errors import XpError
from engine.home.paths import Home
from engine.schedule.notices import Target, waiting_notices
from tests.cli.test_jobs import QUICKSTART, run
from tests.helpers.queueing import make_home

pytestmark = pytest.mark.usefixtures("started")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


def asked(fill: bool = False, trial: str | None = None) -> Asked:
    return Asked(QUICKSTART, None, None, False, trial, fill)


def test_what_was_asked_is_checked_together() -> None:
    found = read_asked(asked(fill=True), "2h", "sh -c true")
    assert (found.budget, found.is_paper) == (7200.0, False)
    assert isinstance(found.notify, Target)
    with pytest.raises(XpError, match="no command"):
        read_asked(asked(), None, "no-such-program-here")


def test_a_trial_is_loaded_under_its_name() -> None:
    (spec,) = load_asked(read_asked(asked(trial="attempt"), None, None), ["train.epochs=1"], [])
    assert (spec.name, spec.train.epochs) == ("attempt", 1)


def test_who_is_told_is_kept_and_a_scheduler_starts_for_it(home: Home, started: list[Home]) -> None:
    answer = run(home, "submit", str(QUICKSTART), "--notify", "https://example.org/hook")
    assert answer.exit_code == 0, answer.stderr
    assert [(one.experiment, one.number) for one in waiting_notices(home)] == [("quickstart", 1)]
    assert len(started) == 1


def test_nobody_is_told_unless_asked(home: Home) -> None:
    run(home, "submit", str(QUICKSTART), "--no-start")
    assert not home.notices_root.exists()


@pytest.mark.parametrize("notify", ["ftp://example.org", "no-such-program-here"])
def test_who_cannot_be_told_stops_a_submission(home: Home, notify: str) -> None:
    answer = run(home, "submit", str(QUICKSTART), "--notify", notify)
    assert isinstance(answer.exception, XpError)
    assert answer.exception.exit_code == 2
    assert not home.records("quickstart")
