"""The token: kept for its owner alone, believed only from such a file; who guesses waits."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from engine.errors import XpError
from engine.serve.refusals import Refusal
from engine.serve.token import MOST_WAITING, Lock, check_token, keep_token

OWN = "a-token-of-one's-own".replace("'", "-")


def test_a_token_is_kept_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "serve.token"
    before = os.umask(0)  # whatever others may do in the home
    try:
        made = keep_token(path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(made) >= 43
    assert keep_token(path) == made, "a server that comes back would lock out its open pages"
    assert [one.name for one in tmp_path.iterdir()] == ["serve.token"]


@pytest.mark.parametrize("text", ["", "short", "x" * 300, "a b c d e f g h i j k l", "\0" * 32])
def test_a_file_without_token_is_replaced(tmp_path: Path, text: str) -> None:
    path = tmp_path / "serve.token"
    path.write_text(text)
    path.chmod(0o600)
    made = keep_token(path)
    assert path.read_text().strip() == made != text


def test_a_token_others_could_write_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "serve.token"
    path.write_text(OWN)
    path.chmod(0o660)
    assert keep_token(path) != OWN
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_link_is_no_token(tmp_path: Path) -> None:
    aim = tmp_path / "other"
    aim.write_text(OWN)
    aim.chmod(0o600)
    (tmp_path / "serve.token").symlink_to(aim)
    assert keep_token(tmp_path / "serve.token") != OWN
    assert aim.read_text() == OWN


def test_a_pipe_is_no_token(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "serve.token", 0o600)
    assert keep_token(tmp_path / "serve.token")


def test_a_home_that_cannot_be_written_is_shown(tmp_path: Path) -> None:
    assert len(keep_token(tmp_path / "absent" / "serve.token")) >= 43


@pytest.mark.parametrize("text", ["", "short", "fifteen-letters", "blank in the midst of it", "a#b#c#d#e#f#g#h#i#"])
def test_a_token_that_can_be_guessed_is_refused(text: str) -> None:
    with pytest.raises(XpError, match="token"):
        check_token(text)


def test_a_lock_shows_no_token() -> None:
    lock = Lock(OWN)
    assert OWN not in repr(lock) + lock.cookie + lock.cookie_name
    assert lock.fits(OWN)
    assert not lock.fits(lock.cookie)
    assert lock.fits_cookie(lock.cookie)
    assert not lock.fits_cookie(OWN)
    assert not lock.fits("é\x00")


def test_who_guesses_waits_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("engine.serve.token.asyncio.sleep", note)
    lock = Lock(OWN)
    for _ in range(9):
        with pytest.raises(Refusal, match="not the token"):
            asyncio.run(lock.must_fit("wrong"))
    assert waits[:4] == [0.1, 0.2, 0.4, 0.8]
    assert waits[-1] == 5.0
    asyncio.run(lock.must_fit(OWN))
    assert len(waits) == 9, "the right one waits for nothing"


def test_no_token_is_no_guess() -> None:
    lock = Lock(OWN)
    with pytest.raises(Refusal, match="needs the token") as refused:
        asyncio.run(lock.must_fit(""))
    assert refused.value.status == 401


def test_many_guesses_at_once_are_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.serve.token.FIRST_WAIT", 0.001)
    monkeypatch.setattr("engine.serve.token.LONGEST_WAIT", 0.05)

    async def guess(lock: Lock) -> int:
        try:
            await lock.must_fit("wrong")
        except Refusal as refused:
            return refused.status
        return 0

    async def guess_often() -> list[int]:
        lock = Lock(OWN)
        return await asyncio.gather(*(guess(lock) for _ in range(MOST_WAITING + 5)))

    begun = time.monotonic()
    assert sorted(asyncio.run(guess_often())) == [401] * MOST_WAITING + [429] * 5
    assert time.monotonic() - begun < 5
