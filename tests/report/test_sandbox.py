"""The process that fills in templates of others: it can open no file, and its time and memory are bounded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.report import sandbox
from engine.report.sandbox import ROOT, fill


def test_a_template_is_filled_in_with_plain_values() -> None:
    made = fill({"x": "{% include '_y' %} é", "_y": "{{ name }}"}, "x", "md", {"name": "a*b"})
    assert (made.text, made.problem) == (r"a\*b é", "")


LOOPS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


@pytest.mark.parametrize("text", [LOOPS, "{{ n**(n**n) }}", "{{ 'a' * n**11 }}"], ids=["loops", "power", "text"])
def test_what_takes_too_much_is_stopped(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "SECONDS", 1)
    made = fill({"x": text}, "x", "md", {"n": 10})
    assert made.text == ""
    assert "needs" in made.problem


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux counts them so")
def test_code_that_left_the_sandbox_could_open_no_file_and_start_nothing() -> None:
    code = (
        "import os, sys, subprocess\nsys.path.append('engine/report')\nfrom sandbox_child import _limit\n"
        "_limit(5, 1 << 28)\n"
        "for act in (lambda: open('/etc/passwd'), lambda: open('/tmp/x', 'w'), lambda: subprocess.run(['true'])):\n"
        "    try:\n        act()\n        print('left')\n    except OSError:\n        print('held')\n"
        "print(os.system('true') != 0)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.stdout.split() == ["held", "held", "held", "True"], told.stderr
