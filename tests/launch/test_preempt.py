"""What a person may name as the signal that announces the end of a machine."""

from __future__ import annotations

import signal

import pytest

from engine.errors import XpError
from engine.launch.preempt import VARIABLE, preempt_signals


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", [signal.SIGUSR1, signal.SIGUSR2]),
        ("USR1", [signal.SIGUSR1]),
        ("sigusr2", [signal.SIGUSR2]),
        ("SIGXCPU, 10", [signal.SIGXCPU, signal.SIGUSR1]),
        ("TERM", [signal.SIGTERM]),
    ],
)
def test_signals_go_by_name_or_number(text: str, numbers: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, text)
    assert list(preempt_signals()) == numbers


@pytest.mark.parametrize(
    "text",
    ["KILL", "STOP", "9", "QUIT", "CHLD", "SEGV", "BUS", "FPE", "ILL", "ABRT", "PIPE", "BANANA", "4711", "USR1,"],
)
def test_what_cannot_be_caught_or_means_something_else_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(XpError, match="cannot announce") as caught:
        preempt_signals()
    assert "XP_PREEMPT_SIGNAL=USR1" in caught.value.fix
