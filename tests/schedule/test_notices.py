"""Who is told of an experiment's end: what can be told is checked first, and kept until it was told."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import XpError
from engine.home.paths import Home
from engine.schedule.notices import (
    Target,
    ask_notice,
    failed_tellings,
    read_target,
    read_told,
    waiting_notices,
    write_told,
)
from tests.helpers.queueing import Probe, make_home, submit_probes


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = make_home(tmp_path)
    submit_probes(home, "one", [Probe("train-1")])
    return home


URL = Target(url="https://example.org/secret/key")


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [("ftp://example.org/x", "'ftp' is no way to tell anybody", "use http or https"),
     ("https://", "names no host", "write it whole"), ("http://a b/", "names no host", "write it whole"),
     ("http://example.org:no/", "names no host", "write it whole"),
     ("https://me:word@example.org/", "a password in it", "take the name and password out"),
     ("", "said to nobody", "name a command"), ("say 'x", "is no command", "close the quotes"),
     ("no-such-program-here x", "there is no command 'no-such-program-here'", "whole path"),
     ("pyhton3 -V", "there is no command 'pyhton3'", "python3"), ("./here.txt", "is not executable", "chmod +x")],
)  # fmt: skip
def test_what_cannot_be_told_is_refused_with_a_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, what: str, fix: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.txt").touch()
    with pytest.raises(XpError) as refused:
        read_target(text)
    assert what in refused.value.what
    assert fix in refused.value.fix
    assert refused.value.where == "--notify"


def test_a_command_is_kept_with_its_whole_path_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "tell it"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    assert read_target("'./tell it' now") == Target(words=(str(script), "now"), folder=str(tmp_path))
    assert Path(read_target("sh -c true").words[0]).is_absolute()


def test_an_address_is_shown_without_its_key() -> None:
    assert str(read_target(URL.url)) == "https://example.org"


def test_a_notice_waits_until_it_was_told(home: Home) -> None:
    ask_notice(home, "one", 1, URL)
    waiting = waiting_notices(home)
    assert [(notice.experiment, notice.target) for notice in waiting] == [("one", URL)]
    write_told(home, waiting[0], "")
    assert waiting_notices(home) == []
    assert failed_tellings(home, ["one", "other"]) == []


def test_a_kill_after_telling_makes_nobody_told_again(home: Home) -> None:
    """How it went is written before the notice is taken away."""
    ask_notice(home, "one", 1, URL)
    kept = home.notice("one").read_bytes()
    write_told(home, waiting_notices(home)[0], "")
    home.notice("one").write_bytes(kept)
    assert waiting_notices(home) == []


def test_who_asks_again_meanwhile_is_still_told(home: Home) -> None:
    ask_notice(home, "one", 1, URL)
    first = waiting_notices(home)[0]
    ask_notice(home, "one", 1, URL)
    write_told(home, first, "")
    assert [notice.id == first.id for notice in waiting_notices(home)] == [False]


def test_of_another_experiment_under_the_same_name_nobody_is_told(home: Home) -> None:
    ask_notice(home, "one", 1, URL)
    (home.experiment("one") / "1.json").unlink()
    assert waiting_notices(home) == []
    submit_probes(home, "one", [Probe("train-1")])
    assert waiting_notices(home) == []


def test_what_went_wrong_is_told_without_the_key(home: Home) -> None:
    ask_notice(home, "one", 1, URL)
    write_told(home, waiting_notices(home)[0], "it answered 404 Not Found")
    assert failed_tellings(home, ["one"]) == [
        "one: nobody was told of its end (https://example.org): it answered 404 Not Found"
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": 1}'])
def test_a_damaged_notice_stops_nothing(home: Home, text: str) -> None:
    ask_notice(home, "one", 1, URL)
    home.notice("one").write_text(text)
    home.told_notice("one").write_text(text)
    assert waiting_notices(home) == []
    assert read_told(home, "one") is None


def test_an_address_is_the_owners_alone(home: Home) -> None:
    ask_notice(home, "one", 1, URL)
    assert home.notices_root.stat().st_mode & 0o077 == 0
