from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.errors import HomeError
from engine.home.control_files import (
    BeatFile,
    ControlFile,
    HandleFile,
    OutcomeFile,
    read_beat,
    read_details,
    read_handle,
    read_outcome,
    write_outcome,
)
from engine.home.paths import AttemptFolder, JobFolder
from engine.home.seals import seal

WHOLE: dict[str, dict[str, Any]] = {
    "handle.json": {"pid": 7, "start_time": 9, "host": "h", "boot_id": "b", "slot": "cpu:0", "exit": -9},
    "heartbeat.json": {"phase": "train", "step": 3, "steps": 9, "epoch": 1, "epochs": 2, "rate": 5.5, "loss": 0.1},
    "outcome.json": {"outcome": "lost", "exit": None, "state": "queued", "spent": {"lost": 1}, "ended_at": 9.5},
}
READERS: dict[str, Callable[[AttemptFolder], ControlFile | None]] = {
    "handle.json": read_handle,
    "heartbeat.json": read_beat,
    "outcome.json": read_outcome,
}
MODELS: dict[str, type[ControlFile]] = {
    "handle.json": HandleFile,
    "heartbeat.json": BeatFile,
    "outcome.json": OutcomeFile,
}
NO_OBJECT = [b"", b"[]", b"null", b'"x"', b"7", b"NaN", b"[" * 100_000, b"\xff\xfe{}", b"1" * 10_000, b"\0" * 100, b"{"]
ODD = ["[]", "{}", "true", "NaN", "Infinity", "-1e12", "1" + "0" * 30, "[" * 500 + "]" * 500, '"\\ud800"']
SOUND = (("spent", "{}"), ("loss", "-1e12"), ("loss", "1" + "0" * 30))


@pytest.fixture
def attempt(tmp_path: Path) -> AttemptFolder:
    return AttemptFolder(tmp_path)


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_written_is_read_typed(attempt: AttemptFolder, name: str) -> None:
    (attempt.root / name).write_text(json.dumps({**WHOLE[name], "of_a_later_version": [1]}))
    read = READERS[name](attempt)
    assert read is not None
    kept = read.model_dump()
    assert all(kept[word] == value for word, value in WHOLE[name].items())


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_no_object_is_none(attempt: AttemptFolder, name: str) -> None:
    assert READERS[name](attempt) is None, "there is none"
    for content in NO_OBJECT:
        (attempt.root / name).write_bytes(content)
        assert READERS[name](attempt) is None, content[:20]
    (attempt.root / name).write_text(json.dumps(WHOLE[name]) + " " * (1 << 20))
    assert READERS[name](attempt) is None, "larger than any whole one"
    (attempt.root / name).unlink()
    os.mkfifo(attempt.root / name)
    assert READERS[name](attempt) is None, "a pipe"


@pytest.mark.parametrize("name", WHOLE)
def test_an_odd_word_is_never_taken(attempt: AttemptFolder, name: str) -> None:
    """Each word of each file by itself: what is read has only words of their kind, or is None."""
    for word in MODELS[name].model_fields:
        for text in ODD:
            others = json.dumps({key: value for key, value in WHOLE[name].items() if key != word})
            (attempt.root / name).write_text(f'{others[:-1]}, "{word}": {text}}}')
            read = READERS[name](attempt)
            left = read is not None and word in read.dispensable and getattr(read, word) == getattr(type(read)(), word)
            assert read is None or left or (word, text) in SOUND, (word, text)


def test_a_verdict_is_sealed_and_an_older_one_is_read(attempt: AttemptFolder) -> None:
    told = OutcomeFile(outcome="crashed", state="queued", spent={"crashed": 1}, started_at=1.0, ended_at=2.0)
    write_outcome(attempt, told)
    assert read_outcome(attempt) == told
    text = attempt.outcome.read_text()
    attempt.outcome.write_text(text.replace('"crashed": 1', '"crashed": 0'))
    assert read_outcome(attempt) is None, "a budget that was changed is no verdict"
    attempt.outcome.write_text(json.dumps(told.model_dump()))
    assert read_outcome(attempt) == told, "one of an older version has no checksum"


def details(folder: JobFolder, content: Any) -> JobFolder:
    folder.details.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def test_details_are_sealed_and_older_ones_are_read(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path)
    assert read_details(folder) == {}
    assert read_details(details(folder, seal({"cache": "raw"}))) == {"cache": "raw"}
    assert read_details(details(folder, {"cache": "raw"})) == {"cache": "raw"}
    with pytest.raises(HomeError, match="checksum does not hold"):
        read_details(details(folder, {**seal({"cache": "raw"}), "cache": "jpeg"}))
    odd: tuple[Any, ...] = ([], 7, "[" * 100_000, "", "null")
    for content in odd:
        with pytest.raises(HomeError, match="damaged"):
            read_details(details(folder, content))
