"""Teachers over all experiments, and those of one."""

from __future__ import annotations

from engine.home.paths import Home
from tests.serve.conftest import Browse
from tests.serve.waiting import await_part


def test_homes_without_teachers_say_what_has_one(browse: Browse, empty_home: Home, done_home: Home) -> None:
    for home in (empty_home, done_home):
        assert "No experiment here has a teacher" in browse(home).get("/teachers").text


def test_an_experiment_without_a_teacher_says_so(browse: Browse, done_home: Home) -> None:
    await_part(browse(done_home), "/teachers?experiment=other&part=section", "None of its teachers was examined yet")


def test_an_unknown_experiment_names_the_nearest(browse: Browse, done_home: Home) -> None:
    found = browse(done_home).get("/teachers?experiment=stody")
    assert found.status_code == 404
    assert "study" in found.text
